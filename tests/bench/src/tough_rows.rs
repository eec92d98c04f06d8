//! The client's rows for tough, from the folder that the other clients read. It reads hash prefixes alone,
//! and every bin before it answers.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::StreamExt;
use tokio::runtime::Builder;
use tough::{
    FilesystemTransport, Repository, RepositoryLoader, TargetName, Transport, TransportError,
    TransportStream,
};
use url::Url;

use crate::meter::Meter;
use crate::scene::path_of;

/// Reads files through tough's own transport and counts what it reads.
#[derive(Clone, Debug, Default)]
struct Counting {
    requests: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

#[async_trait::async_trait]
impl Transport for Counting {
    async fn fetch(&self, url: Url) -> Result<TransportStream, TransportError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let bytes = Arc::clone(&self.bytes);
        let stream = FilesystemTransport.fetch(url).await?;
        Ok(Box::pin(stream.inspect(move |piece| {
            let length = piece.as_ref().map_or(0, bytes::Bytes::len);
            bytes.fetch_add(length as u64, Ordering::Relaxed);
        })))
    }
}

async fn load(repository: &Path, root: &[u8], datastore: &Path, files: Counting) -> Repository {
    let url = |name: &str| Url::from_directory_path(repository.join(name)).unwrap();
    RepositoryLoader::new(&root, url("metadata"), url("targets"))
        .transport(files)
        .datastore(datastore)
        .load()
        .await
        .unwrap()
}

/// A load with the datastore of another before it: tough has no lighter update.
pub(crate) fn warm(repository: &Path) -> Meter {
    once(repository, true)
}

/// A first load and one lookup.
pub(crate) fn cold(repository: &Path) -> Meter {
    once(repository, false)
}

fn once(repository: &Path, warm: bool) -> Meter {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let root = fs::read(repository.join("metadata/1.root.json")).unwrap();
    let home = tempfile::tempdir().unwrap();
    let loaded = |files| runtime.block_on(load(repository, &root, home.path(), files));
    if warm {
        loaded(Counting::default());
    }
    let files = Counting::default();
    let name = TargetName::new(path_of(7).as_str()).unwrap();
    let mut meter = Meter::start();
    meter.time(|| {
        let repository = loaded(files.clone());
        assert!(
            warm || repository
                .targets()
                .signed
                .find_target(&name, false)
                .is_ok()
        );
    });
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    meter.fetched(read(&files.requests), read(&files.bytes))
}
