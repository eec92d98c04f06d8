//! An index that `countersign online tick` signs with a key of each kind of place, and that a client
//! of its own reads: only the programs, as operators run them.

use ceremony::{Event, GenesisPlan, HeldKey};
use chrono::Utc;
use countersign_tests::environment::samples;
use keys::{FileKey, KeyType, Signer, public_key_from_pem};
use kms_double::{Action, Fault, KeySpec, KeyState, KmsDouble, REGION};
use policy::Policy;
use ring::rand::SystemRandom;

use crate::common::{PlainKey, in_workspace, python};
use crate::hsm::{PIN, with_softhsm};
use crate::programs::desk::Desk;
use crate::ssh_agent::Agent;

const TICK: &str = "online tick --at-once --json";

/// Holds the first ceremony with offline keys in memory and this online key; its `publish-set`.
fn hold_ceremony(desk: &Desk, online_pem: &str) -> String {
    let policy = Policy::built_in_text("small-index").unwrap();
    let policy = policy.replace("bins = \"auto\" ", "bins = 16 ");
    // Two tries: what is tried again and fails again has to end soon.
    let policy = policy.replace("kms_attempts = 6 ", "kms_attempts = 2 ");
    std::fs::write(desk.at("policy.toml"), &policy).unwrap();
    let new = || FileKey::generate(KeyType::Ed25519, &SystemRandom::new()).unwrap();
    let offline = [new(), new(), new(), new(), new()];
    let held = |name: &str, key: &FileKey| HeldKey {
        holder: name.to_owned(),
        key: key.public_key().clone(),
    };
    let online = || {
        vec![HeldKey {
            holder: "Signer".to_owned(),
            key: public_key_from_pem(online_pem).unwrap(),
        }]
    };
    let names = ["Ada", "Bo", "Cleo"];
    let plan = GenesisPlan {
        policy: &policy,
        layout: None,
        now: Utc::now(),
        root: names
            .iter()
            .zip(&offline)
            .map(|(name, key)| held(name, key))
            .collect(),
        targets: vec![held("Ada", &offline[3])],
        bins: vec![held("Bo", &offline[4])],
        snapshot: online(),
        timestamp: online(),
    };
    let event = Event::plan_genesis(&desk.at("ceremony"), &plan).unwrap();
    for key in &offline {
        event.sign(key, Utc::now()).unwrap();
    }
    event.combine(Utc::now()).unwrap();
    "ceremony/publish-set".to_owned()
}

/// Makes an index whose settings name the key, signs it twice and downloads from it.
fn signs_an_index(desk: &Desk, uri: &str, passphrases: &str) {
    let shown = desk.json("countersign", &format!("key show {uri} {passphrases}"));
    let set = hold_ceremony(desk, shown["public_pem"].as_str().unwrap());
    let ours = |line: &str| desk.ok("countersign", line);
    let init = format!("index init --policy policy.toml --online-key {uri} {passphrases}");
    ours(&init);
    ours(&format!("index apply {set}"));
    let settings = std::fs::read_to_string(desk.at("countersign-data/countersign.toml")).unwrap();
    let scheme = uri.split(':').next().unwrap();
    assert!(settings.contains(&format!("\"{scheme}:")), "{settings}");
    let first = desk.run("countersign", TICK).expect(0);
    let first: serde_json::Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!(
        (&first["timestamp"], &first["bins"]),
        (&1.into(), &16.into())
    );
    for file in samples() {
        ours(&format!("index add {}", file.display()));
    }
    let second = desk.run("countersign", TICK).expect(0);
    let second: serde_json::Value = serde_json::from_str(&second.stdout).unwrap();
    assert_eq!(second["timestamp"], 2, "{second}");
    // What is signed is what the client of this program believes, starting from the first root.
    ours(&format!("client init {set}/1.root.json"));
    let file = samples().remove(0);
    let name = file.file_name().unwrap().to_str().unwrap();
    let repository = desk.at("countersign-data/repository");
    ours(&format!(
        "client download {name} --dir got --metadata-url file://{}/metadata/",
        repository.display()
    ));
    let got = std::fs::read(desk.at("got").join(name)).unwrap();
    assert_eq!(got, std::fs::read(&file).unwrap());
}

#[test]
fn with_a_key_on_a_token() {
    with_softhsm(|hsm| {
        hsm.add_token("Index");
        let desk = Desk::new();
        desk.write("pin", &format!("{PIN}\n"));
        let uri = format!(
            "pkcs11:token=Index;object=online?module-path={}",
            hsm.module.display()
        );
        desk.ok(
            "countersign",
            &format!("key new {uri} --passphrase-file pin"),
        );
        signs_an_index(&desk, &uri, "--passphrase-file pin");
    });
}

#[test]
fn with_a_key_an_agent_holds() {
    let agent = Agent::start();
    let fingerprint = agent.add("ed25519", "online", "online");
    let mut desk = Desk::new();
    desk.set("SSH_AUTH_SOCK", agent.socket());
    signs_an_index(&desk, &format!("ssh-agent:{fingerprint}"), "");
}

#[test]
fn with_a_key_of_an_external_signer() {
    let key = PlainKey::make("ed25519");
    let desk = Desk::new();
    let (script, file) = (
        in_workspace("crates/keys/examples/securesystemslib_signer.py"),
        key.path(),
    );
    let uri = format!(
        "exec:{}?arg={}&arg=file2:{file}&arg={file}.json",
        python().display(),
        script.display(),
        file = file.display()
    );
    signs_an_index(&desk, &uri, "");
}

#[test]
fn with_a_key_of_a_key_service() {
    let double = KmsDouble::start().unwrap();
    let mut desk = Desk::new();
    desk.write("credentials", &double.credentials_file());
    desk.set("COUNTERSIGN_AWS_CREDENTIALS_FILE", desk.at("credentials"));
    let (id, endpoint) = (double.create_key(KeySpec::P256), double.endpoint());
    let uri = format!("awskms:{id}?region={REGION}&endpoint={endpoint}");
    // Slow enough that requests under way at once are seen to be.
    let slow = Fault::Delay(std::time::Duration::from_millis(100));
    double.inject(Action::Sign, slow, 4);
    signs_an_index(&desk, &uri, "");
    // 16 bins, a snapshot and a timestamp; then at least a bin and both again.
    assert!(double.count(Action::Sign) >= 18 + 3);
    assert!(double.peak() > 1, "bins are signed several at once");
}

/// What `online plan` says a cycle will ask is what the service counts, also where it throttles: a request
/// that is told to wait is asked again, and nothing is asked twice without need.
#[test]
fn a_cycle_asks_a_key_service_as_often_as_was_planned() {
    let double = KmsDouble::start().unwrap();
    let mut desk = Desk::new();
    desk.write("credentials", &double.credentials_file());
    desk.set("COUNTERSIGN_AWS_CREDENTIALS_FILE", desk.at("credentials"));
    let (id, endpoint) = (double.create_key(KeySpec::P256), double.endpoint());
    let uri = format!("awskms:{id}?region={REGION}&endpoint={endpoint}");
    let shown = desk.json("countersign", &format!("key show {uri}"));
    let set = hold_ceremony(&desk, shown["public_pem"].as_str().unwrap());
    let init = format!("index init --policy policy.toml --online-key {uri}");
    desk.ok("countersign", &init);
    desk.ok("countersign", &format!("index apply {set}"));
    let plan = desk.json("countersign", "online plan --at-once");
    assert_eq!(plan["cost"]["signatures"], 18, "{plan}");
    assert_eq!(plan["cost"]["key_service_requests"], 19);
    let counted = || double.count(Action::Sign) + double.count(Action::GetPublicKey);
    let before = counted();
    double.forget_peak();
    double.inject(Action::Sign, Fault::THROTTLE, 5);
    // Slow enough that requests under way at once are seen to be.
    let slow = Fault::Delay(std::time::Duration::from_millis(100));
    double.inject(Action::Sign, slow, 8);
    desk.run("countersign", TICK).expect(0);
    let throttled = 5;
    assert_eq!(counted() - before, 19 + throttled);
    assert!(
        (2..=8).contains(&double.peak()),
        "{} at once",
        double.peak()
    );
    let idle = desk.json("countersign", "online plan");
    assert_eq!(idle["cost"]["signatures"], 0, "{idle}");
    assert!(idle["cost"]["renewals_per_day"].as_u64() > Some(0));
}

/// What the issue asks to be named, as `online tick` says it: nothing is published.
#[test]
fn what_goes_wrong_at_a_key_service_is_named_with_what_to_do() {
    let double = KmsDouble::start().unwrap();
    let mut desk = Desk::new();
    desk.write("credentials", &double.credentials_file());
    desk.set("COUNTERSIGN_AWS_CREDENTIALS_FILE", desk.at("credentials"));
    let (id, endpoint) = (double.create_key(KeySpec::P256), double.endpoint());
    let named = |id: &str| format!("awskms:{id}?region={REGION}&endpoint={endpoint}");
    let uri = named(&id);
    let shown = desk.json("countersign", &format!("key show {uri}"));
    let set = hold_ceremony(&desk, shown["public_pem"].as_str().unwrap());
    let init = format!("index init --policy policy.toml --online-key {uri}");
    desk.ok("countersign", &init);
    desk.ok("countersign", &format!("index apply {set}"));
    let fails = |code| desk.run("countersign", TICK).expect(code);

    double.set_state(&id, KeyState::Disabled);
    fails(1).says(&["the key is disabled", "hint: enable the key"]);
    double.set_state(&id, KeyState::Enabled);
    let other = format!("key check awskms:{id}?region=eu-north-1&endpoint={endpoint}");
    let said = desk.run("countersign", &other).expect(1);
    said.says(&["hint: let `region=` and `endpoint=` name one region"]);
    let wrong = double.create_key(KeySpec::P384);
    let said = desk.run("countersign", &format!("key check {}", named(&wrong)));
    said.expect(1)
        .says(&["signs no metadata", "hint: create a key for SIGN_VERIFY"]);
    // Another key than the roles list.
    let stranger = double.create_key(KeySpec::P256);
    let tick = format!("{TICK} --online-key {}", named(&stranger));
    let said = desk.run("countersign", &tick).expect(11);
    said.says(&[
        "error: a key failed while signing bins-",
        &format!("{} is the key ", named(&stranger)),
        &format!(", not {}", shown["keyid"].as_str().unwrap()),
        "hint: name the key that the role lists",
    ]);
    // A set that the keys at hand cannot serve is given up.
    desk.ok("countersign", &format!("index apply {set}"));
    double.inject(Action::Sign, Fault::THROTTLE, 1000);
    fails(1).says(&["throttled", "hint: lower `kms_concurrency` in the policy"]);
    let store = desk.at("countersign-data/repository/metadata");
    assert!(!store.join("timestamp.json").exists());

    let strict = KmsDouble::start().unwrap();
    strict.deny(Action::Sign);
    desk.write("other", &strict.credentials_file());
    let (id, endpoint) = (strict.create_key(KeySpec::P256), strict.endpoint());
    let uri = format!("awskms:{id}?region={REGION}&endpoint={endpoint}");
    let check = format!("key check {uri} --aws-credentials-file other");
    let said = desk.run("countersign", &check).expect(1);
    said.says(&[
        "no permission for kms:Sign",
        "hint: allow kms:GetPublicKey and kms:Sign",
    ]);
    let check = format!("key check {uri} --aws-credentials-file none");
    let said = desk.run("countersign", &check).expect(1);
    said.says(&[
        "cannot read the credentials file `none`",
        "hint: check the path",
    ]);
    let (code, said) = {
        let run = desk.run("countersign-ceremony", &format!("key check {uri}"));
        (run.code, run.stderr)
    };
    assert_eq!(code, Some(1));
    assert!(said.contains("`countersign` can"), "{said}");
}
