//! The environment in which pip, uv and poetry install through the proxy and through nothing else.

use std::ffi::OsString;
use std::net::SocketAddr;

use proxy::AllowedHost;

use crate::failure::Failure;
use crate::trusted::Entry;

/// How long an installer waits for an answer, in seconds: a large file is verified before its first
/// byte is sent.
const TIMEOUT: &str = "600";

/// A variable's new value; `None` removes it.
pub(crate) type Change = (&'static str, Option<OsString>);

/// Variables that name other indexes, folders of files, settings or caches.
const REMOVED: [&str; 21] = [
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_ISOLATED",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_PYPI_URL",
    "UV_CONFIG_FILE",
    "UV_ENV_FILE",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_NO_CACHE",
    "UV_NO_INDEX",
    "UV_TORCH_BACKEND",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    // Set, it makes programs distrust HTTP_PROXY, as in a CGI script.
    "REQUEST_METHOD",
    "UV_NO_PROXY",
];

/// What is changed for a command: `index` is the URL's address, `proxy` where requests go, `allowed`
/// are hosts that they may lead to.
pub(crate) fn changes(
    entry: &Entry,
    allowed: &[AllowedHost],
    index: SocketAddr,
    proxy: SocketAddr,
) -> Result<Vec<Change>, Failure> {
    let url = format!("http://{index}/simple/");
    let through = format!("http://{proxy}");
    let mut set: Vec<(&'static str, OsString)> = vec![
        (
            "PIP_CACHE_DIR",
            entry.installer_cache("pip", allowed)?.into(),
        ),
        ("PIP_CONFIG_FILE", null_device().into()),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
        ("PIP_INDEX_URL", url.clone().into()),
        // Without it pip keeps no cache for an index without TLS.
        ("PIP_TRUSTED_HOST", index.ip().to_string().into()),
        ("UV_CACHE_DIR", entry.installer_cache("uv", allowed)?.into()),
        ("UV_DEFAULT_INDEX", url.into()),
        ("UV_NO_CONFIG", "1".into()),
        (
            "POETRY_CACHE_DIR",
            entry.installer_cache("poetry", allowed)?.into(),
        ),
    ];
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        set.push((name, through.clone().into()));
    }
    for name in [
        "PIP_DEFAULT_TIMEOUT",
        "UV_HTTP_TIMEOUT",
        "POETRY_REQUESTS_TIMEOUT",
    ] {
        if std::env::var_os(name).is_none() {
            set.push((name, TIMEOUT.into()));
        }
    }
    let set = set.into_iter().map(|(name, value)| (name, Some(value)));
    Ok(REMOVED
        .iter()
        .map(|name| (*name, None))
        .chain(set)
        .collect())
}

fn null_device() -> &'static str {
    if cfg!(windows) { "nul" } else { "/dev/null" }
}
