//! Where the repository's files lie, and how they are fetched: with the limits of every client.

use std::sync::Arc;

use client::{ClientError, ReadError, Transport, Wanted, read_limited};
use futures_util::StreamExt;
use metadata::{Role, Sha256, TargetPath, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use trust::{Rejection, Request};
use url::Url;

/// Everything but RFC 3986 "unreserved" is escaped, as the client does.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A published repository.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) metadata: Url,
    pub(crate) targets: Url,
    pub(crate) transport: Arc<dyn Transport>,
}

impl Source {
    pub(crate) fn new(metadata: &Url, targets: &Url, transport: Arc<dyn Transport>) -> Self {
        Self {
            metadata: folder(metadata),
            targets: folder(targets),
            transport,
        }
    }

    /// Fetches the file of a role, versioned or not, and not a byte more than asked for.
    pub(crate) async fn role(
        &self,
        request: &Request,
        versioned: bool,
    ) -> Result<Vec<u8>, ClientError> {
        let version = versioned.then_some(request.version);
        let url = self.role_url(&request.role, version);
        let failed = |source| ClientError::Transport {
            what: Wanted::Role(request.role.clone(), Some(request.version)),
            source: Box::new(source),
        };
        let body = self.transport.get(&url).await.map_err(failed)?;
        read_limited(body, request.limit)
            .await
            .map_err(|error| match error {
                ReadError::TooLarge => Rejection::TooLarge {
                    role: request.role.clone(),
                    limit: request.limit,
                }
                .into(),
                ReadError::Transport(source) => failed(source),
            })
    }

    /// Whether a target file is there, by asking for it and reading no further than its first piece.
    pub(crate) async fn is_there(
        &self,
        path: &TargetPath,
        digest: Option<&Sha256>,
    ) -> Result<(), ClientError> {
        let failed = |source| ClientError::Transport {
            what: Wanted::Target(path.clone()),
            source: Box::new(source),
        };
        let url = self.target_url(path, digest);
        let mut body = self.transport.get(&url).await.map_err(failed)?;
        match body.next().await {
            Some(Err(error)) => Err(failed(error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn role_url(&self, role: &Role, version: Option<Version>) -> Url {
        let name = version.map_or_else(|| role.file_name(), |v| role.versioned_file_name(v));
        below(&self.metadata, &name)
    }

    /// `dir/HASH.file`, or `dir/file` without a digest (TUF 6.2.1).
    pub(crate) fn target_url(&self, path: &TargetPath, digest: Option<&Sha256>) -> Url {
        let plain = path.as_str().to_owned();
        let logical = digest.map_or(plain, |digest| path.with_digest(digest));
        below(&self.targets, &escape_path(&logical))
    }
}

/// Escapes a path segment by segment.
pub(crate) fn escape_path(path: &str) -> String {
    let segments = path.split('/');
    let escaped = segments.map(|segment| utf8_percent_encode(segment, ESCAPED).to_string());
    escaped.collect::<Vec<_>>().join("/")
}

/// `escaped` is escaped already; setting a path leaves escapes as they are.
pub(crate) fn below(base: &Url, escaped: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{escaped}", base.path()));
    url
}

/// The URL with a final slash; that it is a base at all, the client has checked.
fn folder(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_the_client() {
        let base = Url::parse("http://index.example/repo").unwrap();
        let source = Source::new(&base, &base, Arc::new(client::FileTransport));
        let role = Role::parse("a/b").unwrap();
        let url = source.role_url(&role, Some(Version::FIRST));
        assert_eq!(url.as_str(), "http://index.example/repo/1.a%2Fb.json");
        let path = TargetPath::parse("packages/ab/x/x-1+c.whl").unwrap();
        assert_eq!(
            source.target_url(&path, None).as_str(),
            "http://index.example/repo/packages/ab/x/x-1%2Bc.whl"
        );
        let digest = Sha256::of(b"");
        assert_eq!(
            source.target_url(&path, Some(&digest)).as_str(),
            format!("http://index.example/repo/packages/ab/x/{digest}.x-1%2Bc.whl")
        );
    }
}
