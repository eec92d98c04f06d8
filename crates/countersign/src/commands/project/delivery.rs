//! Hands a transaction in over HTTP, at the intake of its index.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use intake::{Problem, Receipt, TRANSACTION};
use metadata::{Sha256, Sha256Stream};
use policy::ClientLimits;
use url::Url;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::runtime;

/// Where a transaction is handed in.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct IntakeArgs {
    /// Address of an index's intake (`countersign online serve`) that takes the archive
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_INTAKE_URL", requires = "token_file")]
    pub(super) intake_url: Option<Url>,

    /// File with the token for it
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

/// Longest token read; ours have 55 bytes.
const MAX_TOKEN: u64 = 4_096;

/// Longest answer read.
const MAX_ANSWER: usize = 1 << 20;

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
    #[error("the intake refused it ({status}): {detail}", status = problem.status, detail = problem.detail)]
    Refused {
        /// Why.
        problem: Box<Problem>,
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

impl IntakeArgs {
    /// Hands an archive in; the number under which the intake has acknowledged it. Tried again it is
    /// the same request: its key is the digest of the archive.
    pub(super) fn deliver(&self, archive: &Path) -> Result<Option<i64>, Failure> {
        let (Some(url), Some(token)) = (&self.intake_url, &self.token_file) else {
            return Ok(None);
        };
        let is_loopback = url.host().is_some_and(|host| match host {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        });
        if url.scheme() != "https" && !is_loopback {
            let url = url.clone();
            return Err(DeliveryError::InTheClear { url }.into());
        }
        let token = read_token(token)?;
        let digest = digest(archive).map_err(|source| Failure::Io {
            doing: "read",
            path: archive.to_owned(),
            source,
        })?;
        let receipt = runtime::run(send(url, &token, archive, digest))?;
        Ok(Some(receipt.id))
    }
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

async fn send(url: &Url, token: &str, archive: &Path, digest: Sha256) -> Result<Receipt, Failure> {
    let limits = ClientLimits::default();
    let failed = |source| DeliveryError::Unreachable {
        url: url.clone(),
        source,
    };
    let file = tokio::fs::File::open(archive).await;
    let file = file.map_err(|source| Failure::Io {
        doing: "read",
        path: archive.to_owned(),
        source,
    })?;
    // Only the first call of a process can set it; a provider already there is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(limits.connect_timeout)
        .read_timeout(limits.read_timeout.max(Duration::from_secs(60)))
        // A token goes where its holder said, and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)?;
    let at = url.join("v1/changes").unwrap_or_else(|_| url.clone());
    let answer = client
        .post(at)
        .bearer_auth(token)
        .header("content-type", TRANSACTION)
        .header("idempotency-key", digest.to_string())
        .body(reqwest::Body::from(file))
        .send()
        .await
        .map_err(failed)?;
    let status = answer.status();
    let nonsense = || DeliveryError::Nonsense {
        url: url.clone(),
        status: status.as_u16(),
    };
    let body = read(answer).await.map_err(failed)?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| nonsense().into());
    }
    let problem: Problem = serde_json::from_slice(&body).map_err(|_| nonsense())?;
    let problem = Box::new(problem);
    Err(DeliveryError::Refused { problem }.into())
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
