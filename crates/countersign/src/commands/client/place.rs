//! Where a repository is, and where what is trusted of it is kept.

use std::path::{Path, PathBuf};

use clap::builder::FalseyValueParser;
use client::{ClientError, Datastore, Minimum, Pace, Updater, UpdaterConfig, transport_for};
use trust::{Dialect, Rules};
use url::Url;

use crate::credentials::with_credentials_both;
use crate::failure::{Failure, UsageError};
use crate::keyring::KeyringProvider;
use crate::trusted::{Entry, Home, HomeArgs, TrustError};

/// Where trusted metadata is kept.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// Folder in which trusted metadata is kept between runs
    #[arg(long, value_name = "DIR", default_value = "countersign-trust")]
    #[arg(env = "COUNTERSIGN_METADATA_DIR")]
    pub(crate) metadata_dir: PathBuf,

    /// Accept metadata as other programs write it, not only the strict form this one writes
    #[arg(long, env = "COUNTERSIGN_LENIENT", value_parser = FalseyValueParser::new())]
    pub(crate) lenient: bool,
}

impl TrustArgs {
    /// What metadata is held to.
    pub(crate) fn rules(&self) -> Rules {
        rules(self.lenient)
    }
}

/// What metadata is held to.
pub(crate) fn rules(lenient: bool) -> Rules {
    let dialect = if lenient {
        Dialect::Lenient
    } else {
        Dialect::Strict
    };
    Rules {
        dialect,
        ..Rules::default()
    }
}

/// Where a repository is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// Index that `countersign trust add` knows; stands for all the URLs and the metadata folder
    /// [default: the only one, where no URL is given]
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_INDEX")]
    index: Option<String>,

    #[command(flatten)]
    home: HomeArgs,

    /// URL of the repository's metadata: http, https or file
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_METADATA_URL")]
    #[arg(conflicts_with = "index")]
    metadata_url: Option<Url>,

    /// URL of its target files [default: `../targets/` seen from the metadata]
    #[arg(
        long,
        value_name = "URL",
        env = "COUNTERSIGN_TARGETS_URL",
        conflicts_with = "index",
        requires = "metadata_url"
    )]
    targets_url: Option<Url>,

    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// The root that is trusted, in the folder of trusted metadata.
const ROOT: &str = "root.json";

/// Where a repository is, complete.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Base of the metadata.
    pub(crate) metadata_url: Url,
    /// Base of the target files.
    pub(crate) targets_url: Url,
    /// Where trusted metadata is kept.
    pub(crate) metadata_dir: PathBuf,
    /// What metadata is held to.
    pub(crate) rules: Rules,
    /// Versions below which nothing is believed.
    pub(crate) minimum: Minimum,
    /// Who is asked for passwords.
    pub(crate) keyring: KeyringProvider,
}

impl PlaceArgs {
    /// The trusted index that was named, or the only one; none where a URL says where the repository is.
    pub(crate) fn entry(&self) -> Result<Option<Entry>, Failure> {
        if self.metadata_url.is_some() {
            return Ok(None);
        }
        match self.home.open()?.chosen(self.index.as_deref()) {
            Err(Failure::Trust(TrustError::None)) => Err(UsageError::NoPlace.into()),
            chosen => chosen.map(Some),
        }
    }

    /// The folder of trusted indexes.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        self.home.open()
    }

    /// The place, with what was left out.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        if let Some(entry) = self.entry()? {
            return entry.place();
        }
        let metadata_url = self.metadata_url.clone().ok_or(UsageError::NoPlace)?;
        let metadata_url = with_slash(metadata_url);
        let targets_url = match &self.targets_url {
            Some(url) => with_slash(url.clone()),
            None => beside(&metadata_url, "../targets/")?,
        };
        Ok(Place {
            metadata_url,
            targets_url,
            metadata_dir: self.trust.metadata_dir.clone(),
            rules: self.trust.rules(),
            minimum: Minimum::default(),
            keyring: self.home.keyring_provider,
        })
    }
}

impl Place {
    /// The place of a repository served at `base` as [`crate::serve`] does.
    pub(crate) fn of_server(base: &Url, metadata_dir: &Path) -> Result<Self, Failure> {
        Ok(Self {
            metadata_url: beside(base, "metadata/")?,
            targets_url: beside(base, "targets/")?,
            metadata_dir: metadata_dir.to_owned(),
            rules: Rules::default(),
            minimum: Minimum::default(),
            keyring: KeyringProvider::Disabled,
        })
    }

    /// What updates from there; nothing is fetched yet.
    pub(crate) fn updater(&self) -> Result<Updater, Failure> {
        self.updater_of(self.datastore()?)
    }

    /// What is trusted. Where nothing is, nothing is made: it would be an empty folder.
    pub(crate) fn datastore(&self) -> Result<Datastore, Failure> {
        if !self.metadata_dir.join(ROOT).exists() {
            let path = self.metadata_dir.clone();
            return Err(ClientError::NoRoot { path }.into());
        }
        Ok(Datastore::open(&self.metadata_dir)?)
    }

    /// The same with a datastore that was opened in another way.
    pub(crate) fn updater_of(&self, datastore: Datastore) -> Result<Updater, Failure> {
        let urls = (&self.metadata_url, &self.targets_url);
        let (metadata, targets) = with_credentials_both(urls, self.keyring);
        let transport = transport_for(&metadata, Pace::default())?;
        let config = UpdaterConfig {
            rules: self.rules,
            minimum: self.minimum.clone(),
            ..UpdaterConfig::new(metadata, targets)
        };
        Ok(Updater::new(config, datastore, transport)?)
    }
}

/// What lies at a path seen from a folder.
pub(crate) fn beside(folder: &Url, path: &str) -> Result<Url, ClientError> {
    folder.join(path).map_err(|_| ClientError::BaseUrl {
        url: folder.to_string(),
        why: "nothing can lie below it",
    })
}

/// A base URL names a folder, with or without the slash.
pub(crate) fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_lie_beside_metadata() {
        for (metadata, targets) in [
            (
                "https://index.example/metadata",
                "https://index.example/targets/",
            ),
            (
                "https://index.example/a/metadata/",
                "https://index.example/a/targets/",
            ),
            (
                "file:///srv/repository/metadata",
                "file:///srv/repository/targets/",
            ),
        ] {
            let args = PlaceArgs {
                index: None,
                home: HomeArgs::default(),
                metadata_url: Some(metadata.parse().expect("a URL")),
                targets_url: None,
                trust: TrustArgs {
                    metadata_dir: "trust".into(),
                    lenient: false,
                },
            };
            let place = args.place().expect("a place");
            assert_eq!(place.targets_url.as_str(), targets);
        }
    }
}
