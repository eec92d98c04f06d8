//! The process dies while a set and the release that belongs to it come.

use std::path::PathBuf;

use countersign_repository::Repository;

use crate::scene::{AT_ONCE, Scene, greeter, name, own};
use crate::support::checker::Checker;
use crate::support::fuse::{Failure, Fuse, failing};
use crate::support::{Reader, Warm, copy_folder};

/// The set of a ceremony, and the release that it brings keys for, when the process dies at any write from
/// `index apply` to the timestamp: both are there or neither, each project has one delegator in every state
/// that clients see, and the next cycle goes on without anybody's help.
#[test]
fn any_write_of_a_claim_may_be_the_last() {
    let (mut scene, team) = Scene::new();
    let set = scene.moved(&team);
    let new = team.wheel("2.0");
    team.release(&mut scene.index, std::slice::from_ref(&new), &[], scene.now)
        .unwrap();
    let moves = Dying {
        new: name(&new),
        archives: Vec::new(),
        set,
        scene,
    };
    let (mut scene, mut team) = Scene::claimed();
    team.with_other_keys(1, scene.now);
    team.register(&mut scene.index, scene.now).unwrap();
    scene.tick();
    scene.wait(20);
    let set = scene.with_other_keys(&team);
    let new = team.wheel("2.0");
    let archive = team.archive(std::slice::from_ref(&new), &[], scene.now);
    let lost = Dying {
        new: name(&new),
        archives: vec![archive],
        set,
        scene,
    };
    // All of them in `tests/long`, as in the crash matrix.
    let is_long = std::env::var_os("COUNTERSIGN_LONG_ROUNDS").is_some();
    for (dying, step) in [(moves, 4), (lost, 3)] {
        for failure in [Failure::Lost, Failure::Reported] {
            let mut writes = 0;
            while dying.dies(writes, failure) {
                writes += if is_long { 1 } else { step };
            }
            assert!(writes > 12, "{writes} writes");
        }
    }
}

/// An index to which a set comes.
struct Dying {
    scene: Scene,
    set: PathBuf,
    archives: Vec<PathBuf>,
    /// A file that comes at the same time.
    new: String,
}

impl Dying {
    /// In a copy of the index; says whether the fuse blew.
    fn dies(&self, writes: usize, failure: Failure) -> bool {
        let (folder, now) = (tempfile::tempdir().unwrap(), self.scene.now);
        copy_folder(self.scene.folder.path(), folder.path());
        let context = format!("{writes} writes, {failure:?}");
        let mut checker = Checker::new(&folder.path().join("repository"));
        let mut judge = |index: &Repository| {
            checker
                .look(now)
                .unwrap_or_else(|wrong| panic!("{wrong}: {context}"));
            let reader = Reader::of(index, &self.scene.ceremony, now);
            let delegators = reader.delegators_of(&own());
            assert_eq!(delegators.len(), 1, "{delegators:?}: {context}");
            assert_eq!(reader.role_of(&name(&greeter())), Some(own()), "{context}");
            (
                delegators[0] != draft::RECENTLY_CLAIMED,
                reader.role_of(&self.new),
            )
        };
        let online = self.scene.ceremony.online();
        let fuse = Fuse::new(writes, failure);
        let mut index = failing(folder.path(), &fuse);
        let before = judge(&index);
        let warm = Warm::of(&index, now);
        let applied = index.apply_set_with(&self.set, &self.archives, now);
        let died = match &applied {
            Ok(_) => index.tick(&online, now, AT_ONCE).is_err(),
            Err(_) => true,
        };
        let whole = (true, Some(own()));
        // The release of the first index waits in its queue, whatever becomes of the set.
        let seen = judge(&index);
        assert!(seen == before || seen == whole, "{seen:?}: {context}");
        drop(index);

        let mut index = Repository::open(folder.path()).unwrap();
        let waits = index.status(now).unwrap();
        let with_it = self.archives.len();
        let queued = (waits.waiting_sets, waits.pending);
        if applied.is_err() && failure == Failure::Lost {
            assert_eq!(waits.waiting_sets, 0, "{context}");
            assert_eq!(waits.pending, 1 - with_it, "a part was queued: {context}");
        } else if seen == before && !waits.unfinished {
            assert_eq!(queued, (1, 1), "{context}");
        }
        index.tick(&online, now, AT_ONCE).unwrap();
        let after = judge(&index);
        Reader::after(&index, &warm, now);
        if applied.is_err() && failure == Failure::Lost {
            // Nothing of the set came in; whoever applied it was told so, and does it again.
            index
                .apply_set_with(&self.set, &self.archives, now)
                .unwrap();
            index.tick(&online, now, AT_ONCE).unwrap();
        } else {
            assert_eq!(after, whole, "{context}");
        }
        assert_eq!(judge(&index), whole, "{context}");
        let status = index.status(now).unwrap();
        assert_eq!(
            (status.waiting_sets, status.pending, status.unfinished),
            (0, 0, false),
            "{context}"
        );
        died
    }
}
