//! Targets are listed with SHA-256 and no other hash.

use metadata::Hashes;

use super::{Case, Rule, Subject};

pub(super) const RULE: Rule = Rule {
    name: "one-hash",
    clause: "TUF 4.5 HASHES, 6.2.1",
    check,
};

/// Every further algorithm would ask for a further copy of each file (reference F36).
fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Targets { new, .. } = case.subject else {
        return Vec::new();
    };
    new.targets()
        .iter()
        .filter(|(_, file)| !is_sha256_alone(&file.hashes))
        .map(|(path, _)| format!("{path} is not listed with SHA-256 alone"))
        .collect()
}

/// Whether SHA-256 is the only hash.
pub(super) fn is_sha256_alone(hashes: &Hashes) -> bool {
    hashes
        .get_sha256()
        .is_some_and(|digest| *hashes == Hashes::sha256(digest))
}

#[cfg(test)]
mod tests {
    use metadata::{Document, Targets};

    use super::*;
    use crate::lints::samples::{bin_listing, of_bin};

    #[test]
    fn accepts_sha256_and_refuses_more_or_others() {
        let good = bin_listing("a");
        assert_eq!(of_bin(&RULE, "bins-0", &good), [""; 0]);
        let text = String::from_utf8(good.to_canonical()).unwrap();
        let sha512 = "ab".repeat(64);
        for (from, to) in [
            (
                "\"sha256\":",
                format!("\"sha512\":\"{sha512}\",\"sha256\":"),
            ),
            ("\"sha256\":", "\"blake2b-256\":".to_owned()),
        ] {
            let changed = text.replace(from, &to);
            let one = Targets::parse(changed.as_bytes()).unwrap();
            assert_eq!(of_bin(&RULE, "bins-0", &one).len(), 1, "{to}");
        }
    }
}
