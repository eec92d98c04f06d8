//! Path patterns use only what every client reads alike.

use metadata::PathSet;

use super::{Case, Rule, listed};

pub(super) const RULE: Rule = Rule {
    name: "path-patterns",
    clause: "TUF 4.5 PATHPATTERN",
    check,
};

/// Segments of every target path, so that it does not matter whether `*` crosses `/`.
const DEPTH: usize = 4;

fn check(case: &Case<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for role in listed::delegated(case) {
        let PathSet::Patterns(patterns) = &role.paths else {
            continue;
        };
        if patterns.is_empty() {
            broken.push(format!("`{}` has no path", role.name));
        }
        for pattern in patterns {
            let segments: Vec<&str> = pattern.as_str().split('/').collect();
            if segments.len() != DEPTH {
                broken.push(format!("pattern {pattern} has not {DEPTH} segments"));
            } else if !segments.iter().all(|segment| is_portable(segment)) {
                broken.push(format!(
                    "pattern {pattern} has a segment that clients read differently"
                ));
            }
        }
    }
    broken
}

/// A literal, a lone `*`, or `*.suffix` (reference A.5: what `fnmatch`, `filepath.Match`,
/// `minimatch`, `glob` and `globset` agree on).
fn is_portable(segment: &str) -> bool {
    let literal = match segment {
        "*" => return true,
        _ => segment.strip_prefix("*.").unwrap_or(segment),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'+' | b'-');
    !literal.is_empty() && !literal.starts_with('.') && literal.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use metadata::{DelegatedRoles, PathPattern};

    use super::*;
    use crate::lints::samples::{bins, of_bins, of_top, top};

    fn with(pattern: &str) -> Vec<String> {
        let mut one = top();
        if let Some(DelegatedRoles::Listed(roles)) =
            one.delegations.as_mut().map(|list| &mut list.roles)
        {
            roles[0].paths = PathSet::Patterns(vec![PathPattern::parse(pattern).unwrap()]);
        }
        of_top(&RULE, &one)
    }

    #[test]
    fn accepts_literals_stars_and_suffixes() {
        assert_eq!(of_top(&RULE, &top()), [""; 0]);
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
        for good in [
            "packages/ec/requests/*",
            "packages/ec/a/*.whl",
            "a/*/*/*.whl.metadata",
        ] {
            assert_eq!(with(good), [""; 0], "{good}");
        }
    }

    #[test]
    fn refuses_what_clients_read_differently() {
        for bad in [
            "packages/*",
            "a/b/c/d/e",
            "a/b/c/**",
            "a/b/c/x?",
            "a/b/c/x*",
            "a/b/c/!x",
            "a/b/c/*.",
            "a/b/c/.x",
            "a//b/c",
            "/a/b/c",
            "a/b/c/*.a*",
            "a/b/c/#x",
        ] {
            assert_eq!(with(bad).len(), 1, "{bad}");
        }
    }
}
