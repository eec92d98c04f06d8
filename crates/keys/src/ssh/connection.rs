//! Talking to an ssh-agent (draft-ietf-sshm-ssh-agent), within limits of time and size.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::wire::{Reader, put_string};
use crate::AgentError;

/// Largest message either side sends, in bytes: OpenSSH's `AGENT_MAX_LEN`.
pub(super) const MAX_MESSAGE: usize = 256 * 1024;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// A key the agent holds.
pub(super) struct Identity {
    /// The public key as SSH encodes it.
    pub(super) blob: Vec<u8>,
    pub(super) comment: String,
}

/// One connection to an agent.
pub(super) struct Connection {
    stream: UnixStream,
    timeout: Duration,
}

impl Connection {
    /// Connects. A socket whose owner accepts nobody would block for ever, hence the thread.
    pub(super) fn open(socket: &Path, timeout: Duration) -> Result<Self, AgentError> {
        let (sender, receiver) = mpsc::channel();
        let path: PathBuf = socket.to_owned();
        std::thread::spawn(move || sender.send(UnixStream::connect(path)));
        match receiver.recv_timeout(timeout) {
            Ok(Ok(stream)) => Ok(Self { stream, timeout }),
            Ok(Err(source)) => Err(AgentError::Connect {
                path: socket.to_owned(),
                source,
            }),
            Err(_) => Err(timed_out(timeout)),
        }
    }

    /// Lists the keys.
    pub(super) fn identities(&mut self) -> Result<Vec<Identity>, AgentError> {
        let answer = self.call(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
        read_identities(&answer).ok_or(AgentError::Malformed)
    }

    /// Has `message` signed; returns the signature blob. A message too long for an agent is
    /// refused before it is sent.
    pub(super) fn sign(&mut self, blob: &[u8], message: &[u8]) -> Result<Vec<u8>, AgentError> {
        // Type, flags and two lengths take 13 bytes.
        let limit = MAX_MESSAGE.saturating_sub(13 + blob.len());
        let too_long = || AgentError::Document {
            length: message.len(),
            limit,
        };
        if message.len() > limit {
            return Err(too_long());
        }
        let mut request = vec![SIGN_REQUEST];
        put_string(&mut request, blob)
            .and_then(|()| put_string(&mut request, message))
            .ok_or_else(too_long)?;
        request.extend_from_slice(&0u32.to_be_bytes());
        let answer = self.call(&request, SIGN_RESPONSE)?;
        let mut reader = Reader::new(&answer);
        reader
            .string()
            .filter(|_| reader.rest().is_empty())
            .map(<[u8]>::to_vec)
            .ok_or(AgentError::Malformed)
    }

    /// Sends one request and returns what follows the type of its answer.
    fn call(&mut self, request: &[u8], expected: u8) -> Result<Vec<u8>, AgentError> {
        let deadline = Instant::now() + self.timeout;
        let mut framed = Vec::with_capacity(4 + request.len());
        put_string(&mut framed, request).ok_or(AgentError::Malformed)?;
        self.write_all(&framed, deadline)?;
        let mut length = [0; 4];
        self.read_exact(&mut length, deadline)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_MESSAGE {
            let limit = MAX_MESSAGE;
            return Err(AgentError::TooLong { length, limit });
        }
        let mut answer = vec![0; length];
        self.read_exact(&mut answer, deadline)?;
        match answer.split_first() {
            Some((kind, rest)) if *kind == expected => Ok(rest.to_vec()),
            Some((&FAILURE, _)) => Err(AgentError::Refused),
            _ => Err(AgentError::Malformed),
        }
    }

    fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), AgentError> {
        while !bytes.is_empty() {
            let left = self.left(deadline)?;
            let written = self
                .stream
                .set_write_timeout(Some(left))
                .and_then(|()| self.stream.write(bytes));
            let count = self.progress(written)?;
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn read_exact(&mut self, mut bytes: &mut [u8], deadline: Instant) -> Result<(), AgentError> {
        while !bytes.is_empty() {
            let left = self.left(deadline)?;
            let read = self
                .stream
                .set_read_timeout(Some(left))
                .and_then(|()| self.stream.read(bytes));
            let count = self.progress(read)?;
            bytes = bytes.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Time left; zero would mean "for ever" to the socket.
    fn left(&self, deadline: Instant) -> Result<Duration, AgentError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(timed_out(self.timeout));
        }
        Ok(left)
    }

    /// Bytes moved; interrupted calls moved none, and none at all means that the agent hung up.
    fn progress(&self, moved: io::Result<usize>) -> Result<usize, AgentError> {
        match moved {
            Ok(0) => Err(AgentError::Io {
                source: ErrorKind::UnexpectedEof.into(),
            }),
            Ok(count) => Ok(count),
            Err(source) => match source.kind() {
                ErrorKind::Interrupted => Ok(0),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(timed_out(self.timeout)),
                _ => Err(AgentError::Io { source }),
            },
        }
    }
}

fn timed_out(timeout: Duration) -> AgentError {
    AgentError::Timeout {
        seconds: timeout.as_secs(),
    }
}

fn read_identities(answer: &[u8]) -> Option<Vec<Identity>> {
    let mut reader = Reader::new(answer);
    let count = reader.u32()?;
    let mut identities = Vec::new();
    // The count is the agent's word; what is allocated grows with what was really sent.
    for _ in 0..count {
        let blob = reader.string()?.to_vec();
        let comment = String::from_utf8_lossy(reader.string()?).into_owned();
        identities.push(Identity { blob, comment });
    }
    reader.rest().is_empty().then_some(identities)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_list_of_identities_is_judged_without_panic(bytes: Vec<u8>) {
            let _ = read_identities(&bytes);
        }
    }
}
