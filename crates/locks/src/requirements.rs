//! `requirements.txt` with `--hash`: pip's format, of which only what pins and promises counts.

use crate::{
    LockError, LockedFile, LockedPackage, Requirement, Source, check_size, excerpt, sha256_of,
};

/// A requirements file, read: what it asks for, and the options that stand in lines of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Every requirement with the number of its line, in the file's order.
    pub requirements: Vec<(usize, Requirement)>,
    /// Every other line, an option of pip's: its number and its first word, without a value.
    pub options: Vec<(usize, String)>,
}

impl Requirements {
    /// Reads a requirements file. Lines that name other files or editable projects are refused.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        check_size(text)?;
        let (mut requirements, mut options) = (Vec::new(), Vec::new());
        for (line, text) in logical_lines(text) {
            let refused = |why| LockError::Line { line, why };
            let text = text.trim();
            match text.split_whitespace().next() {
                None => {}
                Some("-e" | "--editable") => {
                    return Err(refused("an editable project is not locked to any bytes"));
                }
                Some(option) if is_include(option) => {
                    return Err(refused("names another file: name that one too, by itself"));
                }
                Some(option) if option.starts_with('-') => {
                    let name = option.split('=').next().unwrap_or(option);
                    options.push((line, excerpt(name)));
                }
                Some(_) => requirements.push((line, requirement(text, refused)?)),
            }
        }
        Ok(Self {
            requirements,
            options,
        })
    }
}

/// As a lock file: every requirement pins one version. Options are read past: where the installer
/// looks is no promise about bytes.
pub(crate) fn read(text: &str) -> Result<Vec<LockedPackage>, LockError> {
    let read = Requirements::parse(text)?;
    let packages = read.requirements.into_iter();
    let packages = packages.map(|(line, requirement)| locked(line, requirement));
    packages.collect()
}

fn locked(line: usize, requirement: Requirement) -> Result<LockedPackage, LockError> {
    let (version, source) = if let Some(url) = requirement.url {
        (None, Source::Elsewhere(url))
    } else {
        let pinned = requirement.specifiers.pinned();
        let pinned = pinned.filter(|_| requirement.specifiers.len() == 1);
        let why = "is not pinned with `==` to one version";
        let pinned = pinned.ok_or(LockError::Line { line, why })?;
        (Some(pinned.to_owned()), Source::Index)
    };
    Ok(LockedPackage {
        name: requirement.project,
        version,
        source,
        files: requirement.hashes,
    })
}

fn is_include(option: &str) -> bool {
    let short = ["-r", "-c"].iter().any(|short| option.starts_with(short));
    let name = option.split('=').next();
    short || matches!(name, Some("--requirement" | "--constraint"))
}

/// Lines joined at a backslash, without comments, with the number of their first.
fn logical_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || {
        let (number, first) = lines.next()?;
        let mut whole = String::new();
        let mut next = Some(first);
        while let Some(line) = next {
            // A comment ends a line even where a backslash follows.
            let plain = without_comment(line);
            let is_open = plain.len() == line.len() && line.ends_with('\\');
            whole.push_str(plain.trim_end_matches('\\'));
            whole.push(' ');
            next = is_open.then(|| lines.next()).flatten().map(|(_, it)| it);
        }
        Some((number + 1, whole))
    })
}

/// pip: a `#` at the start of a line, or after white space.
fn without_comment(line: &str) -> &str {
    let at = line.char_indices().find(|(at, it)| {
        let before = line[..*at].chars().next_back();
        *it == '#' && before.is_none_or(char::is_whitespace)
    });
    at.map_or(line, |(at, _)| &line[..at])
}

/// A requirement and the digests behind it.
fn requirement(
    text: &str,
    refused: impl Fn(&'static str) -> LockError,
) -> Result<Requirement, LockError> {
    let dashes = text.match_indices("--").map(|(at, _)| at);
    let mut options = dashes.filter(|at| text[..*at].ends_with(char::is_whitespace));
    let (requirement, options) = text.split_at(options.next().unwrap_or(text.len()));
    Ok(Requirement {
        hashes: hashes(options, &refused)?,
        ..Requirement::parse(requirement)?
    })
}

/// `--hash=ALGORITHM:HEX` or `--hash ALGORITHM:HEX`, any number of times.
fn hashes(
    options: &str,
    refused: impl Fn(&'static str) -> LockError,
) -> Result<Vec<LockedFile>, LockError> {
    let mut files = Vec::new();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let hash = match word.strip_prefix("--hash") {
            Some("") => words.next(),
            Some(given) => given.strip_prefix('='),
            None => None,
        };
        let hash = hash.ok_or_else(|| refused("has an option that is no `--hash=sha256:…`"))?;
        files.push(LockedFile {
            filename: None,
            sha256: sha256_of(hash)?,
        });
    }
    Ok(files)
}
