//! Senders that come slowly, or not to their end: cut off, and nothing kept.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::stage::{Answer, Ask, FILE, Stage, exchange, sample_files, small_policy};

/// A policy that gives up after two seconds.
fn impatient() -> String {
    let (head, intake) = {
        let small = small_policy();
        let (head, intake) = small.split_once("[intake]").unwrap();
        (head.to_owned(), intake.to_owned())
    };
    let intake = intake.replace("read_timeout = \"30s\" ", "read_timeout = \"2s\" ");
    format!("{head}[intake]{intake}")
}

fn head(stage: &Stage, name: &str, length: usize) -> String {
    format!(
        "POST /v1/changes?filename={name} HTTP/1.1\r\nhost: x\r\ncontent-type: {FILE}\r\n\
         authorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
        stage.secret("all")
    )
}

#[test]
fn a_body_that_pauses_or_creeps_is_given_up() {
    let stage = Stage::by(&impatient());
    let before = stage.kept();
    let (name, _) = sample_files().remove(0);
    // It pauses.
    let mut stream = TcpStream::connect(("127.0.0.1", stage.port())).unwrap();
    stream
        .write_all(head(&stage, &name, 1_000).as_bytes())
        .unwrap();
    stream.write_all(b"PK").unwrap();
    let mut answer = String::new();
    let begin = Instant::now();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut piece = [0; 2_048];
    let read = stream.read(&mut piece).unwrap();
    answer.push_str(&String::from_utf8_lossy(&piece[..read]));
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begin.elapsed() < Duration::from_secs(15));
    // It creeps: a byte now and then, always within the pause.
    let mut stream = TcpStream::connect(("127.0.0.1", stage.port())).unwrap();
    stream
        .write_all(head(&stage, &name, 1_000).as_bytes())
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(400)))
        .unwrap();
    let begin = Instant::now();
    let mut said = 0;
    while said == 0 && begin.elapsed() < Duration::from_secs(15) {
        let _ = stream.write_all(b"x");
        said = stream.read(&mut piece).unwrap_or(0);
    }
    assert!(
        piece.starts_with(b"HTTP/1.1 408"),
        "{:?}",
        String::from_utf8_lossy(&piece[..said])
    );
    assert_eq!(stage.kept(), before);
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let stage = Stage::new();
    let before = stage.kept();
    let (name, bytes) = sample_files().remove(0);
    for sent in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let mut stream = TcpStream::connect(("127.0.0.1", stage.port())).unwrap();
        stream
            .write_all(head(&stage, &name, bytes.len()).as_bytes())
            .unwrap();
        stream.write_all(&bytes[..sent]).unwrap();
        drop(stream);
    }
    // More than fits in memory, cut in its file.
    let mut stream = TcpStream::connect(("127.0.0.1", stage.port())).unwrap();
    stream
        .write_all(head(&stage, &name, 10_000_000).as_bytes())
        .unwrap();
    stream.write_all(&vec![7; 3_000_000]).unwrap();
    drop(stream);
    stage.ask(Ask::get("/v1/changes/1"));
    assert_eq!(stage.kept(), before);
    stage.ask(Ask::file(&name, &bytes)).id();
}

/// The places for uploads are bounded, and come back.
#[test]
fn more_uploads_than_there_are_places_for_are_put_off() {
    let policy = small_policy().replace("uploads_at_once = 32 ", "uploads_at_once = 1 ");
    let stage = Stage::by(&policy);
    let (name, bytes) = sample_files().remove(0);
    let mut slow = TcpStream::connect(("127.0.0.1", stage.port())).unwrap();
    slow.write_all(head(&stage, &name, bytes.len()).as_bytes())
        .unwrap();
    slow.write_all(&bytes[..1]).unwrap();
    let answer = loop {
        let answer = stage.ask(Ask::file(&name, &bytes));
        if answer.status == 503 {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(answer.problem(), (503, "busy".to_owned()));
    drop(slow);
    let deadline = Instant::now() + Duration::from_secs(20);
    while stage.ask(Ask::file(&name, &bytes)).status == 503 {
        assert!(Instant::now() < deadline, "the place does not come back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A header that comes byte by byte holds one connection for a while, and nobody else up.
#[test]
fn slow_headers_hold_up_nobody() {
    let stage = Stage::new();
    let slow: Vec<TcpStream> = (0..64)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", stage.port())).unwrap();
            stream
                .write_all(b"POST /v1/changes HTTP/1.1\r\nhost: ")
                .unwrap();
            stream
        })
        .collect();
    let health = Ask::get("/v1/health").bytes();
    let answer: Answer = exchange(stage.port(), &health).unwrap();
    assert_eq!(answer.status, 200);
    drop(slow);
}
