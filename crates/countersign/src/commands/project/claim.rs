//! `countersign project claim`: says whose keys sign a project, and proves that they are there.

use std::path::PathBuf;

use claims::Operator;
use developer::ProjectFolder;
use index::ProjectName;
use serde::Serialize;

use super::FolderArgs;
use super::signing::{SigningArgs, borrowed, public_key, public_keys, read};
use crate::cli::JsonArgs;
use crate::clock;
use crate::console::Console;
use crate::failure::{Failure, UsageError};

/// Bytes of a challenge; its reader allows less.
const MAX_CHALLENGE: u64 = 1 << 20;

/// Answer the index's challenge with the keys that will sign the project's own role
///
/// These keys are rarely used where maintainers have sub-roles. Every one of them has to sign the
/// request; those on other machines sign a copy of the folder with --add-signature.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Project
    project: ProjectName,

    /// Challenge that the index issued
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CHALLENGE")]
    #[arg(required_unless_present = "add_signature")]
    challenge: Option<PathBuf>,

    /// Public key of the index's operator, got by a way that the index's server has no hand in
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_OPERATOR_PUBLIC_KEY")]
    #[arg(required_unless_present = "add_signature")]
    operator_public_key: Option<PathBuf>,

    /// Address of the index, such as `https://index.example/`
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_INDEX_URL")]
    #[arg(required_unless_present = "add_signature")]
    index_url: Option<String>,

    /// Public key of the project that is on another machine; once per key
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_PUBLIC_KEY")]
    public_key: Vec<PathBuf>,

    /// How many of the keys have to sign the project's own role
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        env = "COUNTERSIGN_THRESHOLD"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    threshold: u32,

    /// Sign the request that is there
    #[arg(long, env = "COUNTERSIGN_ADD_SIGNATURE", conflicts_with_all = ["challenge", "public_key"])]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    add_signature: bool,

    #[command(flatten)]
    signing: SigningArgs,

    #[command(flatten)]
    folder: FolderArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Serialize)]
struct Report {
    project: String,
    request: PathBuf,
    keys_that_have_not_signed: Vec<String>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let signers = args.signing.open()?;
    let folder = if args.add_signature {
        let folder = args.folder.open()?;
        if *folder.project() != args.project {
            let (path, project) = (args.folder.project_dir.clone(), folder.project().clone());
            return Err(developer::ProjectError::Taken { path, project }.into());
        }
        folder
    } else {
        begin(args, &signers)?
    };
    let missing = folder.sign_request(&borrowed(&signers))?;
    let report = Report {
        project: folder.project().to_string(),
        request: folder.request_file(),
        keys_that_have_not_signed: missing,
    };
    console.report(args.json.json, &report, || report.text())
}

fn begin(
    args: &Args,
    signers: &[std::sync::Arc<dyn keys::Signer>],
) -> Result<ProjectFolder, Failure> {
    // clap sees to it that all three are there.
    let (Some(challenge), Some(operator), Some(index)) =
        (&args.challenge, &args.operator_public_key, &args.index_url)
    else {
        return Err(UsageError::NoKeys.into());
    };
    let mut keys = public_keys(&args.public_key)?;
    keys.extend(signers.iter().map(|signer| signer.public_key().clone()));
    if keys.is_empty() {
        return Err(UsageError::NoKeys.into());
    }
    let operator = Operator::one(public_key(operator)?);
    let challenge = read(challenge, MAX_CHALLENGE)?;
    let (path, project) = (&args.folder.project_dir, &args.project);
    let now = clock::now();
    let threshold = args.threshold;
    Ok(ProjectFolder::claim(
        path, &challenge, &operator, index, project, &keys, threshold, now,
    )?)
}

impl Report {
    fn text(&self) -> String {
        let request = self.request.display();
        if self.keys_that_have_not_signed.is_empty() {
            return format!(
                "every key of {} has signed: send {request} to the operator of the index",
                self.project
            );
        }
        let missing = self.keys_that_have_not_signed.join(", ");
        format!(
            "{request} still needs the signatures of {missing}: \
             `countersign project claim {} --add-signature --key KEY` with each",
            self.project
        )
    }
}
