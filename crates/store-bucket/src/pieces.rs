//! An object as it comes in, for a caller that blocks.

use std::io::{self, Read};
use std::sync::mpsc;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::GetResult;

use crate::error::as_io;
use crate::worker::Worker;

/// Pieces of an object that are read ahead.
const AHEAD: usize = 4;

/// An object being read.
pub(crate) struct Pieces {
    receiver: mpsc::Receiver<Option<io::Result<Bytes>>>,
    rest: Bytes,
    ended: bool,
}

impl Pieces {
    pub(crate) fn begin(worker: &Worker, found: GetResult) -> Self {
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        let pump = async move {
            let mut pieces = found.into_stream();
            loop {
                let piece = pieces.next().await;
                let piece = piece.map(|piece| piece.map_err(|error| as_io(&error)));
                let goes_on = matches!(piece, Some(Ok(_)));
                // Blocking would stop others: whoever reads has a thread of its own to wait with.
                let sent = tokio::task::block_in_place(|| sender.send(piece));
                if sent.is_err() || !goes_on {
                    return;
                }
            }
        };
        if let Some(handle) = worker.handle() {
            handle.spawn(pump);
        }
        Self {
            receiver,
            rest: Bytes::new(),
            ended: false,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended {
            match self.receiver.recv() {
                Ok(Some(piece)) => self.rest = piece?,
                Ok(None) => self.ended = true,
                // It ended without saying so: not all of it has come.
                Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}
