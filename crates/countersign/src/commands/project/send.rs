//! `countersign project send`: hands an archive in at the intake of its index.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::builder::FalseyValueParser;
use intake::{ChangeState, Fate, Problem, Receipt, TRANSACTION};
use metadata::{Sha256, Sha256Stream};
use policy::ClientLimits;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;
use zeroize::Zeroizing;

use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::runtime;

/// Hand an archive that `upload` wrote in at the index's intake
///
/// The index verifies it before it answers; what it refuses is named with what to do, and nothing of it is
/// kept. Sent again, the same archive gets the same answer. Say `countersign project accepted` or `refused` then.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The archive
    #[arg(value_name = "FILE")]
    archive: PathBuf,

    /// Address of the intake (`countersign online serve`)
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_INTAKE_URL")]
    intake_url: Url,

    /// File with the token for it
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TOKEN_FILE")]
    token_file: PathBuf,

    /// Return once clients see it, or the signer has refused it
    #[arg(long, env = "COUNTERSIGN_WAIT", value_parser = FalseyValueParser::new())]
    wait: bool,

    /// Longest wait, in seconds; then the exit code is 75 and it stays queued
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    #[arg(env = "COUNTERSIGN_WAIT_LIMIT")]
    wait_limit: u64,

    #[command(flatten)]
    json: JsonArgs,
}

/// Longest token read; ours have 55 bytes.
const MAX_TOKEN: u64 = 4_096;

/// Longest answer read.
const MAX_ANSWER: usize = 1 << 20;

/// Longest that one request asks the intake to wait.
const ONE_WAIT: Duration = Duration::from_secs(30);

/// Longest silence before an answer: the wait, and the verification of a large archive.
const LONGEST_ANSWER: Duration = Duration::from_mins(5);

/// Why nothing was handed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    /// The token would pass in the clear.
    #[error("{url} is not https: the token would pass over the network in the clear")]
    InTheClear {
        /// The intake.
        url: Url,
    },
    /// Not reached, or the connection broke.
    #[error("the intake at {url} could not be reached")]
    Unreachable {
        /// The intake.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// It said no.
    #[error("the intake refused it ({}): {detail}", which(problem), detail = problem.detail)]
    Refused {
        /// Why.
        problem: Box<Problem>,
    },
    /// The signer could not publish it.
    #[error("the signer refused it: {why}")]
    NotPublished {
        /// Why.
        why: String,
    },
    /// It said something that no intake says.
    #[error("the answer from {url} (status {status}) is not one of an intake")]
    Nonsense {
        /// The intake.
        url: Url,
        /// Its status.
        status: u16,
    },
}

/// The status, and the rule that a transaction breaks.
fn which(problem: &Problem) -> String {
    let status = problem.status;
    match &problem.code {
        Some(code) => format!("{status}, {code}"),
        None => status.to_string(),
    }
}

#[derive(Serialize)]
struct Report {
    /// Number of the request.
    id: i64,
    accepted: String,
    /// The snapshot that brought it, where that was waited for.
    snapshot: Option<u64>,
}

pub(super) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let url = &args.intake_url;
    if url.scheme() != "https" && !is_loopback(url) {
        let url = url.clone();
        return Err(DeliveryError::InTheClear { url }.into());
    }
    let sender = Sender::new(url, read_token(&args.token_file)?)?;
    let digest = digest(&args.archive).map_err(|source| Failure::Io {
        doing: "read",
        path: args.archive.clone(),
        source,
    })?;
    let report = runtime::run(async {
        let receipt = sender.hand_in(&args.archive, digest).await?;
        let fate = if args.wait {
            let limit = Duration::from_secs(args.wait_limit);
            Some(sender.wait(&receipt, limit).await?)
        } else {
            None
        };
        Ok(Report {
            id: receipt.id,
            accepted: receipt.accepted,
            snapshot: fate.and_then(|fate| fate.snapshot),
        })
    })?;
    console.report(args.json.json, &report, || match report.snapshot {
        Some(snapshot) => format!("published in snapshot v{snapshot}"),
        None => format!("queued as request {}", report.id),
    })
}

fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| match host {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    })
}

fn read_token(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text))
        .map_err(|source| Failure::Io {
            doing: "read",
            path: path.to_owned(),
            source,
        })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn digest(path: &Path) -> std::io::Result<Sha256> {
    let (mut file, mut digest) = (File::open(path)?, Sha256Stream::new());
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest.finish()),
            read => digest.update(&piece[..read]),
        }
    }
}

/// Asks an intake, with a token.
struct Sender {
    client: reqwest::Client,
    base: Url,
    token: Zeroizing<String>,
}

impl Sender {
    fn new(base: &Url, token: Zeroizing<String>) -> Result<Self, DeliveryError> {
        // Only the first call of a process can set it; a provider already there is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(ClientLimits::default().connect_timeout)
            .read_timeout(LONGEST_ANSWER)
            // A token goes where its holder said, and nowhere else.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| DeliveryError::Unreachable {
                url: base.clone(),
                source,
            })?;
        Ok(Self {
            client,
            base: base.clone(),
            token,
        })
    }

    /// Hands an archive in. Tried again it is the same request: its key is the digest of the archive.
    async fn hand_in(&self, archive: &Path, digest: Sha256) -> Result<Receipt, Failure> {
        let file = tokio::fs::File::open(archive).await;
        let file = file.map_err(|source| Failure::Io {
            doing: "read",
            path: archive.to_owned(),
            source,
        })?;
        let request = self
            .client
            .post(self.at("v1/changes"))
            .header("content-type", TRANSACTION)
            .header("idempotency-key", digest.to_string())
            .body(reqwest::Body::from(file));
        Ok(self.ask(request).await?)
    }

    /// Waits until it is decided.
    async fn wait(&self, receipt: &Receipt, limit: Duration) -> Result<Fate, Failure> {
        let begin = Instant::now();
        loop {
            let left = limit.saturating_sub(begin.elapsed());
            let wait = left.min(ONE_WAIT).as_secs();
            let path = format!("v1/changes/{}", receipt.id);
            let request = self.client.get(self.at(&path));
            let fate: Fate = self
                .ask(request.header("prefer", format!("wait={wait}")))
                .await?;
            match fate.state {
                ChangeState::Published => return Ok(fate),
                ChangeState::Queued if begin.elapsed() < limit => {}
                ChangeState::Queued => {
                    return Err(Failure::StillQueued {
                        changes: receipt.changes.len(),
                        seconds: limit.as_secs(),
                    });
                }
                ChangeState::Refused | ChangeState::PartlyRefused => {
                    let reasons = fate.changes.into_iter().filter_map(|one| one.reason);
                    let why = reasons.collect::<Vec<_>>().join("; ");
                    return Err(DeliveryError::NotPublished { why }.into());
                }
            }
        }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, DeliveryError> {
        let failed = |source| DeliveryError::Unreachable {
            url: self.base.clone(),
            source,
        };
        let sent = request.bearer_auth(self.token.as_str()).send().await;
        let answer = sent.map_err(failed)?;
        let status = answer.status();
        let nonsense = || DeliveryError::Nonsense {
            url: self.base.clone(),
            status: status.as_u16(),
        };
        let body = read(answer).await.map_err(failed)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| nonsense());
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|_| nonsense())?;
        let problem = Box::new(problem);
        Err(DeliveryError::Refused { problem })
    }
}

/// The answer, as far as one of an intake goes.
async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_ANSWER {
            body.truncate(MAX_ANSWER);
            break;
        }
    }
    Ok(body)
}
