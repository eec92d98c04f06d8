//! External signers: a child process that speaks newline JSON, as `exec-protocol.md` prescribes.

mod child;
mod lines;
mod protocol;
mod signer;

pub(crate) use signer::ExecSigner;
