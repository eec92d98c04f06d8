//! targets.json and the documents of delegated targets roles (TUF 4.5).

use std::collections::BTreeMap;

use crate::canonical::{MAX_DEPTH, Scan, Writer};
use crate::delegation::Delegations;
use crate::document::{Document, SPEC_VERSION};
use crate::hashes::{Hashes, HashesWire};
use crate::members::{Entries, MemberWriter, Members, read_raw};
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

    fn from_members(mut members: Members<'_>) -> Result<Self, MetadataError> {
        let header = members.header(Self::TYPE)?;
        let text = members
            .take("targets")
            .ok_or_else(|| MetadataError::member("targets", "is missing"))?;
        let mut listed = match read_canonical(text)? {
            Some(listed) => listed,
            None => read_any(text)?,
        };
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

type Listed = Vec<(TargetPath, TargetFile)>;

/// Reads TARGETS in canonical form without the general machinery for those with length and SHA-256 alone,
/// which are nearly all there are. Nothing, if it is in another form.
fn read_canonical(text: &str) -> Result<Option<Listed>, MetadataError> {
    // What an entry with a short path takes.
    let mut listed = Vec::with_capacity(text.len() / 128);
    let mut flaw = None;
    let mut scan = Scan::of(text);
    let all = scan.object(|scan, key| {
        let path = key.plain()?;
        match read_entry(path, scan)? {
            Ok(file) => listed.push(file),
            Err(error) => flaw = Some(error),
        }
        flaw.is_none().then_some(())
    });
    match flaw {
        Some(error) => Err(error),
        None => Ok((all.is_some() && scan.is_at_end()).then_some(listed)),
    }
}

fn read_entry(
    path: &str,
    scan: &mut Scan<'_>,
) -> Option<Result<(TargetPath, TargetFile), MetadataError>> {
    let plain = scan.attempt(|scan| {
        scan.literal(b"{\"hashes\":{\"sha256\":\"")?;
        let digest = Sha256::parse(scan.take(64)?).ok()?;
        scan.literal(b"\"},\"length\":")?;
        let length = scan.number()?;
        scan.literal(b"}").map(|()| TargetFile::new(length, digest))
    });
    let file = match plain {
        Some(file) => Ok(file),
        None => read_raw::<TargetFileWire>("targets", scan.raw(MAX_DEPTH)?)
            .and_then(|wire| wire.check(path)),
    };
    Some(file.and_then(|file| Ok((TargetPath::parse(path)?, file))))
}

/// Reads TARGETS in any form and order.
fn read_any(text: &str) -> Result<Listed, MetadataError> {
    read_raw::<Entries<TargetFileWire>>("targets", text)?
        .0
        .into_iter()
        .map(|(path, file)| {
            let file = file.check(&path)?;
            Ok((TargetPath::parse(path)?, file))
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An entry as it may stand in a file: canonical or not, valid or not.
    fn entry() -> impl Strategy<Value = String> {
        let path = "[ab]{0,2}|a/b|a//b|\\\\\"|\u{e9}|\\\\u0061";
        let plain = |digest: &str, length: &str| {
            format!("{{\"hashes\":{{\"sha256\":\"{digest}\"}},\"length\":{length}}}")
        };
        let (good, upper, short) = ("ab".repeat(32), "AB".repeat(32), "ab".repeat(31));
        let file = prop_oneof![
            (0..4_u64).prop_map({
                let good = good.clone();
                move |length| plain(&good, &length.to_string())
            }),
            Just(plain(&upper, "1")),
            Just(plain(&short, "1")),
            Just(plain(&good, "-1")),
            Just(plain(&good, "1.0")),
            Just(plain(&good, "01")),
            Just(plain(&good, "1,\"length\":1")),
            Just(plain(&good, "1").replace("{\"hashes", "{\"custom\":{\"b\":1},\"hashes")),
            Just(format!(
                "{{\"length\":1,\"hashes\":{{\"sha256\":\"{good}\"}}}}"
            )),
            Just("{}".to_owned()),
        ];
        (path, file).prop_map(|(path, file)| format!("\"{path}\":{file}"))
    }

    proptest! {
        /// The short way and the general way take and refuse the same, and read the same.
        #[test]
        fn both_ways_of_reading_agree(
            mut entries in prop::collection::vec(entry(), 0..5),
            sorted: bool,
            close in "\\}|\\} |",
        ) {
            if sorted {
                entries.sort();
            }
            let text = format!("{{{}{close}", entries.join(","));
            match (read_canonical(&text), read_any(&text)) {
                (Ok(None), _) | (Err(_), Err(_)) => {}
                (Ok(Some(short)), Ok(long)) => prop_assert_eq!(short, long),
                (short, long) => prop_assert!(false, "{:?} but {:?} of {}", short, long, text),
            }
        }
    }

    #[test]
    fn what_we_write_is_read_the_short_way() -> Result<(), MetadataError> {
        let path = TargetPath::parse("simple/ec/requests/vnd.pypi.simple.v1.json")?;
        let document = Targets::new(Version::FIRST, Expiry::parse("2030-01-01T00:00:00Z")?)
            .with_targets([(path, TargetFile::new(3, Sha256::of(b"x")))]);
        let text = document.to_canonical();
        let mut members = Members::parse(&text)?;
        let listed = members.take("targets").unwrap_or_default();
        assert_eq!(read_canonical(listed)?.as_deref(), Some(document.targets()));
        Ok(())
    }
}
