//! Every change of keys, one after another, along one chain of roots.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use common::{new_key, now, signed};
use countersign_ceremony::{
    CeremonyError, Event, EventFlaw, HeldKey, KeyChange, KeyRole, Kind, RotatePlan,
};
use keys::{FileKey, KeyType, Signer};
use trust::{RootChain, Rules};

fn later() -> DateTime<Utc> {
    now() + TimeDelta::hours(1)
}

fn held(holder: &str, key: &FileKey) -> HeldKey {
    HeldKey {
        holder: holder.to_owned(),
        key: key.public_key().clone(),
    }
}

/// What has been published so far, and the latest event.
struct Chain {
    base: tempfile::TempDir,
    published: PathBuf,
    keys: common::Keys,
    after: Event,
    count: usize,
}

impl Chain {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let (keys, path) = signed(&base);
        let after = Event::open(&path).unwrap();
        let published = base.path().join("published");
        fs::create_dir(&published).unwrap();
        publish(&after.combine(now()).unwrap().folder, &published);
        Self {
            base,
            published,
            keys,
            after,
            count: 0,
        }
    }

    fn plan(&mut self, change: KeyChange) -> Result<Event, CeremonyError> {
        self.plan_with(change, &[])
    }

    fn plan_with(
        &mut self,
        change: KeyChange,
        thresholds: &[(KeyRole, u32)],
    ) -> Result<Event, CeremonyError> {
        self.count += 1;
        let path = self.base.path().join(format!("event-{}", self.count));
        let plan = RotatePlan {
            policy: policy::Policy::built_in_text("rehearsal").unwrap(),
            now: later(),
            published: &self.published,
            after: Some(&self.after),
            change,
            thresholds: thresholds.iter().copied().collect::<BTreeMap<_, _>>(),
        };
        Event::plan_rotate(&path, plan)
    }

    /// Signs, combines, verifies from the folder alone, publishes.
    fn finish(&mut self, event: Event, signers: &[&FileKey]) -> Vec<String> {
        for key in signers {
            event.sign(*key, later()).unwrap();
        }
        let set = event.combine(later()).unwrap();
        let verdict = Event::open(event.path()).unwrap().verify().unwrap();
        let early = event.verify_against(&verdict, &self.published);
        assert!(
            matches!(early, Err(CeremonyError::Read { .. })),
            "{early:?}"
        );
        publish(&set.folder, &self.published);
        event.verify_against(&verdict, &self.published).unwrap();
        let first = self.published.join(set.files[0].file_name());
        let good = fs::read_to_string(&first).unwrap();
        fs::write(&first, format!("{good} ")).unwrap();
        let other = common::flaw(event.verify_against(&verdict, &self.published));
        assert!(matches!(other, EventFlaw::Digest { .. }), "{other}");
        fs::write(&first, good).unwrap();
        self.after = event;
        set.files.iter().map(draft::SignedFile::file_name).collect()
    }

    /// A client that has had the first root since the beginning.
    fn follow(&self, versions: u32) {
        let read = |n: u32| fs::read(self.published.join(format!("{n}.root.json"))).unwrap();
        let mut chain = RootChain::pinned(&read(1), Rules::default()).unwrap();
        for version in 2..=versions {
            chain = chain.advance(&read(version)).unwrap();
        }
        chain.close(later()).unwrap();
    }
}

fn publish(set: &Path, published: &Path) {
    for entry in fs::read_dir(set).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, published.join(path.file_name().unwrap())).unwrap();
    }
}

fn said(event: &Event) -> String {
    let review = event.review().unwrap();
    let roles = review.roles.iter();
    let lines = roles.flat_map(|one| one.changes.iter().chain(&one.concerns));
    let lines: Vec<&str> = lines.chain(&review.concerns).map(String::as_str).collect();
    lines.join("\n")
}

#[test]
fn every_change_of_keys_follows_on_the_last() {
    let mut chain = Chain::new();
    let [dana, eve, fay] = [KeyType::Ed25519; 3].map(new_key);

    // One more root holder: two of the three old ones are enough.
    let added = KeyChange::Add(vec![(KeyRole::Root, held("Dana", &dana))]);
    let event = chain.plan(added).unwrap();
    assert_eq!(event.kind(), Kind::AddHolder);
    assert!(
        said(&event).contains("root: key of Dana ("),
        "{}",
        said(&event)
    );
    assert_eq!(event.review().unwrap().signatures["Dana"], 1);
    let keys = common::Keys::new();
    let keys = std::mem::replace(&mut chain.keys, keys);
    let files = chain.finish(event, &[&keys.root[0], &keys.root[1]]);
    assert_eq!(files, ["2.root.json"]);

    // Bo goes, Eve comes; Bo's key of bins goes to her too.
    let replaced = KeyChange::Replace {
        holder: "Bo".to_owned(),
        with: vec![
            (KeyRole::Root, held("Eve", &eve)),
            (KeyRole::Bins, held("Eve", &fay)),
        ],
    };
    let event = chain.plan(replaced).unwrap();
    let words = said(&event);
    assert!(words.contains("root: key of Bo ("), "{words}");
    assert!(words.contains("bins: key of Eve ("), "{words}");
    let files = chain.finish(event, &[&keys.root[0], &dana, &keys.targets, &fay]);
    assert_eq!(files, ["3.root.json", "2.targets.json", "2.bins.json"]);

    // Cleo leaves; all three remaining are as many as the policy wants.
    let leaves = KeyChange::Remove {
        holder: "Cleo".to_owned(),
        roles: Vec::new(),
    };
    let event = chain.plan(leaves).unwrap();
    let files = chain.finish(event, &[&eve, &dana]);
    assert_eq!(files, ["4.root.json"]);

    // New online keys beside the old, then alone.
    let online = new_key(KeyType::Ed25519);
    for overlap in [true, false] {
        let new = vec![held("signer-2", &online)];
        let change = KeyChange::Online {
            snapshot: new.clone(),
            timestamp: new,
            overlap,
        };
        let event = chain.plan(change).unwrap();
        let removed = said(&event).contains("snapshot: key of signer (");
        assert_eq!(removed, !overlap, "{}", said(&event));
        let files = chain.finish(event, &[&eve, &dana, &fay]);
        assert_eq!(files.len(), 2);
    }

    // The same three people with new keys and all of them needed: a warning.
    let new: Vec<FileKey> = (0..3).map(|_| new_key(KeyType::EcdsaP256)).collect();
    let names = ["Ada", "Dana", "Eve"].iter().zip(&new);
    let all = KeyChange::Root(names.map(|(name, key)| held(name, key)).collect());
    let event = chain.plan_with(all, &[(KeyRole::Root, 3)]).unwrap();
    assert!(said(&event).contains("all 3 keys are needed (listed by the new root)"));
    event.sign(&new[0], later()).unwrap();
    event.sign(&new[1], later()).unwrap();
    let error = event.combine(later()).unwrap_err();
    assert!(
        matches!(error, CeremonyError::TooFew(_)),
        "the old root's holders sign too"
    );
    let files = chain.finish(event, &[&new[2], &eve, &dana]);
    assert_eq!(files, ["7.root.json"]);

    // Back to two of three: a danger worth a word.
    let again = KeyChange::Replace {
        holder: "Ada".to_owned(),
        with: vec![(KeyRole::Root, held("Ada", &new_key(KeyType::Ed25519)))],
    };
    let event = chain.plan_with(again, &[(KeyRole::Root, 2)]).unwrap();
    assert!(said(&event).contains("root will need only 2 signatures, not 3"));
    chain.follow(7);
}

#[test]
fn changes_that_cannot_be_are_refused() {
    let mut chain = Chain::new();
    let new = new_key(KeyType::Ed25519);
    let online = held("Ada", &chain.keys.online);
    let with = |role, holder| vec![(role, held(holder, &new))];
    let cases: Vec<(KeyChange, &str)> = vec![
        (
            KeyChange::Replace {
                holder: "Zoe".to_owned(),
                with: with(KeyRole::Root, "Eve"),
            },
            "the holder `Zoe` has no key in a role",
        ),
        (
            KeyChange::Replace {
                holder: "Bo".to_owned(),
                with: with(KeyRole::Root, "Eve"),
            },
            "the holder `Bo` still has a key",
        ),
        (
            KeyChange::Remove {
                holder: "Cleo".to_owned(),
                roles: Vec::new(),
            },
            "the policy asks for 3",
        ),
        (
            KeyChange::Remove {
                holder: "Zoe".to_owned(),
                roles: Vec::new(),
            },
            "has no key to be removed",
        ),
        (
            KeyChange::Add(with(KeyRole::Root, "Ada")),
            "holds two keys of one role",
        ),
        (
            KeyChange::Add(vec![(KeyRole::Targets, online)]),
            "holds two keys of one role",
        ),
        (
            KeyChange::Add(vec![(KeyRole::Bins, held("Ada", &chain.keys.online))]),
            "is in an online and in an offline role",
        ),
        (KeyChange::Add(Vec::new()), "nothing to change"),
    ];
    for (change, expected) in cases {
        let error = chain.plan(change).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let lowered = KeyChange::Add(with(KeyRole::Root, "Eve"));
    let error = chain.plan_with(lowered, &[(KeyRole::Root, 1)]).unwrap_err();
    assert!(error.to_string().contains("policy-threshold"), "{error}");
}

/// Whoever is taken out is still named, and cannot be named after somebody who stays.
#[test]
fn former_holders_are_named_once() {
    let mut chain = Chain::new();
    let event = chain
        .plan(KeyChange::Replace {
            holder: "Cleo".to_owned(),
            with: vec![(KeyRole::Root, held("Eve", &new_key(KeyType::Ed25519)))],
        })
        .unwrap();
    let status = event.status().unwrap();
    assert_eq!(status.roles[0].missing, ["Ada", "Bo", "Cleo"]);
    assert_eq!(status.roles[1].missing, ["Ada", "Bo", "Eve"]);
    let file = event.path().join("ceremony.toml");
    common::tamper(&file, "holder = \"Cleo\"", "holder = \"Ada\"");
    let twice = common::flaw(Event::open(event.path()));
    assert!(matches!(twice, EventFlaw::HolderTwice { .. }), "{twice}");
}

fn layout(count: u64, encoding: policy::Encoding) -> draft::BinLayout {
    let count = index::BinCount::new(count).unwrap();
    draft::BinLayout { count, encoding }
}

/// Other bins come with online keys that no published root has ever listed, and with nothing else.
#[test]
fn a_rebin_takes_keys_that_clients_do_not_know() {
    use policy::Encoding::{PathHashPrefixes, Succinct};
    let mut chain = Chain::new();
    let keys = std::mem::replace(&mut chain.keys, common::Keys::new());
    let rebin = |key: &FileKey, timestamp: &FileKey, layout| KeyChange::Rebin {
        layout,
        snapshot: vec![held("signer-2", key)],
        timestamp: vec![held("signer-2", timestamp)],
    };
    let [second, third] = [KeyType::Ed25519; 2].map(new_key);
    let more = layout(64, PathHashPrefixes);
    for known in [
        rebin(&keys.online, &keys.online, more),
        rebin(&second, &keys.online, more),
        rebin(&keys.online, &second, more),
    ] {
        let error = chain.plan(known).unwrap_err();
        assert!(
            matches!(error, CeremonyError::OnlineKeyKnown { .. }),
            "{error}"
        );
    }
    let same = chain.plan(rebin(&second, &second, chain.after.layout()));
    let same = same.unwrap_err();
    assert!(matches!(same, CeremonyError::SameBins { .. }), "{same}");

    let event = chain.plan(rebin(&second, &second, more)).unwrap();
    assert_eq!((event.kind(), event.layout()), (Kind::Rebin, more));
    let words = said(&event);
    assert!(words.contains("(64 bins, listed) instead of"), "{words}");
    assert!(words.contains("snapshot: key of signer ("), "{words}");
    let files = chain.finish(event, &[&keys.root[0], &keys.root[1], &keys.bins]);
    assert_eq!(files, ["2.root.json", "2.bins.json"]);

    // The key of the genesis is in use nowhere, and known all the same.
    let fewer = layout(4, Succinct);
    let error = chain
        .plan(rebin(&keys.online, &keys.online, fewer))
        .unwrap_err();
    assert!(
        matches!(error, CeremonyError::OnlineKeyKnown { .. }),
        "{error}"
    );
    let event = chain.plan(rebin(&third, &third, fewer)).unwrap();
    let files = chain.finish(event, &[&keys.root[0], &keys.root[1], &keys.bins]);
    assert_eq!(files, ["3.root.json", "3.bins.json"]);
    // A renewal goes on in the bins of now.
    assert_eq!(chain.after.layout(), fewer);
    chain.follow(3);
}

/// Whoever changes the description by hand meets the rule itself.
#[test]
fn bins_do_not_leave_by_another_plan() {
    let mut chain = Chain::new();
    let new = new_key(KeyType::Ed25519);
    let overlap = KeyChange::Online {
        snapshot: vec![held("signer-2", &new)],
        timestamp: vec![held("signer-2", &new)],
        overlap: true,
    };
    let event = chain.plan(overlap).unwrap();
    let file = event.path().join("ceremony.toml");
    common::tamper(&file, "count = 16", "count = 64");
    let event = Event::open(event.path()).unwrap();
    let error = event.combine(later()).unwrap_err();
    assert!(error.to_string().contains("bins-complete"), "{error}");
}
