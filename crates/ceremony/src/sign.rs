//! Detached signatures: given one key at a time, on any machine that has a copy of the folder.

use chrono::{DateTime, Utc};
use keys::Signer;
use metadata::VerifyingKey;
use metadata::canonical::Writer;
use metadata::{KeyId, Role, Sha256, Signature, Version};
use serde::Deserialize;

use crate::transcript::Done;
use crate::voucher::Voucher;
use crate::{CeremonyError, Event, EventFlaw, FileDigest, Step};

/// Folder of the signatures.
pub(crate) const FOLDER: &str = "signatures";

/// A signature that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The role.
    pub role: Role,
    /// The version signed.
    pub version: Version,
    /// The digest of the bytes signed.
    pub sha256: Sha256,
    /// Whether the event had this signature already.
    pub was_there: bool,
}

/// A signature and the file for it.
pub(crate) struct Made {
    pub(crate) given: Given,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// One file of `signatures/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureFile {
    keyid: String,
    sig: String,
    /// The digest of the payload, so that a signature over another one says so.
    signed: String,
}

impl Event {
    /// Signs every payload the key has a say in, after all rules have passed for all payloads as of
    /// `now`. A signature that is there already is left alone.
    pub fn sign(
        &self,
        signer: &dyn Signer,
        now: DateTime<Utc>,
    ) -> Result<Vec<Given>, CeremonyError> {
        self.check_not_combined()?;
        self.check_copy()?;
        let linted = self.lint(now)?;
        self.check_clock(now)?;
        let mut made = Vec::new();
        if let Some(root) = &linted.root {
            made.extend(self.sign_one(signer, root.role(), root.canonical())?);
        }
        for role in linted.targets_roles() {
            made.extend(self.sign_one(signer, role.role(), role.canonical())?);
        }
        if made.is_empty() {
            let (key, keyid) = (signer.describe(), signer.key_id().clone());
            return Err(CeremonyError::NoRole { key, keyid });
        }
        self.keep_signatures(Step::Signed, signer.key_id(), &made, now, Some(signer))?;
        Ok(made.into_iter().map(|one| one.given).collect())
    }

    /// Whether a key is this person's, as `ceremony.toml` has it.
    pub fn check_holder_of(&self, signer: &dyn Signer, holder: &str) -> Result<(), CeremonyError> {
        self.check_is_holder(holder)?;
        let names = self.holders.get(signer.key_id());
        if names.is_none_or(|names| names.iter().any(|name| name == holder)) {
            return Ok(());
        }
        Err(CeremonyError::OtherHolder {
            key: signer.describe(),
            held_by: self.holder(signer.key_id()),
            holder: holder.to_owned(),
        })
    }

    /// Writes the signatures that are new and enters those that no entry has yet; an interrupted
    /// step is completed so. The entry is ready before the first signature is written, and what
    /// cannot be entered does not stay.
    pub(crate) fn keep_signatures(
        &self,
        step: Step,
        keyid: &KeyId,
        made: &[Made],
        now: DateTime<Utc>,
        signer: Option<&dyn Signer>,
    ) -> Result<(), CeremonyError> {
        let transcript = self.transcript()?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for Made { given, name, bytes } in made {
            let file = FileDigest::of(name, bytes);
            if !transcript.records(&file) {
                outputs.push(file);
                let payload = given.role.versioned_file_name(given.version);
                inputs.push(FileDigest {
                    name: format!("payload/{payload}"),
                    sha256: given.sha256.to_string(),
                });
            }
        }
        if outputs.is_empty() {
            return Ok(());
        }
        let done = Done {
            step,
            inputs,
            outputs,
            note: String::new(),
        };
        let holder = match signer {
            Some(_) => self.holder(keyid),
            None => self.actor.clone(),
        };
        let entry = self.next_entry(&holder, now, done, signer)?;
        let new = made.iter().filter(|one| !one.given.was_there);
        let new: Vec<(&str, &[u8])> = new.map(|one| (one.name.as_str(), &*one.bytes)).collect();
        let entry = (entry.0.as_str(), entry.1.as_slice());
        self.folder.create_together(&new, entry)
    }

    fn sign_one(
        &self,
        signer: &dyn Signer,
        role: &Role,
        canonical: &[u8],
    ) -> Result<Option<Made>, CeremonyError> {
        let keyid = signer.key_id();
        let vouchers = self.vouchers(role)?;
        if !vouchers
            .iter()
            .any(|one| one.role_keys.keyids.contains(keyid))
        {
            return Ok(None);
        }
        let (version, sha256) = (self.version(role)?, Sha256::of(canonical));
        let was_there = self.signature(role, canonical, keyid, &vouchers)?.is_some();
        let name = signature_file(role, keyid);
        let bytes = if was_there {
            self.folder.read(&name)?
        } else {
            write(&signer.sign(canonical)?, &sha256)
        };
        let given = Given {
            role: role.clone(),
            version,
            sha256,
            was_there,
        };
        Ok(Some(Made { given, name, bytes }))
    }

    /// Every signature of a role that the event holds, each checked. A file that is no signature by
    /// one of the role's keys over the payload is an error, never just ignored.
    pub(crate) fn signatures(
        &self,
        role: &Role,
        canonical: &[u8],
    ) -> Result<Vec<Signature>, CeremonyError> {
        let vouchers = self.vouchers(role)?;
        let mut found = Vec::new();
        for name in self.folder.list(FOLDER)? {
            if let Some((_, keyid)) = parse_name(&name).filter(|(other, _)| *other == role.name()) {
                let keyid = KeyId::parse(keyid)?;
                found.extend(self.signature(role, canonical, &keyid, &vouchers)?);
            }
        }
        Ok(found)
    }

    /// Every file in `signatures/` is for a role that this event signs.
    pub(crate) fn check_no_stray_signatures(&self) -> Result<(), CeremonyError> {
        let payloads = self.payloads();
        for name in self.folder.list(FOLDER)? {
            let known = parse_name(&name)
                .is_some_and(|(role, _)| payloads.iter().any(|(one, _)| one.name() == role));
            if !known {
                return Err(EventFlaw::Stray.at(self.folder.file(FOLDER).join(name)));
            }
        }
        Ok(())
    }

    fn signature(
        &self,
        role: &Role,
        canonical: &[u8],
        keyid: &KeyId,
        vouchers: &[Voucher<'_>],
    ) -> Result<Option<Signature>, CeremonyError> {
        let name = signature_file(role, keyid);
        let Some(bytes) = self.folder.read_if_there(&name)? else {
            return Ok(None);
        };
        let read = read(
            &bytes,
            role,
            self.version(role)?,
            keyid,
            canonical,
            vouchers,
        );
        read.map(Some)
            .map_err(|flaw| flaw.at(self.folder.file(&name)))
    }

    pub(crate) fn version(&self, role: &Role) -> Result<Version, CeremonyError> {
        if *role == Role::Root {
            return Ok(self.root.current()?.version);
        }
        let slot = self.targets_slots().find(|slot| slot.role == *role);
        let role = role.clone();
        let slot = slot.ok_or(CeremonyError::NoPayload { role })?;
        Ok(slot.current()?.version)
    }
}

/// `signatures/ROLE.KEYID.json`. Key ids of an event are digests in hex, a rule of `draft`; of
/// published roots, those of other form simply have no file.
pub(crate) fn signature_file(role: &Role, keyid: &KeyId) -> String {
    format!("{FOLDER}/{}.{}.json", role.name(), file_safe(keyid))
}

/// Key ids in published roots may be any string (TAP 12); a path they never become.
fn file_safe(keyid: &KeyId) -> &str {
    let plain = keyid.as_str().bytes().all(|b| b.is_ascii_alphanumeric());
    if plain { keyid.as_str() } else { "" }
}

fn parse_name(name: &str) -> Option<(&str, &str)> {
    name.strip_suffix(".json")?.split_once('.')
}

pub(crate) fn write(signature: &Signature, signed: &Sha256) -> Vec<u8> {
    let mut out = Writer::new();
    out.object(|out| {
        out.key("keyid").string(signature.keyid.as_str());
        out.key("sig").string(&hex::encode(&signature.bytes));
        out.key("signed").string(&signed.to_string());
    });
    out.into_bytes()
}

fn read(
    bytes: &[u8],
    role: &Role,
    version: Version,
    keyid: &KeyId,
    canonical: &[u8],
    vouchers: &[Voucher<'_>],
) -> Result<Signature, EventFlaw> {
    let file: SignatureFile =
        serde_json::from_slice(bytes).map_err(|error| EventFlaw::Json(error.to_string()))?;
    let (expected, found) = (Sha256::of(canonical), Sha256::parse(&file.signed)?);
    if found != expected {
        return Err(EventFlaw::OtherPayload {
            role: role.clone(),
            version,
            expected,
            found,
        });
    }
    let key = vouchers
        .iter()
        .filter(|one| one.role_keys.keyids.contains(keyid))
        .find_map(|one| one.keys.get(keyid))
        .ok_or_else(|| EventFlaw::ForeignKey {
            role: role.clone(),
            keyid: keyid.clone(),
        })?;
    let signature = Signature {
        keyid: keyid.clone(),
        bytes: hex::decode(&file.sig).unwrap_or_default(),
    };
    let verifies =
        VerifyingKey::new(key).is_ok_and(|key| key.verifies(canonical, &signature.bytes));
    if file.keyid != keyid.as_str() || !verifies {
        return Err(EventFlaw::Signature {
            role: role.clone(),
            version,
            keyid: keyid.clone(),
        });
    }
    Ok(signature)
}
