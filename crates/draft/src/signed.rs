//! Files with their threshold of signatures, as they are published.

use metadata::{Document, Expiry, Role, Sha256, Version};

/// A document with its threshold of signatures: the file as it will be published.
#[derive(Debug)]
pub struct Signed<R> {
    role: Role,
    document: R,
    bytes: Vec<u8>,
}

impl<R: Document> Signed<R> {
    /// Only sealing makes one: it has counted the signatures.
    pub(crate) fn new(role: Role, document: R, bytes: Vec<u8>) -> Self {
        Self {
            role,
            document,
            bytes,
        }
    }

    /// The role.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The document.
    pub fn document(&self) -> &R {
        &self.document
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the kind of document.
    pub fn into_file(self) -> SignedFile {
        SignedFile {
            version: self.document.version(),
            expires: self.document.expires(),
            sha256: Sha256::of(&self.bytes),
            role: self.role,
            bytes: self.bytes,
        }
    }
}

/// A signed file of any role, as batches carry it.
#[derive(Clone, Debug)]
pub struct SignedFile {
    role: Role,
    version: Version,
    expires: Expiry,
    sha256: Sha256,
    bytes: Vec<u8>,
}

impl SignedFile {
    /// The role.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its expiry.
    #[must_use]
    pub fn expires(&self) -> Expiry {
        self.expires
    }

    /// The digest of the file.
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `VERSION.ROLE.json`; the timestamp alone has no version (TUF 6.2.1).
    #[must_use]
    pub fn file_name(&self) -> String {
        match self.role {
            Role::Timestamp => self.role.file_name(),
            _ => self.role.versioned_file_name(self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use metadata::{DelegatedRoles, UnverifiedSignature};
    use trust::Authority;

    use super::*;
    use crate::lints::samples::{ONLINE, bins, key, now, policy, root};
    use crate::{Draft, Setting, layout};

    /// Whatever a key gives out, nothing is sealed with it before it has been checked.
    #[test]
    fn a_fresh_signature_that_does_not_verify_seals_nothing() {
        let (policy, root, bins) = (policy(), root(), bins());
        let setting = Setting {
            now: now(),
            policy: &policy,
            root: Some(&root),
        };
        let delegations = bins.delegations.as_ref().unwrap();
        let DelegatedRoles::Listed(roles) = &delegations.roles else {
            panic!("the samples list their bins");
        };
        let expires = Expiry::at(now() + policy.roles.bin_n.lifetime);
        let empty = metadata::Targets::new(Version::FIRST, expires);
        let draft = Draft::new(Role::Delegated(roles[0].name.clone()), empty);
        let linted = draft.in_layout(crate::lints::samples::layout());
        let linted = linted.lint(&setting, None).unwrap();
        let authority = Authority::new(layout::BINS_PREFIX, &delegations.keys, &roles[0].keys);
        let fresh = UnverifiedSignature::new(key(ONLINE).id(), vec![7; 64]);
        let refused = linted.seal_unverified(&[fresh], &authority).unwrap_err();
        assert_eq!(refused.tally.missing, [key(ONLINE).id()]);
    }
}
