//! Which files of a page a requirement means.

use crate::{PageFile, SimplePage, Specifiers, Version440, Yanked};

/// The files that a requirement means: all of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The version.
    pub version: &'a Version440,
    /// Its files, at least one, in the order of the page.
    pub files: Vec<&'a PageFile>,
}

/// The newest version of a page that `wanted` takes, with all of its files that `keep` lets through.
///
/// - A yanked file counts only where `wanted` pins its version, and no other file of it fits
///   (PEP 592).
/// - A pre-release counts only where `wanted` names one, `prereleases` says so, or nothing else fits
///   (PEP 440 "Handling of pre-releases").
#[must_use]
pub fn choose<'a>(
    page: &'a SimplePage,
    wanted: &Specifiers,
    prereleases: bool,
    keep: impl Fn(&PageFile) -> bool,
) -> Option<Choice<'a>> {
    let fits = |file: &&PageFile| wanted.contains(file.filename.version()) && keep(file);
    let (plain, yanked): (Vec<_>, Vec<_>) = page
        .files()
        .iter()
        .filter(fits)
        .partition(|file| file.yanked == Yanked::No);
    let counted = match wanted.pinned() {
        Some(_) if plain.is_empty() => yanked,
        _ => plain,
    };
    let is_final = |file: &&&PageFile| !file.filename.version().is_prerelease();
    let any = prereleases || wanted.names_prerelease();
    let newest = |files: &mut dyn Iterator<Item = &&'a PageFile>| {
        files.map(|file| file.filename.version()).max()
    };
    let version = match newest(&mut counted.iter().filter(|file| any || is_final(file))) {
        Some(version) => version,
        None => newest(&mut counted.iter())?,
    };
    let files = counted.into_iter();
    let files = files.filter(|file| file.filename.version() == version);
    Some(Choice {
        version,
        files: files.collect(),
    })
}

#[cfg(test)]
mod tests {
    use metadata::Sha256;

    use super::*;
    use crate::{DistributionFilename, DistributionKind, ProjectName, Status};

    /// A page of `a`; a name that begins with `!` is yanked.
    fn page(names: &[&str]) -> SimplePage {
        let file = |name: &&str| PageFile {
            filename: DistributionFilename::parse(name.trim_start_matches('!')).unwrap(),
            sha256: Sha256::of(name.as_bytes()),
            size: 1,
            requires_python: None,
            upload_time: None,
            yanked: if name.starts_with('!') {
                Yanked::Yes
            } else {
                Yanked::No
            },
            core_metadata: None,
        };
        let project = ProjectName::parse("a").unwrap();
        SimplePage::new(project, names.iter().map(file).collect(), Status::default()).unwrap()
    }

    fn chosen(names: &[&str], wanted: &str) -> Vec<String> {
        let (page, wanted) = (page(names), Specifiers::parse(wanted).unwrap());
        let choice = choose(&page, &wanted, false, |_| true);
        let files = choice.map(|choice| choice.files).unwrap_or_default();
        files.iter().map(|file| file.filename.to_string()).collect()
    }

    const NAMES: [&str; 6] = [
        "a-1.0.tar.gz",
        "a-1.10.tar.gz",
        "a-1.10-py3-none-any.whl",
        "a-1.9.tar.gz",
        "!a-1.11.tar.gz",
        "a-2.0a1.tar.gz",
    ];

    #[test]
    fn the_newest_version_with_all_its_files() {
        let newest = ["a-1.10-py3-none-any.whl", "a-1.10.tar.gz"];
        assert_eq!(chosen(&NAMES, ""), newest);
        assert_eq!(chosen(&NAMES, ">=1.10"), newest);
        assert_eq!(chosen(&NAMES, "<1.10"), ["a-1.9.tar.gz"]);
        assert_eq!(chosen(&NAMES, ">9"), [""; 0]);
    }

    #[test]
    fn pre_releases_have_to_be_asked_for() {
        assert_eq!(chosen(&NAMES, ">=2.0a0"), ["a-2.0a1.tar.gz"]);
        assert_eq!(chosen(&NAMES, ">=1.11"), ["a-2.0a1.tar.gz"]);
        let page = page(&NAMES);
        let choice = choose(&page, &Specifiers::default(), true, |_| true);
        assert_eq!(choice.unwrap().version.as_str(), "2.0a1");
    }

    #[test]
    fn a_yanked_file_has_to_be_pinned() {
        assert_eq!(chosen(&NAMES, "==1.11"), ["a-1.11.tar.gz"]);
        assert_eq!(chosen(&NAMES, "==1.11.*"), [""; 0]);
        let half = ["!a-1-py3-none-any.whl", "a-1.tar.gz"];
        assert_eq!(chosen(&half, "==1"), ["a-1.tar.gz"]);
    }

    #[test]
    fn what_is_left_out_does_not_decide() {
        let page = page(&["a-1-py3-none-any.whl", "a-2.tar.gz"]);
        let wheel = |file: &PageFile| file.filename.kind() == DistributionKind::Wheel;
        let choice = choose(&page, &Specifiers::default(), false, wheel);
        assert_eq!(choice.unwrap().version.as_str(), "1");
    }
}
