//! Reads `file://` URLs: a repository in a folder, on a medium carried by hand, or of a test.

use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use percent_encoding::percent_decode_str;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use url::Url;

use crate::{Body, Transport, TransportError};

/// Bytes read at a time.
const PIECE: usize = 65_536;

/// Reads files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileTransport;

#[async_trait]
impl Transport for FileTransport {
    async fn get(&self, url: &Url) -> Result<Body, TransportError> {
        let path = local_path(url)?;
        let file = File::open(&path)
            .await
            .map_err(|error| failed(url, &error))?;
        let about = file.metadata().await.map_err(|error| failed(url, &error))?;
        // A folder is no file; a pipe or device might never end.
        if !about.is_file() {
            return Err(TransportError::NotFound { url: url.clone() });
        }
        let url = url.clone();
        let pieces = stream::try_unfold(file, move |mut file| {
            let url = url.clone();
            async move {
                let mut piece = vec![0; PIECE];
                let read = file
                    .read(&mut piece)
                    .await
                    .map_err(|error| failed(&url, &error))?;
                piece.truncate(read);
                Ok((read > 0).then(|| (Bytes::from(piece), file)))
            }
        });
        Ok(Box::pin(pieces))
    }
}

/// The path of a file URL. A segment that decodes to more than one segment is refused: role names
/// reach here escaped, and must not become paths (reference F23).
pub(crate) fn local_path(url: &Url) -> Result<PathBuf, TransportError> {
    if url.scheme() != "file" {
        return Err(TransportError::Scheme { url: url.clone() });
    }
    let not_found = || TransportError::NotFound { url: url.clone() };
    for segment in url.path_segments().into_iter().flatten() {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        if decoded == b".." || decoded.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)) {
            return Err(not_found());
        }
    }
    url.to_file_path().map_err(|()| not_found())
}

fn failed(url: &Url, error: &io::Error) -> TransportError {
    let url = url.clone();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => TransportError::NotFound { url },
        _ => TransportError::Connection {
            url,
            why: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::read_limited;

    async fn read(url: &Url) -> Result<Vec<u8>, TransportError> {
        let body = FileTransport.get(url).await?;
        Ok(read_limited(body, u64::MAX).await.unwrap())
    }

    #[tokio::test]
    async fn reads_files_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let large = vec![7; 3 * PIECE + 1];
        std::fs::write(dir.path().join("a b.json"), &large).unwrap();
        let base = Url::from_directory_path(dir.path()).unwrap();
        assert_eq!(
            read(&base.join("a%20b.json").unwrap()).await.unwrap(),
            large
        );
        for missing in ["none.json", ".", "a%20b.json/x"] {
            let url = base.join(missing).unwrap();
            assert_eq!(
                read(&url).await,
                Err(TransportError::NotFound { url }),
                "{missing}"
            );
        }
        let http = Url::parse("http://index.example/x").unwrap();
        assert_eq!(read(&http).await, Err(TransportError::Scheme { url: http }));
    }

    #[tokio::test]
    async fn an_escaped_role_name_does_not_become_a_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("metadata/1.x")).unwrap();
        std::fs::write(dir.path().join("secret.json"), b"{}").unwrap();
        let base = Url::from_directory_path(dir.path().join("metadata")).unwrap();
        let url = base.join("1.x%2F..%2F..%2Fsecret.json").unwrap();
        assert_eq!(read(&url).await, Err(TransportError::NotFound { url }));
    }
}
