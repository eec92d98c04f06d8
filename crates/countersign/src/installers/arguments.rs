//! Options by which an installer goes past the proxy, or takes a cache that others have filled. They
//! win over the environment, so they are refused, with what to do instead.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Installer, requirements};

/// Why a command line is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// An option on it.
    #[error("`{option}` makes the installer go past what is verified")]
    Option {
        /// As it was given.
        option: String,
        /// What it does.
        does: Does,
    },
    /// An option in a file it names.
    #[error("{path}, line {line}: `{option}` makes the installer go past what is verified", path = path.display())]
    Line {
        /// The requirements file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// As it stands there.
        option: String,
        /// What it does.
        does: Does,
    },
}

impl Refused {
    /// What to do instead.
    pub(crate) fn hint(&self) -> &'static str {
        let (Self::Option { does, .. } | Self::Line { does, .. }) = self;
        match does {
            Does::Index => {
                "leave it out: `exec` names the index; another one is chosen with --index NAME \
                 before the command"
            }
            Does::Files => {
                "leave it out: nothing vouches for files in a folder or on a page; add them to the index"
            }
            Does::Cache => {
                "leave it out: `exec` gives the installer a cache in which nothing lies that was \
                 not verified"
            }
            Does::Connection => {
                "leave it out: the installer has to ask the proxy that `exec` starts"
            }
            Does::Settings => "leave it out: settings come from the environment that `exec` makes",
        }
    }
}

/// What an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Names an index.
    Index,
    /// Names a folder or page of files.
    Files,
    /// Names a cache.
    Cache,
    /// Changes how connections are made.
    Connection,
    /// Names settings, or has them ignored.
    Settings,
}

const PIP: [(&str, Does); 8] = [
    ("--index-url", Does::Index),
    ("--pypi-url", Does::Index),
    ("--extra-index-url", Does::Index),
    ("--find-links", Does::Files),
    ("--cache-dir", Does::Cache),
    ("--proxy", Does::Connection),
    ("--isolated", Does::Settings),
    ("--no-index", Does::Index),
];

const UV: [(&str, Does); 8] = [
    ("--index", Does::Index),
    ("--default-index", Does::Index),
    ("--index-url", Does::Index),
    ("--extra-index-url", Does::Index),
    ("--find-links", Does::Files),
    ("--cache-dir", Does::Cache),
    ("--config-file", Does::Settings),
    ("--no-index", Does::Index),
];

/// Short options that take the rest of their word, or the next one, as value.
const PIP_VALUES: &str = "rcetbdCs";
const UV_VALUES: &str = "rceopPCbtw";

/// Refuses a command line that would go past the proxy.
pub(crate) fn check(installer: Installer, arguments: &[OsString]) -> Result<(), Refused> {
    let texts: Vec<&str> = arguments
        .iter()
        .map(|it| it.to_str().unwrap_or_default())
        .collect();
    let own = match installer {
        Installer::Other => &[],
        _ => own_part(installer, &texts),
    };
    for (at, argument) in own.iter().enumerate() {
        let found = match installer {
            Installer::Pip => leak(argument, &PIP, PIP_VALUES, true),
            _ => leak(argument, &UV, UV_VALUES, false),
        };
        if let Some(does) = found {
            return Err(Refused::Option {
                option: (*argument).to_owned(),
                does,
            });
        }
        if let Some(file) = requirements::named(argument, own.get(at + 1).copied()) {
            requirements::check(Path::new(file))?;
        }
    }
    Ok(())
}

/// Files and folders of this machine that a command line installs: nothing vouches for them.
pub(crate) fn local_paths(installer: Installer, arguments: &[OsString]) -> Vec<String> {
    if installer == Installer::Other {
        return Vec::new();
    }
    let texts: Vec<&str> = arguments
        .iter()
        .map(|it| it.to_str().unwrap_or_default())
        .collect();
    let mut before = "";
    let mut found = Vec::new();
    for argument in own_part(installer, &texts) {
        let archive = [".whl", ".tar.gz", ".zip"]
            .iter()
            .any(|end| argument.ends_with(end));
        let path = ["./", "../", "/", "file:"]
            .iter()
            .any(|start| argument.starts_with(start));
        let is_path = *argument == "." || archive || path;
        let is_value = before.starts_with('-') && !matches!(before, "-e" | "--editable" | "--");
        if is_path && !is_value && !argument.starts_with("http") && !argument.contains("://") {
            found.push((*argument).to_owned());
        }
        before = argument;
    }
    found
}

/// The arguments that are the installer's own: what `uv run` and `uvx` run has arguments of its own.
fn own_part<'a, 't>(installer: Installer, texts: &'a [&'t str]) -> &'a [&'t str] {
    let end = texts
        .iter()
        .position(|it| *it == "--")
        .unwrap_or(texts.len());
    let texts = &texts[..end];
    let start = match installer {
        Installer::Uvx => 0,
        Installer::Uv => match texts.iter().position(|it| *it == "run") {
            Some(at) => at + 1,
            None => return texts,
        },
        Installer::Pip | Installer::Other => return texts,
    };
    let mut before = "";
    for (at, argument) in texts.iter().enumerate().skip(start) {
        // A word after an option may be its value: that it is taken for an option of uv's own, at
        // worst, refuses one too many.
        if !argument.starts_with('-') && !before.starts_with('-') {
            return &texts[..at];
        }
        before = argument;
    }
    texts
}

/// The leak that an argument is. pip takes any beginning of a long option that is no other's.
fn leak(
    argument: &str,
    known: &[(&str, Does)],
    with_value: &str,
    by_beginning: bool,
) -> Option<Does> {
    let name = argument.split_once('=').map_or(argument, |(name, _)| name);
    if name.starts_with("--") {
        let is =
            |long: &str| long == name || (by_beginning && name.len() > 3 && long.starts_with(name));
        return known
            .iter()
            .find(|(long, _)| is(long))
            .map(|(_, does)| *does);
    }
    for short in argument.strip_prefix('-')?.chars() {
        match short {
            'i' => return Some(Does::Index),
            'f' => return Some(Does::Files),
            other if with_value.contains(other) => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> Option<Does> {
        let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let (installer, arguments) = Installer::of(&command);
        match check(installer, arguments) {
            Err(Refused::Option { does, .. }) => Some(does),
            Err(other) => panic!("{other}"),
            Ok(()) => None,
        }
    }

    #[test]
    fn ways_past_the_proxy_are_refused() {
        for (line, does) in [
            ("pip install -i http://index.example/simple x", Does::Index),
            ("pip install -ihttp://index.example/simple x", Does::Index),
            (
                "pip install -Uqi http://index.example/simple x",
                Does::Index,
            ),
            (
                "pip install --index-url=http://index.example x",
                Does::Index,
            ),
            (
                "pip install --extra-ind http://index.example x",
                Does::Index,
            ),
            ("python -m pip install --find-l wheels x", Does::Files),
            ("pip install -f wheels x", Does::Files),
            ("pip install -Uf wheels x", Does::Files),
            ("pip --cache-dir old install x", Does::Cache),
            (
                "pip --prox http://index.example install x",
                Does::Connection,
            ),
            ("pip --isolated install x", Does::Settings),
            ("pip install --no-index x", Does::Index),
            ("uv pip install --index http://index.example x", Does::Index),
            ("uv sync --default-index=http://index.example", Does::Index),
            ("uv add -f wheels x", Does::Files),
            ("uv --config-file uv.toml sync", Does::Settings),
            ("uv --cache-dir old sync", Does::Cache),
            ("uv run --index http://index.example python", Does::Index),
            (
                "uvx --extra-index-url http://index.example ruff",
                Does::Index,
            ),
        ] {
            assert_eq!(refused(line), Some(does), "{line}");
        }
        for line in [
            "pip install x",
            "pip install --pre --upgrade -U -v x",
            "pip install -t if -c/dev/null -r/dev/null x",
            "pip --python venv/bin/python install x",
            "pip index versions x",
            "uv sync --frozen --no-dev",
            "uv pip install -p fi x",
            "uv run python -i",
            "uv run --with x -- python -i -f",
            "uvx ruff check --index-url",
            "make -f Makefile -i",
        ] {
            assert_eq!(refused(line), None, "{line}");
        }
    }

    #[test]
    fn what_lies_on_this_machine_is_named() {
        let local = |line: &str| {
            let command: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let (installer, arguments) = Installer::of(&command);
            local_paths(installer, arguments).join(" ")
        };
        assert_eq!(
            local("pip install -e . ./a b-1.whl c --target /d"),
            ". ./a b-1.whl"
        );
        assert_eq!(
            local("uv pip install file:e.zip http://index.example/f.whl"),
            "file:e.zip"
        );
        assert_eq!(local("make ."), "");
    }
}
