//! `countersign config show`: every setting, and where it comes from.

use std::fmt::Display;
use std::net::SocketAddr;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::config::{Config, Given, Origin};
use crate::console::Console;
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::online_keys::OnlineKeyArgs;
use crate::places::StatePlace;

/// Show every setting and where it comes from
///
/// The command line and COUNTERSIGN_* variables win over `countersign.toml` in the index's folder, that
/// over the defaults.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    online_keys: OnlineKeyArgs,

    /// Address the repository is served at
    #[arg(long, value_name = "ADDRESS:PORT", env = "COUNTERSIGN_SERVE_LISTEN")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    settings: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: String,
    origin: String,
}

pub(crate) fn run(args: &Args, matches: &ArgMatches, console: &Console) -> Result<(), Failure> {
    let data_dir = args.data_dir.open();
    let mut given = Given::from(&args.online_keys);
    given.listen = args.listen;
    let config = Config::load(&data_dir)?.with(&given);
    let passphrase_ids = ["passphrase_file", "passphrase_fd", "passphrase_credential"];
    let passphrases = match config.passphrases.value.as_slice() {
        [] => "asked on the terminal".to_owned(),
        sources => list(sources),
    };
    let settings = vec![
        Line {
            name: "data-dir",
            value: data_dir.path().display().to_string(),
            origin: source(matches, &["data_dir"])
                .unwrap_or("default")
                .to_owned(),
        },
        Line {
            name: "online.keys",
            value: list(&config.online_keys.value),
            origin: origin(&config.online_keys.origin, matches, &["online_key"]),
        },
        Line {
            name: "online.passphrases",
            value: passphrases,
            origin: origin(&config.passphrases.origin, matches, &passphrase_ids),
        },
        Line {
            name: "storage.state",
            value: config.state.value.to_string(),
            origin: origin(&config.state.origin, matches, &["state"]),
        },
        Line {
            name: "storage.password",
            value: match (&config.state.value, &config.state_password.value) {
                (StatePlace::File(_), _) => "none is needed".to_owned(),
                (_, Some(source)) => source.to_string(),
                (_, None) => "PGPASSFILE or ~/.pgpass".to_owned(),
            },
            origin: origin(
                &config.state_password.origin,
                matches,
                &["state_password_file", "state_password_credential"],
            ),
        },
        Line {
            name: "storage.authorities",
            value: match &config.state_authorities.value {
                Some(path) => path.display().to_string(),
                None => "the system's".to_owned(),
            },
            origin: origin(
                &config.state_authorities.origin,
                matches,
                &["state_authorities"],
            ),
        },
        Line {
            name: "storage.store",
            value: config.store.value.to_string(),
            origin: origin(&config.store.origin, matches, &["store"]),
        },
        Line {
            name: "storage.uploads",
            value: config.uploads.value.as_ref().map_or_else(
                || data_dir.path().join("incoming").display().to_string(),
                ToString::to_string,
            ),
            origin: origin(&config.uploads.origin, matches, &["uploads"]),
        },
        Line {
            name: "serve.listen",
            value: config.listen.value.to_string(),
            origin: origin(&config.listen.origin, matches, &["listen"]),
        },
    ];
    let report = Report { settings };
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    fn text(&self) -> String {
        let line = |one: &Line| format!("{:<19} {}  ({})\n", one.name, one.value, one.origin);
        self.settings.iter().map(line).collect()
    }
}

fn list(values: &[impl Display]) -> String {
    match values {
        [] => "none".to_owned(),
        values => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            values.join(", ")
        }
    }
}

fn origin(origin: &Origin, matches: &ArgMatches, ids: &[&str]) -> String {
    match origin {
        Origin::Given => source(matches, ids).unwrap_or("command line").to_owned(),
        Origin::File(path) => path.display().to_string(),
        Origin::Default => "default".to_owned(),
    }
}

fn source(matches: &ArgMatches, ids: &[&str]) -> Option<&'static str> {
    ids.iter().find_map(|id| match matches.value_source(id)? {
        ValueSource::CommandLine => Some("command line"),
        ValueSource::EnvVariable => Some("environment"),
        _ => None,
    })
}
