//! The client under test of the TUF conformance suite: `init`, `refresh`, `download`, with options
//! before the command word and the exit codes 0 and 1 only.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use metadata::{MetadataError, TargetPath};
use trust::{Dialect, Rules};
use url::Url;

use crate::error::found;
use crate::{ClientError, Datastore, Pace, Updater, UpdaterConfig, init_again, transport_for};

/// How the command line has to look.
pub const USAGE: &str = "\
usage: --metadata-dir DIR init TRUSTED_ROOT
       --metadata-dir DIR --metadata-url URL refresh
       --metadata-dir DIR --metadata-url URL --target-name NAME [--target-name NAME …]
           --target-dir DIR --target-base-url URL download";

/// Why the client under test fails.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// Not a command line of the suite.
    #[error("{0}\n{USAGE}")]
    Usage(String),
    /// The command failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A target name that is none.
    #[error(transparent)]
    Target(#[from] MetadataError),
}

/// Runs one command line, given without the program's name. `now` is the time of the update.
/// Programs exit with 0 or, after an error, with 1.
pub async fn run(
    args: impl IntoIterator<Item = String>,
    now: DateTime<Utc>,
) -> Result<(), ConformanceError> {
    let options = Options::parse(args)?;
    let datastore =
        Datastore::open(options.required(options.metadata_dir.as_ref(), "--metadata-dir")?)?;
    let rules = Rules {
        dialect: Dialect::Lenient,
        ..Rules::default()
    };
    match options.command.as_str() {
        "init" => {
            let path = options.required(options.trusted_root.as_ref(), "TRUSTED_ROOT")?;
            let root = std::fs::read(&path).map_err(|source| ClientError::File {
                path,
                action: "read",
                source,
            })?;
            Ok(init_again(&datastore, &root, &rules).await?)
        }
        "refresh" => {
            options.updater(datastore, rules)?.refresh(now).await?;
            Ok(())
        }
        "download" => options.download(datastore, rules, now).await,
        other => Err(ConformanceError::Usage(format!("unknown command {other}"))),
    }
}

#[derive(Default)]
struct Options {
    metadata_url: Option<Url>,
    metadata_dir: Option<PathBuf>,
    target_names: Vec<String>,
    target_dir: Option<PathBuf>,
    target_base_url: Option<Url>,
    command: String,
    trusted_root: Option<PathBuf>,
}

impl Options {
    fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, ConformanceError> {
        let mut options = Self::default();
        let mut args = args.into_iter();
        while let Some(word) = args.next() {
            if !word.starts_with("--") {
                options.command = word;
                options.trusted_root = args.next().map(PathBuf::from);
                return match args.next() {
                    None => Ok(options),
                    Some(more) => Err(ConformanceError::Usage(format!("unexpected {more}"))),
                };
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, args.next()),
            };
            let value = value.ok_or_else(|| missing(&name))?;
            options.set(&name, value)?;
        }
        Err(missing("a command"))
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), ConformanceError> {
        let url = |value: &str| {
            Url::parse(value).map_err(|why| ConformanceError::Usage(format!("{value}: {why}")))
        };
        match name {
            "--metadata-url" => self.metadata_url = Some(url(&value)?),
            "--metadata-dir" => self.metadata_dir = Some(value.into()),
            "--target-name" => self.target_names.push(value),
            "--target-dir" => self.target_dir = Some(value.into()),
            "--target-base-url" => self.target_base_url = Some(url(&value)?),
            _ => return Err(ConformanceError::Usage(format!("unknown option {name}"))),
        }
        Ok(())
    }

    fn required<T: Clone>(&self, value: Option<&T>, name: &str) -> Result<T, ConformanceError> {
        let named = || missing(&format!("{name} for {}", self.command));
        value.cloned().ok_or_else(named)
    }

    fn updater(&self, datastore: Datastore, rules: Rules) -> Result<Updater, ConformanceError> {
        let metadata_url = self.required(self.metadata_url.as_ref(), "--metadata-url")?;
        let targets_url = self
            .target_base_url
            .clone()
            .unwrap_or_else(|| metadata_url.clone());
        let transport = transport_for(&metadata_url, Pace::default())?;
        let config = UpdaterConfig {
            rules,
            ..UpdaterConfig::new(metadata_url, targets_url)
        };
        Ok(Updater::new(config, datastore, transport)?)
    }

    async fn download(
        &self,
        datastore: Datastore,
        rules: Rules,
        now: DateTime<Utc>,
    ) -> Result<(), ConformanceError> {
        let dir = self.required(self.target_dir.as_ref(), "--target-dir")?;
        self.required(self.target_base_url.as_ref(), "--target-base-url")?;
        let session = self.updater(datastore, rules)?.refresh(now).await?;
        for name in &self.target_names {
            let path = TargetPath::parse(name)?;
            let target = found(&path, session.find(&path).await)?;
            session.download_to(&target, Path::new(&dir)).await?;
        }
        Ok(())
    }
}

fn missing(what: &str) -> ConformanceError {
    ConformanceError::Usage(format!("missing {what}"))
}
