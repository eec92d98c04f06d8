//! An index without TUF metadata: nothing vouches for what it serves. A proxy asks one only for the
//! projects that its operator has named; nothing of it is ever taken for verified.

use index::ProjectName;
use policy::ClientLimits;
use url::{Origin, Url};

use crate::http::{Answered, HttpTransport};
use crate::transport::without_credentials;
use crate::updater::CORE_METADATA_BYTES;
use crate::{Body, ClientError, Pace, TransportError};

/// The forms of a project page (PEP 691), the one with most in it first.
const FORMS: &str = "application/vnd.pypi.simple.v1+json, \
     application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// An index that signs nothing.
#[derive(Clone)]
pub struct UnverifiedIndex {
    /// With the credentials that are sent, if there are some.
    url: Url,
    http: HttpTransport,
}

/// Most bytes that are read of what it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnverifiedLimits {
    /// Of a project page.
    pub page: u64,
    /// Of a file.
    pub file: u64,
    /// Of core metadata.
    pub core_metadata: u64,
}

/// What it served.
pub struct UnverifiedAnswer {
    /// Where it came from, after redirects, without credentials: links are relative to it.
    pub url: Url,
    /// Its `Content-Type`, if it named one.
    pub content_type: Option<String>,
    /// Its length in bytes, if it named one.
    pub length: Option<u64>,
    /// Its bytes; whoever reads them keeps to a limit.
    pub body: Body,
}

impl UnverifiedIndex {
    /// Sets up for the index whose pages lie below `url`, which may hold credentials: they go to its
    /// scheme, host and port alone. Redirects lead only where its pages may link to. Nothing is fetched
    /// yet.
    pub fn new(url: Url, pace: Pace) -> Result<Self, ClientError> {
        let origin = url.origin();
        let http = HttpTransport::following(pace, move |to| is_safe(&origin, to))?;
        Ok(Self { url, http })
    }

    /// How much is read: as much as of an index that signs.
    #[must_use]
    pub fn limits(&self) -> UnverifiedLimits {
        let limits = ClientLimits::default();
        UnverifiedLimits {
            page: limits.page_bytes,
            file: limits.file_bytes,
            core_metadata: CORE_METADATA_BYTES,
        }
    }

    /// Asks for the page of a project, as JSON or HTML.
    pub async fn page(&self, project: &ProjectName) -> Result<UnverifiedAnswer, TransportError> {
        let unusable = |_| TransportError::Scheme {
            url: without_credentials(&self.url),
        };
        let url = self.url.join(&format!("{project}/")).map_err(unusable)?;
        Ok(self.http.ask(&url, Some(FORMS)).await?.into())
    }

    /// Asks for a file that a page links to.
    pub async fn file(&self, url: &Url) -> Result<UnverifiedAnswer, TransportError> {
        let url = self.with_credentials(url);
        Ok(self.http.ask(&url, None).await?.into())
    }

    /// Whether a page may link there: over TLS, or where the page itself comes from. What it may say of
    /// users and passwords is nothing that this program sends.
    #[must_use]
    pub fn may_link_to(&self, url: &Url) -> bool {
        let is_bare = url.username().is_empty() && url.password().is_none();
        is_bare && is_safe(&self.url.origin(), url) && url.has_host()
    }

    fn with_credentials(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if url.origin() == self.url.origin() {
            // Only URLs without a host refuse.
            let _ = url.set_username(self.url.username());
            let _ = url.set_password(self.url.password());
        }
        url
    }
}

/// Whether what comes from there is what that host sent: over TLS, or from where the index itself is,
/// which is over TLS or on this machine.
fn is_safe(index: &Origin, to: &Url) -> bool {
    to.scheme() == "https" || to.origin() == *index
}

impl From<Answered> for UnverifiedAnswer {
    fn from(answered: Answered) -> Self {
        let Answered {
            url,
            content_type,
            length,
            body,
        } = answered;
        Self {
            url,
            content_type,
            length,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let base = url("http://me:secret@127.0.0.1:8080/simple/");
        let index = UnverifiedIndex::new(base, Pace::default()).unwrap();
        let sent = |to: &str| index.with_credentials(&url(to)).to_string();
        assert_eq!(
            sent("http://127.0.0.1:8080/x.whl"),
            "http://me:secret@127.0.0.1:8080/x.whl"
        );
        for other in [
            "https://127.0.0.1:8080/x",
            "http://127.0.0.1:8081/x",
            "http://localhost:8080/x",
        ] {
            assert_eq!(sent(other), other);
        }
    }

    #[test]
    fn links_lead_over_tls_or_nowhere_else() {
        let base = url("http://127.0.0.1:8080/simple/");
        let index = UnverifiedIndex::new(base, Pace::default()).unwrap();
        for (to, may) in [
            ("http://127.0.0.1:8080/packages/x.whl", true),
            ("https://files.example/x.whl", true),
            ("http://files.example/x.whl", false),
            ("http://127.0.0.1:22/x.whl", false),
            ("https://me:it@files.example/x.whl", false),
            ("file:///x.whl", false),
            ("data:,x", false),
        ] {
            assert_eq!(index.may_link_to(&url(to)), may, "{to}");
        }
    }
}
