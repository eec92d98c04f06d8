//! `poetry.lock`: lock versions 1 (files under `[metadata.files]`) and 2 (files at each package).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{LockError, LockedFile, LockedPackage, Source, excerpt, project, sha256_of};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    package: Vec<Package>,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    lock_version: String,
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<From>,
    files: Option<Vec<File>>,
}

#[derive(Deserialize)]
struct From {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: Option<String>,
}

#[derive(Clone, Deserialize)]
struct File {
    file: String,
    hash: String,
}

pub(crate) fn read(text: &str) -> Result<Vec<LockedPackage>, LockError> {
    let document: Document = toml::from_str(text)?;
    let found = &document.metadata.lock_version;
    if !matches!(found.split('.').next(), Some("1" | "2")) {
        return Err(LockError::Format {
            found: excerpt(found),
            known: "1.x and 2.x",
        });
    }
    let apart = document.metadata.files;
    let read = |package: Package| {
        let files = package.files.or_else(|| apart.get(&package.name).cloned());
        Ok(LockedPackage {
            name: project(&package.name)?,
            version: Some(package.version),
            source: source(package.source)?,
            files: files
                .into_iter()
                .flatten()
                .map(File::read)
                .collect::<Result<_, LockError>>()?,
        })
    };
    document.package.into_iter().map(read).collect()
}

fn source(from: Option<From>) -> Result<Source, LockError> {
    let Some(from) = from else {
        return Ok(Source::Index);
    };
    match from.kind.as_deref() {
        // An index other than the default one; `legacy` is a page of links.
        None | Some("legacy" | "pypi") => Ok(Source::Index),
        Some("file" | "directory") => Ok(Source::Local),
        Some("git" | "url") => Ok(Source::Elsewhere(excerpt(&from.url.unwrap_or_default()))),
        Some(other) => Err(LockError::Toml {
            why: format!("a source of unknown kind: {}", excerpt(other)),
        }),
    }
}

impl File {
    fn read(self) -> Result<LockedFile, LockError> {
        Ok(LockedFile {
            filename: Some(self.file),
            sha256: sha256_of(&self.hash)?,
        })
    }
}
