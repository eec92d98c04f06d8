//! `exec:` names a program that signs. It comes from the operator alone: a name found in metadata
//! never becomes a program.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{percent, query};
use crate::UriError;

/// A program that speaks the protocol of `exec-protocol.md`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExecUri {
    /// `exec:/PATH?arg=ONE&arg=TWO&env=NAME`.
    Command(ExecCommand),
    /// `exec:NAME`: a command the operator's configuration defines.
    Named(String),
}

/// How to start an external signer: no shell, no search path, no other environment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExecCommand {
    /// The program, an absolute path.
    pub program: PathBuf,
    /// Its arguments. Everybody on the machine can read them: no secrets.
    pub args: Vec<String>,
    /// Names of the environment variables it gets; all others are kept from it.
    pub env: Vec<String>,
}

const PARAMETERS: &[&str] = &["arg", "env"];

impl ExecUri {
    pub(super) fn parse(rest: &str) -> Result<Self, UriError> {
        let (path, query) = query::Query::split("exec", rest, PARAMETERS)?;
        let (args, env) = (query.all("arg"), query.all("env"));
        if is_name(path) {
            if !args.is_empty() || !env.is_empty() {
                return Err(UriError::ExecParameters {
                    name: path.to_owned(),
                });
            }
            return Ok(Self::Named(path.to_owned()));
        }
        let program = percent::decode_text(path)
            .map(PathBuf::from)
            .filter(|program| is_program(program))
            .ok_or(UriError::ExecProgram)?;
        if !env.iter().all(|name| is_variable(name)) {
            return Err(UriError::ParameterValue {
                scheme: "exec",
                parameter: "env",
            });
        }
        Ok(Self::Command(ExecCommand { program, args, env }))
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Absolute and of a file: what a relative path means depends on where the caller stands.
pub(crate) fn is_program(path: &Path) -> bool {
    path.is_absolute() && path.file_name().is_some()
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Display for ExecUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Command(ExecCommand { program, args, env }) => {
                let path = program.to_string_lossy();
                let args = args.iter().map(|arg| ("arg", arg.as_str()));
                let env = env.iter().map(|name| ("env", name.as_str()));
                f.write_str(&percent::encode(path.as_bytes(), b"/:@"))?;
                f.write_str(&query::write(args.chain(env)))
            }
        }
    }
}
