//! Measures what this program is for, beside python-tuf and beside the floor that signatures, digests
//! and writes set (DESIGN §10). `all` runs every row in a process of its own and prints the table;
//! `row NAME WHO` is one of them.
// A measurement that goes wrong has to stop.
#![allow(clippy::missing_panics_doc)]

mod bucket_rows;
mod claims_rows;
mod client_rows;
mod delta_rows;
mod intake_rows;
mod meter;
mod scene;
mod sign_rows;
mod tick_rows;
mod tough_rows;
mod web_head;
mod work;

use std::path::Path;

use keys::KeyType;
use policy::Encoding;

use crate::meter::Meter;
use crate::sign_rows::Run;
use crate::tick_rows::Cycle;
use crate::work::Who;

const USAGE: &str = "usage: countersign-bench row NAME ours|floor
       countersign-bench repository FOLDER TARGETS BINS prefixes|succinct
       countersign-bench bucket | intake [postgres] | latency | churn DAYS MINUTES-BETWEEN-PUBLICATIONS
       countersign-bench claims FOLDER PROJECTS
       countersign-bench row client-warm|client-cold|client-claimed|verify-bin ours FOLDER
       countersign-bench row client-warm|client-cold tough FOLDER";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["repository", folder, targets, bins, form] => {
            let encoding = match *form {
                "prefixes" => Encoding::PathHashPrefixes,
                _ => Encoding::Succinct,
            };
            let (targets, bins) = (targets.parse().unwrap(), bins.parse().unwrap());
            client_rows::write_repository(Path::new(folder), targets, bins, encoding);
        }
        ["claims", folder, projects] => {
            let report = claims_rows::write(Path::new(folder), projects.parse().unwrap());
            println!("{report}");
        }
        ["row", row, who, repository] => {
            let meter = measure_client(row, who, Path::new(repository));
            println!("{}", meter.report(row, who));
        }
        ["bucket"] => bucket_rows::publications(),
        ["intake"] => intake_rows::acknowledgements(intake_rows::Keeper::Sqlite),
        ["intake", "postgres"] => intake_rows::acknowledgements(intake_rows::Keeper::Postgres),
        ["latency"] => intake_rows::latency(),
        ["churn", days, minutes] => {
            intake_rows::churn(days.parse().unwrap(), minutes.parse().unwrap());
        }
        ["row", row, who] => println!("{}", measure(row, who).report(row, who)),
        _ => println!("{USAGE}"),
    }
}

fn measure_client(row: &str, who: &str, repository: &Path) -> Meter {
    match (row, who) {
        ("client-warm", "ours") => client_rows::warm(repository),
        ("client-cold", "ours") => client_rows::cold(repository),
        ("client-claimed", "ours") => client_rows::claimed(repository),
        ("verify-bin", "ours") => client_rows::verify_bin(repository),
        ("client-warm", "tough") => tough_rows::warm(repository),
        ("client-cold", "tough") => tough_rows::cold(repository),
        _ => panic!("no row {row} of {who}"),
    }
}

/// Runs `WORK[:TARGETS][:p256][:stored]`.
fn measure(row: &str, who: &str) -> Meter {
    let mut words = row.split(':');
    let work = words.next().unwrap_or_default();
    let options: Vec<&str> = words.collect();
    let run = Run {
        who: if who == "floor" {
            Who::Floor
        } else {
            Who::Ours
        },
        key: if options.contains(&"p256") {
            KeyType::EcdsaP256
        } else {
            KeyType::Ed25519
        },
        targets: options
            .iter()
            .find_map(|option| option.parse().ok())
            .unwrap_or(1_000_000),
        stored: options.contains(&"stored"),
    };
    match work {
        "generate" => sign_rows::generate(run),
        "publish-3" => sign_rows::publish(run, 3),
        "publish-1000" => sign_rows::publish(run, 1_000),
        "resign" => sign_rows::resign(run),
        "timestamp" => sign_rows::timestamp(run),
        "snapshot" => sign_rows::snapshot(run),
        "rehearse-1000" => sign_rows::rehearse(run, 1_000),
        "delta-make" => delta_rows::make(run.targets.into()),
        "delta-apply" => delta_rows::apply(run.targets.into()),
        "tick-first" => tick_rows::tick(Cycle::First, run.key),
        "tick-3" => tick_rows::tick(Cycle::Files(3), run.key),
        "tick-1000" => tick_rows::tick(Cycle::Files(1_000), run.key),
        "tick-timestamp" => tick_rows::tick(Cycle::Timestamp, run.key),
        _ => panic!("no row {row}"),
    }
}
