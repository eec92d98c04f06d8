//! Fetches over HTTP and HTTPS, giving up on servers that are silent or slow (PEP 458 "Appendix A",
//! slow retrieval).

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use policy::ClientLimits;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::transport::without_credentials;
use crate::{Body, ClientError, FileTransport, Transport, TransportError};

/// Redirects followed for one file.
const REDIRECTS: usize = 5;

/// How long to wait, and what speed to insist on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Wait for a connection.
    pub connect: Duration,
    /// Wait for the first byte.
    pub first_byte: Duration,
    /// Wait for the next byte.
    pub idle: Duration,
    /// Mean speed below which a download is given up.
    pub minimum_bytes_per_second: u64,
    /// Time, spent waiting for the server, over which that mean is taken.
    pub window: Duration,
}

impl From<&ClientLimits> for Pace {
    fn from(limits: &ClientLimits) -> Self {
        Self {
            connect: limits.connect_timeout,
            first_byte: limits.read_timeout,
            idle: limits.read_timeout,
            minimum_bytes_per_second: limits.minimum_bytes_per_second,
            window: limits.speed_window,
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::from(&ClientLimits::default())
    }
}

/// Fetches over HTTP.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: Client,
    pace: Pace,
}

impl HttpTransport {
    /// Makes a client with a connection pool of its own. TLS is rustls with ring, certificates are
    /// those the system trusts.
    pub fn new(pace: Pace) -> Result<Self, ClientError> {
        Self::following(pace, |_| true)
    }

    /// The same, which follows a redirect only where `may_follow` says so: for bytes that are verified
    /// it does not matter who serves them, for others it does.
    pub(crate) fn following(
        pace: Pace,
        may_follow: impl Fn(&Url) -> bool + Send + Sync + 'static,
    ) -> Result<Self, ClientError> {
        // Only the first call of a process can set it; a provider already there is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(pace.connect)
            .redirect(Policy::custom(move |attempt| {
                let asked = attempt.previous().first().map(Url::scheme);
                if asked != Some(attempt.url().scheme()) {
                    attempt.error("redirected to another scheme")
                } else if !may_follow(attempt.url()) {
                    attempt.error("redirected to another host without TLS")
                } else if attempt.previous().len() > REDIRECTS {
                    attempt.error("redirected too often")
                } else {
                    attempt.follow()
                }
            }))
            .build()
            .map_err(|error| ClientError::HttpClient { why: chain(&error) })?;
        Ok(Self { client, pace })
    }
}

/// What a server answered, with status 200.
pub(crate) struct Answered {
    /// Where it came from, after redirects; without credentials.
    pub(crate) url: Url,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// `Content-Length`.
    pub(crate) length: Option<u64>,
    pub(crate) body: Body,
}

impl HttpTransport {
    /// Asks for a URL, in one of the forms that `accept` names if it names any.
    pub(crate) async fn ask(
        &self,
        asked: &Url,
        accept: Option<&'static str>,
    ) -> Result<Answered, TransportError> {
        let limit = self.pace.first_byte;
        let url = &without_credentials(asked);
        let slow = |_| TransportError::TooSlow {
            url: url.clone(),
            why: "no answer",
            limit,
        };
        // Digests are over the bytes as signed: no content coding in between (reference F40).
        let mut request = self
            .client
            .get(asked.clone())
            .header("accept-encoding", "identity");
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = timeout(limit, request.send()).await.map_err(slow)?;
        let answer = answer.map_err(|error| broken(url, &error))?;
        if answer.status() != StatusCode::OK {
            return Err(TransportError::Status {
                url: url.clone(),
                status: answer.status().as_u16(),
            });
        }
        let content_type = answer.headers().get("content-type");
        Ok(Answered {
            url: without_credentials(answer.url()),
            content_type: content_type
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            length: answer.content_length(),
            body: paced(url.clone(), answer, self.pace),
        })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        match self.ask(url, None).await {
            Err(TransportError::Status {
                url,
                status: 403 | 404,
            }) => Err(TransportError::NotFound { url }),
            answered => Ok(answered?.body),
        }
    }
}

/// A body being read, and how fast it comes.
struct Reading {
    url: Url,
    pieces: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    pace: Pace,
    waited: Duration,
    received: u64,
}

fn paced(url: Url, answer: Response, pace: Pace) -> Body {
    let pieces = Box::pin(answer.bytes_stream());
    let reading = Reading {
        url,
        pieces,
        pace,
        waited: Duration::ZERO,
        received: 0,
    };
    Box::pin(stream::try_unfold(reading, |mut reading| async move {
        Ok(reading.next().await?.map(|piece| (piece, reading)))
    }))
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        let started = Instant::now();
        let Ok(piece) = timeout(self.pace.idle, self.pieces.next()).await else {
            return Err(self.slow("nothing came", self.pace.idle));
        };
        let Some(piece) = piece
            .transpose()
            .map_err(|error| broken(&self.url, &error))?
        else {
            return Ok(None);
        };
        // Only waiting counts: a slow reader on this side says nothing of the server.
        self.waited += started.elapsed();
        self.received += piece.len() as u64;
        if self.waited >= self.pace.window {
            let due =
                u128::from(self.pace.minimum_bytes_per_second) * self.waited.as_millis() / 1000;
            if u128::from(self.received) < due {
                return Err(self.slow("too little came", self.pace.window));
            }
            (self.waited, self.received) = (Duration::ZERO, 0);
        }
        Ok(Some(piece))
    }

    fn slow(&self, why: &'static str, limit: Duration) -> TransportError {
        TransportError::TooSlow {
            url: self.url.clone(),
            why,
            limit,
        }
    }
}

fn broken(url: &Url, error: &reqwest::Error) -> TransportError {
    TransportError::Connection {
        url: url.clone(),
        why: chain(error),
    }
}

/// An error and its causes in one line, without the URL, which our own error names.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() {
        error.to_string()
    } else {
        causes.join(": ")
    }
}

/// The transport for URLs like this one.
pub fn transport_for(url: &Url, pace: Pace) -> Result<Arc<dyn Transport>, ClientError> {
    match url.scheme() {
        "http" | "https" => Ok(Arc::new(HttpTransport::new(pace)?)),
        "file" => Ok(Arc::new(FileTransport)),
        _ => Err(ClientError::BaseUrl {
            url: url.to_string(),
            why: "only http, https and file are fetched",
        }),
    }
}

#[cfg(test)]
mod tests;
