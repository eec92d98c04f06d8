//! `requirements.txt` with `--hash`: pip's format, of which only what pins and promises counts.

use crate::{LockError, LockedFile, LockedPackage, Source, excerpt, project, sha256_of};

pub(crate) fn read(text: &str) -> Result<Vec<LockedPackage>, LockError> {
    let mut packages = Vec::new();
    for (line, text) in logical_lines(text) {
        let refused = |why| LockError::Line { line, why };
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        match text.split_whitespace().next() {
            Some("-e" | "--editable") => {
                return Err(refused("an editable project is not locked to any bytes"));
            }
            Some(option) if is_include(option) => {
                return Err(refused("names another file: check that one too, by itself"));
            }
            // Where the installer looks is no promise about bytes.
            Some(option) if option.starts_with('-') => {}
            _ => packages.push(requirement(text, refused)?),
        }
    }
    Ok(packages)
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

fn requirement(
    text: &str,
    refused: impl Fn(&'static str) -> LockError,
) -> Result<LockedPackage, LockError> {
    let (specifier, options) = match text.find("--hash") {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let files = hashes(options, &refused)?;
    // Extras and markers say when, not what.
    let specifier = specifier.split(';').next().unwrap_or("").trim();
    let end = specifier.find(|it: char| !(it.is_ascii_alphanumeric() || "._-".contains(it)));
    let (name, rest) = specifier.split_at(end.unwrap_or(specifier.len()));
    let rest = match rest.trim_start().strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let rest = rest.trim();
    let (version, source) = if let Some(url) = rest.strip_prefix('@') {
        (None, Source::Elsewhere(excerpt(url.trim())))
    } else {
        let version = rest.trim_start_matches('=').trim();
        let is_pinned = rest.starts_with("==") && !version.is_empty();
        if !is_pinned || version.contains(['*', ',', ' ', '<', '>', '=', '!', '~']) {
            return Err(refused("is not pinned with `==` to one version"));
        }
        (Some(version.to_owned()), Source::Index)
    };
    Ok(LockedPackage {
        name: project(name)?,
        version,
        source,
        files,
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
