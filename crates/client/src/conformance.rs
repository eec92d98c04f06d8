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
        // The suite counts requests: it has no second try.
        let config = UpdaterConfig {
            rules,
            restart_when_vanished: false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Repository, instant, now};

    /// A published repository in a folder, and the folders of a client.
    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let mut repository = Repository::new();
            repository.root(1);
            repository.targets("targets", 1, &[("a/b", b"bytes"), ("a/c", b"none")], None);
            repository.publish(1);
            repository.file("a/b", b"bytes");
            let dir = tempfile::tempdir().unwrap();
            for folder in ["repository/a", "md", "td"] {
                std::fs::create_dir_all(dir.path().join(folder)).unwrap();
            }
            repository.memory.write_to(&dir.path().join("repository"));
            Self { dir }
        }

        /// Runs a command line in which `@` stands for the folder of the test.
        async fn run_at(&self, line: &str, now: DateTime<Utc>) -> Result<(), ConformanceError> {
            let dir = self.dir.path().to_str().unwrap();
            run(line.split(' ').map(|word| word.replace('@', dir)), now).await
        }

        async fn run(&self, line: &str) -> Result<(), ConformanceError> {
            self.run_at(line, now()).await
        }

        fn names(&self, folder: &str) -> Vec<String> {
            let entries = std::fs::read_dir(self.dir.path().join(folder)).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
            names.sort();
            names
        }
    }

    const INIT: &str = "--metadata-dir @/md init @/repository/1.root.json";
    const REFRESH: &str = "--metadata-url file://@/repository --metadata-dir @/md refresh";

    fn download(names: &str) -> String {
        format!(
            "--metadata-url=file://@/repository/ --metadata-dir=@/md {names} --target-dir @/td \
             --target-base-url file://@/repository/ download"
        )
    }

    #[tokio::test]
    async fn init_refresh_and_download() {
        let bench = Bench::new();
        assert!(bench.run(REFRESH).await.is_err());
        bench.run(INIT).await.unwrap();
        assert_eq!(bench.names("md"), ["root.json"]);
        bench.run(REFRESH).await.unwrap();
        // The suite gives the root again to a client that has one.
        bench.run(INIT).await.unwrap();
        bench.run(&download("--target-name a/b")).await.unwrap();
        assert_eq!(bench.names("td"), ["a%2Fb"]);
        let all = [
            "root.json",
            "snapshot.json",
            "targets.json",
            "timestamp.json",
        ];
        assert_eq!(bench.names("md"), all);
    }

    #[tokio::test]
    async fn download_refreshes_first_and_stops_at_the_first_failure() {
        let bench = Bench::new();
        bench.run(INIT).await.unwrap();
        let names = "--target-name a/c --target-name a/b";
        assert!(bench.run(&download(names)).await.is_err());
        assert!(bench.run(&download("--target-name a/../b")).await.is_err());
        assert_eq!((bench.names("md").len(), bench.names("td").len()), (4, 0));
        let late = bench.run_at(REFRESH, instant("2030-02-01T00:00:00Z")).await;
        assert!(matches!(late, Err(ConformanceError::Client(error)) if error.exit_code() == 12));
    }

    #[tokio::test]
    async fn other_command_lines_are_told_from_failures() {
        let bench = Bench::new();
        for line in [
            "",
            "--metadata-dir",
            "--metadata-dir @/md",
            "--metadata-dir @/md init",
            "--metadata-dir @/md init a b",
            "--metadata-dir @/md fetch",
            "--metadata-dir @/md refresh",
            "--metadata-dir @/md --metadata-url nowhere refresh",
            "--colour red --metadata-dir @/md refresh",
        ] {
            let refused = bench.run(line).await;
            assert!(matches!(refused, Err(ConformanceError::Usage(_))), "{line}");
        }
    }
}
