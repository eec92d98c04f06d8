//! Checks every step repeats: content, version, expiry.

use chrono::{DateTime, Utc};
use metadata::{Document, Hashes, MetaFileRef, Role};

use crate::verified::Verified;
use crate::{Mismatch, Rejection};

/// Length and hashes, where listed (TUF 5.5.2, 5.6.2).
pub(super) fn check_content(
    role: &Role,
    voucher: &Role,
    listed: MetaFileRef<'_>,
    file: &[u8],
) -> Result<(), Rejection> {
    let mismatch = |why| {
        let (role, voucher) = (role.clone(), voucher.clone());
        Err(Rejection::ContentMismatch {
            role,
            version: listed.version,
            voucher,
            why,
        })
    };
    if let Some(length) = listed.length
        && length != file.len() as u64
    {
        return mismatch(Mismatch::Length {
            listed: length,
            found: file.len() as u64,
        });
    }
    if let Some(hashes) = listed.hashes
        && !hashes.fit(file)
    {
        return mismatch(Mismatch::Hash);
    }
    Ok(())
}

/// The same for a verified file: its SHA-256 is known and need not be computed again.
pub(super) fn check_verified<R>(
    voucher: &Role,
    listed: MetaFileRef<'_>,
    found: &Verified<R>,
) -> Result<(), Rejection> {
    let length = found.file().len() as u64;
    let hashes = Hashes::sha256(found.sha256());
    if listed.length == Some(length) && listed.hashes == Some(&hashes) {
        return Ok(());
    }
    check_content(found.role(), voucher, listed, found.file())
}

pub(super) fn check_version<R: Document>(
    found: &Verified<R>,
    listed: MetaFileRef<'_>,
) -> Result<(), Rejection> {
    if found.version() == listed.version {
        return Ok(());
    }
    Err(Rejection::VersionMismatch {
        role: found.role().clone(),
        listed: listed.version,
        found: found.version(),
    })
}

pub(crate) fn check_expiry<R: Document>(
    document: &Verified<R>,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    if !document.expires().has_passed(now) {
        return Ok(());
    }
    Err(Rejection::Expired {
        role: document.role().clone(),
        version: document.version(),
        expires: document.expires().instant(),
        now,
    })
}
