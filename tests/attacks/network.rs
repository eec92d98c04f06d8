//! Attacks by whoever sits between client and repository, over real sockets: answers cut off, sent on,
//! dressed up, or by somebody else. TLS is in `tls.rs`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use client::{ClientError, HttpTransport, Pace, TransportError};
use countersign_tests::{Key, Simulator, User, fails, files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trust::Rejection;
use url::Url;

/// How a connection ends.
#[derive(Clone, Copy)]
enum End {
    Close,
    Reset,
}

/// What goes out for a file: every byte of the answer, and how the connection ends.
type Reply = Arc<dyn Fn(Bytes) -> (Vec<u8>, End) + Send + Sync>;

/// An HTTP server that answers to the letter what a test says.
struct Raw {
    base: String,
    /// What was asked, request by request, headers and all.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    /// Serves a repository, but answers for names that end in `bent` by `reply`.
    async fn serve(repository: &Simulator, bent: &'static str, reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (server, seen) = (repository.server().clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (server, seen, reply) = (server.clone(), Arc::clone(&seen), reply.clone());
                tokio::spawn(async move {
                    let Some(request) = request(&mut stream).await else {
                        return;
                    };
                    let name = request.split(' ').nth(1).unwrap()[1..].to_owned();
                    seen.lock().unwrap().push(request);
                    let (bytes, end) = match server.file(&name) {
                        Some(file) if name.ends_with(bent) => reply(file),
                        Some(file) => (ok(&file), End::Close),
                        None if name.ends_with(bent) => reply(Bytes::new()),
                        None => (
                            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
                            End::Close,
                        ),
                    };
                    // A client that has read enough hangs up.
                    let _ = stream.write_all(&bytes).await;
                    if matches!(end, End::Reset) {
                        stream.set_zero_linger().unwrap();
                    }
                });
            }
        });
        Self { base, asked }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}/{path}", self.base)).unwrap()
    }

    fn user(&self, repository: &Simulator, pace: Pace) -> User {
        let transport = Arc::new(HttpTransport::new(pace).unwrap());
        let (metadata, targets) = (self.url("metadata/"), self.url("targets/"));
        User::over(repository, transport, metadata, targets)
    }

    fn requests(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(request).ok()
}

/// An honest answer.
fn ok(file: &[u8]) -> Vec<u8> {
    with_head("200 OK", &format!("content-length: {}", file.len()), file)
}

fn with_head(status: &str, header: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{header}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Serves a repository with one file answered by `reply`; the update, and a download, must stop for
/// want of an answer, with nothing of that file kept. The same client over an honest server goes on.
async fn stops(
    bent: &'static str,
    reply: impl Fn(Bytes) -> (Vec<u8>, End) + Send + Sync + 'static,
) -> TransportError {
    let repository = Simulator::standard();
    let raw = Raw::serve(&repository, bent, Arc::new(reply)).await;
    let user = raw.user(&repository, Pace::default());
    let done = user.download(&repository, files::ANCHOR).await;
    fails(done.is_err(), "the answer was taken for whole");
    if bent == "timestamp.json" {
        fails(user.kept("timestamp").is_none(), "the timestamp was kept");
    }
    let honest = Raw::serve(&repository, "none", Arc::new(|_| unreachable!())).await;
    let user = honest.user(&repository, Pace::default());
    user.download(&repository, files::ANCHOR).await.unwrap();
    match done.unwrap_err() {
        ClientError::Transport { source, .. } => *source,
        other => panic!("{other:?}"),
    }
}

/// Truncated answers: the length stated is that of more bytes than come, though what comes is a whole
/// document, or a whole file, by itself.
#[tokio::test]
async fn answer_shorter_than_it_says() {
    for bent in ["timestamp.json", "trusted_root.json"] {
        let why = stops(bent, |file| {
            let length = format!("content-length: {}", file.len() + 1);
            (with_head("200 OK", &length, &file), End::Close)
        });
        let why = why.await;
        assert!(matches!(why, TransportError::Connection { .. }), "{why:?}");
    }
}

/// Truncated answers in chunks: the last one, which says that there are no more, does not come.
#[tokio::test]
async fn answer_without_its_last_chunk() {
    let why = stops("timestamp.json", |file| {
        let chunk = [format!("{:x}\r\n", file.len()).as_bytes(), &file, b"\r\n"].concat();
        let head = "transfer-encoding: chunked";
        (with_head("200 OK", head, &chunk), End::Close)
    });
    let why = why.await;
    assert!(matches!(why, TransportError::Connection { .. }), "{why:?}");
}

/// Reset connections: before the answer, in its head, and in its body.
#[tokio::test]
async fn connection_reset() {
    for after in [0, 10, 100] {
        let why = stops("timestamp.json", move |file| {
            let length = format!("content-length: {}", file.len() + 1);
            let all = with_head("200 OK", &length, &file);
            (all[..after.min(all.len())].to_vec(), End::Reset)
        });
        let why = why.await;
        assert!(matches!(why, TransportError::Connection { .. }), "{why:?}");
    }
}

/// An answer of another kind than "here is the file", with the very bytes of the file: a part of
/// something, something transformed, something unchanged since.
#[tokio::test]
async fn answers_of_another_status() {
    for status in [
        "201 Created",
        "203 Non-Authoritative Information",
        "206 Partial Content",
        "226 IM Used",
    ] {
        let why = stops("timestamp.json", move |file| {
            let length = format!("content-length: {}", file.len());
            (with_head(status, &length, &file), End::Close)
        });
        let found: u16 = status[..3].parse().unwrap();
        let why = why.await;
        let is_status = matches!(why, TransportError::Status { status, .. } if status == found);
        assert!(is_status, "{why:?}");
    }
}

/// Decompression bombs: an answer that says it is compressed, though nobody asked for that. Its bytes
/// are taken as they are, so that the limits count what comes in and nothing swells behind them.
#[tokio::test]
async fn answer_compressed_unasked() {
    // Some 10 MB of zeros as gzip: far more than a timestamp may have, if anybody unpacked it.
    let mut bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff".to_vec();
    bomb.extend([0xed, 0xc1, 0x01, 0x0d]);
    bomb.extend([0; 2_000]);
    let repository = Simulator::standard();
    for coding in ["gzip", "zstd", "br", "deflate"] {
        let body = bomb.clone();
        let reply: Reply = Arc::new(move |_| {
            let head = format!(
                "content-encoding: {coding}\r\ncontent-length: {}",
                body.len()
            );
            (with_head("200 OK", &head, &body), End::Close)
        });
        let raw = Raw::serve(&repository, "timestamp.json", reply).await;
        let user = raw.user(&repository, Pace::default());
        let refused = user.refused(&repository).await;
        assert!(
            matches!(refused, Rejection::Malformed { .. }),
            "{coding}: {refused:?}"
        );
        let asked = raw.requests();
        assert!(
            asked
                .iter()
                .all(|asked| asked.contains("accept-encoding: identity\r\n")),
            "{asked:?}"
        );
    }
}

/// Endless data (TUF 1.5.2) in the head of an answer.
#[tokio::test]
async fn headers_without_end() {
    let why = stops("timestamp.json", |file| {
        let flood = format!("x: {}\r\n", "y".repeat(1_000)).repeat(2_000);
        (with_head("200 OK", &flood, &file), End::Close)
    });
    let why = why.await;
    assert!(matches!(why, TransportError::Connection { .. }), "{why:?}");
}

/// Redirects to another scheme, such as from a secured place to a plain one, are not followed; nobody
/// is asked there.
#[tokio::test]
async fn redirect_to_another_scheme() {
    let repository = Simulator::standard();
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("https://{}/timestamp.json", elsewhere.local_addr().unwrap());
    let reply: Reply = Arc::new(move |_| {
        let head = format!("location: {to}\r\ncontent-length: 0");
        (with_head("302 Found", &head, b""), End::Close)
    });
    let raw = Raw::serve(&repository, "timestamp.json", reply).await;
    let user = raw.user(&repository, Pace::default());
    let came = tokio::spawn(async move {
        tokio::time::timeout(Duration::from_millis(500), elsewhere.accept()).await
    });
    let stopped = user.stopped(&repository).await;
    let came = came.await.unwrap();
    fails(came.is_err(), "somebody was asked elsewhere");
    let ClientError::Transport { source, .. } = stopped else {
        panic!("{stopped:?}")
    };
    let TransportError::Connection { why, .. } = &*source else {
        panic!("{source:?}")
    };
    assert!(why.contains("redirected to another scheme"), "{why}");
}

/// Endless data: redirects that lead on and on.
#[tokio::test]
async fn redirects_without_end() {
    let repository = Simulator::standard();
    let hops = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&hops);
    let reply: Reply = Arc::new(move |file| {
        let mut hops = counted.lock().unwrap();
        *hops += 1;
        if *hops > 30 {
            return (ok(&file), End::Close);
        }
        let head = "location: timestamp.json\r\ncontent-length: 0";
        (with_head("307 Temporary Redirect", head, b""), End::Close)
    });
    let raw = Raw::serve(&repository, "timestamp.json", reply).await;
    let user = raw.user(&repository, Pace::default());
    let stopped = user.stopped(&repository).await;
    assert!(
        matches!(stopped, ClientError::Transport { .. }),
        "{stopped:?}"
    );
    assert_eq!(*hops.lock().unwrap(), 6);
}

/// Malicious mirror (TUF 1.5.2): a redirect to somebody else's server, who serves what he signed. It
/// is followed, and what comes is refused.
#[tokio::test]
async fn redirect_to_somebody_elses_repository() {
    let repository = Simulator::standard();
    let mut theirs = Simulator::standard();
    theirs
        .tamper("timestamp")
        .signed_by([&countersign_tests::Key::ed25519("thief")]);
    theirs.publish();
    let mirror = Raw::serve(&theirs, "none", Arc::new(|_| unreachable!())).await;
    let to = mirror.url("metadata/timestamp.json");
    let reply: Reply = Arc::new(move |_| {
        let head = format!("location: {to}\r\ncontent-length: 0");
        (with_head("302 Found", &head, b""), End::Close)
    });
    let raw = Raw::serve(&repository, "timestamp.json", reply).await;
    let user = raw.user(&repository, Pace::default());
    let refused = user.refused(&repository).await;
    assert!(
        matches!(refused, Rejection::Signatures { .. }),
        "{refused:?}"
    );
    assert_eq!(mirror.requests().len(), 1);
}

/// A redirect to another server does not take the user's password along, and no message shows it.
#[tokio::test]
async fn redirect_that_fishes_for_a_password() {
    let repository = Simulator::standard();
    let mirror = Raw::serve(&repository, "none", Arc::new(|_| unreachable!())).await;
    let to = mirror.url("metadata/none.json");
    let reply: Reply = Arc::new(move |_| {
        let head = format!("location: {to}\r\ncontent-length: 0");
        (with_head("302 Found", &head, b""), End::Close)
    });
    let raw = Raw::serve(&repository, "timestamp.json", reply).await;
    let mut metadata = raw.url("metadata/");
    metadata.set_username("user").unwrap();
    metadata.set_password(Some("hunter2")).unwrap();
    let transport = Arc::new(HttpTransport::new(Pace::default()).unwrap());
    let user = User::over(&repository, transport, metadata, raw.url("targets/"));
    let stopped = user.stopped(&repository).await;
    let asked = raw.requests();
    let authorized = |asked: &String| asked.to_lowercase().contains("\r\nauthorization: ");
    assert!(asked.iter().all(authorized), "{asked:?}");
    let fished = mirror.requests();
    assert_eq!(fished.len(), 1);
    fails(!fished.iter().any(authorized), &fished);
    let shown = format!("{stopped} {stopped:?}");
    fails(!shown.contains("hunter2"), &shown);
}

/// Slow retrieval (PEP 458 "Appendix A"): a server that takes the connection and thinks about the
/// answer for longer than one waits.
#[tokio::test]
async fn server_that_answers_late() {
    let repository = Simulator::standard();
    let reply: Reply = Arc::new(|file| {
        std::thread::sleep(Duration::from_millis(900));
        (ok(&file), End::Close)
    });
    let raw = Raw::serve(&repository, "timestamp.json", reply).await;
    let pace = Pace {
        first_byte: Duration::from_millis(200),
        ..Pace::default()
    };
    let user = raw.user(&repository, pace);
    let stopped = tokio::time::timeout(Duration::from_secs(20), user.stopped(&repository)).await;
    let ClientError::Transport { source, .. } = stopped.unwrap() else {
        panic!()
    };
    assert!(
        matches!(*source, TransportError::TooSlow { .. }),
        "{source:?}"
    );
}

/// Malicious mirrors preventing updates (TUF 1.5.2): one that serves a forgery of the greatest version
/// keeps nobody from the good ones. Nothing of it is stored, no floor is raised.
#[tokio::test]
async fn mirror_that_would_keep_users_from_others() {
    let mut repository = Simulator::standard();
    let user = User::of(&repository);
    user.refresh(&repository).await.unwrap();
    repository
        .tamper("timestamp")
        .signed_by([&Key::ed25519("mirror")]);
    repository.set_next_version("timestamp", metadata::Version::MAX.get());
    repository.publish();
    let _at_the_bad_one = user.refresh(&repository).await;
    repository.rewind("timestamp", 1);
    repository.publish();
    let at_a_good_one = user.refresh(&repository).await;
    fails(at_a_good_one.is_ok(), at_a_good_one.err());
}
