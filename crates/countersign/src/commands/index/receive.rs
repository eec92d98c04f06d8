//! `countersign index receive`: takes in what developers send.

use std::io::Read;
use std::path::{Path, PathBuf};

use claims::{Grant, Operator, Request, Signed, Statement};
use metadata::{Value, Wire};
use repository::{ChangeId, ClaimStage, Receipt, ReceiveError, Received, Repository};
use serde::Serialize;

use super::claims::published;
use super::wait::{WaitArgs, Waited};
use crate::cli::JsonArgs;
use crate::clock;
use crate::commands::project::{public_key, read};
use crate::console::{Console, in_one_line};
use crate::data_dir::DataDirArgs;
use crate::failure::Failure;
use crate::hint;

/// Bytes of a document of a claim; their reader allows less.
const MAX_DOCUMENT: u64 = 1 << 20;

/// Take in claims and transactions of developers
///
/// What a file is, it says itself: the archive of a transaction, or the request or the grant of a
/// claim, which have to come together. Each is verified whole before anything is kept. One that is
/// refused is named with a code and what to do, the rest goes on, and the exit code is 1. What is
/// accepted survives a loss of power.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Archives, requests, grants
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Public key whose grants count
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_OPERATOR_PUBLIC_KEY")]
    #[arg(requires = "index_url")]
    operator_public_key: Option<PathBuf>,

    /// Address of this index, such as `https://index.example/`
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_INDEX_URL")]
    index_url: Option<String>,

    #[command(flatten)]
    data_dir: DataDirArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// What became of each file.
#[derive(Default, Serialize)]
struct Report {
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
    /// The snapshot that brought it, where that was waited for.
    snapshot: Option<u64>,
    /// Why the signer refused what was queued, where that was waited for.
    refused_by_signer: Vec<String>,
    #[serde(skip)]
    changes: Vec<ChangeId>,
}

#[derive(Serialize)]
struct Accepted {
    path: PathBuf,
    project: String,
    /// `claim` or `transaction`.
    what: &'static str,
    /// Keys registered.
    keyids: Vec<String>,
    /// Roles, each with its version.
    roles: Vec<String>,
    new_files: Vec<String>,
    given_up: Vec<String>,
    /// Whether it is the project's first transaction.
    is_first: bool,
    /// Whether the keys wait for a ceremony, because an offline role lists those of now.
    awaits_ceremony: bool,
}

#[derive(Serialize)]
struct Refused {
    path: PathBuf,
    code: &'static str,
    error: String,
    hint: Option<&'static str>,
}

/// A document of a claim.
struct Document {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What a file is.
enum Kind {
    Transaction,
    Request(Vec<u8>),
    Grant(Vec<u8>),
    Unknown,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut repository = super::open(&args.data_dir)?;
    let operator = args.operator_public_key.as_deref();
    let operator = operator.map(public_key).transpose()?.map(Operator::one);
    let mut report = Report::default();
    let (mut requests, mut grants, mut archives) = (Vec::new(), Vec::new(), Vec::new());
    for path in &args.files {
        let path = path.clone();
        match kind(&path) {
            Ok(Kind::Transaction) => archives.push(path),
            Ok(Kind::Request(bytes)) => requests.push(Document { path, bytes }),
            Ok(Kind::Grant(bytes)) => grants.push(Document { path, bytes }),
            Ok(Kind::Unknown) => report.refuse(path, &ReceiveError::Unknown),
            Err(error) => report.refuse(path, &ReceiveError::Unreadable(error)),
        }
    }
    // Keys first: a project's first transaction often comes with them.
    let whose = operator.as_ref().zip(args.index_url.as_deref());
    claims(&mut repository, requests, grants, whose, &mut report)?;
    for path in archives {
        let answer = repository.receive_transaction(&path, clock::now())?;
        report.note(path, answer);
    }
    let waited = args.wait.wait(&repository, &report.changes, console)?;
    let Waited { snapshot, refused } = waited.unwrap_or_default();
    for why in &refused {
        tracing::error!("refused {why}");
    }
    (report.snapshot, report.refused_by_signer) = (snapshot, refused);
    console.report(args.json.json, &report, || report.text())?;
    match report.refused.len() + report.refused_by_signer.len() {
        0 => Ok(()),
        refused => Err(Failure::PartlyRefused {
            refused,
            total: args.files.len().max(refused),
            what: "files were",
        }),
    }
}

/// Takes each grant in with the request it names.
fn claims(
    repository: &mut Repository,
    mut requests: Vec<Document>,
    grants: Vec<Document>,
    whose: Option<(&Operator, &str)>,
    report: &mut Report,
) -> Result<(), Failure> {
    let of = |file: &Document| Signed::<Request>::parse(&file.bytes).map(|one| one.digest());
    for grant in grants {
        let named = match Signed::<Grant>::parse(&grant.bytes) {
            Ok(signed) => signed.peek_unverified().request,
            Err(error) => {
                report.refuse(grant.path, &error.into());
                continue;
            }
        };
        let at = requests
            .iter()
            .position(|request| of(request).is_ok_and(|digest| digest == named));
        let Some(request) = at.map(|at| requests.remove(at)) else {
            let (what, missing) = ("grant", "request");
            report.refuse(grant.path, &ReceiveError::Alone { what, missing });
            continue;
        };
        let Some((operator, index)) = whose else {
            report.refuse(grant.path, &ReceiveError::NoOperator);
            continue;
        };
        let (now, bytes) = (clock::now(), &grant.bytes);
        let answer = repository.receive_claim(&request.bytes, bytes, operator, index, now)?;
        report.note(grant.path, answer);
    }
    for request in requests {
        match of(&request) {
            Ok(_) => {
                let (what, missing) = ("request", "grant");
                report.refuse(request.path, &ReceiveError::Alone { what, missing });
            }
            Err(error) => report.refuse(request.path, &error.into()),
        }
    }
    Ok(())
}

/// Says what a file is, from its first bytes or, if it is a document, its `_type`.
fn kind(path: &Path) -> std::io::Result<Kind> {
    let mut magic = [0; 2];
    let mut file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(Kind::Unknown);
    }
    if file.read_exact(&mut magic).is_err() {
        return Ok(Kind::Unknown);
    }
    if magic == *b"PK" {
        return Ok(Kind::Transaction);
    }
    let Ok(bytes) = read(path, MAX_DOCUMENT) else {
        return Ok(Kind::Unknown);
    };
    let found = Wire::parse(&bytes, usize::MAX).and_then(|wire| Value::parse(wire.signed));
    let found = found.ok();
    let members = found.as_ref().and_then(Value::as_object);
    let found = members.and_then(|members| members.get("_type")?.as_str());
    Ok(match found {
        Some(Request::TYPE) => Kind::Request(bytes),
        Some(Grant::TYPE) => Kind::Grant(bytes),
        _ => Kind::Unknown,
    })
}

impl Report {
    fn note(&mut self, path: PathBuf, answer: Result<Receipt, ReceiveError>) {
        match answer {
            Ok(receipt) => {
                self.changes.push(receipt.change);
                self.accepted.push(Accepted::of(path, receipt));
            }
            Err(error) => self.refuse(path, &error),
        }
    }

    fn refuse(&mut self, path: PathBuf, error: &ReceiveError) {
        let (code, text) = (error.code(), in_one_line(error));
        tracing::error!("refused {} ({code}): {text}", path.display());
        let hint = hint::of_code(code);
        if let Some(hint) = hint {
            tracing::error!("hint: {hint}");
        }
        self.refused.push(Refused {
            path,
            code,
            error: text,
            hint,
        });
    }

    fn text(&self) -> String {
        let queued: String = self.accepted.iter().map(Accepted::text).collect();
        let next = match self.snapshot {
            Some(snapshot) => published(snapshot),
            None if self.accepted.is_empty() => String::new(),
            None => "next: `countersign online tick` publishes what is queued\n".to_owned(),
        };
        format!("{queued}{next}")
    }
}

impl Accepted {
    fn of(path: PathBuf, receipt: Receipt) -> Self {
        let mut accepted = Self {
            path,
            project: receipt.project.to_string(),
            what: "claim",
            keyids: Vec::new(),
            roles: Vec::new(),
            new_files: Vec::new(),
            given_up: Vec::new(),
            is_first: false,
            awaits_ceremony: false,
        };
        match receipt.received {
            Received::Claim {
                registration,
                stage,
            } => {
                accepted.awaits_ceremony = stage == Some(ClaimStage::Claimed);
                let ids = registration.keys.keys();
                accepted.keyids = ids.map(ToString::to_string).collect();
            }
            Received::Transaction(transaction) => {
                accepted.what = "transaction";
                accepted.is_first = transaction.is_first;
                let roles = transaction.roles.iter();
                accepted.roles = roles
                    .map(|role| format!("{} v{}", role.name, role.version))
                    .collect();
                let files = transaction.new_files.iter();
                accepted.new_files = files.map(|new| new.filename.to_string()).collect();
                let gone = transaction.withdrawn.iter();
                accepted.given_up = gone.map(ToString::to_string).collect();
            }
        }
        accepted
    }

    fn text(&self) -> String {
        if self.what == "claim" {
            let keys = self.keyids.len();
            if self.awaits_ceremony {
                return format!(
                    "queued: {keys} keys of {0}; {0} is claimed, so they come into force with a ceremony\n",
                    self.project
                );
            }
            return format!(
                "queued: {keys} keys of {}; its next transaction has to be signed with them\n",
                self.project
            );
        }
        let mut lines = vec![format!("queued: {}", self.roles.join(", "))];
        lines.extend(self.new_files.iter().map(|file| format!("  + {file}")));
        lines.extend(self.given_up.iter().map(|file| format!("  - {file}")));
        lines.push(String::new());
        lines.join("\n")
    }
}
