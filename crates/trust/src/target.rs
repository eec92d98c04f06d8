//! A target file as a verified role lists it, and its bytes as they come in (TUF 5.7).

use metadata::{HashCheck, Role, TargetFile, TargetPath};

use crate::{Mismatch, Rejection};

/// A target file as a verified role lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTarget {
    pub(crate) path: TargetPath,
    pub(crate) role: Role,
    pub(crate) file: TargetFile,
}

impl VerifiedTarget {
    /// The path.
    #[must_use]
    pub fn path(&self) -> &TargetPath {
        &self.path
    }

    /// The role that answered for it.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Length, hashes, custom data.
    #[must_use]
    pub fn file(&self) -> &TargetFile {
        &self.file
    }

    /// Starts checking the file's bytes as they come in (TUF 5.7.3).
    #[must_use]
    pub fn check(&self) -> TargetCheck<'_> {
        TargetCheck {
            target: self,
            hashes: self.file.hashes.check(),
            length: 0,
        }
    }

    /// Whether `bytes` is the file.
    pub fn check_bytes(&self, bytes: &[u8]) -> Result<(), Rejection> {
        let mut check = self.check();
        check.update(bytes)?;
        check.finish()
    }

    fn mismatch(&self, why: Mismatch) -> Rejection {
        Rejection::TargetMismatch {
            path: self.path.clone(),
            role: self.role.clone(),
            why,
        }
    }
}

/// A target file being checked.
pub struct TargetCheck<'a> {
    target: &'a VerifiedTarget,
    hashes: HashCheck,
    length: u64,
}

impl TargetCheck<'_> {
    /// Adds the next piece; more bytes than listed are refused at once (endless data).
    pub fn update(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        self.length += piece.len() as u64;
        let listed = self.target.file.length;
        if self.length > listed {
            return Err(self.target.mismatch(Mismatch::Longer { listed }));
        }
        self.hashes.update(piece);
        Ok(())
    }

    /// Whether all bytes were there and fit.
    pub fn finish(self) -> Result<(), Rejection> {
        let (listed, found) = (self.target.file.length, self.length);
        if found != listed {
            return Err(self.target.mismatch(Mismatch::Length { listed, found }));
        }
        if !self.hashes.finish() {
            return Err(self.target.mismatch(Mismatch::Hash));
        }
        Ok(())
    }
}
