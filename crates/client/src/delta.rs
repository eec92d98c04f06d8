//! The new snapshot, made of the held one and what it differs in (decision 0021).

use deltas::{DeltaError, Listed};
use trust::Timed;
use url::Url;

use crate::fetch::{ReadError, read_limited};
use crate::session::with_cause;
use crate::{Transport, TransportError, Updater};

/// Why a delta that is listed was of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Useless {
    #[error("it could not be fetched")]
    Transport(#[source] TransportError),
    #[error("it is not the file that the timestamp lists")]
    Other,
    #[error("it could not be applied")]
    Frame(#[from] DeltaError),
    #[error("it leads to another snapshot")]
    Result,
}

impl Updater {
    /// The bytes of the snapshot that the timestamp names, by a delta from the held one; none where the timestamp
    /// lists no such delta, lists the snapshot without length or hash, or the delta turns out to be of no use.
    /// The plain file then says what is wrong, if anything is.
    ///
    /// Only bytes that the timestamp's keys have signed are decompressed, into no more than the length they
    /// have signed, and the result is exactly the file that they have signed: it is verified like any other.
    pub(crate) async fn snapshot_by_delta(&self, timed: &Timed) -> Option<Vec<u8>> {
        let (held, timestamp) = (timed.held()?, timed.timestamp());
        let named = &timestamp.snapshot;
        let (length, hashes) = (named.length?, named.hashes.as_ref()?);
        let delta = deltas::listed_from(timestamp, held.version)?;
        // A delta larger than the file saves nothing, and a file beyond its limit is refused by its name.
        if delta.length >= length || length > timed.snapshot_request().limit {
            return None;
        }
        let url = self.shared.metadata.delta(named.version, held.version);
        let made = async {
            let frame = fetch_delta(&*self.shared.transport, &url, &delta).await?;
            let file = deltas::apply(held.file(), &frame, length)?;
            hashes.fit(&file).then_some(file).ok_or(Useless::Result)
        };
        match made.await {
            Ok(file) => Some(file),
            Err(why) => {
                let (from, to) = (held.version, named.version);
                let why = with_cause(&why);
                tracing::info!(%from, %to, why, "no use of a snapshot delta, fetching the file");
                None
            }
        }
    }
}

/// The delta's bytes, as the timestamp lists them; read no further than their listed length.
pub(crate) async fn fetch_delta(
    transport: &dyn Transport,
    url: &Url,
    delta: &Listed,
) -> Result<Vec<u8>, Useless> {
    let body = transport.get(url).await.map_err(Useless::Transport)?;
    let frame = read_limited(body, delta.length).await;
    let frame = frame.map_err(|error| match error {
        ReadError::TooLarge => Useless::Other,
        ReadError::Transport(source) => Useless::Transport(source),
    })?;
    delta.fits(&frame).then_some(frame).ok_or(Useless::Other)
}
