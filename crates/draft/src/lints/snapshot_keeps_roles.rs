//! A snapshot sets no role back, and drops none unless all online keys are new: every client would
//! refuse it.

use super::{Case, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    name: "snapshot-keeps-roles",
    clause: "TUF 5.3.11, 5.5.5",
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
    let may_leave = case.roles_may_leave();
    let mut listed = new.entries().peekable();
    previous
        .entries()
        .filter_map(|(metapath, old)| {
            while listed.next_if(|(new, _)| *new < metapath).is_some() {}
            match listed.next_if(|(new, _)| *new == metapath) {
                None if may_leave => None,
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
    use crate::lints::samples::{key, layout, now, of_snapshot, policy, role, root, snapshot};
    use crate::{DraftDocument, FormerKeys};
    use metadata::Document;

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

    /// The one exception: a root in which no online key of before remains.
    #[test]
    fn roles_leave_with_the_keys_that_signed_for_them() {
        let (old, mut new) = (snapshot(1, 3), snapshot(2, 2));
        let (policy, published) = (policy(), root());
        let former = FormerKeys::of([&published]);
        let found = |new: &metadata::Snapshot, fresh: [bool; 2], former| {
            let mut root = root();
            root.keys.insert(key(77).id(), key(77));
            for (role, fresh) in [&mut root.snapshot, &mut root.timestamp]
                .into_iter()
                .zip(fresh)
            {
                if fresh {
                    role.keyids = vec![key(77).id()];
                }
            }
            check(&Case {
                role: &metadata::Role::Snapshot,
                canonical: &new.to_canonical(),
                subject: new.subject(Some(&old)),
                now: now(),
                policy: &policy,
                root: Some(&root),
                layout: layout(),
                former,
            })
        };
        assert_eq!(found(&new, [true, true], Some(&former)), [""; 0]);
        for (fresh, former) in [
            ([true, false], Some(&former)),
            ([false, true], Some(&former)),
            ([false, false], Some(&former)),
            ([true, true], None),
        ] {
            let kept = found(&new, fresh, former);
            assert_eq!(kept, ["bins-2.json is no longer listed"], "{fresh:?}");
        }
        // Versions go on in any case.
        new.set(
            &role("bins"),
            MetaFile::version_only(Version::new(3).unwrap()),
        );
        let mut back = new.clone();
        back.set(&role("bins"), MetaFile::version_only(Version::FIRST));
        let old = new;
        let root = root();
        let case = Case {
            role: &metadata::Role::Snapshot,
            canonical: &back.to_canonical(),
            subject: back.subject(Some(&old)),
            now: now(),
            policy: &policy,
            root: Some(&root),
            layout: layout(),
            former: Some(&FormerKeys::default()),
        };
        assert_eq!(check(&case), ["bins.json goes back from v3 to v1"]);
    }
}
