//! Snapshot deltas in a mirror: its clients ask for the one that starts from what they hold, as they would
//! ask the index.

use tokio::fs;

use super::{Folder, make_folder};
use crate::delta::fetch_delta;
use crate::file::local_path;
use crate::session::with_cause;
use crate::{ClientError, Session};

impl Session {
    /// Copies the deltas to this snapshot that the timestamp lists, those from the newest snapshots first,
    /// as far as the limit of a listed file goes for all of them together. How many there are now. One that
    /// the index no longer has, or has altered, is left out: whoever asks for it fetches the whole
    /// snapshot.
    pub(super) async fn mirror_deltas(&self, folder: &Folder) -> Result<usize, ClientError> {
        let (shared, snapshot) = (&self.shared, self.snapped.snapshot());
        let mut left = shared.config.rules.limits.listed;
        let mut copied = 0;
        for (from, delta) in deltas::listed(self.snapped.timestamp()).into_iter().rev() {
            // No client asks for one that saves nothing (decision 0021).
            if delta.length >= snapshot.file().len() as u64 || delta.length > left {
                continue;
            }
            let path = local_path(&folder.metadata.delta(snapshot.version, from));
            let path = path.map_err(|error| folder.unusable(&error))?;
            let there = fs::read(&path).await;
            if !there.is_ok_and(|there| delta.fits(&there)) {
                let url = shared.metadata.delta(snapshot.version, from);
                match fetch_delta(&*shared.transport, &url, &delta).await {
                    Ok(frame) => {
                        make_folder(path.parent().unwrap_or(&folder.metadata_dir)).await?;
                        folder.write(&path, &frame).await?;
                    }
                    Err(why) => {
                        let why = with_cause(&why);
                        tracing::info!(%from, why, "a snapshot delta is left out of the mirror");
                        continue;
                    }
                }
            }
            left -= delta.length;
            copied += 1;
        }
        Ok(copied)
    }
}
