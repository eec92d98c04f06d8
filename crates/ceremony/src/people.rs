//! Who is who in an event. Names are compared exactly, and one that only looks like somebody's is
//! refused before a step is taken under it.

use std::collections::BTreeSet;

use metadata::{KeyId, Role, Version};

use crate::description::check_holder;
use crate::event::ADMINISTRATOR;
use crate::sign::signature_file;
use crate::{CeremonyError, Event};

/// A signature that a holder may give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The role.
    pub role: Role,
    /// Its version.
    pub version: Version,
    /// The holder's key.
    pub keyid: KeyId,
    /// Whether this copy has it.
    pub signed: bool,
}

impl Event {
    /// Everybody who holds a key in this event or held one of the published keys it takes out.
    #[must_use]
    pub fn holder_names(&self) -> BTreeSet<&str> {
        let names = self.holders.values().flatten();
        names.map(String::as_str).collect()
    }

    /// The names of those who hold a key.
    #[must_use]
    pub fn holders_of(&self, keyid: &KeyId) -> Vec<String> {
        self.holders.get(keyid).cloned().unwrap_or_default()
    }

    /// Every signature that a holder may give in this event.
    pub fn turns(&self, holder: &str) -> Result<Vec<Turn>, CeremonyError> {
        let mut turns = Vec::new();
        for (role, _) in self.payloads() {
            let vouchers = self.vouchers(role)?;
            let listed = vouchers.iter().flat_map(|one| &one.role_keys.keyids);
            let keys: BTreeSet<&KeyId> = listed.collect();
            for keyid in keys {
                let holders = self.holders.get(keyid);
                if holders.is_some_and(|all| all.iter().any(|one| one == holder)) {
                    let file = self.folder.read_if_there(&signature_file(role, keyid))?;
                    turns.push(Turn {
                        role: role.clone(),
                        version: self.version(role)?,
                        keyid: keyid.clone(),
                        signed: file.is_some(),
                    });
                }
            }
        }
        Ok(turns)
    }

    /// A name to sign under: exactly that of a holder.
    pub fn check_is_holder(&self, name: &str) -> Result<(), CeremonyError> {
        if self.holder_names().contains(name) {
            return Ok(());
        }
        check_holder(name)?;
        Err(self.no_such_holder(name))
    }

    /// A name to take a step under that needs no key: anybody's, but none that would be taken for
    /// somebody else's.
    pub(crate) fn check_actor(&self, name: &str) -> Result<(), CeremonyError> {
        check_holder(name)?;
        let known = name == ADMINISTRATOR || self.holder_names().contains(name);
        if !known && self.meant(name).is_some() {
            return Err(self.no_such_holder(name));
        }
        Ok(())
    }

    fn no_such_holder(&self, name: &str) -> CeremonyError {
        let names = self.holder_names().into_iter();
        CeremonyError::NoSuchHolder {
            name: name.to_owned(),
            meant: self.meant(name),
            holders: names.map(str::to_owned).collect(),
        }
    }

    /// Whose name this looks like.
    fn meant(&self, name: &str) -> Option<String> {
        let names = self.holder_names().into_iter().chain([ADMINISTRATOR]);
        let mut alike = names.filter(|one| letters(one) == letters(name));
        alike.next().map(str::to_owned)
    }
}

/// What is left of a name when it is read fast.
fn letters(name: &str) -> String {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn names_that_look_alike() {
        assert_eq!(letters("bo "), letters("Bo"));
        assert_eq!(letters("ZOË O'Neil"), letters("zoë oneil"));
        assert_ne!(letters("Bo"), letters("Bob"));
    }
}
