//! A file to download and what it has to be: as a role lists it, or as a verified page binds it.

use metadata::{HashCheck, Hashes, Role, Sha256, TargetPath};
use trust::{Mismatch, Rejection, TargetCheck, VerifiedTarget};

/// A file that somebody vouches for. Comes from a [`VerifiedTarget`], or from a project's page by
/// [`crate::Session::file`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedFile(Voucher);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Voucher {
    /// A role lists it.
    Role(VerifiedTarget),
    /// A page binds it, and no role speaks for it.
    Page {
        path: TargetPath,
        role: Role,
        length: Length,
        hashes: Hashes,
    },
}

/// What is known of a file's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Exactly(u64),
    AtMost(u64),
}

impl From<VerifiedTarget> for VerifiedFile {
    fn from(target: VerifiedTarget) -> Self {
        Self(Voucher::Role(target))
    }
}

impl VerifiedFile {
    /// A file that a page binds by its digest. Only `page.rs` calls this, after it has found that
    /// no role speaks for the path; `role` is the page's.
    pub(crate) fn on_page(path: TargetPath, role: Role, length: Length, sha256: Sha256) -> Self {
        Self(Voucher::Page {
            path,
            role,
            length,
            hashes: Hashes::sha256(sha256),
        })
    }

    /// Its target path.
    #[must_use]
    pub fn path(&self) -> &TargetPath {
        match &self.0 {
            Voucher::Role(target) => target.path(),
            Voucher::Page { path, .. } => path,
        }
    }

    /// The role that vouches: the one that lists the file, or the one that lists the page.
    #[must_use]
    pub fn role(&self) -> &Role {
        match &self.0 {
            Voucher::Role(target) => target.role(),
            Voucher::Page { role, .. } => role,
        }
    }

    /// The target, if a role lists the file itself.
    #[must_use]
    pub fn target(&self) -> Option<&VerifiedTarget> {
        match &self.0 {
            Voucher::Role(target) => Some(target),
            Voucher::Page { .. } => None,
        }
    }

    /// Its length in bytes, if known beforehand.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Voucher::Role(target) => Some(target.file().length),
            Voucher::Page {
                length: Length::Exactly(length),
                ..
            } => Some(*length),
            Voucher::Page {
                length: Length::AtMost(_),
                ..
            } => None,
        }
    }

    /// The most bytes it can have.
    #[must_use]
    pub fn most(&self) -> u64 {
        match &self.0 {
            Voucher::Role(target) => target.file().length,
            Voucher::Page {
                length: Length::Exactly(most) | Length::AtMost(most),
                ..
            } => *most,
        }
    }

    /// Its hashes, at least one.
    #[must_use]
    pub fn hashes(&self) -> &Hashes {
        match &self.0 {
            Voucher::Role(target) => &target.file().hashes,
            Voucher::Page { hashes, .. } => hashes,
        }
    }

    /// Starts checking its bytes as they come in.
    #[must_use]
    pub fn check(&self) -> Check<'_> {
        Check(match &self.0 {
            Voucher::Role(target) => Running::Target(target.check()),
            Voucher::Page { hashes, .. } => Running::Page {
                file: self,
                hashes: hashes.check(),
                length: 0,
            },
        })
    }

    fn mismatch(&self, why: Mismatch) -> Rejection {
        Rejection::TargetMismatch {
            path: self.path().clone(),
            role: self.role().clone(),
            why,
        }
    }
}

/// A file being checked.
pub struct Check<'a>(Running<'a>);

enum Running<'a> {
    Target(TargetCheck<'a>),
    Page {
        file: &'a VerifiedFile,
        hashes: HashCheck,
        length: u64,
    },
}

impl Check<'_> {
    /// Adds the next piece; more bytes than there can be are refused at once (endless data).
    pub fn update(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        match &mut self.0 {
            Running::Target(check) => check.update(piece),
            Running::Page {
                file,
                hashes,
                length,
            } => {
                *length += piece.len() as u64;
                if *length > file.most() {
                    return Err(file.mismatch(Mismatch::Longer {
                        listed: file.most(),
                    }));
                }
                hashes.update(piece);
                Ok(())
            }
        }
    }

    /// Whether all bytes were there and fit.
    pub fn finish(self) -> Result<(), Rejection> {
        match self.0 {
            Running::Target(check) => check.finish(),
            Running::Page {
                file,
                hashes,
                length: found,
            } => match file.length() {
                Some(listed) if listed != found => {
                    Err(file.mismatch(Mismatch::Length { listed, found }))
                }
                _ if !hashes.finish() => Err(file.mismatch(Mismatch::Hash)),
                _ => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(length: Length, bytes: &[u8]) -> Result<(), Option<Mismatch>> {
        let path = TargetPath::parse("packages/x").unwrap();
        let sha256 = Sha256::of(b"hello");
        let file = VerifiedFile::on_page(path, Role::Targets, length, sha256);
        let mut check = file.check();
        let checked = bytes.chunks(2).try_for_each(|piece| check.update(piece));
        checked
            .and_then(|()| check.finish())
            .map_err(|rejection| match rejection {
                Rejection::TargetMismatch { why, .. } => Some(why),
                _ => None,
            })
    }

    #[test]
    fn length_and_digest_have_to_fit() {
        let exact = Length::Exactly(5);
        assert_eq!(verdict(exact, b"hello"), Ok(()));
        assert_eq!(verdict(exact, b"hellO"), Err(Some(Mismatch::Hash)));
        let short = Mismatch::Length {
            listed: 5,
            found: 4,
        };
        assert_eq!(verdict(exact, b"hell"), Err(Some(short)));
        assert_eq!(
            verdict(exact, b"hello!"),
            Err(Some(Mismatch::Longer { listed: 5 }))
        );
        assert_eq!(verdict(Length::AtMost(9), b"hello"), Ok(()));
        assert_eq!(
            verdict(Length::AtMost(9), b"hell"),
            Err(Some(Mismatch::Hash))
        );
        assert_eq!(
            verdict(Length::AtMost(4), b"hello"),
            Err(Some(Mismatch::Longer { listed: 4 }))
        );
    }
}
