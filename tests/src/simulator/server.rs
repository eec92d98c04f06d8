//! The simulated server: files in memory, every request recorded, every answer bendable. It is a
//! [`client::Transport`] itself and can be put behind real HTTP (`http.rs`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use client::{Body, Transport, TransportError};
use futures_util::stream::{self, BoxStream, StreamExt};
use percent_encoding::percent_decode_str;
use url::Url;

use super::Bend;

/// A handle of the server; clones are the same server.
#[derive(Clone, Default)]
pub struct Server {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Bytes>,
    bends: Vec<(String, Bend)>,
    requests: Vec<Request>,
}

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name asked for, like `metadata/2.root.json`.
    pub name: String,
    /// The status answered; 0 where the connection was refused.
    pub status: u16,
    sent: Arc<AtomicU64>,
}

impl Request {
    /// Bytes of the body that the client has taken so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// What goes out for one request.
pub(super) struct Answer {
    pub(super) status: u16,
    /// What a `Content-Length` would say; `None` where there is none to say.
    pub(super) length: Option<u64>,
    pub(super) body: BoxStream<'static, Result<Bytes, BrokenConnection>>,
}

/// The connection broke.
#[derive(Debug, thiserror::Error)]
#[error("the simulated connection breaks here")]
pub(super) struct BrokenConnection;

impl Server {
    /// Serves `bytes` under `name`, in place of what was there.
    pub fn put(&self, name: impl Into<String>, bytes: impl Into<Bytes>) {
        self.state().files.insert(name.into(), bytes.into());
    }

    /// Serves nothing under `name` any more.
    pub fn remove(&self, name: &str) {
        self.state().files.remove(name);
    }

    /// What is served under `name` when nothing is bent.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<Bytes> {
        self.state().files.get(name).cloned()
    }

    /// All names that are served, ascending.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    /// Bends the answers for `name`, or for every name that ends in what follows a `*`. Of two
    /// bends for one name the later counts.
    pub fn bend(&self, name: &str, bend: Bend) {
        self.state().bends.push((name.to_owned(), bend));
    }

    /// Answers truthfully again.
    pub fn unbend(&self) {
        self.state().bends.clear();
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The names asked for since the last call, in order.
    #[allow(
        clippy::must_use_candidate,
        reason = "to forget what was asked is a use of its own"
    )]
    pub fn take_requests(&self) -> Vec<String> {
        let taken = std::mem::take(&mut self.state().requests);
        taken.into_iter().map(|request| request.name).collect()
    }

    /// Answers the request for a URL's path, as it stands in the request line.
    pub(super) fn answer(&self, url_path: &str) -> Answer {
        let name = name_of(url_path);
        let mut state = self.state();
        let file = state.files.get(&name).cloned();
        let bend = state
            .bends
            .iter()
            .rev()
            .find(|(of, _)| covers(of, &name))
            .map(|(_, bend)| bend.clone());
        let sent = Arc::new(AtomicU64::new(0));
        let answer = answer(file, bend.as_ref(), Arc::clone(&sent));
        state.requests.push(Request {
            name,
            status: answer.status,
            sent,
        });
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked elsewhere must still be able to show what was asked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for Server {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        let connection = |url: &Url, why: &str| TransportError::Connection {
            url: url.clone(),
            why: why.to_owned(),
        };
        let answer = self.answer(url.path());
        match answer.status {
            200 => {
                let url = url.clone();
                let broken = move |_| connection(&url, "the connection broke");
                Ok(answer.body.map(move |piece| piece.map_err(&broken)).boxed())
            }
            REFUSED => Err(connection(url, "refused")),
            403 | 404 => Err(TransportError::NotFound { url: url.clone() }),
            status => Err(TransportError::Status {
                url: url.clone(),
                status,
            }),
        }
    }
}

/// The status recorded for a connection that was refused.
pub(super) const REFUSED: u16 = 0;

/// The name of a file: metadata names as they stand in the URL, since escapes are part of them;
/// target names unescaped.
fn name_of(url_path: &str) -> String {
    let path = url_path.trim_start_matches('/');
    if path.starts_with("targets/") {
        return percent_decode_str(path).decode_utf8_lossy().into_owned();
    }
    path.to_owned()
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => name.ends_with(end),
        None => pattern == name,
    }
}

fn answer(file: Option<Bytes>, bend: Option<&Bend>, sent: Arc<AtomicU64>) -> Answer {
    let mut flow = Flow {
        head: Bytes::new(),
        piece: usize::MAX,
        pause: None,
        tail: Tail::End,
        sent,
    };
    let status = |status, flow| Answer {
        status,
        length: Some(0),
        body: body(flow),
    };
    flow.head = match (bend, file) {
        (Some(Bend::Status(other)), _) => return status(*other, flow),
        (Some(Bend::Refused), _) => return status(REFUSED, flow),
        (Some(Bend::Replaced(by)), _) => by.clone(),
        (Some(Bend::Endless), None) => Bytes::new(),
        (_, None) => return status(404, flow),
        (Some(Bend::Changed(change)), Some(file)) => change(file.to_vec()).into(),
        (_, Some(file)) => file,
    };
    match bend {
        Some(Bend::Truncated(to)) => flow.head.truncate(*to),
        Some(Bend::Broken(after)) => flow.cut(*after, Tail::Broken),
        Some(Bend::Stalled(after)) => flow.cut(*after, Tail::Stalled),
        Some(Bend::Endless) => flow.tail = Tail::Endless(ENDLESS),
        Some(Bend::Slow { piece, pause }) => (flow.piece, flow.pause) = (*piece, Some(*pause)),
        _ => {}
    }
    let length = matches!(flow.tail, Tail::End).then_some(flow.head.len() as u64);
    Answer {
        status: 200,
        length,
        body: body(flow),
    }
}

/// Pieces of an endless body, 256 MiB: a reader without a limit of its own fails, and does not hang.
const ENDLESS: u32 = 16_384;

/// A body on its way out.
struct Flow {
    head: Bytes,
    piece: usize,
    pause: Option<Duration>,
    tail: Tail,
    sent: Arc<AtomicU64>,
}

/// What follows the bytes of a body.
enum Tail {
    End,
    Broken,
    Stalled,
    /// So many pieces of white space, then the end of the connection.
    Endless(u32),
}

impl Flow {
    fn cut(&mut self, after: usize, tail: Tail) {
        self.head.truncate(after);
        self.tail = tail;
    }

    async fn next(&mut self) -> Option<Result<Bytes, BrokenConnection>> {
        if self.head.is_empty() {
            return match self.tail {
                Tail::End => None,
                Tail::Stalled => std::future::pending().await,
                Tail::Broken | Tail::Endless(0) => {
                    self.tail = Tail::End;
                    Some(Err(BrokenConnection))
                }
                Tail::Endless(left) => {
                    self.tail = Tail::Endless(left - 1);
                    Some(Ok(self.count(Bytes::from_static(&[b' '; 16_384]))))
                }
            };
        }
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
        }
        let piece = self.head.split_to(self.piece.min(self.head.len()));
        Some(Ok(self.count(piece)))
    }

    fn count(&self, piece: Bytes) -> Bytes {
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        piece
    }
}

fn body(flow: Flow) -> BoxStream<'static, Result<Bytes, BrokenConnection>> {
    stream::unfold(flow, |mut flow| async {
        flow.next().await.map(|piece| (piece, flow))
    })
    .boxed()
}
