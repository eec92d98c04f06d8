//! What a ceremony is about to sign, in words, so that a person can say yes or no to it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use draft::{Change, DraftDocument, difference};
use metadata::{Expiry, KeyId, Role, RoleKeys, Sha256, Version};

use crate::slot::Slot;
use crate::transcript::Done;
use crate::{CeremonyError, ClaimsReview, Event, FileDigest, KeyRole, Origin, Step};

/// Everything a holder has to know before signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// SHA-256 of `ceremony.toml`, which names the digest of everything else: the one number that
    /// holders compare.
    pub digest: Sha256,
    /// Name and digest of the policy in force.
    pub policy: (String, Sha256),
    /// Every key that no published document lists.
    pub new_keys: Vec<NewKey>,
    /// What becomes of projects, where the event is about any.
    pub claims: Option<ClaimsReview>,
    /// One entry per document to be signed.
    pub roles: Vec<RoleReview>,
    /// What deserves a second thought about the event as a whole.
    pub concerns: Vec<String>,
    /// How many signatures each holder may give, by name: some tokens want the PIN for each.
    pub signatures: BTreeMap<String, usize>,
}

/// A key that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Who holds it.
    pub holder: String,
    /// The roles it serves.
    pub roles: Vec<KeyRole>,
    /// Its fingerprint.
    pub fingerprint: Sha256,
    /// Where it lives.
    pub origin: Origin,
}

/// One document to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleReview {
    /// The role.
    pub role: Role,
    /// Its new version.
    pub version: Version,
    /// When it will expire.
    pub expires: Expiry,
    /// SHA-256 of the bytes to sign.
    pub sha256: Sha256,
    /// What changes against what is published.
    pub changes: Vec<String>,
    /// What deserves a second thought.
    pub concerns: Vec<String>,
}

impl Event {
    /// Describes the event in words. Looks at the payloads as they are; that they keep the rules is
    /// checked when they are signed.
    pub fn review(&self) -> Result<Review, CeremonyError> {
        self.check_copy()?;
        let mut roles = Vec::new();
        roles.extend(self.review_one(&self.root)?);
        for slot in self.targets_slots() {
            roles.extend(self.review_one(slot)?);
        }
        Ok(Review {
            digest: self.digest,
            policy: (
                self.policy.name.clone(),
                Sha256::of(self.policy_text.as_bytes()),
            ),
            new_keys: self.new_keys()?,
            claims: self.review_claims()?,
            roles,
            concerns: self.concerns()?,
            signatures: self.signatures_to_give()?,
        })
    }

    /// Enters in the transcript that somebody has looked at the event.
    pub fn record_review(&self, holder: &str, now: DateTime<Utc>) -> Result<(), CeremonyError> {
        self.check_actor(holder)?;
        self.check_copy()?;
        let payloads = self.payloads();
        let file = |(role, bytes): &(&Role, &[u8])| {
            let name = role.versioned_file_name(self.version(role)?);
            Ok(FileDigest::of(format!("payload/{name}"), bytes))
        };
        let done = Done {
            step: Step::Reviewed,
            inputs: payloads
                .iter()
                .map(file)
                .collect::<Result<_, CeremonyError>>()?,
            outputs: Vec::new(),
            note: String::new(),
        };
        self.record(holder, now, done, None)
    }

    /// The keys that nothing published lists.
    pub(crate) fn new_key_ids(&self) -> BTreeSet<KeyId> {
        let mut published = BTreeSet::new();
        if let Some(root) = &self.root.previous {
            published.extend(root.document.keys.keys());
        }
        let people = self.targets_slots().filter(|slot| !slot.is_shard());
        for old in people.filter_map(|slot| slot.previous.as_ref()) {
            let lists = old.document.delegations.iter();
            published.extend(lists.flat_map(|list| list.keys.keys()));
        }
        let mut all: BTreeSet<KeyId> = self.all_keys().into_keys().collect();
        all.retain(|id| !published.contains(id));
        all
    }

    /// The short key ids of a difference are enough to tell keys apart, not to recognize one:
    /// whoever hands in a key compares its whole fingerprint.
    fn new_keys(&self) -> Result<Vec<NewKey>, CeremonyError> {
        let (new, origins) = (self.new_key_ids(), self.check_joins()?);
        let all = self.all_keys().into_iter();
        let mut found: Vec<NewKey> = all
            .filter(|(id, _)| new.contains(id))
            .map(|(id, key)| NewKey {
                holder: self.holder(&id),
                roles: self.roles_of(&id),
                fingerprint: keys::key_fingerprint(&key),
                origin: origins.get(&id).cloned().unwrap_or(Origin::Unproved),
            })
            .collect();
        found.sort_by_key(|one| (one.holder.clone(), one.fingerprint));
        Ok(found)
    }

    fn roles_of(&self, keyid: &KeyId) -> Vec<KeyRole> {
        let parts = self.description.key.iter();
        let parts = parts.filter(|part| part.keyid == keyid.as_str());
        parts.flat_map(|part| part.roles.iter().copied()).collect()
    }

    /// Broken rules, and a root that nobody renews in time.
    fn concerns(&self) -> Result<Vec<String>, CeremonyError> {
        let mut concerns = Vec::new();
        if let Err(CeremonyError::Refused(refused)) = self.lint(self.planned) {
            let (role, version) = (&refused.role, refused.version);
            let broken = refused.findings.iter();
            concerns.extend(broken.map(|one| format!("{role} v{version}: {one}")));
        }
        if let (None, Some(old)) = (&self.root.new, &self.root.previous) {
            let expires = old.document.expires;
            if expires.instant() - self.planned < self.policy.roles.root.lifetime / 3 {
                concerns.push(format!(
                    "root is in the last third of its life, expires {expires}, and is not renewed"
                ));
            }
        }
        let claims = self.review_claims()?;
        concerns.extend(claims.iter().flat_map(Self::project_concerns));
        Ok(concerns)
    }

    fn signatures_to_give(&self) -> Result<BTreeMap<String, usize>, CeremonyError> {
        let mut count = BTreeMap::new();
        for (role, _) in self.payloads() {
            let vouchers = self.vouchers(role)?;
            let keys: BTreeSet<&KeyId> = vouchers
                .iter()
                .flat_map(|one| &one.role_keys.keyids)
                .collect();
            for keyid in keys {
                *count.entry(self.holder(keyid)).or_default() += 1;
            }
        }
        Ok(count)
    }

    fn review_one<R: DraftDocument>(
        &self,
        slot: &Slot<R>,
    ) -> Result<Option<RoleReview>, CeremonyError> {
        let Some(new) = &slot.new else {
            return Ok(None);
        };
        let previous = slot.previous.as_ref().map(|old| &old.document);
        let mut changes = difference(&new.document, previous);
        if slot.is_shard() {
            // Project by project they stand in the review of the claims, with everything that is known.
            changes.retain(|change| {
                matches!(
                    change,
                    Change::First { .. } | Change::Version { .. } | Change::Expires { .. }
                )
            });
        }
        let mut concerns: Vec<String> = changes.iter().filter_map(concern).collect();
        for voucher in self.vouchers(&slot.role)? {
            concerns.extend(no_spare_key(&slot.role, voucher.name, voucher.role_keys));
        }
        let name = |id: &KeyId| self.holders.get(id).map(|_| self.holder(id));
        Ok(Some(RoleReview {
            role: slot.role.clone(),
            version: new.document.version(),
            expires: new.document.expires(),
            sha256: Sha256::of(&new.bytes),
            changes: changes.iter().map(|change| change.words(&name)).collect(),
            concerns,
        }))
    }
}

fn concern(change: &Change) -> Option<String> {
    match change {
        Change::Threshold {
            role,
            from: Some(from),
            to,
            ..
        } if to < from => Some(format!("{role} will need only {to} signatures, not {from}")),
        Change::DelegationRemoved { role } => Some(format!(
            "clients will find nothing more through {role}; what it listed is gone for them"
        )),
        Change::Expires { from, to } if to.instant() < from.instant() => Some(format!(
            "it expires earlier ({to}) than what is published ({from})"
        )),
        _ => None,
    }
}

/// One lost key, and the role can never be signed again without a root ceremony; for the root
/// itself, never again at all.
fn no_spare_key(role: &Role, voucher: &str, keys: &RoleKeys) -> Option<String> {
    let count = keys.keyids.len();
    (count == keys.threshold as usize).then(|| match count {
        1 => format!(
            "{role} has one key (listed by {voucher}): if that is lost, nobody can sign {role} again \
             until a ceremony brings another"
        ),
        _ => format!("all {count} keys are needed (listed by {voucher}); none may be lost"),
    })
}
