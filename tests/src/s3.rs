//! An S3 server for the tests: somebody else's emulator on loopback, from the Python registry, which
//! checks signatures and heeds the conditions that a store in a bucket lives by.

use std::path::{Path, PathBuf};
use std::process::Command;

use keys_kms::AwsSources;
use policy::StoreLimits;
use store_bucket::{Bucket, BucketPlace, BucketUploads, Endpoint};
use tempfile::TempDir;

use crate::environment::{Server, free_port, prepared};
use crate::faults::Faults;

/// The bucket all tests of one server share; each has a prefix of its own.
pub const BUCKET: &str = "index-store";

/// Where every client begins; nothing else in a store is replaced.
const TIMESTAMP: &str = "metadata/timestamp.json";

/// A running server with one bucket.
pub struct S3 {
    server: Server,
    port: u16,
    home: TempDir,
}

impl S3 {
    /// Starts one on a free port.
    #[must_use]
    pub fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(prepared("venv/bin/ministack"));
        command
            .env_clear()
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("GATEWAY_PORT", port.to_string())
            // It would listen on all interfaces, and for other protocols on other ports.
            .env("BIND_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("LOG_LEVEL", "ERROR");
        let server = Server::start(command, port);
        let credentials = "[default]\naws_access_key_id = test\naws_secret_access_key = test\n";
        std::fs::write(home.path().join("credentials"), credentials).unwrap();
        let s3 = Self { server, port, home };
        s3.make(BUCKET);
        s3
    }

    /// Makes a bucket.
    pub fn make(&self, bucket: &str) {
        let answer = crate::faults::ask(self.port, "PUT", &format!("/{bucket}"), b"");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Credentials that it takes, as a file.
    #[must_use]
    pub fn credentials(&self) -> PathBuf {
        self.home.path().join("credentials")
    }

    /// The URL below which anybody reads what is in a prefix.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        self.server.url(&format!("{BUCKET}/{prefix}/"))
    }

    /// A place of its own.
    #[must_use]
    pub fn place(prefix: &str) -> BucketPlace {
        format!("s3://{BUCKET}/{prefix}").parse().unwrap()
    }

    /// The server as reached through `port`: its own, or that of faults on the way.
    #[must_use]
    pub fn endpoint(&self, port: u16) -> Endpoint {
        let url = format!("http://127.0.0.1:{port}");
        let sources = AwsSources {
            region: Some("us-east-1".to_owned()),
            profile: None,
            credentials_file: Some(self.credentials()),
        };
        Endpoint::new(Some(&url), true, false, sources).unwrap()
    }

    /// The store of a prefix.
    #[must_use]
    pub fn store(&self, prefix: &str) -> Bucket {
        Bucket::open(Self::place(prefix), &self.endpoint(self.port), quick()).unwrap()
    }

    /// The same with faults on the way.
    #[must_use]
    pub fn store_behind(&self, faults: &Faults, prefix: &str) -> Bucket {
        Bucket::open(Self::place(prefix), &self.endpoint(faults.port()), quick()).unwrap()
    }

    /// The uploads of a prefix.
    #[must_use]
    pub fn uploads(&self, prefix: &str) -> BucketUploads {
        BucketUploads::open(Self::place(prefix), &self.endpoint(self.port), quick()).unwrap()
    }

    /// Copies everything that clients may read below a prefix into a folder, for the checker.
    pub fn export(&self, prefix: &str, folder: &Path) {
        use repository::Store;
        let store = self.store(prefix);
        let write = |path: &str, bytes: &[u8]| {
            let at = folder.join(path);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            std::fs::write(at, bytes).unwrap();
        };
        // The index may go on publishing: first the timestamp, then all that it leads to.
        let paths = store.list().unwrap();
        let timestamp = paths.iter().find(|path| path.as_str() == TIMESTAMP);
        let timestamp = timestamp.and_then(|path| store.get(path, u64::MAX).unwrap());
        for path in store.list().unwrap() {
            // What the list has may be swept by the time it is read.
            match store.get(&path, u64::MAX).unwrap() {
                Some(bytes) if path.as_str() != TIMESTAMP => write(path.as_str(), &bytes),
                _ => {}
            }
        }
        if let Some(bytes) = timestamp {
            write(TIMESTAMP, &bytes);
        }
    }
}

/// Gives up soon: what does not answer in a test will not answer.
#[must_use]
pub fn quick() -> StoreLimits {
    use std::time::Duration;
    StoreLimits {
        connect_timeout: Duration::from_secs(2),
        attempt_timeout: Duration::from_secs(20),
        longest_pause: Duration::from_millis(20),
        retry_for: Duration::from_millis(200),
        part_bytes: 5 << 20,
        ..StoreLimits::default()
    }
}
