//! Malformed, oversized, duplicate, unauthorized and out-of-scope requests: a problem each, and nothing kept.

use serde_json::json;

use crate::stage::{Ask, FILE, JSON, Stage, sample_files, small_policy};

/// What is wrong, the request, and what it is answered.
type Flaw = (&'static str, Ask, u16, &'static str);

#[expect(clippy::too_many_lines, reason = "a table")]
fn unsound(name: &str, bytes: &[u8]) -> Vec<Flaw> {
    let long = "a".repeat(3_000);
    let truncated = &bytes[..bytes.len() / 2];
    let post = || Ask::new("POST", "/v1/changes");
    let edits = |changes| Ask::edits(&changes);
    let raw = |text: &str| post().with(JSON, text.as_bytes());
    vec![
        ("no body", Ask::file(name, b""), 422, "invalid"),
        (
            "no archive",
            Ask::file(name, b"not a wheel"),
            422,
            "invalid",
        ),
        (
            "half an archive",
            Ask::file(name, truncated),
            422,
            "invalid",
        ),
        (
            "another project's name",
            Ask::file("other-1.0-py3-none-any.whl", bytes),
            422,
            "invalid",
        ),
        (
            "no distribution",
            Ask::file("readme.txt", bytes),
            422,
            "invalid",
        ),
        (
            "a path",
            Ask::file("..%2F..%2Fetc%2Fpasswd", bytes),
            422,
            "invalid",
        ),
        (
            "a path in a name",
            Ask::file("..%2Fa-1.0.tar.gz", bytes),
            422,
            "invalid",
        ),
        ("a NUL", Ask::file("a%00-1.0.tar.gz", bytes), 422, "invalid"),
        (
            "a long name",
            Ask::file(&format!("{long}-1.0.tar.gz"), bytes),
            422,
            "invalid",
        ),
        (
            "no UTF-8",
            Ask::file("%ff-1.0.tar.gz", bytes),
            422,
            "invalid",
        ),
        ("no name", post().with(FILE, bytes), 400, "malformed"),
        (
            "a name twice",
            Ask::file(&format!("{name}&filename={name}"), bytes),
            400,
            "malformed",
        ),
        ("no content type", post(), 415, "media-type"),
        (
            "a form",
            post().with("multipart/form-data; boundary=x", b"--x--"),
            415,
            "media-type",
        ),
        ("no JSON", raw("{"), 400, "malformed"),
        ("a list", raw("[]"), 400, "malformed"),
        (
            "two documents",
            raw("{\"changes\":[]} {}"),
            400,
            "malformed",
        ),
        ("no changes", edits(json!([])), 400, "malformed"),
        (
            "an unknown action",
            edits(json!([{"action": "bless", "file": name}])),
            400,
            "malformed",
        ),
        (
            "an unknown member",
            edits(json!([{"action": "remove", "file": name, "x": 1}])),
            400,
            "malformed",
        ),
        (
            "no file",
            edits(json!([{"action": "remove"}])),
            400,
            "malformed",
        ),
        (
            "a number",
            edits(json!([{"action": "remove", "file": 1}])),
            400,
            "malformed",
        ),
        (
            "a member twice",
            raw("{\"changes\":[],\"changes\":[]}"),
            400,
            "malformed",
        ),
        ("deep nesting", raw(&"[".repeat(100_000)), 400, "malformed"),
        (
            "too many",
            edits(json!(vec![json!({"action": "remove", "file": name}); 501])),
            400,
            "malformed",
        ),
        (
            "a long document",
            raw(&format!("{{\"x\":\"{}\"}}", "a".repeat(1_100_000))),
            413,
            "too-large",
        ),
        (
            "a file that is not there",
            edits(json!([{"action": "remove", "file": name}])),
            409,
            "unknown-file",
        ),
        (
            "a project that is not there",
            edits(json!([{"action": "remove-project", "project": "x"}])),
            409,
            "unknown-file",
        ),
        (
            "no project",
            edits(json!([{"action": "remove-project", "project": "-"}])),
            422,
            "invalid",
        ),
        (
            "no transaction",
            post().with("application/vnd.countersign.transaction+zip", b"PK"),
            422,
            "invalid",
        ),
        (
            "a key too long",
            Ask::file(name, bytes).header("idempotency-key", &long[..256]),
            400,
            "malformed",
        ),
        (
            "two keys",
            Ask::file(name, bytes)
                .header("idempotency-key", "a")
                .header("idempotency-key", "b"),
            400,
            "malformed",
        ),
        (
            "a large file announced",
            Ask::file(name, b"").header("content-length", "99999999999"),
            413,
            "too-large",
        ),
        (
            "no such change",
            Ask::get("/v1/changes/7"),
            404,
            "not-found",
        ),
        ("no number", Ask::get("/v1/changes/x"), 404, "not-found"),
        (
            "a large number",
            Ask::get("/v1/changes/99999999999999999999"),
            404,
            "not-found",
        ),
        ("no such path", Ask::get("/v2/changes"), 404, "not-found"),
        (
            "no such method",
            Ask::new("DELETE", "/v1/changes"),
            405,
            "method",
        ),
    ]
}

#[test]
fn what_is_wrong_is_a_problem_and_leaves_nothing() {
    let stage = Stage::new();
    let files = sample_files();
    let (name, bytes) = files
        .iter()
        .find(|(name, _)| name.contains("words"))
        .unwrap();
    let before = stage.kept();
    for (what, ask, status, word) in unsound(name, bytes) {
        let answer = stage.ask(ask);
        assert_eq!(
            answer.problem(),
            (status, word.to_owned()),
            "{what}: {answer:?}"
        );
        assert_eq!(stage.kept(), before, "{what}");
    }
    // A change that cannot be made takes those beside it along.
    stage.ask(Ask::file(name, bytes)).id();
    let before = stage.kept();
    let changes = json!([{ "action": "yank", "file": name },
        { "action": "yank", "file": "countersign_sample_words-9.tar.gz" }]);
    assert_eq!(stage.ask(Ask::edits(&changes)).problem().0, 409);
    let reason = json!([{ "action": "yank", "file": name, "reason": "two\nlines" }]);
    assert_eq!(stage.ask(Ask::edits(&reason)).problem().0, 422);
    // A name stands for the bytes it was first taken for.
    let mut altered = bytes.clone();
    altered[12] ^= 1;
    assert_eq!(
        stage.ask(Ask::file(name, &altered)).problem(),
        (409, "name-taken".to_owned())
    );
    assert_eq!(stage.kept(), before);
    assert!(!stage.log().contains("panicked"), "{}", stage.log());
}

#[test]
fn who_has_no_token_gets_nothing_in() {
    let stage = Stage::new();
    let files = sample_files();
    let (name, bytes) = &files[0];
    let before = stage.kept();
    let secret = stage.secret("all");
    for authorization in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Basic {secret}")),
        Some(format!("Bearer {}", &secret[..secret.len() - 1])),
        Some(format!("Bearer {secret}x")),
        Some(format!("Bearer {}", secret.to_uppercase())),
        Some("Bearer \u{e9}".to_owned()),
    ] {
        let mut ask = Ask::file(name, bytes);
        if let Some(value) = &authorization {
            ask = ask.header("authorization", value);
        }
        let answer = stage.send(&ask);
        assert_eq!(
            answer.problem(),
            (401, "unauthorized".to_owned()),
            "{authorization:?}"
        );
    }
    let both = Ask::file(name, bytes)
        .header("authorization", "Bearer x")
        .header("authorization", &format!("Bearer {secret}"));
    assert_eq!(stage.send(&both).status, 401);
    assert_eq!(stage.kept(), before);
}

/// A body longer than announced limits is cut off while it comes, wherever the length is not said.
#[test]
fn a_body_without_an_announced_length_is_limited_too() {
    let policy = small_policy().replace("file_bytes = 5_000_000_000 ", "file_bytes = 100_000 ");
    let stage = Stage::by(&policy);
    let before = stage.kept();
    let secret = stage.secret("all");
    let mut bytes = format!(
        "POST /v1/changes?filename=a-1.0.tar.gz HTTP/1.1\r\nhost: x\r\ncontent-type: {FILE}\r\n\
         authorization: Bearer {secret}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..40 {
        bytes.extend_from_slice(b"1000\r\n");
        bytes.extend_from_slice(&[b'x'; 0x1000]);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let answer = crate::stage::exchange(stage.port(), &bytes).unwrap();
    stage.check("POST", "/v1/changes", &answer);
    assert_eq!(answer.problem(), (413, "too-large".to_owned()));
    assert_eq!(stage.kept(), before);
}

/// Where nobody signs, those who upload hear it before the disk is full.
#[test]
fn more_than_may_wait_is_put_off() {
    let policy = small_policy().replace("waiting_changes = 100_000 ", "waiting_changes = 2 ");
    let stage = Stage::by(&policy);
    let files = sample_files();
    for (name, bytes) in &files[..2] {
        stage.ask(Ask::file(name, bytes)).id();
    }
    let ready = stage.send(&Ask::get("/v1/ready"));
    assert_eq!(ready.problem(), (503, "busy".to_owned()));
    let before = stage.kept();
    let (name, bytes) = &files[2];
    let answer = stage.ask(Ask::file(name, bytes));
    assert_eq!(answer.problem(), (503, "busy".to_owned()));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(stage.kept(), before);
    assert!(stage.tick().status.success());
    assert_eq!(stage.send(&Ask::get("/v1/ready")).status, 200);
    stage.ask(Ask::file(name, bytes)).id();
}
