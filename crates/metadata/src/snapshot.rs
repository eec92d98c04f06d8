//! snapshot.json: the versions of all targets roles (TUF 4.4).

use std::collections::BTreeMap;

use crate::canonical::{MAX_DEPTH, Scan, Writer};
use crate::document::{Document, SPEC_VERSION};
use crate::hashes::{Hashes, HashesWire};
use crate::members::{Entries, MemberWriter, Members, read_raw};
use crate::meta_list::{MetaFileRef, MetaList};
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
}

impl MetaFileRef<'_> {
    pub(crate) fn write(self, out: &mut Writer) {
        out.object(|out| {
            if let Some(hashes) = self.hashes {
                hashes.write(out.key("hashes"));
            }
            if let Some(length) = self.length {
                out.key("length").integer(length);
            }
            out.key("version").integer(self.version.get());
        });
    }
}

/// The snapshot document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `spec_version` as written.
    pub spec_version: String,
    /// Grows with every snapshot.
    pub version: Version,
    /// When it lapses.
    pub expires: Expiry,
    meta: MetaList,
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
            meta: MetaList::default(),
            extra: BTreeMap::new(),
        }
    }

    /// What is said of a role.
    #[must_use]
    pub fn get(&self, role: &Role) -> Option<MetaFileRef<'_>> {
        self.by_metapath(&role.metapath())
    }

    /// Lists a role, replacing what was said of it.
    pub fn set(&mut self, role: &Role, file: MetaFile) {
        self.meta.set(&role.metapath(), file);
    }

    /// All entries as (METAPATH, description), in METAPATH order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, MetaFileRef<'_>)> {
        self.meta.iter()
    }

    /// The description under a METAPATH.
    #[must_use]
    pub fn by_metapath(&self, metapath: &str) -> Option<MetaFileRef<'_>> {
        self.meta.get(metapath)
    }

    /// How many roles are listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether no role is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meta.len() == 0
    }
}

impl Document for Snapshot {
    const TYPE: &'static str = "snapshot";

    fn from_members(mut members: Members<'_>) -> Result<Self, MetadataError> {
        let header = members.header(Self::TYPE)?;
        let listed = members
            .take("meta")
            .ok_or_else(|| MetadataError::member("meta", "is missing"))?;
        let meta = match read_canonical(listed)? {
            Some(meta) => meta,
            None => read_any(listed)?,
        };
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
                for (metapath, file) in self.entries() {
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

/// Reads META in canonical form, which is how everybody writes thousands of entries, without the general
/// machinery for those listed by version alone. Nothing, if it is in another form.
fn read_canonical(text: &str) -> Result<Option<MetaList>, MetadataError> {
    let mut meta = MetaList::with_room_for(text.len());
    let mut flaw = None;
    let mut scan = Scan::of(text);
    let all = scan.object(|scan, key| {
        let metapath = key.plain()?;
        match read_entry(metapath, scan)? {
            Ok(file) => meta.set(metapath, file),
            Err(error) => flaw = Some(error),
        }
        flaw.is_none().then_some(())
    });
    match flaw {
        Some(error) => Err(error),
        None => Ok((all.is_some() && scan.is_at_end()).then_some(meta)),
    }
}

fn read_entry(metapath: &str, scan: &mut Scan<'_>) -> Option<Result<MetaFile, MetadataError>> {
    let version = scan.attempt(|scan| {
        scan.literal(b"{\"version\":")?;
        let version = scan.number()?;
        scan.literal(b"}").map(|()| version)
    });
    let file = match version {
        Some(version) => Version::new(version).map(MetaFile::version_only),
        None => read_raw::<MetaFileWire>("meta", scan.raw(MAX_DEPTH)?)
            .and_then(|wire| wire.check(metapath)),
    };
    Some(file.and_then(|file| check_metapath(metapath).map(|()| file)))
}

/// Reads META in any form and order.
fn read_any(text: &str) -> Result<MetaList, MetadataError> {
    let mut listed = read_raw::<Entries<MetaFileWire>>("meta", text)?.0;
    // None stands twice.
    listed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let mut meta = MetaList::with_room_for(text.len());
    for (metapath, file) in listed {
        check_metapath(&metapath)?;
        meta.set(&metapath, file.check(&metapath)?);
    }
    Ok(meta)
}

/// `NAME.json` with a name a role may have. Top-level names other than `targets` do no harm here;
/// real repositories list them (reference fact 2).
fn check_metapath(metapath: &str) -> Result<(), MetadataError> {
    match metapath.strip_suffix(".json") {
        // Looked at without a copy: a snapshot lists thousands.
        Some(name) if RoleName::flaw(name).is_none() => Ok(()),
        Some(name) => Role::parse(name).map(drop),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An entry as it may stand in a file: canonical or not, valid or not.
    fn entry() -> impl Strategy<Value = String> {
        let name = "[ab]{0,2}(\\.json)?|targets\\.json|root\\.json|\\\\\"\\.json|\u{e9}\\.json|\\\\u0061\\.json";
        let hash = "a".repeat(64);
        let file = prop_oneof![
            (0..4_u64).prop_map(|version| format!("{{\"version\":{version}}}")),
            Just(format!(
                "{{\"hashes\":{{\"sha256\":\"{hash}\"}},\"length\":3,\"version\":2}}"
            )),
            Just(format!(
                "{{\"version\":2,\"length\":3,\"hashes\":{{\"sha256\":\"{hash}\"}}}}"
            )),
            Just("{\"hashes\":{},\"version\":2}".to_owned()),
            "\\{\"version\":(01|1\\.0|-1|\"1\"|1,\"version\":1|18446744073709551616| 1)\\}",
            Just("[]".to_owned()),
        ];
        (name, file).prop_map(|(name, file)| format!("\"{name}\":{file}"))
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
    fn what_we_write_is_read_the_short_way() {
        let mut meta = MetaList::default();
        let version = Version::new(7).unwrap_or(Version::FIRST);
        meta.set("bins-0.json", MetaFile::version_only(version));
        meta.set("bins.json", MetaFile::describing(version, b"x"));
        let hash = Sha256::of(b"x");
        let text = format!(
            "{{\"bins-0.json\":{{\"version\":7}},\"bins.json\":{{\"hashes\":{{\"sha256\":\"{hash}\"}},\"length\":1,\"version\":7}}}}"
        );
        assert_eq!(read_canonical(&text), Ok(Some(meta)));
    }
}
