//! Who is who in an event. Names are compared exactly, and one that only looks like somebody's is
//! refused before a step is taken under it.

use std::collections::BTreeSet;

use crate::description::check_holder;
use crate::event::ADMINISTRATOR;
use crate::{CeremonyError, Event};

impl Event {
    /// Everybody who holds a key in this event or held one of the published keys it takes out.
    #[must_use]
    pub fn holder_names(&self) -> BTreeSet<&str> {
        let names = self.holders.values().flatten();
        names.map(String::as_str).collect()
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
