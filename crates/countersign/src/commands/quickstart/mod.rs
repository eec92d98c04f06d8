//! `countersign quickstart`: the whole way, on one screen. Only strings together what the separate
//! commands do.

mod genesis;
mod inputs;
mod online;
mod screen;

use std::path::PathBuf;

use ceremony::key_command::{Reach, Source};
use clap::builder::FalseyValueParser;
use keys::KeyUri;
use keys_kms::KmsOpener;
use repository::{Intake, OnlineSigners, TickOptions};

use crate::clock;
use crate::commands::index::{self, NewIndex, add, apply, show_refused};
use crate::commands::online::tick;
use crate::config::PORT;
use crate::console::Console;
use crate::data_dir::DataDir;
use crate::failure::Failure;
use crate::online_keys::open_key;
use crate::progress::Progress;
use genesis::Genesis;
use inputs::Inputs;
use online::Ports;

/// Sign a folder of wheels and sdists, serve it, and verify a download
///
/// Makes keys, holds a key ceremony, sets up an index, publishes the files, serves them and a verifying
/// proxy on loopback, and prints the command lines that install from it. Asks nothing and overwrites
/// nothing. The same by hand: `countersign-ceremony`, then `countersign index init`, `index apply`,
/// `index add`, `online tick`, `serve`, `client download` and `proxy`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with wheels and source distributions [default: three samples]
    dir: Option<PathBuf>,

    /// Folder to make for the index
    #[arg(long, value_name = "PATH", default_value = "countersign-data")]
    #[arg(env = "COUNTERSIGN_DATA_DIR")]
    data_dir: PathBuf,

    /// End after the first verified download instead of serving on
    #[arg(long, env = "COUNTERSIGN_ONCE", value_parser = FalseyValueParser::new())]
    once: bool,

    /// Port of the repository; the proxy has the next one. 0 takes two free ones
    #[arg(long, value_name = "N", default_value_t = PORT, env = "COUNTERSIGN_PORT")]
    port: u16,
}

/// An index, published.
struct Built {
    signers: OnlineSigners,
    intake: Intake,
    /// The root to hand to users.
    root: PathBuf,
}

/// The policy of indexes that start small.
const POLICY: &str = "small-index";

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    // Everything that can be refused is, before anything is made.
    let data_dir = DataDir::at(args.data_dir.clone());
    data_dir.check_free()?;
    let inputs = Inputs::find(args.dir.as_deref())?;
    let ports = Ports::take(args.port)?;
    data_dir.create()?;
    let built = build(&data_dir, inputs, &ports, console)?;
    let refused = built.intake.refused.len();
    let total = refused + built.intake.accepted.len();
    let ended = online::serve(&data_dir, built, ports, args.once, console);
    match ended {
        // What was refused is the last word, however the serving ended.
        Ok(()) | Err(Failure::Interrupted) if refused > 0 => Err(Failure::PartlyRefused {
            refused,
            total,
            what: "files were",
        }),
        ended => ended,
    }
}

/// Keys, ceremony, index, files, first publication.
fn build(
    data_dir: &DataDir,
    inputs: Inputs,
    ports: &Ports,
    console: &Console,
) -> Result<Built, Failure> {
    let now = clock::now();
    screen::begin(console, data_dir, &inputs)?;
    let policy = index::policy_text(POLICY)?;
    let genesis = Genesis::hold(data_dir, &policy, now, console)?;
    screen::ceremony(console, data_dir, &genesis)?;
    let online_key = KeyUri::File(genesis.online_key.clone());
    let passphrase = Source::File(genesis.online_passphrase.clone());
    let mut repository = index::init(
        data_dir,
        &NewIndex {
            policy: &policy,
            policy_name: POLICY,
            online_keys: std::slice::from_ref(&online_key),
            passphrases: std::slice::from_ref(&passphrase),
            listen: Some(ports.repository),
        },
    )?;
    screen::index(console, repository.settings())?;
    apply(&mut repository, &genesis.set, now)?;
    let collected = inputs.collect(data_dir)?;
    let intake = add(&mut repository, collected, now, console)?;
    drop(repository);
    screen::added(console, &intake)?;
    show_refused(&intake.refused);
    if intake.accepted.is_empty() {
        return Err(Failure::NothingTakenIn {
            path: data_dir.path().to_owned(),
            refused: intake.refused.len(),
        });
    }
    let progress = Progress::spinner(console, "opening the key");
    let signers = OnlineSigners::new(vec![open_key(
        &online_key,
        &passphrase,
        &Reach::default(),
        &KmsOpener::default(),
    )?]);
    drop(progress);
    let options = TickOptions { at_once: true };
    let report = tick(data_dir, &signers, now, options, Some(console))?;
    screen::published(console, &report)?;
    Ok(Built {
        signers,
        intake,
        root: genesis.root,
    })
}
