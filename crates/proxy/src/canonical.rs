//! The index's own URLs: a request for one of them, sent through this proxy, is answered with what was
//! verified, as if the index had answered. Lock files keep those URLs, and what installs from them is
//! covered. No request reaches the index's server as it is.
//!
//! A page's links lead to the index again, whatever links a page elsewhere has; a file is known by its
//! name, so any path will do that ends in it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use index::{DistributionFilename, mirror_url_of};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::authority::LocalAuthority;
use crate::interim::{Interim, WithInterim};
use crate::problem::Problem;
use crate::state::SharedState;
use crate::{files, pages, project_list};

/// The URLs under which installers and lock files know an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    index: Url,
    files: Option<Url>,
}

impl Canonical {
    /// `index` has the pages below it; `files` the files, where the pages' links do not lead to
    /// `../../packages/`.
    pub fn new(index: Url, files: Option<Url>) -> Result<Self, &'static str> {
        Ok(Self {
            index: base(index)?,
            files: files.map(base).transpose()?,
        })
    }

    /// The index's URL.
    #[must_use]
    pub fn index(&self) -> &Url {
        &self.index
    }

    /// All URLs.
    pub fn urls(&self) -> impl Iterator<Item = &Url> {
        [Some(&self.index), self.files.as_ref()]
            .into_iter()
            .flatten()
    }

    /// The hosts that are asked over TLS, without brackets: what a local authority has to be for.
    #[must_use]
    pub fn tls_hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = self
            .urls()
            .filter(|url| url.scheme() == "https")
            .filter_map(|url| Some(bare(url.host_str()?).to_owned()))
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// Whether requests to that port of that host are for the index.
    pub(crate) fn is_at(&self, is_tls: bool, host: &str, port: u16) -> bool {
        self.urls().any(|url| {
            (url.scheme() == "https") == is_tls
                && url.port_or_known_default() == Some(port)
                && url
                    .host_str()
                    .is_some_and(|it| bare(it).eq_ignore_ascii_case(bare(host)))
        })
    }

    /// Where a page says a file is.
    pub(crate) fn file_url(&self, filename: &DistributionFilename) -> String {
        let relative = mirror_url_of(filename);
        match &self.files {
            Some(files) => format!("{files}{}", relative.trim_start_matches("../")),
            None => relative,
        }
    }
}

/// A URL below which things lie: no credentials, which installers would be shown, and no query.
pub(crate) fn base(mut url: Url) -> Result<Url, &'static str> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("it is neither http nor https");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("nothing can lie below it");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user or a password in it");
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Answers a request for something of the index's.
pub(crate) async fn answer(state: &SharedState, canonical: &Canonical, head: Parts) -> Response {
    let (method, headers, path) = (&head.method, &head.headers, head.uri.path());
    if !matches!(*method, Method::GET | Method::HEAD) {
        let hint = "installers only read from it";
        let title = "The signed index takes nothing";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Problem::plain(status, "method", title, method.as_str(), hint).into_response();
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    if let Some(rest) = path.strip_prefix(canonical.index.path()) {
        let links = pages::Links::Canonical(canonical);
        match rest.split_once('/') {
            None if rest.is_empty() => return project_list::answer(state, headers).await,
            None => return pages::redirected(&decoded(rest), &links),
            Some((name, "")) => {
                return pages::answer(state, &decoded(name), headers, &links).await;
            }
            Some(_) => {}
        }
    }
    let name = decoded(path.rsplit('/').next().unwrap_or_default());
    files::named(state, &name, headers, head.extensions.get()).await
}

/// Speaks TLS as the index to whoever asked for a connection to it.
pub(crate) fn speak(
    state: &SharedState,
    canonical: &Canonical,
    authority: &LocalAuthority,
    host: &str,
    request: Request,
) -> Response {
    let config = match authority.config(host) {
        Ok(config) => config,
        Err(error) => return Problem::internal(error.to_string()).into_response(),
    };
    let Ok(place) = Arc::clone(&state.common.tunnels).try_acquire_owned() else {
        let (status, hint) = (StatusCode::SERVICE_UNAVAILABLE, "try again");
        let title = "Too many connections are open";
        return Problem::plain(status, "busy", title, "all are in use", hint).into_response();
    };
    let (state, canonical) = (Arc::clone(state), canonical.clone());
    tokio::spawn(async move {
        if let Err(error) = spoken(&state, &canonical, TlsAcceptor::from(config), request).await {
            tracing::warn!(%error, "a connection to the index's own URL failed");
        }
        drop(place);
    });
    StatusCode::OK.into_response()
}

async fn spoken(
    state: &SharedState,
    canonical: &Canonical,
    acceptor: TlsAcceptor,
    request: Request,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let limit = state.config().limits.header_timeout;
    let upgraded = TokioIo::new(hyper::upgrade::on(request).await?);
    let stream = timeout(limit, acceptor.accept(upgraded)).await??;
    let interim = Interim::new(state.config().limits.interim_interval);
    let stream = WithInterim::new(stream, interim.clone());
    let service = service_fn(async |request: hyper::Request<Incoming>| {
        let (mut head, _) = request.into_parts();
        if Interim::helps(head.version, &head.headers) {
            head.extensions.insert(interim.clone());
        }
        let answered = answer(state, canonical, head).await;
        Ok::<hyper::Response<Body>, std::convert::Infallible>(answered)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .serve_connection(TokioIo::new(stream), service);
    // Installers hang up as they like once they have what they asked for.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn an_index_is_at_its_scheme_host_and_port() {
        let files = Some(url("http://files.example:8080/x"));
        let canonical = Canonical::new(url("https://Index.example/simple"), files).unwrap();
        assert_eq!(canonical.index().as_str(), "https://index.example/simple/");
        assert_eq!(canonical.tls_hosts(), ["index.example"]);
        for (is_tls, host, port, is) in [
            (true, "index.example", 443, true),
            (true, "INDEX.example", 443, true),
            (false, "index.example", 80, false),
            (false, "index.example", 443, false),
            (true, "index.example", 8443, false),
            (true, "x.index.example", 443, false),
            (false, "files.example", 8080, true),
            (true, "files.example", 8080, false),
        ] {
            assert_eq!(canonical.is_at(is_tls, host, port), is, "{host}:{port}");
        }
        let loopback = Canonical::new(url("https://[::1]:8443/"), None).unwrap();
        assert!(loopback.is_at(true, "[::1]", 8443));
        assert_eq!(loopback.tls_hosts(), ["::1"]);
        for wrong in [
            "file:///simple/",
            "https://me:it@index.example/",
            "https://index.example/?a",
            "https://index.example/#a",
        ] {
            assert!(Canonical::new(url(wrong), None).is_err(), "{wrong}");
        }
    }
}
