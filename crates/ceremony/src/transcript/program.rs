//! Which machine and program this is: the digest of its file, so that a stranger can compare it with a release.

use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

use metadata::{Sha256, Sha256Stream};

/// SHA-256 of the running program's file; none where the system does not tell which that is.
pub(super) fn digest() -> Option<Sha256> {
    static DIGEST: OnceLock<Option<Sha256>> = OnceLock::new();
    *DIGEST.get_or_init(|| read().ok())
}

/// What the system calls this machine, without what a terminal could trip over.
pub(super) fn machine() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

fn read() -> io::Result<Sha256> {
    let mut file = File::open(std::env::current_exe()?)?;
    let mut stream = Sha256Stream::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(stream.finish()),
            length => stream.update(&chunk[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_program_has_a_digest() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(digest(), Some(Sha256::of(&bytes)));
    }
}
