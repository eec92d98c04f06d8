//! The environment in which pip, uv and poetry install through the proxy and through nothing else.

use std::borrow::Cow;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use url::Url;

use super::repositories;
use crate::failure::Failure;
use crate::trusted::Entry;

/// How long an installer waits for an answer, in seconds: a large file is verified before its first
/// byte is sent.
const TIMEOUT: &str = "600";

/// A variable's new value; `None` removes it.
pub(crate) type Change = (Cow<'static, str>, Option<OsString>);

/// Variables that name other indexes, folders of files, settings, caches or authorities.
const REMOVED: [&str; 31] = [
    "CURL_CA_BUNDLE",
    "GIT_CONFIG_PARAMETERS",
    "PIP_CERT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_ISOLATED",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_PYPI_URL",
    "PIP_TRUSTED_HOST",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_CONFIG_FILE",
    "UV_ENV_FILE",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_NO_INDEX",
    "UV_SYSTEM_CERTS",
    "UV_TORCH_BACKEND",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    // Set, it makes programs distrust HTTP_PROXY, as in a CGI script.
    "REQUEST_METHOD",
    "UV_NO_PROXY",
];

/// Those of them that say who is believed over TLS.
const OF_TLS: [&str; 8] = [
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "UV_INSECURE_HOST",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
];

/// Variables that name the authorities believed, of one installer or another.
const AUTHORITIES: [&str; 4] = [
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// How a command reaches the index.
pub(crate) struct Way<'a> {
    /// The index's URL as installers are told it.
    pub(crate) index: Url,
    /// Where requests go.
    pub(crate) proxy: SocketAddr,
    /// File of the authorities that count; `None` leaves things as they are, since no connection is
    /// made over TLS but to allowed hosts.
    pub(crate) authorities: Option<&'a Path>,
}

/// What is changed for a command; `others` are hosts and indexes beside the entry's that have a say.
pub(crate) fn changes(
    entry: &Entry,
    others: &[String],
    way: &Way<'_>,
) -> Result<Vec<Change>, Failure> {
    let url = way.index.as_str();
    let through = format!("http://{}", way.proxy);
    let mut set: Vec<(&'static str, OsString)> = vec![
        (
            "PIP_CACHE_DIR",
            entry.installer_cache("pip", others)?.into(),
        ),
        ("PIP_CONFIG_FILE", null_device().into()),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
        ("PIP_INDEX_URL", url.into()),
        ("UV_CACHE_DIR", entry.installer_cache("uv", others)?.into()),
        ("UV_DEFAULT_INDEX", url.into()),
        ("UV_NO_CONFIG", "1".into()),
        (
            "POETRY_CACHE_DIR",
            entry.installer_cache("poetry", others)?.into(),
        ),
    ];
    if let Some(host) = way
        .index
        .host_str()
        .filter(|_| way.index.scheme() == "http")
    {
        // Without it pip keeps no cache for an index without TLS.
        set.push(("PIP_TRUSTED_HOST", host.into()));
    }
    if let Some(file) = way.authorities {
        set.extend(AUTHORITIES.map(|name| (name, file.into())));
    }
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
    let programs = entry.programs_folder()?;
    let path = repositories::path(&programs).map_err(|source| Failure::Io {
        doing: "write in",
        path: programs.clone(),
        source,
    })?;
    set.push(("PATH", path));
    let of_git = repositories::for_git(&through).into_iter();
    let of_git = of_git.map(|(name, value)| (Cow::Owned(name), value));
    let set = set.into_iter().map(|(name, value)| (name.into(), value));
    let set = set.chain(of_git);
    let is_removed = |name: &&&str| way.authorities.is_some() || !OF_TLS.contains(*name);
    Ok(REMOVED
        .iter()
        .filter(is_removed)
        .map(|name| (Cow::Borrowed(*name), None))
        .chain(set.map(|(name, value)| (name, Some(value))))
        .collect())
}

fn null_device() -> &'static str {
    if cfg!(windows) { "nul" } else { "/dev/null" }
}
