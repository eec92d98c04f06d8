//! Where the environment and the settings of pip and uv lead past the proxy. `exec` makes them count
//! for nothing and says so; `doctor` names them.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Largest file that is looked into, in bytes.
const MOST_BYTES: u64 = 1_000_000;

/// Variables by which installers take files from elsewhere, or by other ways.
const VARIABLES: [&str; 13] = [
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_PYPI_URL",
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_TORCH_BACKEND",
];

/// Settings that do the same, of pip.
const PIP_KEYS: [&str; 5] = [
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "proxy",
];

/// Settings that do the same, of uv.
const UV_KEYS: [&str; 8] = [
    "index",
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "cache-dir",
    "http-proxy",
    "https-proxy",
];

/// A way past the proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Leak {
    /// The file it stands in; none for a variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// The setting or variable.
    pub(crate) name: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} in {}", self.name, file.display()),
            None => write!(f, "{}", self.name),
        }
    }
}

/// Variables that are set. `UV_INDEX_NAME_…` hold passwords for indexes and lead nowhere.
pub(crate) fn in_variables(set: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Leak> {
    let mut found: Vec<_> = set
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| VARIABLES.contains(&name.as_str()))
        .map(|name| Leak { file: None, name })
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// Settings in the files that pip and uv read when they are started in `folder`.
pub(crate) fn in_files(folder: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Vec<Leak> {
    let mut found = Vec::new();
    for file in pip_files(&variable) {
        if let Some(text) = text_of(&file) {
            found.extend(in_ini(&text).map(|name| leak(&file, name)));
        }
    }
    for file in uv_files(folder, &variable) {
        let Some(Ok(table)) = text_of(&file).map(|text| text.parse::<toml::Table>()) else {
            continue;
        };
        let is_project = file
            .file_name()
            .is_some_and(|name| name == "pyproject.toml");
        let settings = if is_project {
            let tool = table.get("tool").and_then(|tool| tool.get("uv"));
            tool.and_then(toml::Value::as_table)
        } else {
            Some(&table)
        };
        let pip = settings
            .and_then(|it| it.get("pip"))
            .and_then(toml::Value::as_table);
        for settings in settings.into_iter().chain(pip) {
            let names = UV_KEYS.iter().filter(|key| settings.contains_key(**key));
            found.extend(names.map(|name| leak(&file, *name)));
        }
    }
    found
}

fn leak(file: &Path, name: impl Into<String>) -> Leak {
    Leak {
        file: Some(file.to_owned()),
        name: name.into(),
    }
}

/// In the order of pip's documentation, "Configuration files".
fn pip_files(variable: &impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let path = |name| {
        variable(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    let mut files = vec![PathBuf::from("/etc/pip.conf")];
    files.extend(path("XDG_CONFIG_DIRS").map(|it| it.join("pip/pip.conf")));
    files.extend(config_home(variable).map(|it| it.join("pip/pip.conf")));
    files.extend(path("HOME").map(|it| it.join(".pip/pip.conf")));
    files.extend(path("VIRTUAL_ENV").map(|it| it.join("pip.conf")));
    files.extend(path("PIP_CONFIG_FILE"));
    files
}

/// In the order of uv's documentation, "Configuration files".
fn uv_files(folder: &Path, variable: &impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/uv/uv.toml")];
    files.extend(config_home(variable).map(|it| it.join("uv/uv.toml")));
    for above in folder.ancestors() {
        files.extend([above.join("uv.toml"), above.join("pyproject.toml")]);
    }
    files
}

fn config_home(variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| {
        variable(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    path("XDG_CONFIG_HOME").or_else(|| Some(path("HOME")?.join(".config")))
}

fn text_of(file: &Path) -> Option<String> {
    let about = fs::metadata(file).ok()?;
    (about.is_file() && about.len() <= MOST_BYTES)
        .then(|| fs::read_to_string(file).ok())
        .flatten()
}

/// Keys of pip's settings that lead elsewhere; pip takes `_` for `-` and any case.
fn in_ini(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().filter_map(|line| {
        let (name, value) = line.split_once(['=', ':'])?;
        let is_indented = name.starts_with([' ', '\t']);
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        // An empty value is the beginning of a list on the lines below.
        let _ = value;
        (!is_indented && PIP_KEYS.contains(&name.as_str())).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_variables_that_lead_elsewhere_are_found() {
        let home = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        write(
            ".pip/pip.conf",
            "[global]\nextra_index_url =\n    http://index.example\ntimeout = 5\n",
        );
        write(
            ".config/pip/pip.conf",
            "[install]\nFind-Links: wheels\n# index-url = x\n",
        );
        write(
            ".config/uv/uv.toml",
            "[[index]]\nurl = \"http://index.example\"\n",
        );
        write(
            "project/pyproject.toml",
            "[tool.uv]\nfind-links = []\n[tool.uv.pip]\nno-index = true\n",
        );
        write("project/below/uv.toml", "offline = true\n");
        write("pyproject.toml", "index = broken");
        let variable = |name: &str| (name == "HOME").then(|| home.path().into());
        let found = in_files(&home.path().join("project/below"), variable);
        let found: Vec<_> = found
            .iter()
            .filter_map(|leak| {
                let file = leak.file.as_ref()?.strip_prefix(home.path()).ok()?;
                Some(format!("{} {}", file.display(), leak.name))
            })
            .collect();
        let expected = [
            ".config/pip/pip.conf find-links",
            ".pip/pip.conf extra-index-url",
            ".config/uv/uv.toml index",
            "project/pyproject.toml find-links",
            "project/pyproject.toml no-index",
        ];
        assert_eq!(found, expected);
        let set = [
            ("UV_INDEX", "x"),
            ("PIP_FIND_LINKS", ""),
            ("UV_INDEX_A_PASSWORD", "x"),
        ];
        let set = set.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(
            in_variables(set),
            [Leak {
                file: None,
                name: "UV_INDEX".into()
            }]
        );
    }
}
