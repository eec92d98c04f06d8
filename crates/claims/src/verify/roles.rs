//! The project's roles as they would be after a transaction: who signed them, what they delegate,
//! their versions and expiries.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use chrono::{DateTime, Utc};
use metadata::{
    Delegations, Expiry, KeyId, PublicKey, Role, RoleKeys, RoleName, Targets, Value, VerifyingKey,
    Version,
};
use trust::{Authority, Envelope, Rejection};

use super::Published;
use crate::{ClaimLimits, ProjectRole, Reason, Transaction, layout};

/// All roles that a lookup would ask, `project-NAME` first.
pub(super) struct After {
    main: RoleName,
    /// In the order in which they are asked.
    order: Vec<RoleName>,
    documents: BTreeMap<RoleName, Envelope<Targets>>,
}

impl After {
    pub(super) fn of<R: Read + Seek>(
        published: &Published,
        transaction: &Transaction<R>,
        now: DateTime<Utc>,
    ) -> Result<Self, Reason> {
        let (limits, sent) = (transaction.limits(), transaction.roles());
        let project = &published.registration.project;
        let main = ProjectRole::of(project.clone()).name();
        let mut documents = BTreeMap::new();
        for (name, file) in sent {
            no_private_key(name, file)?;
        }
        for (name, file) in published.roles.iter().chain(sent) {
            documents.insert(name.clone(), parse(name, file, limits)?);
        }
        let mut after = Self {
            order: vec![main.clone()],
            main,
            documents,
        };
        for name in sent.keys() {
            let document = after.document(name)?;
            next_version(published, name, document.version)?;
            expiry(name, document.expires, now, limits)?;
        }
        after.main_role(published)?;
        after.sub_roles_of(published, sent, limits)?;
        Ok(after)
    }

    pub(super) fn document(&self, name: &RoleName) -> Result<&Targets, Reason> {
        let envelope = self.documents.get(name);
        let envelope = envelope.ok_or_else(|| Reason::RoleMissing { role: name.clone() })?;
        Ok(envelope.peek_unverified())
    }

    /// The roles in the order in which a lookup asks them.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&RoleName, &Targets)> {
        let document = |name| Some((name, self.documents.get(name)?.peek_unverified()));
        self.order.iter().filter_map(document)
    }

    pub(super) fn sub_roles(&self) -> impl Iterator<Item = &RoleName> {
        self.order.iter().skip(1)
    }

    pub(super) fn delegations(&self) -> Result<Option<&Delegations>, Reason> {
        Ok(self.document(&self.main)?.delegations.as_ref())
    }

    /// The developers' keys have signed `project-NAME`, whichever version is current afterwards.
    fn main_role(&self, published: &Published) -> Result<(), Reason> {
        let registration = &published.registration;
        let authority = Authority::new("registration", &registration.keys, &registration.role_keys);
        self.signed(&self.main, &authority)
    }

    fn sub_roles_of(
        &mut self,
        published: &Published,
        sent: &BTreeMap<RoleName, Vec<u8>>,
        limits: &ClaimLimits,
    ) -> Result<(), Reason> {
        let document = self.document(&self.main)?;
        let delegated = layout::sub_roles(&published.registration.project, document)?;
        let keys = document
            .delegations
            .as_ref()
            .map(|delegations| &delegations.keys);
        let empty = BTreeMap::new();
        let keys = keys.unwrap_or(&empty);
        let mut order = vec![self.main.clone()];
        for (_, role) in &delegated {
            check_keys(&role.name, keys, &role.keys, limits)?;
            if self.document(&role.name)?.delegations.is_some() {
                let (role, why) = (role.name.clone(), "delegates further; only the project may");
                return Err(Reason::Delegation { role, why });
            }
            let authority = Authority::new(self.main.as_str(), keys, &role.keys);
            self.signed(&role.name, &authority)?;
            order.push(role.name.clone());
        }
        if let Some(stray) = sent.keys().find(|name| !order.contains(name)) {
            let role = stray.clone();
            return Err(Reason::RoleNotDelegated { role });
        }
        let ever: BTreeSet<_> = published.last_versions.keys().chain(&order).collect();
        // One of them is the project itself.
        let (found, limit) = (ever.len() - 1, limits.sub_roles);
        if found > limit {
            return Err(Reason::SubRoles { found, limit });
        }
        self.order = order;
        Ok(())
    }

    fn signed(&self, name: &RoleName, authority: &Authority<'_>) -> Result<(), Reason> {
        let document = self.document(name)?;
        let tally = self.documents[name].tally(authority);
        if tally.is_met() {
            return Ok(());
        }
        Err(Reason::Role(Rejection::Signatures {
            role: Role::Delegated(name.clone()),
            version: document.version,
            voucher: "its delegation".to_owned(),
            threshold: tally.threshold,
            valid: tally.valid,
            missing: tally.missing,
        }))
    }
}

fn parse(name: &RoleName, file: &[u8], limits: &ClaimLimits) -> Result<Envelope<Targets>, Reason> {
    let role = Role::Delegated(name.clone());
    Ok(Envelope::parse(
        role,
        file,
        limits.role_bytes,
        &limits.rules(),
    )?)
}

/// Exactly the version that follows: a jump could only be undone by a new name (check C-20).
fn next_version(published: &Published, name: &RoleName, found: Version) -> Result<(), Reason> {
    let expected = match published.last_versions.get(name) {
        None => Version::FIRST,
        Some(last) => last
            .next()
            .map_err(|_| Reason::VersionsUsedUp { role: name.clone() })?,
    };
    if found == expected {
        return Ok(());
    }
    let role = name.clone();
    Err(Reason::Version {
        role,
        expected,
        found,
    })
}

/// Neither so soon that the project disappears nor so late that a freeze has no end (check C-21).
fn expiry(
    name: &RoleName,
    expires: Expiry,
    now: DateTime<Utc>,
    limits: &ClaimLimits,
) -> Result<(), Reason> {
    let (earliest, latest) = (now + limits.least_lifetime, now + limits.longest_lifetime);
    let found = expires.instant();
    if (earliest..=latest).contains(&found) {
        return Ok(());
    }
    let role = name.clone();
    Err(Reason::Expiry {
        role,
        found,
        earliest,
        latest,
    })
}

/// Keys that this program can verify with, and a threshold that distinct ones can meet (check C-26).
pub(crate) fn check_keys(
    role: &RoleName,
    keys: &BTreeMap<KeyId, PublicKey>,
    role_keys: &RoleKeys,
    limits: &ClaimLimits,
) -> Result<(), Reason> {
    let refused = |keyid: &KeyId, why: String| Reason::Key {
        role: role.clone(),
        keyid: keyid.clone(),
        why,
    };
    let mut distinct = BTreeSet::new();
    for keyid in &role_keys.keyids {
        let listed = keys.get(keyid);
        let listed = listed.ok_or_else(|| refused(keyid, "is not listed".to_owned()))?;
        let recommended = matches!(
            listed.scheme(),
            "ed25519" | "ecdsa-sha2-nistp256" | "rsassa-pss-sha256"
        );
        if !recommended {
            return Err(refused(
                keyid,
                "is of a kind not every client reads".to_owned(),
            ));
        }
        let key = VerifyingKey::new(listed).map_err(|error| refused(keyid, error.to_string()))?;
        if listed.id() != *keyid || listed.has_extra_members() {
            return Err(refused(keyid, "is not listed under its own id".to_owned()));
        }
        if !distinct.insert(key.identity().clone()) {
            return Err(refused(keyid, "is the same key as another".to_owned()));
        }
    }
    let (found, threshold) = (distinct.len(), role_keys.threshold);
    if found > limits.keys || threshold == 0 || threshold as usize > found {
        return Err(Reason::Threshold {
            role: role.clone(),
            threshold,
            keys: found,
        });
    }
    Ok(())
}

/// Refuses what looks like a private key anywhere in a role's file, signatures included.
fn no_private_key(role: &RoleName, file: &[u8]) -> Result<(), Reason> {
    fn found(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains("PRIVATE KEY"),
            Value::Array(values) => values.iter().any(found),
            Value::Object(members) => members
                .iter()
                .any(|(name, value)| name == "private" && *value != Value::Null || found(value)),
            _ => false,
        }
    }
    // What is no JSON is refused where it is parsed.
    let value = Value::parse(file).unwrap_or(Value::Null);
    if found(&value) {
        let role = role.clone();
        return Err(Reason::PrivateKey { role });
    }
    Ok(())
}
