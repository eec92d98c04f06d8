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
