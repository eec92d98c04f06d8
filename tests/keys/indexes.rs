//! An index whose online key is on a token or in a key service: made, signed, signed again and read by
//! our client.

use std::path::Path;
use std::sync::Arc;

use chrono::{Duration, Utc};
use client::{Datastore, FileTransport, Updater, UpdaterConfig};
use countersign_tests::environment::samples;
use countersign_tests::published::{Made, PublishedIndex};
use index::{DistributionFilename, file_path};
use keys::{LoadOptions, Opener, Signer, TokenKeyType};
use kms_double::{Action, KeySpec};
use metadata::{Document, Role, Root, Timestamp, Wire};
use policy::Encoding;
use trust::{Answer, Rules};
use url::Url;

use crate::hsm::with_softhsm;
use crate::table::{kms, kms_uri, open};

/// Makes an index that `online` signs, lets time pass, and reads it as a stranger would.
fn signs_an_index(folder: &Path, online: Box<dyn Signer>) {
    let key_id = online.key_id().clone();
    let made = Made::small(Encoding::PathHashPrefixes);
    let mut index = PublishedIndex::make_with(folder, made, &samples(), Arc::from(online));
    let first = timestamp(&index);
    let later = made.now + Duration::hours(12);
    index.tick(later);
    assert!(timestamp(&index) > first, "signed again");
    let root = std::fs::read(index.root()).unwrap();
    let listed = Root::parse(Wire::parse(&root, 16).unwrap().signed).unwrap();
    for role in [Role::Timestamp, Role::Snapshot] {
        let keys = listed.role_keys(&role).unwrap();
        assert!(keys.keyids.contains(&key_id), "{role}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(read(folder, &index, &root, later));
}

fn timestamp(index: &PublishedIndex) -> metadata::Version {
    let file = std::fs::read(index.stored("metadata/timestamp.json")).unwrap();
    let wire = Wire::parse(&file, 4).unwrap();
    Timestamp::parse(wire.signed).unwrap().version()
}

async fn read(folder: &Path, index: &PublishedIndex, root: &[u8], now: chrono::DateTime<Utc>) {
    let datastore = Datastore::open(folder.join("trusted")).unwrap();
    client::init(&datastore, root, &Rules::default())
        .await
        .unwrap();
    let url = |part: &str| Url::from_directory_path(index.store().join(part)).unwrap();
    let config = UpdaterConfig::new(url("metadata"), url("targets"));
    let updater = Updater::new(config, datastore, Arc::new(FileTransport)).unwrap();
    let session = updater.refresh(now).await.unwrap();
    assert!(session.valid_until() > now);
    for file in samples() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let path = file_path(&DistributionFilename::parse(name).unwrap());
        let Answer::Found(target) = session.find(&path).await else {
            panic!("{path} is not found");
        };
        let read = session.read(&target.into()).await.unwrap();
        assert_eq!(read, std::fs::read(&file).unwrap());
    }
}

#[test]
fn the_online_key_on_a_token() {
    with_softhsm(|hsm| {
        hsm.add_token("index");
        let named = "token=index;object=online";
        hsm.generate(named, TokenKeyType::EcdsaP256).unwrap();
        let uri = format!("pkcs11:{}", hsm.uri(named));
        let folder = tempfile::tempdir().unwrap();
        signs_an_index(folder.path(), open(&uri, LoadOptions::default()));
    });
}

#[test]
fn the_online_key_in_a_key_service() {
    let folder = tempfile::tempdir().unwrap();
    let (double, opener) = kms(folder.path());
    let openers: [&dyn Opener; 1] = [&opener];
    let options = LoadOptions {
        openers: &openers,
        ..LoadOptions::default()
    };
    let online = open(&kms_uri(&double, KeySpec::P256), options);
    signs_an_index(folder.path(), online);
    assert!(double.count(Action::Sign) >= 4);
}
