//! A snapshot drops no role and sets none back: every client would refuse it.

use super::{Case, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    name: "snapshot-keeps-roles",
    clause: "TUF 5.5.5",
    check,
};

/// Both lists ascend by METAPATH, so one walk over them is enough.
fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Snapshot {
        new,
        previous: Some(previous),
    } = case.subject
    else {
        return Vec::new();
    };
    let mut listed = new.entries().peekable();
    previous
        .entries()
        .filter_map(|(metapath, old)| {
            while listed.next_if(|(new, _)| *new < metapath).is_some() {}
            match listed.next_if(|(new, _)| *new == metapath) {
                None => Some(format!("{metapath} is no longer listed")),
                Some((_, file)) if file.version < old.version => Some(format!(
                    "{metapath} goes back from v{} to v{}",
                    old.version, file.version
                )),
                Some(_) => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use metadata::{MetaFile, Version};

    use super::*;
    use crate::lints::samples::{of_snapshot, role, snapshot};

    #[test]
    fn accepts_more_roles_and_higher_versions() {
        let mut new = snapshot(2, 3);
        let higher = MetaFile::version_only(Version::new(7).unwrap());
        new.set(&role("bins-0"), higher);
        assert_eq!(of_snapshot(&RULE, &new, Some(&snapshot(1, 2))), [""; 0]);
        assert_eq!(of_snapshot(&RULE, &new, None), [""; 0]);
    }

    #[test]
    fn refuses_fewer_roles_and_lower_versions() {
        let mut old = snapshot(1, 3);
        let higher = MetaFile::version_only(Version::new(7).unwrap());
        old.set(&role("bins-0"), higher);
        assert_eq!(
            of_snapshot(&RULE, &snapshot(2, 2), Some(&old)),
            [
                "bins-0.json goes back from v7 to v1",
                "bins-2.json is no longer listed"
            ]
        );
    }
}
