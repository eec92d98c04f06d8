//! The `OpenAPI` document is what the intake does: served as generated, and driven by schemathesis.

use std::collections::BTreeSet;

use countersign_tests::environment::{clean_command, prepared, said};

use crate::stage::{Ask, Stage, sample_files, small_policy};

#[test]
fn the_description_served_is_the_one_generated() {
    let stage = Stage::new();
    let served = stage.send(&Ask::get("/v1/openapi.json")).json();
    assert_eq!(&served, stage.document());
    assert_eq!(served["openapi"], "3.1.0");
    let paths = served["paths"].as_object().unwrap();
    let paths: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let expected = [
        "/metrics",
        "/v1/changes",
        "/v1/changes/{id}",
        "/v1/health",
        "/v1/openapi.json",
        "/v1/ready",
    ];
    assert_eq!(paths, BTreeSet::from(expected));
    // Whatever changes something, or tells of changes, asks for a token.
    for path in ["/v1/changes", "/v1/changes/{id}"] {
        for operation in served["paths"][path].as_object().unwrap().values() {
            assert_eq!(
                operation["security"][0]["token"],
                serde_json::json!([]),
                "{path}"
            );
        }
    }
}

/// Schemathesis makes requests from the document, good and bad, and looks whether answers are as it says.
#[test]
fn schemathesis_finds_nothing() {
    // As many requests as it likes.
    let policy = small_policy()
        .replace("request_burst = 2_000 ", "request_burst = 1_000_000 ")
        .replace("longest_wait = \"120s\" ", "longest_wait = \"1s\" ");
    let stage = Stage::by(&policy);
    let (name, bytes) = sample_files().remove(0);
    stage.ask(Ask::file(&name, &bytes)).id();
    let folder = prepared("schemathesis");
    let hooks = "import schemathesis\n\
        @schemathesis.serializer('application/vnd.countersign.transaction+zip')\n\
        def archive(ctx, value):\n\
        \x20   return value if isinstance(value, (bytes, str)) else str(value).encode()\n";
    std::fs::write(stage.home().join("hooks.py"), hooks).unwrap();
    // What a document cannot say: that a file needs its name, that bytes are a distribution, that a name is
    // on the index.
    let settings = "[checks]\n\
        positive_data_acceptance.expected-statuses = ['2xx', '400', '401', '404', '409', '415', '422']\n\
        negative_data_rejection.expected-statuses = ['400', '401', '403', '404', '405', '406', '409', '413', '415', '422', '5xx']\n";
    std::fs::write(stage.home().join("schemathesis.toml"), settings).unwrap();
    let python = prepared("venv/bin/python");
    let mut command = clean_command(python, stage.home());
    command
        .arg(folder.join("bin/schemathesis"))
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("http://127.0.0.1:{}/v1/openapi.json", stage.port()))
        .args([
            "-H",
            &format!("Authorization: Bearer {}", stage.secret("all")),
        ])
        .args([
            "--max-examples",
            "20",
            "--seed",
            "1",
            "--no-color",
            "--workers",
            "1",
        ])
        .args(["--continue-on-failure", "--generation-deterministic"])
        .current_dir(stage.home())
        .env("PYTHONPATH", &folder)
        .env("SCHEMATHESIS_HOOKS", "hooks");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(!stage.log().contains("panicked"), "{}", stage.log());
}
