//! A real server on loopback that answers what the test says, byte for byte.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::fetch::{ReadError, read_limited};

fn pace() -> Pace {
    let short = Duration::from_millis(300);
    Pace {
        connect: short,
        first_byte: short,
        idle: short,
        minimum_bytes_per_second: 100,
        window: Duration::from_millis(200),
    }
}

/// Answers every connection with `head` and then a byte of `tail` every 20 ms. Returns the base URL
/// and the requests seen.
async fn server(
    head: &'static str,
    tail: &'static [u8],
) -> (Url, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a%2Fb.json", listener.local_addr().unwrap());
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, head, tail, seen.clone()));
        }
    });
    (Url::parse(&url).unwrap(), requests)
}

async fn answer(
    mut stream: TcpStream,
    head: &'static str,
    tail: &'static [u8],
    seen: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        request.push(byte);
    }
    seen.send(String::from_utf8(request).unwrap()).unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    for byte in tail {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
    if head.is_empty() {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

async fn read(url: &Url) -> Result<Vec<u8>, TransportError> {
    let body = HttpTransport::new(pace()).unwrap().get(url).await?;
    read_limited(body, 1_000)
        .await
        .map_err(|error| match error {
            ReadError::Transport(error) => error,
            ReadError::TooLarge => panic!("longer than any answer here"),
        })
}

#[tokio::test]
async fn reads_a_body_and_says_who_asks() {
    let (url, mut requests) = server("HTTP/1.0 200 OK\r\n\r\nhello", b"").await;
    assert_eq!(read(&url).await.unwrap(), b"hello");
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(
        request.starts_with("get /a%2fb.json http/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("\r\nuser-agent: countersign/"),
        "{request}"
    );
    assert!(
        request.contains("\r\naccept-encoding: identity\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn missing_is_told_from_failing() {
    for status in ["404 Not Found", "403 Forbidden"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").leak();
        let (url, _requests) = server(answer, b"").await;
        assert_eq!(read(&url).await, Err(TransportError::NotFound { url }));
    }
    let (url, _requests) = server("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"").await;
    assert_eq!(
        read(&url).await,
        Err(TransportError::Status { url, status: 503 })
    );
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", refused.local_addr().unwrap())).unwrap();
    drop(refused);
    assert!(matches!(
        read(&url).await,
        Err(TransportError::Connection { .. })
    ));
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let (mut url, mut requests) = server(answer, b"").await;
    let plain = url.clone();
    url.set_username("me").unwrap();
    url.set_password(Some("secret")).unwrap();
    assert_eq!(
        read(&url).await,
        Err(TransportError::NotFound { url: plain })
    );
    let request = requests.recv().await.unwrap();
    assert!(
        request.contains("authorization: Basic bWU6c2VjcmV0"),
        "{request}"
    );
}

#[tokio::test]
async fn silence_and_dripping_are_given_up() {
    let why = |error| match error {
        Err(TransportError::TooSlow { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let (url, _requests) = server("", b"").await;
    assert_eq!(why(read(&url).await), "no answer");
    // 50 bytes a second where 100 are the least.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    let (url, _requests) = server(head, &[b'x'; 500]).await;
    assert_eq!(why(read(&url).await), "too little came");
}

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    let (url, _requests) = server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", b"").await;
    assert!(matches!(
        read(&url).await,
        Err(TransportError::Connection { .. })
    ));
}

#[tokio::test]
async fn follows_redirects_within_the_scheme_only() {
    let (there, _requests) = server("HTTP/1.0 200 OK\r\n\r\nthere", b"").await;
    let to = |url: &str| -> &'static str {
        format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n").leak()
    };
    let (here, _requests) = server(to(there.as_str()), b"").await;
    assert_eq!(read(&here).await.unwrap(), b"there");
    for elsewhere in ["https://index.example/", "file:///etc/hostname"] {
        let (here, _requests) = server(to(elsewhere), b"").await;
        let error = read(&here).await.unwrap_err();
        assert!(
            !matches!(error, TransportError::NotFound { .. }),
            "{elsewhere}: {error}"
        );
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer_head = to(&format!("http://{address}/again"));
    tokio::spawn(async move {
        let (seen, _requests) = tokio::sync::mpsc::unbounded_channel();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, answer_head, b"", seen.clone()));
        }
    });
    let circle = Url::parse(&format!("http://{address}/")).unwrap();
    assert!(matches!(
        read(&circle).await,
        Err(TransportError::Connection { .. })
    ));
}

#[test]
fn other_schemes_have_no_transport() {
    let url = Url::parse("ftp://index.example/").unwrap();
    assert!(matches!(
        transport_for(&url, pace()),
        Err(ClientError::BaseUrl { .. })
    ));
}
