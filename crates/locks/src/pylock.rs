//! `pylock.toml` (PEP 751), lock version 1.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{LockError, LockedFile, LockedPackage, Source, digest, excerpt, file_name, project};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    lock_version: String,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    hashes: BTreeMap<String, String>,
}

pub(crate) fn read(text: &str) -> Result<Vec<LockedPackage>, LockError> {
    let document: Document = toml::from_str(text)?;
    // PEP 751: tools warn about a later minor version and refuse a later major one.
    if document.lock_version.split('.').next() != Some("1") {
        return Err(LockError::Format {
            found: excerpt(&document.lock_version),
            known: "1.x",
        });
    }
    document.packages.into_iter().map(Package::read).collect()
}

impl Package {
    fn read(self) -> Result<LockedPackage, LockError> {
        let source = self.source();
        let files = self.sdist.into_iter().chain(self.wheels);
        Ok(LockedPackage {
            name: project(&self.name)?,
            version: self.version,
            source,
            files: files.map(File::read).collect::<Result<_, _>>()?,
        })
    }

    /// PEP 751: `vcs`, `directory`, `archive` exclude each other, and files of an index.
    fn source(&self) -> Source {
        let elsewhere = self.vcs.as_ref().or(self.archive.as_ref());
        match (elsewhere, &self.directory) {
            (Some(place), _) => {
                let at = |member: &str| place.get(member).and_then(toml::Value::as_str);
                let location = at("url").or_else(|| at("path")).unwrap_or("?");
                Source::Elsewhere(excerpt(location))
            }
            (None, Some(_)) => Source::Local,
            (None, None) => Source::Index,
        }
    }
}

impl File {
    fn read(self) -> Result<LockedFile, LockError> {
        let location = self.url.as_deref().or(self.path.as_deref());
        let sha256 = self.hashes.get("sha256").map(|hex| digest(hex));
        Ok(LockedFile {
            filename: self.name.or_else(|| file_name(location?)),
            sha256: sha256.transpose()?,
        })
    }
}
