//! `countersign generate systemd`.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::units::UnitArgs;
use crate::console::hand_out;
use crate::data_dir::make_folder;
use crate::failure::Failure;

/// Write hardened systemd units: a daemon, or a timer for cycles; timers for sweeps and checks
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    units: UnitArgs,

    /// Folder to write the units to, instead of stdout; nothing there is overwritten
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_SYSTEMD_DIR")]
    dir: Option<PathBuf>,
}

const UNITS: &[(&str, &str)] = &[
    ("online.service", include_str!("templates/online.service")),
    ("tick.service", include_str!("templates/tick.service")),
    ("tick.timer", include_str!("templates/tick.timer")),
    ("sweep.service", include_str!("templates/sweep.service")),
    ("sweep.timer", include_str!("templates/sweep.timer")),
    ("check.service", include_str!("templates/check.service")),
    ("check.timer", include_str!("templates/check.timer")),
    ("serve.service", include_str!("templates/serve.service")),
    ("intake.service", include_str!("templates/intake.service")),
];

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let Some(dir) = &args.dir else {
        let mut out = String::new();
        for (name, template) in UNITS {
            let unit = args.units.fill(template);
            // Writing to a string cannot fail.
            let _ = writeln!(out, "# ==> countersign-{name} <==\n{unit}");
        }
        return hand_out(out.as_bytes());
    };
    make_folder(dir)?;
    for (name, template) in UNITS {
        let path = dir.join(format!("countersign-{name}"));
        fs::File::create_new(&path)
            .and_then(|mut file| file.write_all(args.units.fill(template).as_bytes()))
            .map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => Failure::Taken { path },
                _ => Failure::Io {
                    doing: "write",
                    path,
                    source,
                },
            })?;
    }
    Ok(())
}
