//! `countersign generate man`.

use std::path::{Path, PathBuf};

use crate::cli;
use crate::console::hand_out;
use crate::data_dir::make_folder;
use crate::failure::Failure;

/// Write the man page to stdout, or one page for each command to a folder
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder for one page for each command
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_MAN_DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(dir) = &args.dir {
        return write_all(dir);
    }
    let mut out = Vec::new();
    clap_mangen::Man::new(command()).render(&mut out)?;
    hand_out(&out)
}

fn write_all(dir: &Path) -> Result<(), Failure> {
    make_folder(dir)?;
    clap_mangen::generate_to(command(), dir).map_err(|source| Failure::Io {
        doing: "write man pages to",
        path: dir.to_owned(),
        source,
    })
}

/// Each page names the version.
fn command() -> clap::Command {
    cli::command().propagate_version(true)
}
