//! What installers want of other hosts. Their requests come here because `HTTP_PROXY` and
//! `HTTPS_PROXY` point here; they are refused and named, except to hosts that the user allowed, whose
//! bytes pass unverified and are counted.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, HeaderName, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::canonical::{self, Canonical};
use crate::guard;
use crate::problem::Problem;
use crate::state::{ProxyState, SharedState};

/// What is between two neighbours only (RFC 9110 section 7.6.1), and what is meant for this proxy.
const BETWEEN_NEIGHBOURS: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A host as `--allow-host` names it: `files.example`, `files.example:8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    name: String,
    port: Option<u16>,
}

impl std::str::FromStr for AllowedHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority: Authority = text.parse().map_err(|_| "this is not a host name")?;
        let plain = authority.port_u16().map_or_else(
            || authority.host().to_owned(),
            |port| format!("{}:{port}", authority.host()),
        );
        if authority.host().is_empty() || plain != text {
            return Err("give a host name, with a port or without");
        }
        Ok(Self {
            name: authority.host().to_ascii_lowercase(),
            port: authority.port_u16(),
        })
    }
}

impl std::fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl AllowedHost {
    /// Without a port the host is meant on the ports of the web.
    fn allows(&self, host: &str, port: u16) -> bool {
        let is_port = self.port.map_or(matches!(port, 80 | 443), |it| it == port);
        is_port && self.name.eq_ignore_ascii_case(host)
    }
}

/// The index's own URLs, if the request is for one of them.
pub(crate) fn canonical<'a>(
    state: &'a ProxyState,
    to: &Authority,
    method: &Method,
) -> Option<&'a Canonical> {
    let is_tunnel = method == Method::CONNECT;
    let canonical = state.config().canonical.as_ref()?;
    let is_it = canonical.is_at(is_tunnel, to.host(), port_of(to, is_tunnel));
    is_it.then_some(canonical)
}

/// Whether a port of this machine is not for this proxy to answer for: another index is known there, or
/// the user allowed it as it is.
pub(crate) fn is_of_others(state: &ProxyState, to: &Authority) -> bool {
    let (host, port) = (to.host(), port_of(to, false));
    let passed = &state.config().passed_hosts;
    is_of_another_index(state, host, port) || passed.iter().any(|it| it.allows(host, port))
}

fn is_of_another_index(state: &ProxyState, host: &str, port: u16) -> bool {
    guard::is_loopback(host) && state.config().other_ports.contains(&port)
}

fn port_of(to: &Authority, is_tunnel: bool) -> u16 {
    to.port_u16().unwrap_or(if is_tunnel { 443 } else { 80 })
}

/// Answers a request for another host.
pub(crate) async fn pass(state: &SharedState, to: &Authority, request: Request) -> Response {
    let is_tunnel = request.method() == Method::CONNECT;
    let port = port_of(to, is_tunnel);
    let host = to.host();
    if let Some(canonical) = canonical(state, to, request.method()) {
        if !is_tunnel {
            return canonical::answer(state, canonical, request.into_parts().0).await;
        }
        if let Some(authority) = &state.config().authority {
            return canonical::speak(state, canonical, authority, host, request);
        }
    }
    let shown = format!("{}:{port}", host.escape_debug());
    let allowed = &state.config().passed_hosts;
    if !allowed.iter().any(|it| it.allows(host, port)) {
        state.common.recorder.refused_host(&shown);
        if is_of_another_index(state, host, port) {
            return of_another_index(&shown).into_response();
        }
        return refused(&shown).into_response();
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let wait = state.config().limits.connect_timeout;
    let stream = match timeout(wait, TcpStream::connect((bare, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return unreachable(&shown, &error.to_string()).into_response(),
        Err(_) => return unreachable(&shown, "no connection in time").into_response(),
    };
    state.common.recorder.passed_host(&shown);
    if is_tunnel {
        tunnel(request, stream);
        return StatusCode::OK.into_response();
    }
    match fetch(request, stream).await {
        Ok(response) => response,
        Err(error) => unreachable(&shown, &error.to_string()).into_response(),
    }
}

/// Copies both ways until both have ended, once the answer to CONNECT is out.
fn tunnel(request: Request, mut upstream: TcpStream) {
    tokio::spawn(async move {
        let Ok(client) = hyper::upgrade::on(request).await else {
            return;
        };
        // That either side hangs up is the end of every tunnel.
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut upstream).await;
    });
}

/// Hands one plain request on.
async fn fetch(request: Request, upstream: TcpStream) -> hyper::Result<Response> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(upstream)).await?;
    tokio::spawn(connection);
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    if let Ok(uri) = path.parse::<Uri>() {
        head.uri = uri;
    }
    strip(&mut head.headers);
    let answer = sender.send_request(Request::from_parts(head, body)).await?;
    let (mut head, body) = answer.into_parts();
    strip(&mut head.headers);
    Ok(Response::from_parts(head, Body::new(body)))
}

fn strip(headers: &mut HeaderMap) {
    for name in &BETWEEN_NEIGHBOURS {
        headers.remove(name);
    }
}

fn refused(host: &str) -> Problem {
    Problem::plain(
        StatusCode::CONFLICT,
        "other-host",
        "Nothing from this host could be verified",
        format!("{host} is not the signed index, and nothing vouches for what it serves"),
        "remove the requirement that leads there; or, if you trust that host as it is, allow it with --allow-host",
    )
    .about(host)
}

fn of_another_index(host: &str) -> Problem {
    Problem::plain(
        StatusCode::CONFLICT,
        "other-host",
        "This is the address of another trusted index",
        format!(
            "installers know another index at {host}, and this proxy does not answer for that one"
        ),
        "name that index with --index; or say with --rules which project belongs to which",
    )
    .about(host)
}

fn unreachable(host: &str, why: &str) -> Problem {
    Problem::plain(
        StatusCode::BAD_GATEWAY,
        "unreachable",
        "The host could not be reached",
        format!("{host}: {why}"),
        "try again; if it stays so, look at the network",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_on_its_port_or_those_of_the_web() {
        let parse = |text: &str| text.parse::<AllowedHost>();
        let any = parse("Files.example").unwrap();
        assert!(any.allows("files.example", 443) && any.allows("FILES.example", 80));
        assert!(!any.allows("files.example", 22) && !any.allows("x.files.example", 443));
        let one = parse("files.example:8080").unwrap();
        assert!(one.allows("files.example", 8080) && !one.allows("files.example", 443));
        assert!(parse("[::1]:8080").unwrap().allows("[::1]", 8080));
        for wrong in [
            "",
            "http://files.example",
            "a@files.example",
            "files.example:",
            "a/b",
            ":80",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
