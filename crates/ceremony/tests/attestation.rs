//! Attestation chains as a `YubiKey` gives them, made here with openssl and with Yubico's extension
//! numbers, then every way in which one may prove nothing. Real hardware was not tried.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use chrono::{DateTime, TimeDelta, Utc};
use common::{Keys, flaw, new_key};
use countersign_ceremony::{
    AttestationFlaw, CeremonyError, Event, EventFlaw, GenesisPlan, Hardware, Invitation, Join,
    read_chain,
};
use keys::{FileKey, KeyType, Signer, public_key_to_pem};

const EXTENSIONS: &str = "\
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE,pathlen:1
keyUsage = critical,keyCertSign
[short]
basicConstraints = critical,CA:TRUE,pathlen:0
[device]
basicConstraints = critical,CA:TRUE,pathlen:0
[powerless]
basicConstraints = critical,CA:FALSE
[slot]
1.3.6.1.4.1.41482.3.3 = DER:05:04:03
1.3.6.1.4.1.41482.3.7 = DER:02:04:00:BC:61:4E
1.3.6.1.4.1.41482.3.8 = DER:03:02
1.3.6.1.4.1.41482.3.9 = DER:01
[nameless]
1.3.6.1.4.1.41482.3.3 = DER:05:04:03
1.3.6.1.4.1.41482.3.8 = DER:03:02
[odd]
1.3.6.1.4.1.41482.3.3 = DER:05:04:03
1.3.6.1.4.1.41482.3.7 = DER:02:04:00:BC:61:4E
1.3.6.1.4.1.41482.3.8 = DER:09:02
[strange]
1.3.6.1.4.1.41482.3.3 = DER:05:04:03
1.3.6.1.4.1.41482.3.7 = DER:02:04:00:BC:61:4E
1.3.6.1.4.1.41482.3.8 = DER:03:02
1.3.6.1.4.1.99999.1 = critical,DER:05:00
";

/// The program that `tests/run` found.
fn openssl() -> PathBuf {
    let base = std::env::var_os("COUNTERSIGN_TEST_ENV").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/.env"),
        PathBuf::from,
    );
    let found = base.join("tools/openssl");
    let missing = "is missing: run `python3 tests/run --setup-only`";
    assert!(found.exists(), "{} {missing}", found.display());
    found
}

/// A maker of tokens, in a folder.
struct Maker(tempfile::TempDir);

impl Maker {
    /// A root and one device, with RSA keys as a `YubiKey` has them.
    fn new() -> Self {
        let maker = Self(tempfile::tempdir().unwrap());
        fs::write(maker.path("extensions"), EXTENSIONS).unwrap();
        maker.root("root", "root", &["rsa:2048"]);
        maker.device("device", "root", "device", &[]);
        maker
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, line: &str, more: &[&str]) {
        let output = Command::new(openssl())
            .args(line.split(' '))
            .args(more)
            .current_dir(self.0.path())
            .env("OPENSSL_CONF", self.path("extensions"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
    }

    fn root(&self, name: &str, extensions: &str, key: &[&str]) {
        let line = format!(
            "req -x509 -noenc -keyout {name}.key -out {name}.pem -days 3650 -config extensions \
             -extensions {extensions} -subj /CN=Synthetic -newkey"
        );
        self.openssl(&line, key);
    }

    fn device(&self, name: &str, root: &str, extensions: &str, more: &[&str]) {
        let line = format!(
            "req -new -noenc -keyout {name}.key -out {name}.csr -newkey rsa:2048 -config \
             extensions -subj /CN=Device"
        );
        self.openssl(&line, &[]);
        let line = format!(
            "x509 -req -in {name}.csr -CA {root}.pem -CAkey {root}.key -set_serial 7 -days 3000 \
             -out {name}.pem -extfile extensions -extensions {extensions}"
        );
        self.openssl(&line, more);
    }

    /// The chain for a key, made by a device.
    fn attest(&self, key: &FileKey, device: &str, extensions: &str, more: &[&str]) -> Chain {
        fs::write(
            self.path("key.pub"),
            public_key_to_pem(key.public_key()).unwrap(),
        )
        .unwrap();
        let line = format!(
            "x509 -req -in {device}.csr -force_pubkey key.pub -CA {device}.pem -CAkey \
             {device}.key -set_serial 9 -days 3000 -out slot.pem -extfile extensions -extensions \
             {extensions} -subj /CN=Slot"
        );
        self.openssl(&line, more);
        [self.certificate("slot"), self.certificate(device)].concat()
    }

    fn certificate(&self, name: &str) -> Chain {
        read_chain(&fs::read(self.path(&format!("{name}.pem"))).unwrap()).unwrap()
    }

    /// A policy that believes one root.
    fn policy(&self, root: &str) -> String {
        let text = policy::Policy::built_in_text("rehearsal").unwrap();
        let root = fs::read_to_string(self.path(&format!("{root}.pem"))).unwrap();
        format!("{text}\n[attestation]\nrequired = true\nroots = [\"\"\"\n{root}\"\"\"]\n")
    }
}

/// When certificates that are made now are valid already: they count whole seconds.
fn soon() -> DateTime<Utc> {
    Utc::now() + TimeDelta::minutes(1)
}

type Chain = Vec<Vec<u8>>;
type Bend<'a> = &'a dyn Fn(&mut Chain);

/// A genesis under a policy that demands attestation, with one chain for each offline key.
fn genesis(
    policy: &str,
    keys: &Keys,
    attest: impl Fn(usize, &FileKey) -> Chain,
    at: DateTime<Utc>,
) -> (tempfile::TempDir, Result<Event, CeremonyError>) {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("event");
    let plan = GenesisPlan {
        policy,
        now: Utc::now(),
        ..keys.plan()
    };
    let event = Event::plan_genesis(&path, &plan).unwrap();
    let invitation = Invitation::new("genesis").unwrap();
    let offline = [
        ("Ada", &keys.root[0]),
        ("Bo", &keys.root[1]),
        ("Cleo", &keys.root[2]),
        ("Ada", &keys.targets),
        ("Bo", &keys.bins),
    ];
    let prove = |(number, (holder, key)): (usize, &(&str, &FileKey))| {
        let hardware = Hardware {
            token: None,
            attestation: attest(number, key),
        };
        Join::prove(&invitation, holder, *key, &hardware, at).unwrap()
    };
    let joins: Vec<Vec<u8>> = offline.iter().enumerate().map(prove).collect();
    let kept = event.keep_joins(&invitation, &joins, Utc::now());
    (base, kept.map(|()| event))
}

#[test]
fn attested_keys_join_where_the_policy_demands_it() {
    let maker = Maker::new();
    let keys = Keys::new();
    // One device for each person: Ada and Bo have two keys each.
    for name in ["bo", "cleo"] {
        maker.device(name, "root", "device", &[]);
    }
    let serial = |text: &str| {
        let file = maker.path("extensions");
        fs::write(file, EXTENSIONS.replace("02:04:00:BC:61:4E", text)).unwrap();
    };
    let attest = |number: usize, key: &FileKey| {
        let (device, number) = [("device", "01"), ("bo", "02"), ("cleo", "03")][number % 3];
        serial(&format!("02:01:{number}"));
        maker.attest(key, device, "slot", &[])
    };
    let (_base, event) = genesis(&maker.policy("root"), &keys, attest, soon());
    let event = event.unwrap();
    let review = event.review().unwrap();
    let ada = review
        .new_keys
        .iter()
        .find(|one| one.holder == "Ada")
        .unwrap();
    assert_eq!(
        ada.origin.to_string(),
        "attested by its maker: YubiKey 1, firmware 5.4.3, PIN for every signature, touch for \
         every signature"
    );
    for key in [&keys.root[0], &keys.root[1], &keys.targets, &keys.bins] {
        event.sign(key, Utc::now()).unwrap();
    }
    event.combine(Utc::now()).unwrap();
    event.verify().unwrap();
}

#[test]
fn one_device_is_one_person_and_none_is_nobody() {
    let (maker, keys) = (Maker::new(), Keys::new());
    let policy = maker.policy("root");
    let same = |_: usize, key: &FileKey| maker.attest(key, "device", "slot", &[]);
    let (_base, refused) = genesis(&policy, &keys, same, soon());
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("another holder uses too")
    );
    let (base, refused) = genesis(&policy, &keys, |_, _| Vec::new(), soon());
    let said = refused.unwrap_err().to_string();
    assert!(
        said.contains("without the attestation that the policy demands"),
        "{said}"
    );
    // Nobody gets further with the event that was planned.
    let event = Event::open(&base.path().join("event")).unwrap();
    assert!(event.sign(&keys.root[0], Utc::now()).is_err());
}

/// Elliptic curves as newer makers use them; the root comes along in the chain.
#[test]
fn other_algorithms_and_a_chain_with_its_root() {
    let (maker, keys) = (Maker::new(), Keys::new());
    maker.root(
        "ec",
        "root",
        &["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"],
    );
    maker.device("second", "ec", "device", &["-sha384"]);
    let attest = |_: usize, key: &FileKey| {
        let mut chain = maker.attest(key, "second", "slot", &[]);
        chain.extend(maker.certificate("ec"));
        chain
    };
    let (_base, refused) = genesis(&maker.policy("ec"), &keys, attest, soon());
    // Every chain holds: what is refused is that five keys of three people share one device.
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("another holder uses too")
    );
}

/// A genesis with these chains must be refused, for this reason.
fn refused(
    maker: &Maker,
    (name, root): (&str, &str),
    attest: impl Fn(&FileKey) -> Chain,
    expected: &AttestationFlaw,
) {
    refused_at(maker, (name, root), attest, expected, soon());
}

fn refused_at(
    maker: &Maker,
    (name, root): (&str, &str),
    attest: impl Fn(&FileKey) -> Chain,
    expected: &AttestationFlaw,
    at: DateTime<Utc>,
) {
    let (policy, keys) = (maker.policy(root), Keys::new());
    let (_base, refused) = genesis(&policy, &keys, |_, key| attest(key), at);
    let EventFlaw::Attestation(found) = flaw(refused) else {
        panic!("{name}");
    };
    assert_eq!(found, *expected, "{name}");
}

#[test]
fn a_chain_that_was_changed_proves_nothing() {
    let maker = Maker::new();
    let good = |key: &FileKey| maker.attest(key, "device", "slot", &[]);
    let bent = |key: &FileKey, bend: &dyn Fn(&mut Chain)| {
        let mut chain = good(key);
        bend(&mut chain);
        chain
    };
    let flip = |chain: &mut Chain, number: usize| *chain[number].last_mut().unwrap() ^= 1;
    let cases: [(&str, Bend<'_>, AttestationFlaw); 5] = [
        (
            "the key's certificate changed",
            &|chain| flip(chain, 0),
            AttestationFlaw::Signature { number: 1 },
        ),
        (
            "the device's certificate changed",
            &|chain| flip(chain, 1),
            AttestationFlaw::Signature { number: 2 },
        ),
        (
            "no device",
            &|chain| chain.truncate(1),
            AttestationFlaw::Length { found: 1 },
        ),
        (
            "the wrong way round",
            &|chain| chain.swap(0, 1),
            AttestationFlaw::Root,
        ),
        (
            "a byte too many",
            &|chain| chain[0].push(0),
            AttestationFlaw::Form { number: 1 },
        ),
    ];
    for (name, bend, expected) in cases {
        refused(&maker, (name, "root"), |key| bent(key, bend), &expected);
    }
    let other = new_key(KeyType::EcdsaP256);
    let of_another = |_: &FileKey| good(&other);
    refused(
        &maker,
        ("another key", "root"),
        of_another,
        &AttestationFlaw::OtherKey,
    );
    let (now, one) = (Utc::now(), AttestationFlaw::Time { number: 1 });
    for (name, at) in [
        ("after its time", now + TimeDelta::days(3_001)),
        ("before its time", now - TimeDelta::days(1)),
    ] {
        refused_at(&maker, (name, "root"), good, &one, at);
    }
}

#[test]
fn a_chain_by_somebody_else_proves_nothing() {
    let maker = Maker::new();
    maker.root("foreign", "root", &["rsa:2048"]);
    maker.root("short", "short", &["rsa:2048"]);
    maker.device("powerless", "root", "powerless", &[]);
    maker.device("impostor", "root", "device", &[]);
    maker.device("shallow", "short", "device", &[]);
    maker.device("weak", "root", "device", &["-sha1"]);
    let by = |key: &FileKey, device: &str| maker.attest(key, device, "slot", &[]);
    let signature = |number| AttestationFlaw::Signature { number };
    let powerless = |number| AttestationFlaw::NotAuthority { number };
    for (name, root, device, expected) in [
        ("a root of the same name", "foreign", "device", signature(2)),
        (
            "a device that may not sign",
            "root",
            "powerless",
            powerless(2),
        ),
        (
            "a root with nothing below",
            "short",
            "shallow",
            powerless(3),
        ),
        ("signed with SHA-1", "root", "weak", signature(2)),
    ] {
        refused(&maker, (name, root), |key| by(key, device), &expected);
    }
    let impostor = |key: &FileKey| {
        let slot = by(key, "impostor");
        [slot[..1].to_vec(), maker.certificate("device")].concat()
    };
    refused(
        &maker,
        ("a device of the same name", "root"),
        impostor,
        &signature(1),
    );
}

#[test]
fn a_chain_without_the_makers_statements_proves_nothing() {
    let maker = Maker::new();
    for (extensions, expected) in [
        (
            "nameless",
            AttestationFlaw::Vendor {
                what: "its serial number",
            },
        ),
        (
            "odd",
            AttestationFlaw::Vendor {
                what: "when it asks for the PIN",
            },
        ),
        ("strange", AttestationFlaw::Extension { number: 1 }),
    ] {
        let attest = |key: &FileKey| maker.attest(key, "device", extensions, &[]);
        refused(&maker, (extensions, "root"), attest, &expected);
    }
}
