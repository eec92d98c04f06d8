//! The server over real connections, asked in plain HTTP/1.1.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// A repository's folder with one file of each kind, and something beside it that nobody may read.
fn folder() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [
        ("state.sqlite", "secret"),
        ("repository/metadata/timestamp.json", "{}"),
        ("repository/metadata/1.root.json", "{\"root\":1}"),
        ("repository/simple/alpha/index.json", "{\"name\":\"alpha\"}"),
        ("repository/simple/alpha/index.html", "<html>alpha</html>"),
        ("repository/packages/ab/alpha/alpha-1.whl", "wheel"),
    ] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    root
}

/// Sends one request to a server of `folder`; the whole answer.
async fn ask(folder: &Path, request: &str) -> String {
    let (shutdown, stopper) = Shutdown::listen().expect("signals");
    let listener = listen(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(serve(listener, folder.join("repository"), shutdown));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("{request}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    stopper.stop();
    server.await.expect("no panic").expect("a clean end");
    answer.to_lowercase()
}

#[tokio::test]
async fn files_come_with_type_length_and_lifetime() {
    let root = folder();
    let get = |path: &str| format!("GET {path} HTTP/1.1");
    let timestamp = ask(root.path(), &get("/metadata/timestamp.json")).await;
    assert!(timestamp.starts_with("http/1.1 200 ok"), "{timestamp}");
    for part in [
        "application/json",
        "max-age=5\r",
        "content-length: 2\r",
        "nosniff",
        "\r\n\r\n{}",
    ] {
        assert!(timestamp.contains(part), "{part} in {timestamp}");
    }
    let file = ask(root.path(), &get("/packages/ab/alpha/alpha-1.whl")).await;
    for part in ["application/octet-stream", "immutable", "\r\n\r\nwheel"] {
        assert!(file.contains(part), "{part} in {file}");
    }
    let head = ask(root.path(), "HEAD /metadata/1.root.json HTTP/1.1").await;
    assert!(head.contains("content-length: 10\r"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn pages_come_in_the_form_asked_for() {
    let root = folder();
    let json = "GET /simple/alpha/ HTTP/1.1\r\nAccept: application/vnd.pypi.simple.v1+json";
    let json = ask(root.path(), json).await;
    assert!(json.ends_with("{\"name\":\"alpha\"}"), "{json}");
    assert!(json.contains("vary: accept"), "{json}");
    let html = ask(root.path(), "GET /simple/alpha/ HTTP/1.1").await;
    assert!(html.ends_with("<html>alpha</html>"), "{html}");
    let none = "GET /simple/alpha/ HTTP/1.1\r\nAccept: image/png";
    let none = ask(root.path(), none).await;
    assert!(none.starts_with("http/1.1 406"), "{none}");
    let moved = ask(root.path(), "GET /simple/Alpha HTTP/1.1").await;
    assert!(moved.starts_with("http/1.1 301"), "{moved}");
    assert!(moved.contains("location: /simple/alpha/\r"), "{moved}");
}

#[tokio::test]
async fn nothing_else_is_served_or_changed() {
    let root = folder();
    for path in [
        "/state.sqlite",
        "/metadata/../../state.sqlite",
        "/metadata/%2e%2e/%2e%2e/state.sqlite",
        "/metadata/2.root.json",
        "/metadata",
        "/packages/ab",
        "/",
    ] {
        let answer = ask(root.path(), &format!("GET {path} HTTP/1.1")).await;
        assert!(answer.starts_with("http/1.1 404"), "{path}: {answer}");
        assert!(!answer.contains("secret"), "{path}");
    }
    for method in ["PUT", "POST", "DELETE"] {
        let request = format!("{method} /metadata/timestamp.json HTTP/1.1");
        let answer = ask(root.path(), &request).await;
        assert!(answer.starts_with("http/1.1 405"), "{method}: {answer}");
        assert!(answer.contains("allow: get, head"), "{answer}");
    }
}
