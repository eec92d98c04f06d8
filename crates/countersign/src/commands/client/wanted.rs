//! What `countersign client download` is asked for: requirements, and which of a version's files.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::FalseyValueParser;
use client::Session;
use index::{DistributionFilename, DistributionKind, PageFile, choose};
use locks::{LockError, LockedFile, Requirement, Requirements};
use metadata::TargetPath;

use super::download::{Found, of_page, page};
use crate::failure::Failure;

/// Which files of a version are wanted.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ChoiceArgs {
    /// Take only files of this kind
    #[arg(long, value_name = "KIND", env = "COUNTERSIGN_ONLY")]
    only: Option<Kind>,

    /// Take only wheels for this platform tag, such as `win_amd64`, and those for any
    #[arg(
        long,
        value_name = "TAG",
        value_delimiter = ',',
        env = "COUNTERSIGN_PLATFORM"
    )]
    platform: Vec<String>,

    /// Take pre-releases, too
    #[arg(long, env = "COUNTERSIGN_PRE", value_parser = FalseyValueParser::new())]
    pre: bool,
}

/// A kind of distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Built distributions.
    Wheel,
    /// Source distributions.
    Sdist,
}

impl ChoiceArgs {
    /// Whether a file is wanted, by its name.
    fn takes(&self, filename: &DistributionFilename) -> bool {
        let is_wheel = filename.kind() == DistributionKind::Wheel;
        let right_kind = match self.only {
            Some(Kind::Wheel) => is_wheel,
            Some(Kind::Sdist) => !is_wheel,
            None => true,
        };
        let right_platform = || match filename.wheel_tags() {
            Some([_, _, platforms]) => platforms
                .split('.')
                .any(|tag| tag == "any" || self.platform.iter().any(|wanted| wanted == tag)),
            None => self.only == Some(Kind::Sdist),
        };
        right_kind && (self.platform.is_empty() || right_platform())
    }
}

/// One thing asked for.
pub(super) enum Wanted {
    /// A file, through its project's page.
    File(DistributionFilename),
    /// A target, by its path.
    Path(TargetPath),
    /// A target if there is one of this name, otherwise a project.
    Word(TargetPath, Requirement),
    /// Files of a project.
    Requirement(Requirement),
}

impl Wanted {
    /// Understands one argument: a name ending like a distribution's is one; with a slash it is a
    /// path; all else is a requirement, or a target of a repository that is no index.
    pub(super) fn parse(word: &str) -> Result<Self, Failure> {
        if let Ok(filename) = DistributionFilename::parse(word) {
            return Ok(Self::File(filename));
        }
        if word.contains('/') && !word.contains('@') {
            return Ok(Self::Path(TargetPath::parse(word)?));
        }
        let is_path = !word.contains(['<', '>', '=', '~', '!', '[', '@', ';']);
        let requirement = Requirement::parse(word).map_err(|source| Failure::NotARequirement {
            found: word.to_owned(),
            source,
        });
        match (TargetPath::parse(word), requirement) {
            (Ok(path), Ok(requirement)) if requirement.project.as_str().len() == word.len() => {
                Ok(Self::Word(path, requirement))
            }
            (Ok(path), Err(_)) if is_path => Ok(Self::Path(path)),
            (_, requirement) => requirement.map(Self::Requirement),
        }
    }
}

/// Options of requirements files that say where to look and how to show it. This program looks at
/// one repository, whatever they say; all others might change what is wanted.
const READ_PAST: [&str; 12] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--no-index",
    "-f",
    "--find-links",
    "--trusted-host",
    "--require-hashes",
    "--prefer-binary",
    "--use-feature",
    "--use-pep517",
    "--no-build-isolation",
];

/// Reads files of requirements. As with pip, one digest means that each requirement has one.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Wanted>, Failure> {
    let mut wanted = Vec::new();
    for path in paths {
        let refused = |source| Failure::NotALock {
            path: path.clone(),
            source: Some(source),
        };
        let read = Requirements::parse(&text(path)?).map_err(refused)?;
        check(&read).map_err(refused)?;
        let requirements = read.requirements.into_iter();
        wanted.extend(requirements.map(|(_, requirement)| Wanted::Requirement(requirement)));
    }
    Ok(wanted)
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| Failure::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

fn check(read: &Requirements) -> Result<(), LockError> {
    let refused = |line, why| Err(LockError::Line { line, why });
    let unknown = (read.options.iter()).find(|(_, option)| !READ_PAST.contains(&option.as_str()));
    if let Some((line, _)) = unknown {
        return refused(*line, "has an option that may change what is wanted");
    }
    let asks = |option: &(usize, String)| option.1 == "--require-hashes";
    let mut hashed = read
        .requirements
        .iter()
        .map(|(_, it)| !it.hashes.is_empty());
    if read.options.iter().any(asks) || hashed.any(|it| it) {
        let bare = (read.requirements.iter()).find(|(_, it)| it.hashes.is_empty());
        if let Some((line, _)) = bare {
            return refused(*line, "has no `--hash`, though others have");
        }
    }
    for (line, requirement) in &read.requirements {
        let unusable = |file: &LockedFile| file.sha256.is_none();
        if !requirement.hashes.is_empty() && requirement.hashes.iter().all(unusable) {
            return refused(*line, "has no SHA-256, which is what is signed");
        }
    }
    Ok(())
}

/// The files that a requirement means, by word of the project's page.
pub(super) async fn files(
    session: &Session,
    requirement: &Requirement,
    choice: &ChoiceArgs,
) -> Result<Vec<Found>, Failure> {
    let project = requirement.project.clone();
    if let Some(place) = &requirement.url {
        let place = place.clone();
        return Err(Failure::NotFromIndex { project, place });
    }
    let page = page(session, &project, project.as_str()).await?;
    let promised = |file: &PageFile| {
        let same = |it: &LockedFile| it.sha256 == Some(file.sha256);
        requirement.hashes.is_empty() || requirement.hashes.iter().any(same)
    };
    let specifiers = &requirement.specifiers;
    let takes = |file: &PageFile| choice.takes(&file.filename);
    let keep = |file: &PageFile| takes(file) && promised(file);
    let Some(chosen) = choose(page.page(), specifiers, choice.pre, keep) else {
        let only_digests = choose(page.page(), specifiers, choice.pre, takes).is_some();
        return Err(Failure::NothingFits {
            project,
            specifiers: if specifiers.is_empty() {
                String::new()
            } else {
                format!(" {specifiers}")
            },
            only_digests,
        });
    };
    let mut found = Vec::new();
    for file in chosen.files {
        found.push(of_page(session, &page, file).await?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_apart() {
        let kind = |word: &str| match Wanted::parse(word) {
            Ok(Wanted::File(_)) => "file",
            Ok(Wanted::Path(_)) => "path",
            Ok(Wanted::Word(..)) => "word",
            Ok(Wanted::Requirement(_)) => "requirement",
            Err(_) => "refused",
        };
        for (word, expected) in [
            ("six-1.17.0.tar.gz", "file"),
            ("packages/ec/a/a-1.tar.gz", "path"),
            ("six", "word"),
            ("file1.txt", "word"),
            ("six==1.17", "requirement"),
            ("six [x] >= 1", "requirement"),
            ("six @ https://code.example/x", "requirement"),
            ("_six", "path"),
            ("six>=x", "refused"),
            ("a/../b", "refused"),
            ("", "refused"),
        ] {
            assert_eq!(kind(word), expected, "{word}");
        }
    }

    #[test]
    fn files_are_left_out_by_their_names() {
        let takes = |only, platform: &[&str], name| {
            let choice = ChoiceArgs {
                only,
                platform: platform.iter().map(ToString::to_string).collect(),
                pre: false,
            };
            choice.takes(&DistributionFilename::parse(name).unwrap())
        };
        let (any, linux) = (
            "a-1-py3-none-any.whl",
            "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        );
        for (only, platform, name, expected) in [
            (None, "", linux, true),
            (Some(Kind::Sdist), "", linux, false),
            (Some(Kind::Wheel), "", "a-1.tar.gz", false),
            (None, "win32", any, true),
            (None, "win32", linux, false),
            (None, "manylinux2014_x86_64", linux, true),
            (None, "win32", "a-1.tar.gz", false),
            (Some(Kind::Sdist), "win32", "a-1.tar.gz", true),
        ] {
            let platform: Vec<&str> = platform.split(' ').filter(|it| !it.is_empty()).collect();
            assert_eq!(takes(only, &platform, name), expected, "{only:?} {name}");
        }
    }
}
