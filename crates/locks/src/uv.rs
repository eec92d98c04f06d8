//! `uv.lock`: version 1 of uv's own format, of any revision.

use serde::Deserialize;

use crate::{LockError, LockedFile, LockedPackage, Source, excerpt, file_name, project, sha256_of};

#[derive(Deserialize)]
struct Document {
    version: u64,
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    source: toml::Table,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
}

pub(crate) fn read(text: &str) -> Result<Vec<LockedPackage>, LockError> {
    let document: Document = toml::from_str(text)?;
    if document.version != 1 {
        let found = document.version.to_string();
        return Err(LockError::Format { found, known: "1" });
    }
    document.package.into_iter().map(Package::read).collect()
}

impl Package {
    fn read(self) -> Result<LockedPackage, LockError> {
        let source = source(&self.source)?;
        let files = self.sdist.into_iter().chain(self.wheels);
        Ok(LockedPackage {
            name: project(&self.name)?,
            version: self.version,
            source,
            files: files.map(File::read).collect::<Result<_, _>>()?,
        })
    }
}

/// One member, whose key says what kind of place it is.
fn source(source: &toml::Table) -> Result<Source, LockError> {
    let kinds: Vec<&str> = source.keys().map(String::as_str).collect();
    let is = |names: &[&str]| kinds.iter().any(|kind| names.contains(kind));
    // `git` and `url` sources carry more members; the others have just one.
    if is(&["git", "url"]) {
        let location = source.get("git").or_else(|| source.get("url"));
        let location = location.and_then(toml::Value::as_str).unwrap_or("?");
        return Ok(Source::Elsewhere(excerpt(location)));
    }
    match kinds[..] {
        ["registry"] => Ok(Source::Index),
        ["virtual" | "editable" | "directory" | "path"] => Ok(Source::Local),
        _ => Err(LockError::Toml {
            why: format!("a source of unknown kind: {}", excerpt(&kinds.join(", "))),
        }),
    }
}

impl File {
    fn read(self) -> Result<LockedFile, LockError> {
        let location = self.url.as_deref().or(self.path.as_deref());
        let hash = self.hash.as_deref().map(sha256_of).transpose()?;
        Ok(LockedFile {
            filename: self.filename.or_else(|| file_name(location?)),
            sha256: hash.flatten(),
        })
    }
}
