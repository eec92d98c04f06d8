//! Snapshot deltas (decision 0021): what a publication pays for one, what a client pays, and their bytes.

use index::BinIndex;
use keys::KeyType;
use metadata::{MetaFile, Sha256, Version};

use crate::meter::Meter;
use crate::scene::Scene;

const REPEATS: u32 = 50;

/// Two signed snapshots of 16,384 bins, of which so many have another version in the second. Versions are those
/// of an index that has lived: of one to three digits.
fn snapshots(changed: u64) -> [Vec<u8>; 2] {
    let scene = Scene::new(KeyType::Ed25519);
    let mut old = scene.snapshot();
    let version = |bin: BinIndex| {
        let digest = Sha256::of(&bin.get().to_be_bytes());
        1 + u64::from(digest.as_bytes()[0]) * 3
    };
    let bins: Vec<BinIndex> = scene.layout.count.bins().collect();
    let file = |number| MetaFile::version_only(Version::new(number).unwrap());
    for bin in &bins {
        old.set(&scene.bin_role(*bin), file(version(*bin)));
    }
    let mut new = old.clone();
    new.version = old.version.next().unwrap();
    // Which of them change is as good as chance: paths fall into bins by their hash.
    let mut shuffled = bins;
    shuffled.sort_by_key(|bin| Sha256::of(format!("changes {bin:?}").as_bytes()).to_string());
    for bin in shuffled.iter().take(usize::try_from(changed).unwrap()) {
        new.set(&scene.bin_role(*bin), file(version(*bin) + 1));
    }
    let first = scene.sign_snapshot(old.clone(), None);
    let second = scene.sign_snapshot(new, Some(&old));
    [first, second].map(|file| file.bytes().to_vec())
}

/// Makes the delta, and applies it as the index does before it publishes it; `fetched` are its bytes.
pub(crate) fn make(changed: u64) -> Meter {
    let [old, new] = snapshots(changed);
    let mut meter = Meter::start();
    let mut bytes = 0;
    for _ in 0..REPEATS {
        let delta = meter.time(|| {
            let delta = deltas::make(&old, &new).unwrap();
            assert_eq!(deltas::apply(&old, &delta, new.len() as u64).unwrap(), new);
            delta
        });
        bytes += delta.len() as u64;
    }
    meter.fetched(u64::from(REPEATS), bytes).repeated(REPEATS)
}

/// Applies it, as a client does instead of fetching the file; `fetched` are the bytes of the plain file.
pub(crate) fn apply(changed: u64) -> Meter {
    let [old, new] = snapshots(changed);
    let delta = deltas::make(&old, &new).unwrap();
    let mut meter = Meter::start();
    for _ in 0..REPEATS {
        let made = meter.time(|| deltas::apply(&old, &delta, new.len() as u64));
        assert_eq!(made.unwrap(), new);
    }
    let bytes = u64::from(REPEATS) * new.len() as u64;
    meter.fetched(u64::from(REPEATS), bytes).repeated(REPEATS)
}
