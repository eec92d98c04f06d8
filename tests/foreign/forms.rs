//! Whole repositories in the forms that other tools write: the real client reads each in the lenient dialect, and the
//! strict one, which is the default, takes of them what TUF 4 itself allows.

use base64ct::{Base64, Encoding};
use client::{ClientError, Datastore, Kind, init};
use countersign_tests::environment::prepared;
use countersign_tests::{BinEncoding, Key, Simulator, User, files};
use metadata::{DelegatedRoles, Document, Role, Root, Wire};
use trust::{Dialect, Rejection, Rules};

/// Every role that has keys of its own in the standard repository.
const ROLES: [&str; 7] = [
    "root",
    "timestamp",
    "snapshot",
    "targets",
    "claimed",
    "project-alpha",
    "bins",
];

/// Whether a client of this dialect reads the whole repository: a file by the developer's word, and one by a bin's.
async fn reads(repository: &Simulator, user: &User) -> bool {
    for path in [files::CLAIMED, files::PLAIN] {
        match user.download(repository, path).await {
            Ok(bytes) => assert_eq!(bytes, files::content(path)),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Refused, "{error}");
                return false;
            }
        }
    }
    true
}

async fn is_read(repository: &Simulator, strictly: bool, form: &str) {
    let lenient = User::of(repository).lenient();
    assert!(reads(repository, &lenient).await, "{form}");
    let strict = reads(repository, &User::of(repository)).await;
    assert_eq!(strict, strictly, "{form} in the strict dialect");
}

/// Signed throughout by this key.
fn signed_by(key: &Key) -> Simulator {
    let mut repository = Simulator::standard();
    for role in ROLES {
        repository.rotate(role, std::slice::from_ref(key), 1);
    }
    // The bins keep the online key: what delegates to them is of the form.
    repository.publish();
    repository
}

#[tokio::test]
async fn keys_of_every_form() {
    let rsa = Key::rsa;
    let forms = [
        ("P-256 in PEM", Key::p256(1), true),
        (
            "P-256 under the old key type",
            Key::p256(1).as_type("ecdsa-sha2-nistp256"),
            true,
        ),
        ("P-256 in hex", Key::p256(1).in_hex(), false),
        ("P-384 in PEM", Key::p384(), true),
        (
            "P-384 under the old key type",
            Key::p384().as_type("ecdsa-sha2-nistp384"),
            true,
        ),
        ("P-384 in hex", Key::p384().in_hex(), false),
        ("RSA, PSS with SHA-256", rsa("rsassa-pss-sha256"), true),
        ("RSA, PSS with SHA-384", rsa("rsassa-pss-sha384"), false),
        ("RSA, PSS with SHA-512", rsa("rsassa-pss-sha512"), false),
        (
            "RSA, PKCS#1 v1.5 with SHA-256",
            rsa("rsa-pkcs1v15-sha256"),
            false,
        ),
        (
            "RSA, PKCS#1 v1.5 with SHA-384",
            rsa("rsa-pkcs1v15-sha384"),
            false,
        ),
        (
            "RSA, PKCS#1 v1.5 with SHA-512",
            rsa("rsa-pkcs1v15-sha512"),
            false,
        ),
        (
            "an opaque key id",
            Key::ed25519("one").under_id("opaque"),
            false,
        ),
        (
            "the key id of another key",
            Key::ed25519("one").under_id(Key::ed25519("two").id().as_str()),
            false,
        ),
    ];
    for (form, key, strictly) in forms {
        let mut repository = signed_by(&key);
        let new = User::of(&repository).lenient();
        is_read(&repository, strictly, form).await;

        // Read is not taken on trust: the same form with one bit of a signature wrong.
        repository.tamper("timestamp").signatures(|listed| {
            let last = listed[0].bytes.last_mut().unwrap();
            *last ^= 1;
        });
        repository.publish();
        let refused = new.stopped(&repository).await;
        assert_eq!(refused.kind(), Kind::Signatures, "{form}: {refused}");
    }
}

/// RFC 3339 beyond the one form of TUF 4.2.1, in every role that expires.
#[tokio::test]
async fn dates_of_other_tools() {
    for form in [".123456Z\"", "+00:00\"", ".5-05:30\""] {
        let mut repository = Simulator::standard();
        for role in [
            "timestamp",
            "snapshot",
            "targets",
            "claimed",
            "project-alpha",
            "bins",
        ] {
            repository
                .tamper(role)
                .text(move |text| text.replace("T00:00:00Z\"", &format!("T00:00:00{form}")));
        }
        repository.publish();
        is_read(&repository, false, form).await;
        repository.advance(chrono::Duration::days(2));
        let late = User::of(&repository).lenient().stopped(&repository).await;
        assert_eq!(late.kind(), Kind::Expired, "{form}: read as a date");
    }
}

/// Plain names throughout, as before TUF 1.0: said by `false`, or by nothing.
#[tokio::test]
async fn names_without_versions_and_digests() {
    for is_said in [true, false] {
        let mut repository = Simulator::bare();
        repository.root.consistent_snapshot = false;
        if !is_said {
            repository.tamper("root").json(|root| {
                let removed = root.as_object_mut().unwrap().remove("consistent_snapshot");
                assert!(removed.is_some());
            });
        }
        repository.add_target("targets", "folder/file", b"bytes");
        repository.publish();
        let root = repository.server().file("metadata/1.root.json").unwrap();
        let names = repository.server().names();
        assert!(
            names.contains(&"metadata/snapshot.json".to_owned()),
            "{names:?}"
        );
        let user = User::holding(&repository, &root);
        let bytes = user.lenient().download(&repository, "folder/file").await;
        assert_eq!(bytes.unwrap(), b"bytes");
    }
}

/// Signatures that are empty, no hex, or by nobody stand beside the good one, in every role.
#[tokio::test]
async fn signatures_that_say_nothing() {
    let mut repository = Simulator::standard();
    for role in ROLES.into_iter().skip(1).chain(["bin-0"]) {
        repository.tamper(role).file(|file| {
            let text = String::from_utf8(file).unwrap();
            let odd = r#""signatures":[{"keyid":"a","sig":""},{"keyid":"b","sig":"zz"},{"keyid":"c","sig":"00"},"#;
            let changed = text.replacen(r#""signatures":["#, odd, 1);
            assert_ne!(text, changed);
            changed.into_bytes()
        });
    }
    repository.publish();
    is_read(&repository, true, "signatures that say nothing").await;
}

/// TAP 15 under a role that is itself delegated, in both dialects.
#[tokio::test]
async fn succinct_bins_under_a_delegated_role() {
    let mut repository = Simulator::with_bins(BinEncoding::Succinct);
    let bins = repository.delegations("bins").roles.clone();
    assert!(matches!(bins, DelegatedRoles::Succinct(_)));
    is_read(&repository, true, "succinct bins").await;
}

/// A target described by SHA-512 alone, fetched by that digest.
#[tokio::test]
async fn targets_with_sha512_alone() {
    let mut repository = Simulator::standard();
    let (path, bytes) = ("anchors/by-sha512", b"bytes");
    let digest = ring::digest::digest(&ring::digest::SHA512, bytes);
    let digest = hex::encode(digest.as_ref());
    let listed = digest.clone();
    repository.tamper("targets").json(move |targets| {
        targets["targets"][path] = serde_json::json!({"length": 5, "hashes": {"sha512": listed}});
    });
    repository.publish();
    let name = |digest: &str| format!("targets/anchors/{digest}.by-sha512");
    repository.server().put(name(&digest), bytes.to_vec());
    for user in [User::of(&repository), User::of(&repository).lenient()] {
        assert_eq!(user.download(&repository, path).await.unwrap(), bytes);
    }
    repository.server().put(name(&digest), b"bytez".to_vec());
    let refused = User::of(&repository).download(&repository, path).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Digest);
}

/// The root of a public repository in use, as the registry of npm delivers it: members nobody else knows in keys and
/// roles, key ids that are no digest of their key, an empty signature.
#[tokio::test]
async fn a_production_root() {
    let seeds = std::fs::read(prepared("node/node_modules/@sigstore/tuf/seeds.json")).unwrap();
    let seeds: serde_json::Value = serde_json::from_slice(&seeds).unwrap();
    let repository = seeds.as_object().unwrap().values().next().unwrap();
    let file = Base64::decode_vec(repository["root.json"].as_str().unwrap()).unwrap();
    let root = Root::parse(Wire::parse(&file, 64).unwrap().signed).unwrap();
    assert_eq!((root.version.get(), root.root.threshold), (14, 3));

    let lenient = Rules {
        dialect: Dialect::Lenient,
        ..Rules::default()
    };
    let trusts = async |file: &[u8], rules: Rules| {
        let folder = tempfile::tempdir().unwrap();
        let datastore = Datastore::open(folder.path()).unwrap();
        init(&datastore, file, &rules).await
    };
    trusts(&file, lenient).await.unwrap();
    let refused = trusts(&file, Rules::default()).await.unwrap_err();
    let named = matches!(
        &refused,
        ClientError::Rejected(Rejection::NotStrict {
            role: Role::Root,
            ..
        })
    );
    assert!(named, "{refused}");

    // Four of its five signatures are good; with two of them left it is nobody's root.
    let mut json: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let signatures = json["signatures"].as_array_mut().unwrap();
    signatures.retain(|signature| signature["sig"] != "");
    assert_eq!(signatures.len(), 4);
    signatures.truncate(2);
    let refused = trusts(json.to_string().as_bytes(), lenient)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), Kind::Signatures, "{refused}");
}
