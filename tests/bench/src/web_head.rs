//! A web head of an index: a client that keeps a connection to the intake and waits for every answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One connection with a token.
pub(crate) struct WebHead {
    stream: BufReader<TcpStream>,
    token: String,
}

impl WebHead {
    pub(crate) fn connect(address: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
            token: token.to_owned(),
        }
    }

    /// Hands one file in; the number of the request.
    pub(crate) fn upload(&mut self, name: &str, bytes: &[u8]) -> u64 {
        let path = format!("/v1/changes?filename={name}");
        self.post(&path, "application/octet-stream", "", bytes)
    }

    /// The same, returning once clients see it.
    pub(crate) fn upload_and_wait(&mut self, name: &str, bytes: &[u8]) -> u64 {
        let path = format!("/v1/changes?filename={name}");
        self.post(
            &path,
            "application/octet-stream",
            "prefer: wait=120\r\n",
            bytes,
        )
    }

    /// Yanks a file for a reason.
    pub(crate) fn yank(&mut self, name: &str, reason: &str) -> u64 {
        let document = format!(
            "{{\"changes\":[{{\"action\":\"yank\",\"file\":\"{name}\",\"reason\":\"{reason}\"}}]}}"
        );
        self.post("/v1/changes", "application/json", "", document.as_bytes())
    }

    fn post(&mut self, path: &str, kind: &str, more: &str, body: &[u8]) -> u64 {
        let (token, length) = (&self.token, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: {kind}\r\n{more}content-length: {length}\r\n\r\n"
        );
        let request = [head.as_bytes(), body].concat();
        self.stream.get_mut().write_all(&request).unwrap();
        let (status, answer) = self.answer();
        assert!(matches!(status, 200 | 202), "{status}: {answer}");
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["id"].as_u64().unwrap()
    }

    fn answer(&mut self) -> (u16, String) {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}
