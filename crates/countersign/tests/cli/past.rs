//! An index as it would have been published at some other time.

use std::sync::Arc;

use ceremony::{Event, GenesisPlan, HeldKey};
use chrono::{DateTime, Utc};
use keys::{FileKey, Kdf, KeyType, Passphrase, Signer};
use repository::{OnlineSigners, Repository, Settings, TickOptions};
use ring::rand::SystemRandom;

use crate::program::Place;

/// Publishes an empty index with `online.pem` and `online.secret` at `now`; the file of its root.
pub(crate) fn publish(place: &Place, now: DateTime<Utc>) -> String {
    let rng = SystemRandom::new();
    let key = || FileKey::generate(KeyType::Ed25519, &rng).expect("a key");
    let held = |holder: &str, key: &FileKey| HeldKey {
        holder: holder.to_owned(),
        key: key.public_key().clone(),
    };
    let (roots, targets, bins, online) = ([key(), key(), key()], key(), key(), key());
    let policy = policy::Policy::built_in_text("small-index").expect("a policy");
    let plan = GenesisPlan {
        policy,
        layout: None,
        now,
        root: ["one", "two", "three"]
            .iter()
            .zip(&roots)
            .map(|(name, key)| held(name, key))
            .collect(),
        targets: vec![held("four", &targets)],
        bins: vec![held("five", &bins)],
        snapshot: vec![held("online", &online)],
        timestamp: vec![held("online", &online)],
    };
    let event = Event::plan_genesis(&place.at("ceremony"), &plan).expect("a plan");
    for key in [&roots[0], &roots[1], &targets, &bins] {
        event.sign(key, now).expect("signed");
    }
    let set = event.combine(now).expect("combined").folder;
    let secret = Passphrase::random(&rng).expect("a passphrase");
    secret.save_new(&place.at("online.secret")).expect("saved");
    let kdf = Kdf::Scrypt {
        log_n: 14,
        r: 8,
        p: 1,
    };
    online
        .save_encrypted(&place.at("online.pem"), &secret, kdf)
        .expect("saved");
    let settings = Settings::from_policy(policy).expect("settings");
    let mut repository =
        Repository::init(&place.at("countersign-data"), &settings).expect("an index");
    repository.apply_set(&set, now).expect("applied");
    let signers = OnlineSigners::new(vec![Arc::new(online)]);
    repository
        .tick(&signers, now, TickOptions { at_once: true })
        .expect("published");
    "ceremony/publish-set/1.root.json".to_owned()
}
