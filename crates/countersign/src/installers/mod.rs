//! What installers need to be told, to install through the proxy and through nothing else.

use std::net::SocketAddr;

/// Variables by which installers take files from elsewhere as well, past the proxy.
const LEAKS: [&str; 5] = [
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "UV_EXTRA_INDEX_URL",
    "UV_INDEX",
    "UV_FIND_LINKS",
];

/// The command lines that install `package` through the proxy at `address`. pip keeps no HTTP cache for
/// an index without TLS unless its host is trusted; uv needs nothing of the kind on loopback.
pub(crate) fn command_lines(address: SocketAddr, package: &str) -> String {
    let (url, host) = (format!("http://{address}/simple/"), address.ip());
    format!(
        "  pip install --index-url {url} --trusted-host {host} {package}\n  \
           uv pip install --default-index {url} {package}"
    )
}

/// Warns of what this environment makes installers do beside asking the proxy.
pub(crate) fn warn_of_leaks() {
    for name in LEAKS {
        if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
            tracing::warn!("{name} is set: installers take files from there too, unverified");
        }
    }
}
