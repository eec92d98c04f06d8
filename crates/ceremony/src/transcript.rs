//! The transcript: who did what when, as a graph of entries in which each names the digests of all
//! that nothing had followed yet. Holders work on copies, so it branches, and `merge` and `combine`
//! bring it together. No entry can be changed or taken out once another follows it.

mod entry;
mod program;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use keys::Signer;
use metadata::{Expiry, KeyId, PublicKey, Sha256, Signature, VerifyingKey, Wire};

use crate::{CeremonyError, Event, EventFlaw};

pub(crate) use entry::Done;
pub use entry::{Entry, FileDigest, Step};

/// Folder of the entries.
pub(crate) const FOLDER: &str = "transcript";

/// All entries of one copy of an event, checked.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// By digest of the file.
    entries: BTreeMap<Sha256, Entry>,
}

impl Transcript {
    /// The entries, oldest first as far as one follows another.
    #[must_use]
    pub fn entries(&self) -> Vec<&Entry> {
        let mut all: Vec<&Entry> = self.entries.values().collect();
        all.sort_by_key(|one| (&one.time, &one.holder, one.sequence));
        all
    }

    /// The digests of the entries that nothing follows.
    #[must_use]
    pub fn heads(&self) -> Vec<Sha256> {
        let all = self.entries.values();
        let followed: BTreeSet<&str> = all
            .flat_map(|one| one.heads.iter().map(String::as_str))
            .collect();
        let open = |digest: &&Sha256| !followed.contains(digest.to_string().as_str());
        self.entries.keys().filter(open).copied().collect()
    }

    /// Whether some entry says that a file with these bytes came out of its step.
    pub(crate) fn records(&self, file: &FileDigest) -> bool {
        let mut all = self.entries.values();
        all.any(|one| one.outputs.contains(file))
    }

    /// The step that made the files for the index: its digest, and how many steps there were then.
    /// What comes later changes none of those files.
    #[must_use]
    pub fn combined(&self) -> Option<(Sha256, usize)> {
        let combined = self.combining()?;
        let mut all = self.entries.iter();
        let (digest, _) = all.find(|(_, one)| *one == combined)?;
        Some((*digest, self.ancestors(combined).len() + 1))
    }

    fn combining(&self) -> Option<&Entry> {
        let mut all = self.entries().into_iter();
        all.find(|one| one.step == Step::Combined)
    }

    /// The signatures that the files for the index were made from; `None` if they were not made.
    /// Copies that were combined apart have the same, or their files would differ.
    pub(crate) fn combined_from(&self) -> Option<BTreeSet<FileDigest>> {
        let inputs = &self.combining()?.inputs;
        Some(inputs.iter().cloned().collect())
    }

    fn by_digest(&self, digest: &str) -> Option<&Entry> {
        let digest = Sha256::parse(digest).ok()?;
        self.entries.get(&digest)
    }

    /// Everything that one entry rests on.
    fn ancestors<'a>(&'a self, of: &'a Entry) -> Vec<&'a Entry> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = of.heads.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        while let Some(digest) = open.pop() {
            if let (true, Some(one)) = (seen.insert(digest), self.by_digest(digest)) {
                open.extend(one.heads.iter().map(String::as_str));
                found.push(one);
            }
        }
        found
    }

    /// Nothing is missing, nothing stands before what it follows, everybody's steps are in a row.
    fn check(&self) -> Result<(), (String, EventFlaw)> {
        let flaw_of = |one: &Entry, what| (one.file.clone(), EventFlaw::Transcript { what });
        // First of all: everything else that may be wrong can come from an entry that is not there.
        for one in self.entries.values() {
            if one.heads.iter().any(|head| self.by_digest(head).is_none()) {
                return Err(flaw_of(one, "follows an entry that is missing"));
            }
        }
        let (mut beginnings, mut numbers) = (0, BTreeSet::new());
        for one in self.entries.values() {
            let flaw = |what| flaw_of(one, what);
            if !numbers.insert((&one.holder, one.sequence)) {
                return Err(flaw("has the number of another step of its holder"));
            }
            let mut heads = one.heads.iter().filter_map(|head| self.by_digest(head));
            if heads.any(|head| head.time > one.time) {
                return Err(flaw("is older than an entry it follows"));
            }
            let begins = one.step == Step::Planned;
            beginnings += usize::from(begins);
            if begins != one.heads.is_empty() {
                return Err(flaw("is not where the transcript begins"));
            }
            let earlier = self.ancestors(one);
            let own = earlier.iter().filter(|other| other.holder == one.holder);
            if own.count() + 1 != one.sequence as usize {
                return Err(flaw("does not follow all earlier steps of its holder"));
            }
        }
        if beginnings == 1 {
            return Ok(());
        }
        let what = "has no beginning, or more than one";
        Err((String::new(), EventFlaw::Transcript { what }))
    }
}

impl Event {
    /// Reads the transcript of this copy and checks it: form, signatures, graph.
    pub fn transcript(&self) -> Result<Transcript, CeremonyError> {
        let transcript = self.read_transcript()?;
        transcript.check().map_err(|(name, flaw)| {
            let folder = self.folder.file(FOLDER);
            flaw.at(if name.is_empty() {
                folder
            } else {
                folder.join(name)
            })
        })?;
        Ok(transcript)
    }

    fn read_transcript(&self) -> Result<Transcript, CeremonyError> {
        let keys = self.all_keys();
        let mut entries = BTreeMap::new();
        for name in self.folder.list(FOLDER)? {
            let file = format!("{FOLDER}/{name}");
            let path = self.folder.file(&file);
            let bytes = self.folder.read(&file)?;
            let (mut entry, canonical, signatures) = Entry::parse(&path, &bytes)?;
            let flaw = |what| EventFlaw::Transcript { what }.at(&path);
            if name != entry.plain_file_name() && name != entry.own_file_name() {
                return Err(flaw("does not have the name of its holder and number"));
            }
            if entry.event != self.digest.to_string() {
                return Err(flaw("belongs to another event"));
            }
            self.check_signatures(&entry, &canonical, &signatures, &keys)
                .map_err(flaw)?;
            entry.file = name;
            entries.insert(Sha256::of(&bytes), entry);
        }
        Ok(Transcript { entries })
    }

    fn check_signatures(
        &self,
        entry: &Entry,
        canonical: &[u8],
        signatures: &[Signature],
        keys: &BTreeMap<KeyId, PublicKey>,
    ) -> Result<(), &'static str> {
        let by_key = matches!(entry.step, Step::Signed | Step::Destroyed);
        if by_key && signatures.is_empty() {
            return Err("is not signed by the key that took the step");
        }
        for one in signatures {
            let key = keys.get(&one.keyid).map(VerifyingKey::new);
            let valid =
                key.is_some_and(|key| key.is_ok_and(|key| key.verifies(canonical, &one.bytes)));
            if !valid || self.holder(&one.keyid) != entry.holder {
                return Err("is not signed by a key of its holder");
            }
        }
        Ok(())
    }

    /// Every key that any document of the event lists.
    pub(crate) fn all_keys(&self) -> BTreeMap<KeyId, PublicKey> {
        let root = [&self.root.previous, &self.root.new];
        let mut keys = BTreeMap::new();
        for one in root.into_iter().flatten() {
            keys.extend(one.document.keys.clone());
        }
        // The keys that a shard lists are those of developers, who take no step here.
        let people = self.targets_slots().filter(|slot| !slot.is_shard());
        for one in people
            .flat_map(|slot| [&slot.previous, &slot.new])
            .flatten()
        {
            let list = one.document.delegations.iter();
            keys.extend(list.flat_map(|list| list.keys.clone()));
        }
        keys
    }

    /// Writes the next entry of `holder`.
    pub(crate) fn record(
        &self,
        holder: &str,
        now: DateTime<Utc>,
        done: Done,
        signer: Option<&dyn Signer>,
    ) -> Result<(), CeremonyError> {
        let (name, bytes) = self.next_entry(holder, now, done, signer)?;
        self.folder.create_file(&name, &bytes)
    }

    /// The next entry of `holder`: its name and its bytes.
    pub(crate) fn next_entry(
        &self,
        holder: &str,
        now: DateTime<Utc>,
        done: Done,
        signer: Option<&dyn Signer>,
    ) -> Result<(String, Vec<u8>), CeremonyError> {
        let begins = done.step == Step::Planned;
        let mut entry = Entry::new(self.digest, holder, Expiry::at(now), done);
        if !begins {
            let transcript = self.check_clock(now)?;
            let all = transcript.entries.values();
            entry.heads = transcript.heads().iter().map(Sha256::to_string).collect();
            let own = all.filter(|one| one.holder == holder);
            entry.sequence = own.map(|one| one.sequence).max().unwrap_or(0) + 1;
        }
        let name = self.new_entry_name(&entry)?;
        let canonical = entry.canonical().map_err(|flaw| flaw.at(&name))?;
        let signature = signer.map(|signer| signer.sign(&canonical)).transpose()?;
        let signatures: Vec<Signature> = signature.into_iter().collect();
        Ok((name, Wire::write(&canonical, &signatures)))
    }

    /// A name that no file of this copy has, nor one of another holder in any other copy.
    fn new_entry_name(&self, entry: &Entry) -> Result<String, CeremonyError> {
        let plain = format!("{FOLDER}/{}", entry.plain_file_name());
        if entry.is_plainly_named() && self.folder.read_if_there(&plain)?.is_none() {
            return Ok(plain);
        }
        let name = format!("{FOLDER}/{}", entry.own_file_name());
        if self.folder.read_if_there(&name)?.is_some() {
            let path = self.folder.file(&name);
            return Err(CeremonyError::Exists { path });
        }
        Ok(name)
    }

    /// The transcript holds together and has no entry of a later time than this.
    pub(crate) fn check_clock(&self, now: DateTime<Utc>) -> Result<Transcript, CeremonyError> {
        let transcript = self.transcript()?;
        let now = Expiry::at(now).to_string();
        let last = transcript.entries.values().map(|one| &one.time).max();
        match last.filter(|last| **last > now).cloned() {
            Some(last) => Err(CeremonyError::Clock { last, now }),
            None => Ok(transcript),
        }
    }

    /// The transcript holds together, and no file that is there was changed after its step: what
    /// was changed can only be had again, whatever else it now seems to be.
    pub(crate) fn check_unchanged(&self) -> Result<Transcript, CeremonyError> {
        let transcript = self.transcript()?;
        for file in transcript.entries.values().flat_map(|one| &one.outputs) {
            if let Some(bytes) = self.output(&file.name)?
                && Sha256::of(&bytes).to_string() != file.sha256
            {
                let what = "is not as the transcript left it";
                return Err(EventFlaw::Transcript { what }.at(self.folder.file(&file.name)));
            }
        }
        Ok(transcript)
    }

    /// Every file that a step makes was made by a recorded step, and is as that step left it.
    pub(crate) fn check_recorded(&self, folders: &[&str]) -> Result<Transcript, CeremonyError> {
        let transcript = self.check_unchanged()?;
        for folder in folders {
            for name in self.folder.list(folder)? {
                let name = format!("{folder}/{name}");
                let file = FileDigest::of(&name, &self.folder.read(&name)?);
                if !transcript.records(&file) {
                    return Err(EventFlaw::Unrecorded.at(self.folder.file(&name)));
                }
            }
        }
        for file in transcript.entries.values().flat_map(|one| &one.outputs) {
            if self.output(&file.name)?.is_none() {
                let what = "is missing, and a step of the transcript made it";
                return Err(EventFlaw::Transcript { what }.at(self.folder.file(&file.name)));
            }
        }
        Ok(transcript)
    }

    /// A file that an entry names; none if it is not there or no step makes such files.
    fn output(&self, name: &str) -> Result<Option<Vec<u8>>, CeremonyError> {
        let made = match name.split_once('/') {
            Some(("joins" | "signatures" | "publish-set", file)) => {
                !file.contains(['/', '\\', '\0'])
            }
            Some(("papers", file)) => file.split('/').all(is_plain),
            _ => name == crate::description::FILE,
        };
        if made {
            return self.folder.read_if_there(name);
        }
        Ok(None)
    }
}

/// Part of a path that stays where it is: what papers are called.
fn is_plain(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b == b'-' || b == b'.';
    !part.starts_with('.') && !part.is_empty() && part.bytes().all(plain)
}
