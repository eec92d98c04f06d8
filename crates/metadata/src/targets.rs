//! targets.json and the documents of delegated targets roles (TUF 4.5).

use std::collections::BTreeMap;

use crate::canonical::Writer;
use crate::delegation::Delegations;
use crate::document::{Document, SPEC_VERSION};
use crate::hashes::{Hashes, HashesWire};
use crate::members::{Entries, MemberWriter, Members};
use crate::{Expiry, KeyId, MetadataError, PublicKey, Sha256, TargetPath, Value, Version};

/// What a role says of one target file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFile {
    /// Size in bytes.
    pub length: u64,
    /// At least one hash.
    pub hashes: Hashes,
    /// Application data, opaque to TUF.
    pub custom: Option<Value>,
}

impl TargetFile {
    /// Length and SHA-256.
    #[must_use]
    pub fn new(length: u64, sha256: Sha256) -> Self {
        Self {
            length,
            hashes: Hashes::sha256(sha256),
            custom: None,
        }
    }

    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            if let Some(custom) = &self.custom {
                out.key("custom").value(custom);
            }
            self.hashes.write(out.key("hashes"));
            out.key("length").integer(self.length);
        });
    }
}

/// The document of any targets role, top-level or delegated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    /// `spec_version` as written.
    pub spec_version: String,
    /// Grows with every change.
    pub version: Version,
    /// When it lapses.
    pub expires: Expiry,
    listed: Vec<(TargetPath, TargetFile)>,
    /// Roles this one delegates to, if any.
    pub delegations: Option<Delegations>,
    /// Members this program does not know.
    pub extra: BTreeMap<String, Value>,
}

impl Targets {
    /// A document that lists nothing, with the current spec version.
    #[must_use]
    pub fn new(version: Version, expires: Expiry) -> Self {
        Self {
            spec_version: SPEC_VERSION.to_owned(),
            version,
            expires,
            listed: Vec::new(),
            delegations: None,
            extra: BTreeMap::new(),
        }
    }

    /// The same with these targets; of two entries for one path the later counts.
    #[must_use]
    pub fn with_targets(
        mut self,
        targets: impl IntoIterator<Item = (TargetPath, TargetFile)>,
    ) -> Self {
        self.listed = targets.into_iter().collect();
        // What comes from a database or another document is in order already.
        if !self.listed.is_sorted_by(|(one, _), (other, _)| one < other) {
            let sorted: BTreeMap<_, _> = self.listed.into_iter().collect();
            self.listed = sorted.into_iter().collect();
        }
        self
    }

    /// The same with these delegations.
    #[must_use]
    pub fn with_delegations(mut self, delegations: Delegations) -> Self {
        self.delegations = Some(delegations);
        self
    }

    /// What is said of a path.
    #[must_use]
    pub fn get(&self, path: &TargetPath) -> Option<&TargetFile> {
        let at = self
            .listed
            .binary_search_by(|(listed, _)| listed.cmp(path))
            .ok()?;
        Some(&self.listed[at].1)
    }

    /// All targets in path order.
    #[must_use]
    pub fn targets(&self) -> &[(TargetPath, TargetFile)] {
        &self.listed
    }
}

impl Document for Targets {
    const TYPE: &'static str = "targets";

    fn parse(signed: &[u8]) -> Result<Self, MetadataError> {
        let mut members = Members::parse(signed)?;
        let header = members.header(Self::TYPE)?;
        let mut listed = members
            .read::<Entries<TargetFileWire>>("targets")?
            .0
            .into_iter()
            .map(|(path, file)| {
                let file = file.check(&path)?;
                Ok((TargetPath::parse(path)?, file))
            })
            .collect::<Result<Vec<_>, MetadataError>>()?;
        // A no-op for everything in canonical order; `Entries` has refused repeated paths.
        listed.sort_by(|(one, _), (other, _)| one.cmp(other));
        let delegations = members
            .take("delegations")
            .map(Delegations::parse)
            .transpose()?;
        Ok(Self {
            spec_version: header.spec_version,
            version: header.version,
            expires: header.expires,
            listed,
            delegations,
            extra: members.rest()?,
        })
    }

    fn write(&self, out: &mut Writer) {
        let mut members = MemberWriter::new(&self.extra);
        members.header(Self::TYPE, &self.spec_version, self.version, self.expires);
        if let Some(delegations) = &self.delegations {
            members.add("delegations", |out| delegations.write(out));
        }
        members.add("targets", |out| {
            out.object(|out| {
                for (path, file) in &self.listed {
                    file.write(out.key(path.as_str()));
                }
            });
        });
        members.write(out);
    }

    fn size_hint(&self) -> usize {
        let entry = |(path, _): &(TargetPath, TargetFile)| path.as_str().len() + 128;
        512 + self.listed.iter().map(entry).sum::<usize>()
    }

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Expiry {
        self.expires
    }

    fn keys(&self) -> Option<&BTreeMap<KeyId, PublicKey>> {
        self.delegations
            .as_ref()
            .map(|delegations| &delegations.keys)
    }
}

#[derive(serde::Deserialize)]
struct TargetFileWire<'a> {
    length: u64,
    #[serde(borrow)]
    hashes: HashesWire<'a>,
    custom: Option<Box<serde_json::value::RawValue>>,
}

impl TargetFileWire<'_> {
    fn check(self, path: &str) -> Result<TargetFile, MetadataError> {
        let member = || format!("targets.{}.hashes", crate::error::excerpt(path));
        let custom = self
            .custom
            .map(|raw| Value::parse(raw.get().as_bytes()))
            .transpose()?;
        Ok(TargetFile {
            length: self.length,
            hashes: Hashes::from_entries(member, self.hashes)?,
            custom,
        })
    }
}
