//! `countersign generate`: what goes with the program, from the program itself.

mod alerts;
mod bucket_policy;
mod completions;
mod cron;
mod kubernetes;
mod man;
mod openapi;
mod systemd;
mod units;

use clap::Subcommand;

use crate::failure::Failure;

/// Write units, crontabs, manifests, alert rules, shell completions, man pages and API descriptions
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Systemd(systemd::Args),
    Cron(cron::Args),
    Kubernetes(Box<kubernetes::Args>),
    Alerts(alerts::Args),
    BucketPolicy(bucket_policy::Args),
    Completions(completions::Args),
    Man(man::Args),
    Openapi(openapi::Args),
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Systemd(args) => systemd::run(&args),
        Command::Cron(args) => cron::run(&args),
        Command::Kubernetes(args) => kubernetes::run(&args),
        Command::Alerts(args) => alerts::run(&args),
        Command::BucketPolicy(args) => bucket_policy::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Openapi(args) => openapi::run(&args),
    }
}
