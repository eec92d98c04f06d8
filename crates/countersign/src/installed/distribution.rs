//! What an installed distribution says of itself (PEP 376, 610, 627). It says where to look, never what is
//! right: that is for the wheel to say.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use index::{ProjectName, Version440};

/// Bytes read of one file of a distribution's own records; the largest RECORD seen has 3 MB.
const MOST: u64 = 64 << 20;

/// An installed distribution.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    /// The folder of its records, `NAME-VERSION.dist-info`.
    pub(crate) folder: PathBuf,
    /// Its project as it names it.
    pub(crate) name: String,
    /// Its version as it names it.
    pub(crate) version: String,
    /// Both, where they can be looked up.
    pub(crate) known: Option<(ProjectName, Version440)>,
    /// Where it says it comes from.
    pub(crate) origin: Origin,
    /// The tags of its wheel, expanded.
    pub(crate) tags: BTreeSet<String>,
    /// The files its RECORD lists, made absolute.
    pub(crate) files: BTreeSet<PathBuf>,
}

/// Where a distribution comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An index, as far as it says.
    Index,
    /// A folder of this machine that stays its source.
    Editable,
    /// A URL of its own.
    Elsewhere(String),
    /// Something without the records of a wheel.
    Unknown,
}

/// Every distribution in a folder, and what looks like one.
pub(crate) fn installed(site: &Path) -> io::Result<Vec<Installed>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(site)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_owned();
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        if end == "dist-info" && path.is_dir() {
            found.push(read(site, &path)?);
        } else if ["egg-info", "egg", "egg-link"].contains(&end) {
            found.push(Installed {
                folder: path.clone(),
                version: String::new(),
                known: None,
                origin: Origin::Unknown,
                tags: BTreeSet::new(),
                files: BTreeSet::from([path]),
                name,
            });
        }
    }
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(found)
}

fn read(site: &Path, folder: &Path) -> io::Result<Installed> {
    let metadata = text(&folder.join("METADATA"))?.unwrap_or_default();
    let field = |text: &str, name: &str| {
        let head = text.lines().take_while(|line| !line.is_empty());
        let values = head.filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        });
        values.collect::<Vec<_>>()
    };
    let one = |name| {
        field(&metadata, name)
            .into_iter()
            .next()
            .unwrap_or_default()
    };
    let (name, version) = (one("Name"), one("Version"));
    let known = ProjectName::parse(&name)
        .ok()
        .zip(Version440::parse(&version).ok());
    let wheel = text(&folder.join("WHEEL"))?;
    let origin = match (text(&folder.join("direct_url.json"))?, &wheel) {
        (Some(direct), _) => direct_origin(&direct),
        (None, Some(_)) => Origin::Index,
        (None, None) => Origin::Unknown,
    };
    let record = text(&folder.join("RECORD"))?.unwrap_or_default();
    let files = record.lines().filter_map(first_field);
    Ok(Installed {
        folder: folder.to_owned(),
        name,
        version,
        known,
        origin,
        tags: field(&wheel.unwrap_or_default(), "Tag")
            .into_iter()
            .collect(),
        files: files.map(|file| joined(site, &file)).collect(),
    })
}

/// PEP 610.
fn direct_origin(text: &str) -> Origin {
    let Ok(serde_json::Value::Object(direct)) = serde_json::from_str(text) else {
        return Origin::Unknown;
    };
    let editable = direct.get("dir_info").and_then(|it| it.get("editable"));
    if editable == Some(&serde_json::Value::Bool(true)) {
        return Origin::Editable;
    }
    let url = direct.get("url").and_then(|it| it.as_str());
    Origin::Elsewhere(url.unwrap_or("a URL that it does not name").to_owned())
}

/// The first field of a line of CSV (PEP 627).
fn first_field(line: &str) -> Option<String> {
    let Some(quoted) = line.strip_prefix('"') else {
        let field = line.split(',').next()?;
        return (!field.is_empty()).then(|| field.to_owned());
    };
    let mut out = String::new();
    let mut rest = quoted.chars().peekable();
    while let Some(it) = rest.next() {
        match (it, rest.peek()) {
            ('"', Some('"')) => {
                rest.next();
                out.push('"');
            }
            ('"', _) => return Some(out),
            _ => out.push(it),
        }
    }
    None
}

/// A path seen from a folder, without asking the file system what links there are.
pub(super) fn joined(folder: &Path, path: &str) -> PathBuf {
    let mut out = folder.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn text(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_record() {
        for (line, field) in [
            ("a/b.py,sha256=x,3", Some("a/b.py")),
            ("\"a,\"\"b\"\".py\",sha256=x,3", Some("a,\"b\".py")),
            ("\"open", None),
            ("", None),
        ] {
            assert_eq!(first_field(line).as_deref(), field, "{line}");
        }
        let site = Path::new("/v/lib/p/site-packages");
        assert_eq!(joined(site, "../../../bin/x"), Path::new("/v/bin/x"));
        assert_eq!(joined(site, "./a/../b.py"), site.join("b.py"));
    }

    #[test]
    fn direct_urls_are_told_apart() {
        let of = direct_origin;
        assert_eq!(
            of(r#"{"url": "file:///p", "dir_info": {"editable": true}}"#),
            Origin::Editable
        );
        let url = "https://code.example/x.zip";
        assert_eq!(
            of(&format!(r#"{{"url": "{url}", "archive_info": {{}}}}"#)),
            Origin::Elsewhere(url.to_owned())
        );
        assert_eq!(of("[]"), Origin::Unknown);
    }
}
