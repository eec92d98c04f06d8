//! What installers need to be told, to install through the proxy and through nothing else.

mod arguments;
mod environment;
mod leaks;
mod repositories;
mod requirements;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

pub(crate) use arguments::{Refused, check, local_paths};
pub(crate) use environment::{Change, Way, changes};
pub(crate) use leaks::{Leak, in_files, in_variables};
pub(crate) use requirements::check_named;

/// A program whose options are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Installer {
    /// pip, by itself or as a module of Python.
    Pip,
    /// uv.
    Uv,
    /// uv's `uvx`.
    Uvx,
    /// Anything else: only its environment and its connections are looked after.
    Other,
}

impl Installer {
    /// Which one a command starts, and its arguments.
    pub(crate) fn of(command: &[OsString]) -> (Self, &[OsString]) {
        let Some((program, arguments)) = command.split_first() else {
            return (Self::Other, &[]);
        };
        let name = Path::new(program).file_stem().unwrap_or_default();
        let name = name.to_str().unwrap_or_default();
        let is = |start: &str| {
            let version = name.strip_prefix(start);
            version.is_some_and(|it| it.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        };
        match name {
            "uv" => (Self::Uv, arguments),
            "uvx" => (Self::Uvx, arguments),
            _ if is("pip") => (Self::Pip, arguments),
            _ if is("python") || is("pypy") => as_module(arguments),
            _ => (Self::Other, arguments),
        }
    }
}

/// `python -m pip …`: options of Python itself may come before.
fn as_module(arguments: &[OsString]) -> (Installer, &[OsString]) {
    for (at, argument) in arguments.iter().enumerate() {
        let text = argument.to_str().unwrap_or_default();
        let module = match text.strip_prefix("-m") {
            Some("") => arguments.get(at + 1).and_then(|it| it.to_str()),
            Some(module) => Some(module),
            None if text.starts_with('-') => continue,
            None => None,
        };
        let skipped = at + 1 + usize::from(text == "-m");
        let rest = arguments.get(skipped..).unwrap_or_default();
        return match module {
            Some("pip") => (Installer::Pip, rest),
            Some("uv") => (Installer::Uv, rest),
            _ => (Installer::Other, rest),
        };
    }
    (Installer::Other, arguments)
}

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
    for leak in in_variables(std::env::vars_os()) {
        tracing::warn!("{leak}: installers take files from there too, unverified");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installers_are_known_by_name_and_as_modules() {
        for (line, installer, rest) in [
            ("pip install x", Installer::Pip, "install x"),
            (
                "/opt/venv/bin/pip3.12 install x",
                Installer::Pip,
                "install x",
            ),
            ("python3 -m pip install x", Installer::Pip, "install x"),
            ("python -I -mpip install x", Installer::Pip, "install x"),
            ("python -m uv sync", Installer::Uv, "sync"),
            ("uv sync", Installer::Uv, "sync"),
            ("uvx ruff", Installer::Uvx, "ruff"),
            ("python setup.py -m pip", Installer::Other, "-m pip"),
            ("pipenv install", Installer::Other, "install"),
            ("python", Installer::Other, ""),
        ] {
            let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let (found, arguments) = Installer::of(&command);
            let arguments: Vec<_> = arguments.iter().filter_map(|it| it.to_str()).collect();
            assert_eq!(
                (found, arguments.join(" ").as_str()),
                (installer, rest),
                "{line}"
            );
        }
    }
}
