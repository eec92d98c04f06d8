//! snapshot.json: the versions of all targets roles (TUF 4.4).

use std::collections::BTreeMap;

use crate::canonical::Writer;
use crate::document::{Document, SPEC_VERSION};
use crate::hashes::{Hashes, HashesWire};
use crate::members::{Entries, MemberWriter, Members};
use crate::{Expiry, MetadataError, Role, RoleName, Sha256, Value, Version};

/// What a snapshot or timestamp says of one metadata file (TUF 4.4 METAFILES).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaFile {
    /// The one version this snapshot allows.
    pub version: Version,
    /// Size in bytes, if listed.
    pub length: Option<u64>,
    /// Hashes, if listed.
    pub hashes: Option<Hashes>,
}

impl MetaFile {
    /// Version alone: for roles whose key is also the snapshot's.
    #[must_use]
    pub fn version_only(version: Version) -> Self {
        Self {
            version,
            length: None,
            hashes: None,
        }
    }

    /// Version, length and SHA-256 of exactly these bytes.
    #[must_use]
    pub fn describing(version: Version, bytes: &[u8]) -> Self {
        let hashes = Some(Hashes::sha256(Sha256::of(bytes)));
        Self {
            version,
            length: Some(bytes.len() as u64),
            hashes,
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.object(|out| {
            if let Some(hashes) = &self.hashes {
                hashes.write(out.key("hashes"));
            }
            if let Some(length) = self.length {
                out.key("length").integer(length);
            }
            out.key("version").integer(self.version.get());
        });
    }
}

/// The snapshot document. Entries are kept in METAPATH order, which is the order written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `spec_version` as written.
    pub spec_version: String,
    /// Grows with every snapshot.
    pub version: Version,
    /// When it lapses.
    pub expires: Expiry,
    /// In METAPATH order, none twice: a list is written in one pass, and read and freed much faster than a
    /// tree of the same thousands of entries.
    meta: Vec<(String, MetaFile)>,
    /// Members this program does not know.
    pub extra: BTreeMap<String, Value>,
}

impl Snapshot {
    /// An empty snapshot with the current spec version.
    #[must_use]
    pub fn new(version: Version, expires: Expiry) -> Self {
        Self {
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires,
            meta: Vec::new(),
            extra: BTreeMap::new(),
        }
    }

    /// What is said of a role.
    #[must_use]
    pub fn get(&self, role: &Role) -> Option<&MetaFile> {
        self.by_metapath(&role.metapath())
    }

    /// Lists a role, replacing what was said of it.
    pub fn set(&mut self, role: &Role, file: MetaFile) {
        let metapath = role.metapath();
        // Most often they come in order.
        if self.meta.last().is_none_or(|(last, _)| *last < metapath) {
            return self.meta.push((metapath, file));
        }
        match self.find(&metapath) {
            Ok(at) => self.meta[at].1 = file,
            Err(at) => self.meta.insert(at, (metapath, file)),
        }
    }

    /// All entries as (METAPATH, description), in METAPATH order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &MetaFile)> {
        self.meta.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The description under a METAPATH.
    #[must_use]
    pub fn by_metapath(&self, metapath: &str) -> Option<&MetaFile> {
        let at = self.find(metapath).ok()?;
        Some(&self.meta[at].1)
    }

    fn find(&self, metapath: &str) -> Result<usize, usize> {
        self.meta
            .binary_search_by(|(known, _)| known.as_str().cmp(metapath))
    }

    /// How many roles are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether no role is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty()
    }
}

impl Document for Snapshot {
    const TYPE: &'static str = "snapshot";

    fn parse(signed: &[u8]) -> Result<Self, MetadataError> {
        let mut members = Members::parse(signed)?;
        let header = members.header(Self::TYPE)?;
        let mut meta = members
            .read::<Entries<MetaFileWire>>("meta")?
            .0
            .into_iter()
            .map(|(metapath, file)| {
                let file = file.check(&metapath)?;
                Ok((check_metapath(metapath)?, file))
            })
            .collect::<Result<Vec<_>, MetadataError>>()?;
        // None stands twice; what others wrote may stand in another order.
        if !meta.is_sorted_by(|(one, _), (other, _)| one < other) {
            meta.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        }
        Ok(Self {
            spec_version: header.spec_version,
            version: header.version,
            expires: header.expires,
            meta,
            extra: members.rest()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        let mut members = MemberWriter::new(&self.extra);
        members.header(Self::TYPE, &self.spec_version, self.version, self.expires);
        members.add("meta", |out| {
            out.object(|out| {
                for (metapath, file) in &self.meta {
                    file.write(out.key(metapath));
                }
            });
        });
        members.write(out);
    }

    fn size_hint(&self) -> usize {
        // A bin takes 34 bytes; the few roles listed in full fit into what remains.
        512 + 40 * self.meta.len()
    }

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Expiry {
        self.expires
    }
}

/// `NAME.json` with a name a role may have. Top-level names other than `targets` do no harm here;
/// real repositories list them (reference fact 2).
fn check_metapath(metapath: String) -> Result<String, MetadataError> {
    match metapath.strip_suffix(".json") {
        // Looked at without a copy: a snapshot lists thousands.
        Some(name) if RoleName::flaw(name).is_none() => Ok(metapath),
        Some(name) => Role::parse(name).map(|_| metapath),
        None => Err(MetadataError::member(
            "meta",
            "lists a file that is not `*.json`",
        )),
    }
}

#[derive(serde::Deserialize)]
pub(crate) struct MetaFileWire<'a> {
    version: u64,
    length: Option<u64>,
    #[serde(borrow)]
    hashes: Option<HashesWire<'a>>,
}

impl MetaFileWire<'_> {
    pub(crate) fn check(self, metapath: &str) -> Result<MetaFile, MetadataError> {
        let member = || format!("meta.{}.hashes", crate::error::excerpt(metapath));
        Ok(MetaFile {
            version: Version::new(self.version)?,
            length: self.length,
            hashes: self
                .hashes
                .map(|entries| Hashes::from_entries(member, entries))
                .transpose()?,
        })
    }
}
