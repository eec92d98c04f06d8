//! `countersign project sub-role`: who may sign for a project without its own keys.

use std::path::PathBuf;

use claims::FilePattern;
use clap::{Subcommand, ValueEnum};

use super::FolderArgs;
use super::sign::finish;
use super::signing::{LifetimeArgs, SigningArgs, public_keys};
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::Failure;

/// Name and remove the sub-roles of maintainers, machines and build farms
///
/// A change is a new version of the project's own role. A new sub-role's first version, or one
/// signed by its new key, has to go to the index with it: `countersign project sign --sub-role`.
/// A project may use eight names, ever.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Name a sub-role, or give it other keys
    Set(Set),
    /// Remove a sub-role; files that it lists have to be listed by another
    Remove(Remove),
}

#[derive(clap::Args)]
struct Set {
    /// Name, such as that of a maintainer: lower-case letters, digits and dashes
    name: String,

    /// Public key of the sub-role; once per key
    #[arg(
        long,
        value_name = "FILE",
        required = true,
        env = "COUNTERSIGN_PUBLIC_KEY"
    )]
    public_key: Vec<PathBuf>,

    /// How many of its keys have to sign
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        env = "COUNTERSIGN_THRESHOLD"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,

    /// What it may sign
    #[arg(
        long,
        value_name = "KIND",
        default_value = "all",
        env = "COUNTERSIGN_ONLY"
    )]
    only: Only,

    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(clap::Args)]
struct Remove {
    /// Name
    name: String,

    #[command(flatten)]
    change: ChangeArgs,
}

/// What both need.
#[derive(clap::Args)]
struct ChangeArgs {
    /// Do it: what changes has been looked at
    #[arg(long, env = "COUNTERSIGN_YES")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,

    #[command(flatten)]
    lifetime: LifetimeArgs,

    #[command(flatten)]
    signing: SigningArgs,

    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Every file.
    All,
    /// Wheels and their core metadata.
    Wheels,
    /// Source distributions.
    Sdists,
}

impl Only {
    fn patterns(self) -> &'static [FilePattern] {
        match self {
            Self::All => &[FilePattern::All],
            Self::Wheels => &[FilePattern::Wheels, FilePattern::WheelMetadata],
            Self::Sdists => &[FilePattern::TarGz, FilePattern::Zip],
        }
    }
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let (draft, folder, change) = match &args.command {
        Command::Set(set) => {
            let (folder, keys) = (set.change.folder.open()?, public_keys(&set.public_key)?);
            let expires = set.change.lifetime.expires(clock::now());
            let (threshold, patterns) = (set.threshold, set.only.patterns());
            let draft = folder.draft_sub_role(&set.name, &keys, threshold, patterns, expires)?;
            (draft, folder, &set.change)
        }
        Command::Remove(remove) => {
            let folder = remove.change.folder.open()?;
            let expires = remove.change.lifetime.expires(clock::now());
            let draft = folder.draft_without(&remove.name, expires)?;
            (draft, folder, &remove.change)
        }
    };
    finish(
        &folder,
        &draft,
        &change.signing,
        change.yes,
        console,
        change.json,
    )
}
