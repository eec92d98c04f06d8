//! What all role documents have in common.

use std::collections::BTreeMap;

use crate::canonical::Writer;
use crate::members::Members;
use crate::{Expiry, KeyId, MetadataError, PublicKey, Version};

/// The TUF specification version written into every document (reference F44).
pub const SPEC_VERSION: &str = "1.0.34";

/// A role document: the `signed` part of a metadata file.
pub trait Document: Sized {
    /// Its `_type`.
    const TYPE: &'static str;

    /// Reads the `signed` text. Says nothing about who signed it.
    fn parse(signed: &[u8]) -> Result<Self, MetadataError> {
        Self::from_members(Members::parse(signed)?)
    }

    /// The same of text that is taken apart already.
    #[doc(hidden)]
    fn from_members(members: Members<'_>) -> Result<Self, MetadataError>;

    /// Writes the canonical form, members it did not know included.
    fn write(&self, out: &mut Writer);

    /// Its version.
    fn version(&self) -> Version;

    /// Its expiry.
    fn expires(&self) -> Expiry;

    /// The keys it lists for others, if it is of a kind that does.
    fn keys(&self) -> Option<&BTreeMap<KeyId, PublicKey>> {
        None
    }

    /// About how many bytes the canonical form has, so that it is not moved while it grows.
    fn size_hint(&self) -> usize {
        256
    }

    /// The canonical bytes: what is signed, and what stands in the file.
    fn to_canonical(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(self.size_hint());
        self.write(&mut out);
        out.into_bytes()
    }
}
