//! How bytes are fetched. The client asks only through [`Transport`], so that HTTP, a folder and the
//! simulator of the tests are read by the same code.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use url::{Host, Url};

/// A file's bytes as they come in.
pub type Body = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// Fetches files. Nothing it returns is trusted.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Starts reading the file at `url`. A missing file is [`TransportError::NotFound`], also where
    /// a server answers 403 for it (reference F14).
    async fn get(&self, url: &Url) -> Result<Body, TransportError>;
}

/// A URL as messages may show it: without the user name and password it may hold.
#[must_use]
pub fn without_credentials(url: &Url) -> Url {
    let mut shown = url.clone();
    // Only URLs without a host refuse, and those hold no credentials.
    let _ = shown.set_password(None);
    let _ = shown.set_username("");
    shown
}

/// Whether nobody on the way can read or change what is sent: it goes over TLS, or stays on this machine.
#[must_use]
pub fn is_safe_on_the_way(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

/// Why a file could not be fetched. The URLs are shown to people and must hold no credentials: see
/// [`without_credentials`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// There is no such file.
    #[error("{url} does not exist")]
    NotFound {
        /// What was asked for.
        url: Url,
    },
    /// The server answered with an error.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked for.
        url: Url,
        /// The HTTP status.
        status: u16,
    },
    /// No connection, or it broke off.
    #[error("{url} could not be read: {why}")]
    Connection {
        /// What was asked for.
        url: Url,
        /// What the connection said.
        why: String,
    },
    /// Nothing came for too long, or too little (slow retrieval).
    #[error("{url} was too slow: {why}")]
    TooSlow {
        /// What was asked for.
        url: Url,
        /// Which limit was passed.
        why: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// A scheme this transport does not read.
    #[error("{url} is of a kind this program does not fetch")]
    Scheme {
        /// What was asked for.
        url: Url,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_and_this_machine_are_safe() {
        for (url, safe) in [
            ("https://index.example/", true),
            ("http://index.example/", false),
            ("http://localhost:8080/", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]/", true),
            ("http://localhost.example/", false),
            ("file:///index", false),
        ] {
            assert_eq!(is_safe_on_the_way(&url.parse().unwrap()), safe, "{url}");
        }
    }
}
