//! What developers have sent when the process dies: releases of two projects.

use std::path::{Path, PathBuf};

use countersign_repository::{ClaimRecord, Repository, TickOptions};

use super::developers::Team;
use super::{Ceremony, Reader, key, samples, start};

const AT_ONCE: TickOptions = TickOptions { at_once: true };
const GREETER: &str = "countersign-sample-greeter";
const WORDS: &str = "countersign-sample-words";

/// Two projects of developers: one has released before and does so again with a new maintainer, the other
/// for the first time. Gives the files that come with it.
pub fn release(folder: &Path, ceremony: &Ceremony, index: &mut Repository) -> Vec<PathBuf> {
    let of = |project: &str| {
        let name = project.replace('-', "_");
        let is_of = |path: &PathBuf| path.to_string_lossy().contains(&name);
        let there: Vec<_> = samples().into_iter().filter(is_of).collect();
        (Team::new(folder, project, 1, start()), there)
    };
    let (greeter, there) = of(GREETER);
    greeter.register(index, start()).unwrap();
    let first = greeter.wheel("1.1");
    greeter
        .release(index, std::slice::from_ref(&first), &there, start())
        .unwrap();
    index.tick(&ceremony.online(), start(), AT_ONCE).unwrap();

    let second = greeter.wheel("2.0");
    greeter.delegate("alice", &key(), std::slice::from_ref(&second), start());
    let archive = greeter.pack(std::slice::from_ref(&second), &[], start());
    greeter.send(index, &archive, start()).unwrap();
    let (words, there) = of(WORDS);
    words.register(index, start()).unwrap();
    let third = words.wheel("1.1");
    words
        .release(index, std::slice::from_ref(&third), &there, start())
        .unwrap();
    vec![first, second, third]
}

/// Every file comes from the role that signed it, and every project is claimed.
pub fn check(index: &Repository, readers: &[Reader], context: &str) {
    for (file, role) in [
        (
            "countersign_sample_greeter-1.1-py3-none-any.whl",
            format!("project-{GREETER}"),
        ),
        (
            "countersign_sample_greeter-2.0-py3-none-any.whl",
            format!("project-{GREETER}--alice"),
        ),
        (
            "countersign_sample_words-1.1-py3-none-any.whl",
            format!("project-{WORDS}"),
        ),
    ] {
        for reader in readers {
            assert_eq!(reader.role_of(file).as_ref(), Some(&role), "{context}");
        }
    }
    assert!(index.claims().unwrap().values().all(ClaimRecord::is_signed));
}
