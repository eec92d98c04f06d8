//! What can go wrong between this program and an external signer.

use std::io;
use std::path::PathBuf;

/// An external signer could not be used. Texts that come from it are shortened and stripped of
/// control characters.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// `exec:NAME` where no command of that name is configured.
    #[error("no command `{name}` is configured")]
    NoCommand {
        /// The name.
        name: String,
    },
    /// The program cannot be started.
    #[error("cannot start `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The child ended, or closed its output.
    #[error("it ended ({status}) during `{op}`{}", last_words(last_line.as_ref()))]
    Ended {
        /// What it was asked for.
        op: &'static str,
        /// Its exit status, or `still running` if it only closed its output.
        status: String,
        /// The last line it wrote to stderr.
        last_line: Option<String>,
    },
    /// No answer in time; the child has been killed.
    #[error("it did not answer `{op}` within {seconds} seconds and was ended{}", last_words(last_line.as_ref()))]
    Timeout {
        /// What it was asked for.
        op: &'static str,
        /// How long it had.
        seconds: u64,
        /// The last line it wrote to stderr.
        last_line: Option<String>,
    },
    /// A line longer than any answer; the child has been killed.
    #[error("it wrote a line of more than {limit} bytes and was ended")]
    Flood {
        /// Most bytes read.
        limit: usize,
    },
    /// A line that is no answer to anything asked; the child has been killed.
    #[error("its answer to `{op}` is not what the protocol prescribes: {why}")]
    Protocol {
        /// What it was asked for.
        op: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// It speaks another version of the protocol.
    #[error("it speaks version {found} of the protocol, this program version {known}")]
    Version {
        /// Its version.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// A child that signs digests has a key that signs messages: Ed25519 (RFC 8032).
    #[error(
        "it wants digests, but its key is of the scheme `{scheme}`, which signs whole messages"
    )]
    WantsDigest {
        /// The scheme of its key.
        scheme: String,
    },
    /// The child says that it failed.
    #[error("it says: {message}")]
    Child {
        /// Its words.
        message: String,
    },
    /// An earlier failure ended the child; the key has to be opened again.
    #[error("it was ended after an earlier failure")]
    Gone,
}

fn last_words(line: Option<&String>) -> String {
    line.map_or_else(String::new, |line| format!("; its last words: {line}"))
}
