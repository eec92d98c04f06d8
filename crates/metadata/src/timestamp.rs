//! timestamp.json: which snapshot is current (TUF 4.6).

use std::collections::BTreeMap;

use crate::canonical::Writer;
use crate::document::{Document, SPEC_VERSION};
use crate::members::{Entries, MemberWriter, Members};
use crate::meta_list::MetaFileRef;
use crate::snapshot::{MetaFile, MetaFileWire};
use crate::{Expiry, MetadataError, Value, Version};

/// The timestamp document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// `spec_version` as written.
    pub spec_version: String,
    /// Grows with every timestamp.
    pub version: Version,
    /// The freshness of everything else (reference F16).
    pub expires: Expiry,
    /// The one file a timestamp describes.
    pub snapshot: MetaFile,
    /// Members this program does not know.
    pub extra: BTreeMap<String, Value>,
}

impl Timestamp {
    /// A timestamp with the current spec version.
    #[must_use]
    pub fn new(version: Version, expires: Expiry, snapshot: MetaFile) -> Self {
        let spec_version = SPEC_VERSION.to_owned();
        Self {
            spec_version,
            version,
            expires,
            snapshot,
            extra: BTreeMap::new(),
        }
    }
}

impl Document for Timestamp {
    const TYPE: &'static str = "timestamp";

    fn from_members(mut members: Members<'_>) -> Result<Self, MetadataError> {
        let header = members.header(Self::TYPE)?;
        let mut meta = members.read::<Entries<MetaFileWire>>("meta")?.0;
        // TUF 4.6: META MUST only include a description of snapshot.json.
        let (Some((metapath, file)), true) = (meta.pop(), meta.is_empty()) else {
            return Err(MetadataError::member(
                "meta",
                "does not list exactly one file",
            ));
        };
        if metapath != "snapshot.json" {
            return Err(MetadataError::member(
                "meta",
                "does not list `snapshot.json`",
            ));
        }
        Ok(Self {
            spec_version: header.spec_version,
            version: header.version,
            expires: header.expires,
            snapshot: file.check("snapshot.json")?,
            extra: members.rest()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        let mut members = MemberWriter::new(&self.extra);
        members.header(Self::TYPE, &self.spec_version, self.version, self.expires);
        members.add("meta", |out| {
            out.object(|out| MetaFileRef::from(&self.snapshot).write(out.key("snapshot.json")));
        });
        members.write(out);
    }

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Expiry {
        self.expires
    }
}
