//! Keeping secrets inside the process that holds them.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids this process to leave a core, and other processes of its user to read its memory
/// (`prctl(PR_SET_DUMPABLE)`, Linux). Programs that open keys call it first thing: a core of them
/// would hold passphrases and private keys. What root may do, nothing can forbid.
pub fn forbid_core_dumps() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}
