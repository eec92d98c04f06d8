//! Files in memory, which can change between one reading and the next.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use client::{Body, Transport, TransportError};
use futures_util::stream;
use percent_encoding::percent_decode_str;
use url::Url;

/// What the repository answers for a file.
#[derive(Clone)]
pub(crate) enum Answer {
    Bytes(Vec<u8>),
    NotFound,
    Reset,
}

/// A repository's files by path below its base, unescaped, as servers see it.
#[derive(Default)]
pub(crate) struct Memory {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Answers from the second request on.
    later: Mutex<BTreeMap<String, (bool, Answer)>>,
}

impl Memory {
    pub(crate) fn base() -> Url {
        Url::parse("memory://index.example/").unwrap()
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut files = self.files.lock().unwrap();
        files.insert(format!("/{path}"), bytes.to_vec());
    }

    pub(crate) fn remove(&self, path: &str) {
        let gone = self.files.lock().unwrap().remove(&format!("/{path}"));
        assert!(gone.is_some(), "{path} was never there");
    }

    /// The path of the only file whose path has all these parts.
    pub(crate) fn named(&self, parts: &[&str]) -> String {
        let files = self.files.lock().unwrap();
        let fits = |path: &&String| parts.iter().all(|part| path.contains(part));
        let found: Vec<&String> = files.keys().filter(fits).collect();
        assert_eq!(found.len(), 1, "{parts:?}: {found:?}");
        found[0][1..].to_owned()
    }

    /// From the second request for `path` on, answers otherwise.
    pub(crate) fn later(&self, path: &str, answer: Answer) {
        let mut later = self.later.lock().unwrap();
        later.insert(format!("/{path}"), (false, answer));
    }

    fn answer(&self, path: &str) -> Answer {
        if let Some((asked_before, answer)) = self.later.lock().unwrap().get_mut(path)
            && std::mem::replace(asked_before, true)
        {
            return answer.clone();
        }
        let file = self.files.lock().unwrap().get(path).cloned();
        file.map_or(Answer::NotFound, Answer::Bytes)
    }
}

#[async_trait]
impl Transport for Memory {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        let url = url.clone();
        let path = percent_decode_str(url.path()).decode_utf8_lossy();
        match self.answer(&path) {
            Answer::Bytes(bytes) => {
                let pieces: Vec<_> = bytes
                    .chunks(100)
                    .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                    .collect();
                Ok(Box::pin(stream::iter(pieces)))
            }
            Answer::NotFound => Err(TransportError::NotFound { url }),
            Answer::Reset => Err(TransportError::Connection {
                url,
                why: "reset".to_owned(),
            }),
        }
    }
}
