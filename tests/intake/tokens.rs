//! Who may do what: scopes, expiry, revocation, and a file of tokens that changes under a running intake.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::stage::{Ask, Stage, sample_files};

/// Longer than an intake may take to notice.
const NOTICED: Duration = Duration::from_millis(1_100);

#[test]
fn a_token_does_what_it_is_for_and_nothing_else() {
    let stage = Stage::new();
    stage.token(
        "adder",
        &["--may", "add", "--project", "countersign-sample-w*,other"],
    );
    stage.token(
        "reader",
        &["--may", "read", "--project", "countersign-sample-*"],
    );
    stage.token("elsewhere", &["--may", "read", "--project", "other"]);
    std::thread::sleep(NOTICED);
    let files = sample_files();
    let ours = files
        .iter()
        .find(|(name, _)| name.contains("words"))
        .unwrap();
    let theirs = files
        .iter()
        .find(|(name, _)| name.contains("greeter"))
        .unwrap();
    let before = stage.kept();
    let beyond = (403, "out-of-scope".to_owned());
    let refused = stage.ask_as("adder", Ask::file(&theirs.0, &theirs.1));
    assert_eq!(refused.problem(), beyond);
    assert!(refused.body.contains("greeter"), "{refused:?}");
    let yank = json!([{ "action": "yank", "file": ours.0 }]);
    assert_eq!(stage.ask_as("adder", Ask::edits(&yank)).problem(), beyond);
    let archive =
        Ask::new("POST", "/v1/changes").with("application/vnd.countersign.transaction+zip", b"PK");
    assert_eq!(stage.ask_as("adder", archive).problem(), beyond);
    assert_eq!(
        stage
            .ask_as("reader", Ask::file(&ours.0, &ours.1))
            .problem(),
        beyond
    );
    assert_eq!(stage.kept(), before, "what is refused leaves nothing");

    let id = stage.ask_as("adder", Ask::file(&ours.0, &ours.1)).id();
    let url = format!("/v1/changes/{id}");
    for (token, status) in [
        ("adder", 200),
        ("reader", 200),
        ("elsewhere", 404),
        ("all", 200),
    ] {
        assert_eq!(
            stage.ask_as(token, Ask::get(&url)).status,
            status,
            "{token}"
        );
    }
}

#[test]
fn tokens_come_and_go_while_it_runs() {
    let stage = Stage::new();
    let health = || Ask::get("/v1/changes/1");
    stage.token("brief", &["--may", "read", "--project", "*"]);
    std::thread::sleep(NOTICED);
    assert_eq!(stage.ask_as("brief", health()).status, 404);
    stage.must(&["online", "token", "revoke", "brief"]);
    std::thread::sleep(NOTICED);
    let refused = stage.ask_as("brief", health());
    assert_eq!(refused.problem(), (401, "unauthorized".to_owned()));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));

    // Expired.
    let path = stage.home().join("index/tokens.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let year = text.split("expires = \"").nth(1).unwrap()[..4].to_owned();
    std::fs::write(
        &path,
        text.replace(&format!("expires = \"{year}"), "expires = \"2020"),
    )
    .unwrap();
    std::thread::sleep(NOTICED);
    assert_eq!(stage.ask(health()).status, 401);
    // A file that cannot be read leaves those of before in force, and is said.
    std::fs::write(&path, &text).unwrap();
    std::thread::sleep(NOTICED);
    assert_eq!(stage.ask(health()).status, 404);
    std::fs::write(&path, "[[token]\n").unwrap();
    std::thread::sleep(NOTICED);
    assert_eq!(stage.ask(health()).status, 404);
    assert_eq!(stage.send(&Ask::get("/v1/ready")).problem().0, 503);
    // The log comes by another way than the answers.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !stage.log().contains("going on with the tokens of before") {
        assert!(Instant::now() < deadline, "it is not said: {}", stage.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::write(&path, &text).unwrap();
    std::thread::sleep(NOTICED);
    assert_eq!(stage.send(&Ask::get("/v1/ready")).status, 200);
}

#[test]
fn secrets_are_in_no_file_and_no_log() {
    let stage = Stage::new();
    let secret = stage.secret("all");
    let _ = stage.ask(Ask::get("/v1/changes/1"));
    let wrong = Ask::get("/v1/changes/1").header("authorization", "Bearer countersign_wrong");
    assert_eq!(stage.send(&wrong).status, 401);
    let tokens = std::fs::read_to_string(stage.home().join("index/tokens.toml")).unwrap();
    for text in [
        tokens,
        stage.log(),
        stage.must(&["online", "token", "list", "--json"]),
    ] {
        assert!(
            !text.contains(&secret) && !text.contains("countersign_wrong"),
            "{text}"
        );
    }
    let again = stage.command(&[
        "online",
        "token",
        "new",
        "all",
        "--may",
        "add",
        "--project",
        "*",
    ]);
    let output = { again }.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("never comes back"));
}

#[test]
fn a_token_that_asks_too_often_is_put_off_and_others_are_not() {
    let policy = crate::stage::small_policy()
        .replace("requests_per_second = 200 ", "requests_per_second = 1 ")
        .replace("request_burst = 2_000 ", "request_burst = 3 ");
    let stage = Stage::by(&policy);
    let statuses: Vec<_> = (0..5)
        .map(|_| stage.ask(Ask::get("/v1/changes/1")))
        .map(|answer| {
            (
                answer.status,
                answer.header("retry-after").map(str::to_owned),
            )
        })
        .collect();
    assert_eq!(statuses[..3], vec![(404, None); 3]);
    assert_eq!(statuses[4], (429, Some("1".to_owned())), "{statuses:?}");
    stage.token("other", &["--may", "read", "--project", "*"]);
    std::thread::sleep(NOTICED);
    assert_eq!(stage.ask_as("other", Ask::get("/v1/changes/1")).status, 404);
}

/// Tokens pass over the network only where nobody can read them.
#[test]
fn without_tls_it_listens_on_loopback_alone() {
    let stage = Stage::new();
    let words = ["online", "serve", "--intake-listen", "0.0.0.0:0"];
    let output = stage.command(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("in the clear") && said.contains("--tls-certificate"),
        "{said}"
    );
}

#[test]
fn over_tls_it_answers_who_trusts_its_certificate() {
    let mut stage = Stage::new();
    let openssl = countersign_tests::environment::prepared("tools/openssl");
    let made = std::process::Command::new(openssl)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args([
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "chain.pem",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .current_dir(stage.home())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    stage.start(&["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);
    let script = "import ssl, sys, urllib.request as u\n\
        c = ssl.create_default_context(cafile='chain.pem')\n\
        print(u.urlopen(sys.argv[1], context=c).read().decode())\n";
    let python = countersign_tests::environment::prepared("venv/bin/python");
    let mut command = countersign_tests::environment::clean_command(python, stage.home());
    let url = format!("https://127.0.0.1:{}/v1/health", stage.port());
    let output = command.args(["-c", script, &url]).current_dir(stage.home());
    let output = output.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"ok\""));
    // Half a certificate is a usage error, a wrong file is named.
    let half = stage.command(&["online", "serve", "--tls-certificate", "chain.pem"]);
    assert_eq!({ half }.output().unwrap().status.code(), Some(2));
    let words = [
        "online",
        "serve",
        "--tls-certificate",
        "key.pem",
        "--tls-key",
        "key.pem",
    ];
    let output = stage.command(&words).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("key.pem"));
}
