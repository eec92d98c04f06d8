//! Memory for secrets: kept out of the swap where the system permits, wiped when dropped.

use std::fmt;
use std::ops::Deref;

use region::LockGuard;
use zeroize::Zeroize;

/// Secret bytes that stay where they are: moving this moves no byte of them.
pub(crate) struct Secret {
    /// Dropped before the memory it locks. None if the system does not permit locking
    /// (`RLIMIT_MEMLOCK`).
    lock: Option<LockGuard>,
    /// Holds whole pages of its own: locks count by page, not by owner, so no two secrets may
    /// share one.
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Secret {
    /// Copies `bytes`; the caller wipes the original.
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let page = region::page::size();
        let room = bytes.len().max(1).next_multiple_of(page);
        let mut memory = vec![0; room + page];
        let start = memory.as_ptr().align_offset(page).min(page);
        let lock = region::lock(memory[start..].as_ptr(), room).ok();
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        Self {
            lock,
            memory,
            start,
            length: bytes.len(),
        }
    }

    #[cfg(test)]
    fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.memory.as_mut_slice().zeroize();
        // Here and not after the fields: the memory must still be ours when it is unlocked.
        self.lock = None;
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of this process that are locked, by the kernel's count.
    #[cfg(target_os = "linux")]
    fn locked_kilobytes() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmLck:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn secrets_are_locked_one_by_one() {
        let before = locked_kilobytes();
        let one = Secret::copy_of(b"one");
        let two = Secret::copy_of(&[7; 5000]);
        assert_eq!((&one[..], two.len()), (&b"one"[..], 5000));
        assert!(one.is_locked() && two.is_locked());
        let page = region::page::size() as u64 / 1024;
        assert!(locked_kilobytes() >= before + page);
        drop(one);
        assert!(two.is_locked() && two.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn does_not_print() {
        assert_eq!(format!("{:?}", Secret::copy_of(b"one")), "Secret(…)");
    }
}
