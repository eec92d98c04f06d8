//! Which URL of the index an installer is told: the proxy's, or the index's own, which lock files keep.

use std::path::Path;

use proxy::Canonical;

/// What a run asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// The index's own where a lock file of the project has it, or where uv writes the first one; else
    /// the proxy's.
    Auto,
    /// The proxy's own address.
    Index,
    /// The index's own; the proxy answers for it.
    Forward,
}

/// Lock files that name an index.
const LOCKS: [&str; 3] = ["uv.lock", "poetry.lock", "pylock.toml"];

/// Largest lock file that is looked into; the largest known ones have a few MB.
const MOST_BYTES: u64 = locks::MAX_LOCK as u64;

impl Mode {
    /// Whether a command started in `folder` is told the index's own URL; `is_uv` where it is uv, which
    /// locks a project as it goes.
    pub(super) fn is_forward(
        self,
        folder: &Path,
        canonical: Option<&Canonical>,
        is_uv: bool,
    ) -> bool {
        match (self, canonical) {
            (Self::Index, _) | (_, None) => false,
            (Self::Forward, Some(_)) => true,
            (Self::Auto, Some(canonical)) => {
                is_in_a_lock(folder, canonical) || (is_uv && is_not_locked_yet(folder))
            }
        }
    }
}

/// Whether the nearest project has no lock of uv's yet: the one that is written first had better hold on
/// any machine.
fn is_not_locked_yet(folder: &Path) -> bool {
    let project = folder
        .ancestors()
        .find(|folder| folder.join("pyproject.toml").is_file());
    project.is_some() && !folder.ancestors().any(|it| it.join("uv.lock").is_file())
}

/// Whether the nearest lock file of each kind names the index's own URL.
fn is_in_a_lock(folder: &Path, canonical: &Canonical) -> bool {
    let url = canonical.index().as_str().trim_end_matches('/');
    LOCKS.iter().any(|name| {
        let found = folder.ancestors().map(|folder| folder.join(name));
        let nearest = found.into_iter().find(|path| path.is_file());
        nearest
            .filter(|path| path.metadata().is_ok_and(|it| it.len() <= MOST_BYTES))
            .and_then(|path| std::fs::read_to_string(path).ok())
            .is_some_and(|text| names(&text, url))
    })
}

/// Whether a text has the URL, and not merely the beginning of a longer one.
fn names(text: &str, url: &str) -> bool {
    text.match_indices(url).any(|(at, _)| {
        let after = text[at + url.len()..].chars().next();
        !after.is_some_and(|it| it.is_ascii_alphanumeric() || "-_.:".contains(it))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_with_the_indexs_own_url_decides() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).expect("made");
        let url = "https://index.example/simple/".parse().expect("a URL");
        let canonical = Canonical::new(url, None).expect("a base");
        let is = |mode: Mode| mode.is_forward(&below, Some(&canonical), false);
        assert!(!is(Mode::Auto) && !is(Mode::Index) && is(Mode::Forward));
        assert!(!Mode::Forward.is_forward(&below, None, true));
        let of_uv = || Mode::Auto.is_forward(&below, Some(&canonical), true);
        assert!(!of_uv());
        std::fs::write(folder.path().join("pyproject.toml"), "").expect("written");
        assert!(of_uv() && !is(Mode::Auto));
        for (source, is_own) in [
            ("http://127.0.0.1:8440/simple/", false),
            ("https://index.example/simple-other", false),
            ("https://index.example/simple", true),
            ("https://index.example/simple/", true),
        ] {
            let lock = format!("source = {{ registry = \"{source}\" }}\n");
            std::fs::write(folder.path().join("uv.lock"), lock).expect("written");
            assert_eq!((is(Mode::Auto), of_uv()), (is_own, is_own), "{source}");
            assert!(!is(Mode::Index), "{source}");
        }
    }
}
