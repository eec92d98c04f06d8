//! Keeps an installer waiting while a large file is verified. Its first byte leaves after its last one has
//! come, and pip and poetry give up on a server that says nothing for 15 s. HTTP has interim responses for
//! that (RFC 9110 section 15.2), of which Python's `http.client` passes over `100 Continue` alone, any
//! number of times: 102 and 103 it takes for the answer. uv counts its 30 s from the request on,
//! whatever comes, and asks again. So `100 Continue` goes to those to whom it was seen to help, and to
//! nobody else; `tests/bench/README.md` has what was measured.
//!
//! hyper's server has no way to send one. It flushes its connection only when everything that it has to
//! say has been handed over, so between two answers; there it is put in.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, interval_at};

/// What is said meanwhile.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Installers that it keeps waiting, as their user agents begin.
const HELPED: [&str; 2] = ["pip/", "poetry/"];

/// Asks for interim responses on a connection.
#[derive(Clone, Debug)]
pub(crate) struct Interim {
    is_wanted: Arc<AtomicBool>,
    every: Duration,
}

impl Interim {
    /// For a new connection; one response in each span of `every`.
    pub(crate) fn new(every: Duration) -> Self {
        Self {
            is_wanted: Arc::default(),
            every,
        }
    }

    /// Whether a request comes from somebody to whom they help.
    pub(crate) fn helps(version: Version, headers: &HeaderMap) -> bool {
        let agent = headers.get(USER_AGENT).and_then(|it| it.to_str().ok());
        let is_helped = |agent: &str| HELPED.iter().any(|start| agent.starts_with(start));
        version == Version::HTTP_11 && agent.is_some_and(is_helped)
    }

    /// The end of `work`, with interim responses while it lasts.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let mut ticks = interval_at(Instant::now() + self.every, self.every);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    self.is_wanted.store(false, Ordering::Relaxed);
                    return done;
                }
                _ = ticks.tick() => self.is_wanted.store(true, Ordering::Relaxed),
            }
        }
    }
}

/// The end of `work`; whoever asked is kept waiting meanwhile, where that helps.
pub(crate) async fn awaited<T>(interim: Option<&Interim>, work: impl Future<Output = T>) -> T {
    match interim {
        Some(interim) => interim.during(work).await,
        None => work.await,
    }
}

/// A connection on which interim responses are sent when they are asked for.
pub(crate) struct WithInterim<S> {
    stream: S,
    interim: Interim,
    /// What is left to send of one.
    left: &'static [u8],
}

impl<S> WithInterim<S> {
    pub(crate) fn new(stream: S, interim: Interim) -> Self {
        Self {
            stream,
            interim,
            left: &[],
        }
    }
}

impl<S: AsyncWrite + Unpin> WithInterim<S> {
    /// Sends what is left of one that was begun: nothing may come in between.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.left.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, self.left))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.left = &self.left[sent..];
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithInterim<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WithInterim<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_left(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
        if self.interim.is_wanted.swap(false, Ordering::Relaxed) {
            self.left = CONTINUE;
            ready!(self.poll_left(cx))?;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_left(cx))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
