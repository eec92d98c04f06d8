//! A trust anchor: where an index is, the root to trust, and the versions below which nothing is
//! believed. One file, so that it can be handed on.

use std::collections::BTreeMap;
use std::path::Path;

use client::Minimum;
use metadata::{Role, Sha256, Version};
use proxy::Canonical;
use serde::{Deserialize, Serialize};
use trust::Rules;
use url::Url;

use super::TrustError;
use crate::commands::client::{Place, beside, rules, with_slash};
use crate::failure::Failure;
use crate::keyring::KeyringProvider;

/// First lines of the file.
const HEAD: &str = "\
# Trust anchor of a package index that is signed with TUF: `countersign trust add NAME --anchor FILE`.
# Whoever hands it to you decides what you install. Take it from somebody you trust, by a way that
# the index's server has no hand in.
";

/// A trust anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Anchor {
    /// Base of the repository: `metadata/` and `targets/` lie below it.
    pub(crate) url: String,
    /// Base of the target files where that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) targets_url: Option<String>,
    /// URL of the index as installers and lock files name it, where that is not `simple/` below `url`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) canonical_url: Option<String>,
    /// URL below which lock files name its files, where the pages' own links do not lead there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) files_url: Option<String>,
    /// Whether metadata is accepted as other programs write it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) lenient: bool,
    /// Port of this machine's proxy; nothing that is handed on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) port: Option<u16>,
    /// The root, as served.
    pub(crate) root: String,
    /// Least versions, by role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) minimum: BTreeMap<String, u64>,
}

impl Anchor {
    /// Reads a file that holds one.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, TrustError> {
        let refused = |why: String| TrustError::Anchor {
            path: path.to_owned(),
            why,
        };
        let anchor: Self = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
        anchor
            .place(Path::new(""))
            .map_err(|error| refused(error.to_string()))?;
        anchor
            .canonical()
            .map_err(|error| refused(error.to_string()))?;
        anchor.least().map_err(refused)?;
        Ok(anchor)
    }

    /// The file.
    pub(crate) fn write(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}{}", toml::to_string_pretty(self)?))
    }

    /// Whether another one says the same; a port that it leaves open may be any.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let port = other.port.or(self.port);
        *self
            == Self {
                port,
                ..other.clone()
            }
    }

    /// The digest of the root.
    pub(crate) fn sha256(&self) -> Sha256 {
        Sha256::of(self.root.as_bytes())
    }

    /// What metadata is held to.
    pub(crate) fn rules(&self) -> Rules {
        rules(self.lenient)
    }

    /// The least versions.
    pub(crate) fn least(&self) -> Result<Minimum, String> {
        let versions = self.minimum.iter().map(|(role, version)| {
            let role = Role::parse(role).map_err(|error| error.to_string())?;
            let version = Version::new(*version).map_err(|error| error.to_string())?;
            Ok((role, version))
        });
        versions.collect()
    }

    /// The URLs under which installers and lock files know it; none where it is a folder of this
    /// machine and nothing else is said.
    pub(crate) fn canonical(&self) -> Result<Option<Canonical>, Failure> {
        let base = with_slash(parse_url(&self.url)?);
        let index = match &self.canonical_url {
            Some(url) => parse_url(url)?,
            None if base.scheme() == "file" => return Ok(None),
            None => beside(&client::without_credentials(&base), "simple/")?,
        };
        let files = self.files_url.as_deref().map(parse_url).transpose()?;
        let url = index.to_string();
        let canonical = Canonical::new(index, files);
        canonical.map(Some).map_err(|why| base_url(&url, why))
    }

    /// Where the index is, with its metadata kept in `metadata_dir`.
    pub(crate) fn place(&self, metadata_dir: &Path) -> Result<Place, Failure> {
        let base = with_slash(parse_url(&self.url)?);
        let metadata_url = beside(&base, "metadata/")?;
        let targets_url = match &self.targets_url {
            Some(url) => with_slash(parse_url(url)?),
            None => beside(&base, "targets/")?,
        };
        Ok(Place {
            metadata_url,
            targets_url,
            metadata_dir: metadata_dir.to_owned(),
            rules: self.rules(),
            minimum: Minimum::default(),
            keyring: KeyringProvider::Disabled,
        })
    }
}

fn parse_url(text: &str) -> Result<Url, Failure> {
    text.parse().map_err(|_| base_url(text, "it is no URL"))
}

fn base_url(url: &str, why: &'static str) -> Failure {
    let url = url.to_owned();
    client::ClientError::BaseUrl { url, why }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_read_as_it_was_written() {
        let anchor = Anchor {
            url: "https://index.example/".to_owned(),
            targets_url: Some("https://files.index.example/".to_owned()),
            canonical_url: Some("https://index.example/simple/".to_owned()),
            files_url: Some("https://files.example/".to_owned()),
            lenient: true,
            port: None,
            root: "{\"a\":\"'''\u{1}\\u00e9 \u{e9}\"}\r\n".to_owned(),
            minimum: BTreeMap::from([("timestamp".to_owned(), 41)]),
        };
        let path = Path::new("anchor.toml");
        let text = anchor.write().expect("written");
        assert_eq!(Anchor::parse(&text, path).expect("read"), anchor);
        for wrong in [
            text.replace("url", "uri"),
            text.replace("\"https://index.example/\"", "\"index\""),
            text.replace("https://files.example/", "file:///"),
            text.replace("41", "0"),
            text.replace("timestamp", ""),
            text.replace("lenient", "len"),
        ] {
            assert!(Anchor::parse(&wrong, path).is_err(), "{wrong}");
        }
    }
}
