//! What is handed in is acknowledged once it is safe, published by the signer, and its fate told to who may ask.

use std::time::Duration;

use serde_json::json;

use crate::stage::{Ask, Stage, sample_files};

const GREETER: &str = "countersign-sample-greeter";

/// The sample that is a wheel of the project above.
fn greeter() -> (String, Vec<u8>) {
    let mut files = sample_files().into_iter();
    files.find(|(name, _)| name.contains("greeter")).unwrap()
}

#[test]
fn what_is_acknowledged_is_published() {
    let stage = Stage::new();
    let (name, bytes) = greeter();
    let taken = stage.ask(Ask::file(&name, &bytes));
    let id = taken.id();
    let url = format!("/v1/changes/{id}");
    assert_eq!(taken.header("location"), Some(url.as_str()));
    let receipt = taken.json();
    assert_eq!(receipt["changes"][0]["file"], name.as_str());
    assert_eq!(receipt["changes"][0]["project"], GREETER);
    let digest = metadata::Sha256::of(&bytes).to_string();
    assert_eq!(receipt["changes"][0]["sha256"], digest.as_str());
    let told = |url: &str| stage.ask(Ask::get(url)).json();
    assert_eq!(told(&url)["state"], "queued");

    assert!(stage.tick().status.success());
    let fate = told(&url);
    assert_eq!(fate["state"], "published");
    assert_eq!(fate["snapshot"], fate["changes"][0]["snapshot"]);
    assert!(stage.lists(GREETER, &name));

    // Sent once more it is nothing new, and said to be there.
    let again = stage.ask(Ask::file(&name, &bytes)).id();
    let fate = told(&format!("/v1/changes/{again}"));
    assert_eq!(
        (&fate["state"], &fate["snapshot"]),
        (&json!("published"), &json!(null))
    );

    // Yanked with a reason, and removed.
    let yank = json!([{ "action": "yank", "file": name, "reason": "broken" }]);
    let yanked = stage.ask(Ask::edits(&yank)).id();
    assert!(stage.tick().status.success());
    assert_eq!(told(&format!("/v1/changes/{yanked}"))["state"], "published");
    assert!(stage.lists(GREETER, "\"yanked\":\"broken\""));
    let remove = json!([{ "action": "unyank", "file": name },
        { "action": "remove-project", "project": "Countersign_Sample.Greeter" }]);
    stage.ask(Ask::edits(&remove)).id();
    assert!(stage.tick().status.success());
    assert!(!stage.lists(GREETER, &name));
}

#[test]
fn who_waits_hears_when_clients_see_it() {
    let stage = Stage::new();
    let (name, bytes) = greeter();
    let waiting = Ask::file(&name, &bytes).header("prefer", "wait=60");
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| stage.ask(waiting));
        while !stage.kept().iter().any(|line| line == "1 waiting") {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(stage.tick().status.success());
        asked.join().unwrap()
    });
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["state"], "published");
    assert_eq!(answer.header("preference-applied"), Some("wait=60"));
    // What is not decided in time is answered all the same.
    let yank = json!([{ "action": "yank", "file": name }]);
    let late = stage.ask(Ask::edits(&yank).header("prefer", "respond-async, wait=1"));
    let id = late.id();
    let asked = Ask::get(&format!("/v1/changes/{id}")).header("prefer", "wait=1");
    assert_eq!(stage.ask(asked).json()["state"], "queued");
}

#[test]
fn a_key_gets_the_same_answer_for_ever() {
    let mut stage = Stage::new();
    let (name, bytes) = greeter();
    let keyed = |key: &str| Ask::file(&name, &bytes).header("idempotency-key", key);
    // At once.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = || stage.ask(keyed("\"release-1\""));
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let first = &answers[0];
    assert!(
        answers.iter().all(|one| one.body == first.body),
        "{answers:?}"
    );
    assert_eq!(
        stage
            .kept()
            .iter()
            .filter(|line| line.contains("SubmissionRecord"))
            .count(),
        1
    );
    // After a kill, and once it is published.
    stage.start(&[]);
    assert_eq!(stage.ask(keyed("release-1")).body, first.body);
    assert!(stage.tick().status.success());
    assert_eq!(stage.ask(keyed("release-1")).body, first.body);
    // Another request under it is refused; the key of another token is another key.
    let other = json!([{ "action": "yank", "file": name }]);
    let other = || Ask::edits(&other).header("idempotency-key", "release-1");
    assert_eq!(stage.ask(other()).problem(), (422, "key-reused".to_owned()));
    stage.token("second", &["--may", "yank", "--project", "*"]);
    std::thread::sleep(Duration::from_millis(1_100));
    assert_ne!(stage.ask_as("second", other()).id(), first.id());
}

/// Requests of many heads share transactions, and each gets its own answer, also after a kill.
#[test]
fn what_many_hand_in_at_once_survives_a_kill() {
    let mut stage = Stage::new();
    let (name, bytes) = greeter();
    stage.ask(Ask::file(&name, &bytes)).id();
    let ids: Vec<u64> = std::thread::scope(|scope| {
        let heads: Vec<_> = (0..8)
            .map(|head| {
                let (stage, name) = (&stage, &name);
                scope.spawn(move || {
                    let yank = |n| {
                        json!([{ "action": "yank", "file": name,
                        "reason": format!("{head}-{n}") }])
                    };
                    let ask = |n| stage.ask(Ask::edits(&yank(n))).id();
                    (0..20).map(ask).collect::<Vec<u64>>()
                })
            })
            .collect();
        heads
            .into_iter()
            .flat_map(|head| head.join().unwrap())
            .collect()
    });
    stage.start(&[]);
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), 160);
    assert!(stage.tick().status.success());
    for id in ids {
        let fate = stage.ask(Ask::get(&format!("/v1/changes/{id}"))).json();
        assert_eq!(fate["state"], "published", "{id}");
    }
    let metrics = stage.send(&Ask::get("/metrics")).body;
    assert!(metrics.contains("countersign_intake_ready 1"), "{metrics}");
}

#[test]
fn it_ends_once_requests_under_way_are_answered() {
    let stage = Stage::new();
    let (name, bytes) = greeter();
    stage.ask(Ask::file(&name, &bytes)).id();
    let port = countersign_tests::environment::free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = stage.command(&["online", "serve", "--intake-listen", &listen]);
    let mut child = command.spawn().unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let waiting = Ask::get("/v1/changes/1")
        .header("prefer", "wait=2")
        .header("authorization", &format!("Bearer {}", stage.secret("all")));
    let asked = std::thread::spawn(move || crate::stage::exchange(port, &waiting.bytes()));
    std::thread::sleep(Duration::from_millis(300));
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(asked.join().unwrap().unwrap().status, 200);
    assert!(child.wait().unwrap().success());
}
