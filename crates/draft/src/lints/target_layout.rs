//! Every target path is one of an index and stands in the role that answers for it.

use index::{BinIndex, IndexPath, PolicySource};
use metadata::{Role, TargetFile, TargetPath, Targets};

use super::{Case, Rule, Subject, listed};
use crate::BINS_PREFIX;

pub(super) const RULE: Rule = Rule {
    name: "target-layout",
    clause: "TUF 4.5 TARGETPATH, PEP 458 \"Metadata Scalability\"",
    check,
};

/// The first segments of the paths that `targets` delegates.
const DELEGATED: [&str; 3] = ["simple/", "packages/", "publishers/"];

fn check(case: &Case<'_>) -> Vec<String> {
    let Subject::Targets { new, previous } = case.subject else {
        return Vec::new();
    };
    let limit = case.policy.repository.target_path_bytes as usize;
    let mut broken: Vec<String> = new
        .targets()
        .iter()
        .filter(|(path, _)| path.as_str().len() > limit)
        .map(|(path, _)| format!("target path {path} is longer than {limit} bytes"))
        .collect();
    match case.role {
        Role::Targets => broken.extend(
            new.targets()
                .iter()
                .filter(|(path, _)| DELEGATED.iter().any(|top| path.as_str().starts_with(top)))
                .map(|(path, _)| format!("targets itself lists {path}, which it delegates")),
        ),
        Role::Delegated(name) if name.as_str() == BINS_PREFIX && !new.targets().is_empty() => {
            broken.push("bins itself lists targets".to_owned());
        }
        Role::Delegated(name) if listed::is_bin(name.as_str()) => match own_bin(case) {
            Some(own) => {
                broken.extend(added(new, previous).filter_map(|(path, _)| bin_flaw(own, path)));
            }
            None => broken.push(format!(
                "`{name}` is none of the {} bins",
                case.layout.count
            )),
        },
        _ => {}
    }
    broken
}

/// The targets whose path the published version does not list: those it does were checked when
/// they came. Both lists ascend, so one walk over them is enough.
fn added<'a>(
    new: &'a Targets,
    previous: Option<&'a Targets>,
) -> impl Iterator<Item = &'a (TargetPath, TargetFile)> {
    let mut old = previous.map(Targets::targets).unwrap_or_default();
    new.targets().iter().filter(move |(path, _)| {
        while old.first().is_some_and(|(known, _)| known < path) {
            old = &old[1..];
        }
        old.first().is_none_or(|(known, _)| known != path)
    })
}

/// The bin whose role is drafted.
fn own_bin(case: &Case<'_>) -> Option<BinIndex> {
    let (_, number) = case.role.name().rsplit_once('-')?;
    let bin = u16::from_str_radix(number, 16).ok()?;
    let bin = case.layout.count.bin(bin)?;
    let name = case.layout.role_name(bin).ok()?;
    (name.as_str() == case.role.name()).then_some(bin)
}

fn bin_flaw(own: BinIndex, path: &TargetPath) -> Option<String> {
    match IndexPath::parse(path) {
        Err(error) => return Some(error.to_string()),
        Ok(IndexPath::PublisherPolicy(PolicySource::Claimed, _)) => {
            return Some(format!("{path} belongs to no bin"));
        }
        Ok(_) => {}
    }
    let bin = own.count().bin_of(&path.hash());
    (bin != own).then(|| format!("{path} belongs to bin {:x}, not {:x}", bin.get(), own.get()))
}

#[cfg(test)]
mod tests {
    use metadata::Sha256;

    use super::*;
    use crate::lints::samples::{
        bin_listing, bins, found, layout, of_bin, of_bins, of_top, role, top,
    };

    const PAGE: &str = "simple/ec/requests/vnd.pypi.simple.v1.json";

    fn owner(path: &str) -> String {
        let hash = Sha256::of(path.as_bytes());
        layout()
            .role_name(layout().count.bin_of(&hash))
            .unwrap()
            .to_string()
    }

    #[test]
    fn accepts_paths_in_their_own_bin() {
        for path in [
            PAGE,
            "packages/ec/requests/requests-2.32.3.tar.gz",
            "publishers/recent/ec/requests.json",
        ] {
            assert_eq!(of_bin(&RULE, &owner(path), &bin_listing(path)), [""; 0]);
        }
        assert_eq!(of_bins(&RULE, &bins()), [""; 0]);
        let anchor = top().with_targets(bin_listing("trusted_root.json").targets().to_vec());
        assert_eq!(of_top(&RULE, &anchor), [""; 0]);
    }

    #[test]
    fn refuses_paths_in_another_bin_of_no_index_or_of_another_role() {
        let other = if owner(PAGE) == "bins-0" {
            "bins-1"
        } else {
            "bins-0"
        };
        assert_eq!(of_bin(&RULE, other, &bin_listing(PAGE)).len(), 1);
        for path in [
            "simple/ed/requests/vnd.pypi.simple.v1.json",
            "trusted_root.json",
            "publishers/claimed/ec/requests.json",
        ] {
            let found = of_bin(&RULE, &owner(path), &bin_listing(path));
            assert_eq!(found.len(), 1, "{path}");
        }
        let in_top = top().with_targets(bin_listing(PAGE).targets().to_vec());
        assert_eq!(of_top(&RULE, &in_top).len(), 1);
        let in_bins = bins().with_targets(bin_listing(PAGE).targets().to_vec());
        assert_eq!(of_bins(&RULE, &in_bins).len(), 1);
        let long = format!("trusted/{}", "a".repeat(600));
        assert_eq!(
            of_top(
                &RULE,
                &top().with_targets(bin_listing(&long).targets().to_vec())
            )
            .len(),
            1
        );
    }

    #[test]
    fn refuses_bins_that_this_index_does_not_have() {
        let empty = bin_listing(PAGE).with_targets([]);
        assert_eq!(of_bin(&RULE, "bins-f", &empty), [""; 0]);
        for name in ["bins-10", "bins-00", "bins-fffff"] {
            assert_eq!(of_bin(&RULE, name, &empty).len(), 1, "{name}");
        }
    }

    #[test]
    fn what_was_published_before_is_not_asked_again_and_the_rest_is() {
        let previous = bin_listing("simple/b");
        let files =
            ["simple/a", "simple/b", "simple/c"].map(|path| bin_listing(path).targets()[0].clone());
        let new = bin_listing("simple/b").with_targets(files);
        let found = found(&RULE, &role("bins-0"), &new, Some(&previous));
        assert_eq!(found.len(), 2);
    }
}
