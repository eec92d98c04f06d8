//! The proofs that an event keeps, held to its keys and its policy.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use metadata::{Expiry, KeyId};

use super::{Device, FOLDER, INVITATION, Invitation, Join, join_file};
use crate::attestation::{self, Attested};
use crate::transcript::Done;
use crate::{CeremonyError, Event, EventFlaw, FileDigest, HeldKey, KeyRole, Step};

/// Where a key lives, as far as anybody showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The maker of the token says so.
    Attested(Attested),
    /// The holder's program saw a token.
    Token(Device),
    /// The holder proved it; no token was seen.
    Software,
    /// Nobody proved anything.
    Unproved,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attested(attested) => attested.fmt(f),
            Self::Token(device) => write!(
                f,
                "on a token by its holder's word: {} {}, serial {}",
                device.manufacturer, device.model, device.serial
            ),
            Self::Software => f.write_str("in software, or behind another program"),
            Self::Unproved => f.write_str("taken as it was handed in, without proof"),
        }
    }
}

/// One device serves one person; each with what it is recognized by.
#[derive(Default)]
struct Devices(Vec<(String, String)>);

impl Devices {
    /// Whether nobody else has it.
    fn claim(&mut self, device: String, holder: &str) -> bool {
        let mut all = self.0.iter();
        if all.any(|(one, other)| *one == device && other != holder) {
            return false;
        }
        self.0.push((device, holder.to_owned()));
        true
    }
}

impl Event {
    /// Keeps the proofs of the keys beside the event, and enters them in the transcript.
    pub fn keep_joins(
        &self,
        invitation: &Invitation,
        joins: &[Vec<u8>],
        now: DateTime<Utc>,
    ) -> Result<(), CeremonyError> {
        let mut files = vec![(format!("{FOLDER}/{INVITATION}"), invitation.to_file()?)];
        for file in joins {
            let (_, held) = Join::check(Path::new(FOLDER), file, invitation)?;
            files.push((join_file(&held.key.id()), file.clone()));
        }
        self.check_join_files(&files)?;
        for (name, bytes) in &files {
            self.folder.create_file(name, bytes)?;
        }
        let all = files.iter();
        let done = Done {
            step: Step::Joined,
            inputs: Vec::new(),
            outputs: all
                .map(|(name, bytes)| FileDigest::of(name.as_str(), bytes))
                .collect(),
            note: String::new(),
        };
        self.record(&self.actor, now, done, None)
    }

    /// Every proof holds, and its key is the holder's who proved it; new offline keys are attested
    /// where the policy demands it. One device counts for one person. Says where proved keys live.
    pub(crate) fn check_joins(&self) -> Result<BTreeMap<KeyId, Origin>, CeremonyError> {
        let mut files = Vec::new();
        for name in self.folder.list(FOLDER)? {
            let name = format!("{FOLDER}/{name}");
            let bytes = self.folder.read(&name)?;
            files.push((name, bytes));
        }
        self.check_join_files(&files)
    }

    fn check_join_files(
        &self,
        files: &[(String, Vec<u8>)],
    ) -> Result<BTreeMap<KeyId, Origin>, CeremonyError> {
        let invitation_file = format!("{FOLDER}/{INVITATION}");
        let is_invitation = |(name, _): &&(String, Vec<u8>)| *name == invitation_file;
        let path = self.folder.file(&invitation_file);
        let mut origins = BTreeMap::new();
        if !files.is_empty() {
            let missing = || {
                let what = "is missing, and proofs were made for it";
                EventFlaw::Join { what }.at(&path)
            };
            let (_, bytes) = files.iter().find(is_invitation).ok_or_else(missing)?;
            let invitation = Invitation::parse(&path, bytes)?;
            let mut devices = Devices::default();
            for (file, bytes) in files.iter().filter(|one| !is_invitation(one)) {
                let (keyid, origin) = self.check_join(file, bytes, &invitation, &mut devices)?;
                origins.insert(keyid, origin);
            }
        }
        self.check_all_attested(&origins)?;
        Ok(origins)
    }

    fn check_join(
        &self,
        file: &str,
        bytes: &[u8],
        invitation: &Invitation,
        devices: &mut Devices,
    ) -> Result<(KeyId, Origin), CeremonyError> {
        let path = self.folder.file(file);
        let (join, held) = Join::check(&path, bytes, invitation)?;
        let keyid = held.key.id();
        let flaw = |what| EventFlaw::Join { what }.at(&path);
        let holders = self.holders.get(&keyid);
        if join_file(&keyid) != file || holders.is_none_or(|all| !all.contains(&held.holder)) {
            return Err(flaw(
                "is for a key that its holder does not have in this event",
            ));
        }
        let origin = self
            .origin(&join, &held)
            .map_err(|found| EventFlaw::Attestation(found).at(&path))?;
        let mut names = Vec::new();
        names.extend(join.device.as_ref().map(|device| format!("{device:?}")));
        if let Origin::Attested(attested) = &origin {
            names.push(format!("attested {}", attested.serial));
        }
        for name in names {
            if !devices.claim(name, &held.holder) {
                return Err(flaw("is from a device that another holder uses too"));
            }
        }
        Ok((keyid, origin))
    }

    /// An attestation that is there must hold, also where the policy does not demand it; without
    /// roots in the policy nobody's word counts.
    fn origin(&self, join: &Join, held: &HeldKey) -> Result<Origin, attestation::AttestationFlaw> {
        let chain = join.certificates();
        if let (Some(policy), false) = (&self.policy.attestation, chain.is_empty()) {
            // The time of the proof has its exact form, or it would not have been read.
            let at = Expiry::parse(&join.time).map_or(self.planned, |time| time.instant());
            let attested = attestation::check(&chain, &policy.roots, &held.key, at)?;
            return Ok(Origin::Attested(attested));
        }
        Ok(match &join.device {
            Some(device) => Origin::Token(device.clone()),
            None => Origin::Software,
        })
    }

    /// Where the policy demands it, every offline key that nothing published lists is attested.
    fn check_all_attested(&self, origins: &BTreeMap<KeyId, Origin>) -> Result<(), CeremonyError> {
        let required = self
            .policy
            .attestation
            .as_ref()
            .is_some_and(|one| one.required);
        if !required {
            return Ok(());
        }
        let new = self.new_key_ids();
        for part in &self.description.key {
            let id = KeyId::parse(&part.keyid)?;
            let matters = part
                .roles
                .iter()
                .any(|role| KeyRole::OFFLINE.contains(role))
                && new.contains(&id);
            if matters && !matches!(origins.get(&id), Some(Origin::Attested(_))) {
                let (holder, why) = (
                    part.holder.clone(),
                    "has a new offline key without the attestation that the policy demands",
                );
                return Err(CeremonyError::Holder { holder, why });
            }
        }
        Ok(())
    }
}
