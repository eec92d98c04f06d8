//! Answers only requests that name this machine: a web page whose host name is rebound to loopback
//! must not read through the proxy (DNS rebinding). What an installer asks this proxy to fetch from
//! other hosts goes to `forward.rs`: the index's own URLs are answered, the rest is refused unless the
//! user allowed the host.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::forward;
use crate::problem::Problem;
use crate::state::SharedState;

/// Host names that are this machine.
const OURS: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Refuses requests for other hosts.
pub(crate) async fn check_host(
    State(state): State<SharedState>,
    request: Request,
    next: Next,
) -> Response {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    // A request line with a whole URL counts before the header (RFC 9112 section 3.2.2).
    let named = request.uri().authority().cloned();
    let allowed = &state.config().allowed_hosts;
    let host = named.as_ref().map(Authority::as_str).or(header);
    let is_tunnel = request.method() == Method::CONNECT;
    // Lock files name the port of an earlier run: what lies below it is served, verified, all the
    // same, unless that port is known for something else
    // (policy/decisions/0026-a-port-is-of-one-index.md). Anything else on this machine is another program.
    let is_index = match &named {
        None => true,
        Some(to) => {
            forward::canonical(&state, to, request.method()).is_none()
                && is_path_of_index(request.uri().path())
                && !forward::is_of_others(&state, to)
        }
    };
    if !is_tunnel && is_index && host.is_some_and(|host| is_ours(host, allowed)) {
        return next.run(request).await;
    }
    // Web pages can send neither of these to a server, only a program that takes it for its proxy.
    if let Some(other) = named {
        return forward::pass(&state, &other, request).await;
    }
    let asked = host.unwrap_or("no host").escape_debug().to_string();
    Problem::plain(
        StatusCode::MISDIRECTED_REQUEST,
        "host",
        "This proxy serves this machine only",
        format!("the request names {asked}"),
        "use the address under which the proxy was started",
    )
    .into_response()
}

fn is_path_of_index(path: &str) -> bool {
    ["/simple/", "/files/", "/+countersign/", "/healthz"]
        .iter()
        .any(|start| path.starts_with(start))
}

/// Whether a host name, without a port, is this machine.
pub(crate) fn is_loopback(name: &str) -> bool {
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

fn is_ours(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            if !port.bytes().all(|byte| byte.is_ascii_digit()) {
                return false;
            }
            name
        }
        _ => host,
    };
    is_loopback(name) || allowed.iter().any(|also| name.eq_ignore_ascii_case(also))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_what_is_allowed() {
        let allowed = ["proxy.example".to_owned()];
        for ours in [
            "127.0.0.1",
            "127.0.0.1:8451",
            "LOCALHOST:1",
            "[::1]",
            "[::1]:8451",
            "proxy.example:80",
        ] {
            assert!(is_ours(ours, &allowed), "{ours}");
        }
        for other in [
            "",
            ":80",
            "index.example",
            "127.0.0.1.index.example:80",
            "localhost.",
            "::1",
            "user@localhost",
            "localhost:80@index.example",
            "127.0.0.2",
        ] {
            assert!(!is_ours(other, &allowed), "{other}");
        }
    }
}
