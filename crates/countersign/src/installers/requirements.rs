//! Options that stand in requirements files: pip and uv take them as if they were on the command line.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::arguments::{Does, Refused};

/// Largest file that is looked into, in bytes; nobody writes larger ones.
const MOST_BYTES: u64 = 16_000_000;

/// Options of these files that are ways past the proxy.
const LEAKS: [(&str, Does); 6] = [
    ("--index-url", Does::Index),
    ("-i", Does::Index),
    ("--extra-index-url", Does::Index),
    ("--find-links", Does::Files),
    ("-f", Does::Files),
    ("--no-index", Does::Index),
];

/// The file that an argument names, or its value does.
pub(super) fn named<'a>(argument: &'a str, next: Option<&'a str>) -> Option<&'a str> {
    const NAMES: [&str; 7] = [
        "-r",
        "--requirement",
        "--requirements",
        "-c",
        "--constraint",
        "--constraints",
        "--build-constraint",
    ];
    if NAMES.contains(&argument) {
        return next;
    }
    if let Some((name, value)) = argument.split_once('=') {
        return NAMES.contains(&name).then_some(value);
    }
    let short = argument
        .strip_prefix("-r")
        .or_else(|| argument.strip_prefix("-c"))?;
    (!argument.starts_with("--") && !short.is_empty()).then_some(short)
}

/// Variables that name such files, separated by white space.
const VARIABLES: [&str; 7] = [
    "PIP_BUILD_CONSTRAINT",
    "PIP_CONSTRAINT",
    "PIP_REQUIREMENT",
    "UV_BUILD_CONSTRAINT",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_REQUIREMENTS_FILE",
];

/// Refuses the files that variables name, as [`check`].
pub(crate) fn check_named(variable: impl Fn(&str) -> Option<OsString>) -> Result<(), Refused> {
    for files in VARIABLES.iter().filter_map(|name| variable(name)) {
        let files = files.to_string_lossy();
        files
            .split_whitespace()
            .try_for_each(|file| check(Path::new(file)))?;
    }
    Ok(())
}

/// Refuses a file with a way past the proxy, and the files it names.
pub(super) fn check(path: &Path) -> Result<(), Refused> {
    let mut seen = BTreeSet::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        // What cannot be read here the installer cannot read either, or it is a URL, which it asks
        // the proxy for.
        let is_small = fs::metadata(&path).is_ok_and(|it| it.is_file() && it.len() <= MOST_BYTES);
        if let Ok(bytes) = if is_small {
            fs::read(&path)
        } else {
            Ok(Vec::new())
        } {
            look(&path, &String::from_utf8_lossy(&bytes), &mut open)?;
        }
    }
    Ok(())
}

fn look(path: &Path, text: &str, open: &mut Vec<PathBuf>) -> Result<(), Refused> {
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let words: Vec<&str> = line
            .split(|it: char| it.is_whitespace() || it == '=')
            .filter(|word| !word.is_empty())
            .collect();
        let Some(first) = words.first().filter(|word| word.starts_with('-')) else {
            continue;
        };
        let is = |leak: &str| {
            let glued = leak.len() == 2 && first.starts_with(leak);
            *first == leak || glued
        };
        if let Some((_, does)) = LEAKS.iter().find(|(leak, _)| is(leak)) {
            return Err(Refused::Line {
                path: path.to_owned(),
                line: at + 1,
                option: (*first).to_owned(),
                does: *does,
            });
        }
        if let Some(file) = named(first, words.get(1).copied()) {
            let folder = path.parent().unwrap_or(Path::new(""));
            open.push(folder.join(file));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_in_files_are_found_wherever_they_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| fs::write(at(name), text).expect("written");
        write(
            "good.txt",
            "x==1 --hash=sha256:00\n# -i x\n--pre\n-r more.txt\n-r good.txt\n",
        );
        write("more.txt", "-e ./local\ny -i\n");
        check(&at("good.txt")).expect("nothing wrong with it");
        check(&at("missing.txt")).expect("for the installer to say");
        for leak in [
            "--index-url http://index.example",
            "  --extra-index-url=http://index.example",
            "-ihttp://index.example",
            "-f wheels",
            "--find-links wheels",
        ] {
            write("more.txt", &format!("y\n{leak}\n"));
            let refused = check(&at("good.txt")).expect_err(leak);
            let Refused::Line { path, line, .. } = &refused else {
                panic!("{refused}");
            };
            assert_eq!((path, *line), (&at("more.txt"), 2));
        }
        let both = |name: &str| {
            let files = format!("missing.txt {}", at("good.txt").display());
            (name == "PIP_CONSTRAINT").then(|| files.into())
        };
        assert!(check_named(both).is_err());
        check_named(|_| None).expect("nothing is named");
        assert_eq!(named("-r", Some("a")), Some("a"));
        assert_eq!(named("-ra", None), Some("a"));
        assert_eq!(named("--requirement=a", None), Some("a"));
        assert_eq!(named("--requires", Some("a")), None);
    }
}
