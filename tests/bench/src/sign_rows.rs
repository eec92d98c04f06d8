//! The rows of DESIGN §10 in which something is signed.

use std::collections::{BTreeMap, BTreeSet};

use draft::SignedFile;
use index::BinIndex;
use keys::KeyType;
use metadata::{
    Document, MetaFile, Role, Snapshot, TargetFile, TargetPath, Targets, Version, Wire,
};
use trust::{Held, RootChain, Rules};

use crate::meter::Meter;
use crate::scene::{Scene, Stream, target_of};
use crate::work::{Who, Work};

/// How a row is run.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) who: Who,
    pub(crate) key: KeyType,
    pub(crate) targets: u32,
    pub(crate) stored: bool,
}

/// Every bin from a sorted stream.
pub(crate) fn generate(run: Run) -> Meter {
    let scene = Scene::new(run.key);
    let stream = Stream::new(run.targets, scene.layout.count);
    let mut work = Work::new(run.who, run.key, run.stored);
    for bin in scene.layout.count.bins() {
        let targets = stream.of(bin);
        work.file(|| {
            let document = scene.bin(Version::FIRST).with_targets(targets);
            scene.sign_bin(bin, document, None)
        });
    }
    work.flush();
    work.meter
}

/// Every bin again, the same targets for another lifetime.
pub(crate) fn resign(run: Run) -> Meter {
    let scene = Scene::new(run.key);
    let stream = Stream::new(run.targets, scene.layout.count);
    let mut work = Work::new(run.who, run.key, run.stored);
    for bin in scene.layout.count.bins() {
        let file = first_bin(&scene, &stream, bin);
        work.file(|| renew(&scene, bin, &file, &[]));
    }
    work.flush();
    work.meter
}

/// A batch of new projects: their bins, the snapshot, the timestamp.
pub(crate) fn publish(run: Run, files: u32) -> Meter {
    let scene = Scene::new(run.key);
    let stream = Stream::new(run.targets, scene.layout.count);
    let published = scene.snapshot();
    let mut added: Vec<_> = (run.targets..run.targets + files).map(target_of).collect();
    let bin_of = |path: &TargetPath| scene.layout.count.bin_of(&path.hash());
    added.sort_by_key(|(path, _)| bin_of(path));
    let batch: Vec<(BinIndex, SignedFile, &[_])> = added
        .chunk_by(|(one, _), (other, _)| bin_of(one) == bin_of(other))
        .map(|of_bin| {
            let bin = bin_of(&of_bin[0].0);
            (bin, first_bin(&scene, &stream, bin), of_bin)
        })
        .collect();
    let mut work = Work::new(run.who, run.key, run.stored);
    let mut next = published.clone();
    next.version = published.version.next().unwrap();
    for (bin, file, new) in &batch {
        let file = work.file(|| renew(&scene, *bin, file, new));
        next.set(file.role(), MetaFile::version_only(file.version()));
    }
    let snapshot = work.file(|| scene.sign_snapshot(next, Some(&published)));
    work.flush();
    work.file(|| describe(&scene, &snapshot));
    work.flush();
    work.meter
}

/// What the rehearsal adds to a batch: root, timestamp, snapshot and every changed bin verified once more, as a
/// client that was up to date would.
pub(crate) fn rehearse(run: Run, files: u32) -> Meter {
    let scene = Scene::new(run.key);
    let stream = Stream::new(run.targets, scene.layout.count);
    let changed: BTreeSet<BinIndex> = (run.targets..run.targets + files)
        .map(|number| scene.layout.count.bin_of(&target_of(number).0.hash()))
        .collect();
    let bins: BTreeMap<Role, SignedFile> = changed
        .into_iter()
        .map(|bin| (scene.bin_role(bin), first_bin(&scene, &stream, bin)))
        .collect();
    let [(_, _, root), (_, _, top), (_, _, delegator)] = scene.offline();
    let snapshot = scene.sign_snapshot(scene.snapshot(), None);
    let timestamp = describe(&scene, &snapshot);
    let mut meter = Meter::start();
    meter.time(|| {
        let chain = RootChain::pinned(&root, Rules::default()).unwrap();
        let held = Held {
            timestamp: None,
            snapshot: None,
        };
        let rooted = chain.close(scene.now).unwrap();
        let timed = rooted.timestamp(timestamp.bytes(), held).unwrap();
        let snapped = timed.snapshot(snapshot.bytes()).unwrap();
        let top = snapped.targets(&top).unwrap();
        let edge = top.all_edges().next().unwrap();
        let delegator = snapped.delegate(&edge, &delegator).unwrap();
        let verified = delegator.all_edges().filter(|edge| {
            let file = bins.get(&Role::Delegated(edge.name().clone()));
            file.is_some_and(|file| snapped.delegate(edge, file.bytes()).is_ok())
        });
        assert_eq!(verified.count(), bins.len());
    });
    meter
}

/// The timestamp alone.
pub(crate) fn timestamp(run: Run) -> Meter {
    const REPEATS: u32 = 500;
    let scene = Scene::new(run.key);
    let snapshot = scene.sign_snapshot(scene.snapshot(), None);
    let mut work = Work::new(run.who, run.key, run.stored);
    for _ in 0..REPEATS {
        let listed = MetaFile {
            version: snapshot.version(),
            length: Some(snapshot.bytes().len() as u64),
            hashes: Some(metadata::Hashes::sha256(snapshot.sha256())),
        };
        work.file(|| scene.sign_timestamp(Version::FIRST, listed));
    }
    work.meter.repeated(REPEATS)
}

/// The snapshot alone: written, signed, hashed.
pub(crate) fn snapshot(run: Run) -> Meter {
    const REPEATS: u32 = 50;
    let scene = Scene::new(run.key);
    let (published, mut work) = (scene.snapshot(), Work::new(run.who, run.key, run.stored));
    for _ in 0..REPEATS {
        let mut next: Snapshot = published.clone();
        next.version = published.version.next().unwrap();
        work.file(|| scene.sign_snapshot(next, Some(&published)));
    }
    work.meter.repeated(REPEATS)
}

fn first_bin(scene: &Scene, stream: &Stream, bin: BinIndex) -> SignedFile {
    let document = scene.bin(Version::FIRST).with_targets(stream.of(bin));
    scene.sign_bin(bin, document, None)
}

/// Reads a published bin and signs its next version.
fn renew(
    scene: &Scene,
    bin: BinIndex,
    file: &SignedFile,
    added: &[(TargetPath, TargetFile)],
) -> SignedFile {
    let wire = Wire::parse(file.bytes(), 1).unwrap();
    let old = Targets::parse(wire.signed).unwrap();
    let targets = old.targets().iter().chain(added).cloned();
    let document = scene.bin(old.version.next().unwrap()).with_targets(targets);
    scene.sign_bin(bin, document, Some(&old))
}

fn describe(scene: &Scene, snapshot: &SignedFile) -> SignedFile {
    assert_eq!(*snapshot.role(), Role::Snapshot);
    let listed = MetaFile {
        version: snapshot.version(),
        length: Some(snapshot.bytes().len() as u64),
        hashes: Some(metadata::Hashes::sha256(snapshot.sha256())),
    };
    scene.sign_timestamp(Version::FIRST, listed)
}
