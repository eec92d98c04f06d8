//! What a snapshot says of thousands of files, in little memory: most are listed by version alone.

use crate::{Hashes, MetaFile, Version};

/// Entries in METAPATH order, none twice. A list is written in one pass, and read and freed much faster
/// than a tree of the same entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetaList {
    names: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Where its METAPATH stands in the names.
    start: usize,
    length: usize,
    version: Version,
    /// Where more than the version is listed.
    full: Option<Box<MetaFile>>,
}

/// What a snapshot says of one metadata file; see [`MetaFile`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetaFileRef<'a> {
    /// The one version this snapshot allows.
    pub version: Version,
    /// Size in bytes, if listed.
    pub length: Option<u64>,
    /// Hashes, if listed.
    pub hashes: Option<&'a Hashes>,
}

impl MetaFileRef<'_> {
    /// The same on its own.
    #[must_use]
    pub fn to_owned(self) -> MetaFile {
        MetaFile {
            version: self.version,
            length: self.length,
            hashes: self.hashes.cloned(),
        }
    }
}

impl<'a> From<&'a MetaFile> for MetaFileRef<'a> {
    fn from(file: &'a MetaFile) -> Self {
        Self {
            version: file.version,
            length: file.length,
            hashes: file.hashes.as_ref(),
        }
    }
}

impl Entry {
    fn describe(&self) -> MetaFileRef<'_> {
        match &self.full {
            Some(file) => MetaFileRef::from(&**file),
            None => MetaFileRef {
                version: self.version,
                length: None,
                hashes: None,
            },
        }
    }
}

impl MetaList {
    /// Room for about as many entries as stand in that many bytes of a snapshot.
    pub(crate) fn with_room_for(bytes: usize) -> Self {
        Self {
            names: String::with_capacity(bytes / 2),
            entries: Vec::with_capacity(bytes / 32),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, MetaFileRef<'_>)> {
        let name = |entry| (self.name(entry), entry.describe());
        self.entries.iter().map(name)
    }

    pub(crate) fn get(&self, metapath: &str) -> Option<MetaFileRef<'_>> {
        Some(self.entries[self.find(metapath).ok()?].describe())
    }

    /// Lists a file, replacing what was said of it.
    pub(crate) fn set(&mut self, metapath: &str, file: MetaFile) {
        // Most often they come in order.
        let last = self.entries.last().map(|last| self.name(last));
        let place = if last.is_none_or(|last| last < metapath) {
            Err(self.entries.len())
        } else {
            self.find(metapath)
        };
        let mut entry = Entry {
            start: self.names.len(),
            length: metapath.len(),
            version: file.version,
            full: None,
        };
        if file.length.is_some() || file.hashes.is_some() {
            entry.full = Some(Box::new(file));
        }
        match place {
            Ok(at) => {
                entry.start = self.entries[at].start;
                self.entries[at] = entry;
            }
            Err(at) => {
                self.names.push_str(metapath);
                self.entries.insert(at, entry);
            }
        }
    }

    fn find(&self, metapath: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| self.name(entry).cmp(metapath))
    }

    fn name(&self, entry: &Entry) -> &str {
        let range = entry.start..entry.start + entry.length;
        self.names.get(range).unwrap_or_default()
    }
}

impl PartialEq for MetaList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for MetaList {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn file(version: u64, length: Option<u64>) -> MetaFile {
        MetaFile {
            length,
            ..MetaFile::version_only(Version::new(version).unwrap())
        }
    }

    proptest! {
        /// In whatever order and however often they are set, it holds what a map would.
        #[test]
        fn says_what_a_map_says(
            set in prop::collection::vec(("[a-c]{0,2}", 1..9_u64, prop::option::of(0..3_u64)), 0..40)
        ) {
            let (mut list, mut map) = (MetaList::default(), BTreeMap::new());
            for (name, version, length) in set {
                list.set(&name, file(version, length));
                map.insert(name, file(version, length));
            }
            prop_assert_eq!(list.len(), map.len());
            for (name, file) in &map {
                prop_assert_eq!(list.get(name), Some(MetaFileRef::from(file)));
            }
            let listed = list.iter().map(|(name, file)| (name.to_owned(), file.to_owned()));
            prop_assert_eq!(listed.collect::<Vec<_>>(), map.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(list.get("d"), None);
        }
    }
}
