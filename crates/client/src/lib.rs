//! Fetches with limits, keeps the datastore, updates and downloads.
//!
//! Every decision of what to believe is made in `trust`; this crate brings it the bytes, in the
//! order of TUF 5, and keeps what was verified.
//!
//! ```no_run
//! # async fn install() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Datastore, Pace, Updater, UpdaterConfig, found, init, transport_for};
//! # use countersign_client as client;
//!
//! let metadata_url: url::Url = "https://index.example/metadata/".parse()?;
//! let targets_url = "https://index.example/".parse()?;
//! let transport = transport_for(&metadata_url, Pace::default())?;
//! let config = UpdaterConfig::new(metadata_url, targets_url);
//!
//! let datastore = Datastore::open("trusted")?;
//! init(&datastore, &std::fs::read("root.json")?, &config.rules).await?;
//!
//! let session = Updater::new(config, datastore, transport)?.refresh(chrono::Utc::now()).await?;
//! let path = metadata::TargetPath::parse("packages/ec/requests/requests-2.32.3.tar.gz")?;
//! let target = found(&path, session.find(&path).await)?;
//! let file = session.download_to(&target, "downloads".as_ref()).await?;
//! println!("{} is {} by word of {}", file.display(), target.path(), target.role());
//! # Ok(())
//! # }
//! ```
//!
//! The time of an update is an argument, and so is the way files are fetched: a [`Transport`] of your
//! own is one method. This one counts, and reads a repository of these tests that was signed for the
//! first day of 2030:
//!
//! ```
//! # use countersign_client as client;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicUsize, Ordering};
//! use client::{Body, Datastore, FileTransport, Transport, TransportError, Updater, UpdaterConfig};
//!
//! #[derive(Default)]
//! struct Counting(AtomicUsize);
//!
//! #[async_trait::async_trait]
//! impl Transport for Counting {
//!     async fn get(&self, url: &url::Url) -> Result<Body, TransportError> {
//!         self.0.fetch_add(1, Ordering::Relaxed);
//!         FileTransport.get(url).await
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/repository");
//! let url = url::Url::from_directory_path(&folder).expect("an absolute path");
//! let config = UpdaterConfig::new(url.clone(), url);
//! let trusted = tempfile::tempdir()?;
//! let datastore = Datastore::open(trusted.path())?;
//! client::init(&datastore, &std::fs::read(folder.join("1.root.json"))?, &config.rules).await?;
//!
//! let counting = Arc::new(Counting::default());
//! let updater = Updater::new(config, datastore, counting.clone())?;
//! let session = updater.refresh("2030-01-01T00:00:00Z".parse()?).await?;
//! assert_eq!(counting.0.load(Ordering::Relaxed), 4, "2.root, timestamp, 1.snapshot, 1.targets");
//!
//! let path = metadata::TargetPath::parse("hello.txt")?;
//! let target = client::found(&path, session.find(&path).await)?;
//! assert_eq!(session.read(&target.into()).await?, b"Hello.\n");
//!
//! // Two days later nobody has signed again: somebody may be holding back what is new.
//! let late = updater.refresh("2030-01-03T00:00:00Z".parse()?).await;
//! assert_eq!(late.err().expect("a refusal").kind(), client::Kind::Expired);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # For those who know python-tuf's `ngclient`
//!
//! | there | here |
//! |---|---|
//! | `Updater(…, bootstrap=root)` trusts a root and sets up | [`init`] trusts, once and without a request, and refuses another root; [`Updater::new`] sets up |
//! | `refresh()`, at the machine's time, once an object | [`Updater::refresh`] at a time given, as often as wanted; its [`Session`] keeps one snapshot, so no two answers are of different states |
//! | `get_targetinfo(path)`: a `TargetFile` or `None` | [`Session::find`]: found, terminated, unclaimed or failed, of which only the third says that nobody speaks for the path; [`found`] makes errors of the others |
//! | `TargetFile` can be made by hand | `VerifiedTarget` and [`VerifiedFile`] come out of a search alone |
//! | `find_cached_target`, then `download_target` | [`Session::download_to`] and [`Session::download_as`] fetch nothing where the file fits; [`Session::download`] and [`Session::read`] go without a file |
//! | `FetcherInterface` yields bytes | [`Transport`] does, async; limits are kept by whoever reads, so a transport cannot forget them |
//! | `UpdaterConfig` of limits | [`UpdaterConfig`]: limits and dialect in its rules, least versions, page sizes |
//! | what is held is only a cache | [`Updater::resume`] verifies it as a session of its own, offline |
//! | one exception each for length, hash, version, expiry | [`ClientError`], whose [`ClientError::kind`] is one of eight [`Kind`]s and an exit code |
//!
//! And `sigstore-tuf`'s `Updater`, the other client in Rust that keeps decisions apart from fetching:
//!
//! | there | here |
//! |---|---|
//! | `refresh(&mut self, now)`, and `now` again with each lookup | the time of a [`Session`] is fixed by its refresh; any number of searches share it |
//! | `Repository`: one method each for metadata and targets, with the limit | [`Transport::get`], one method; limits are kept by whoever reads |
//! | `MetadataStore`, in files (of two writers the last wins) or memory | [`Datastore`], in synced files under a lock; only `Verified` documents go in |
//! | `get_target_info`: a target or `None`; a role that the snapshot does not list is passed over | [`Session::find`], for which such a role has failed |
//! | `find_cached_target`, `download_target`, `get_target` of bytes | [`Session::download_to`], [`Session::read`] |
//! | succinct bins are read past | both encodings are read |
//!
//! Two programs that can be run stand in `examples`: `download`, and `offline` with a transport of its own.
//!
//! A client whose datastore was never given a root trusts nobody:
//!
//! ```
//! # use countersign_client as client;
//! use client::{ClientError, Datastore, FileTransport, Updater, UpdaterConfig};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let dir = tempfile::tempdir()?;
//! let url = url::Url::from_directory_path(dir.path()).expect("a temporary folder is absolute");
//! let config = UpdaterConfig::new(url.clone(), url);
//! let datastore = Datastore::open(dir.path().join("trusted"))?;
//! let updater = Updater::new(config, datastore, std::sync::Arc::new(FileTransport))?;
//! let refused = updater.refresh(chrono::Utc::now()).await;
//! assert!(matches!(refused, Err(ClientError::NoRoot { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod conformance;
mod datastore;
mod delta;
mod download;
mod error;
mod fetch;
mod file;
mod hidden;
mod http;
mod kind;
mod location;
mod minimum;
mod mirror;
mod page;
mod piece;
mod pin;
mod project_roles;
mod projects;
mod promised;
mod resume;
mod session;
mod spool;
#[cfg(test)]
mod testing;
mod transport;
mod unverified;
mod updater;
mod verified_file;

pub use datastore::{Datastore, DatastoreLock};
pub use error::{ClientError, Wanted, found};
pub use fetch::{ReadError, read_limited};
pub use file::FileTransport;
pub use http::{HttpTransport, Pace, transport_for};
pub use kind::Kind;
pub use location::local_name;
pub use minimum::Minimum;
pub use mirror::Mirrored;
pub use page::{Listing, ProjectPage, Withheld};
pub use piece::{AT_ONCE, Piece};
pub use pin::{init, init_again};
pub use project_roles::{ProjectDelegation, ProjectRoles};
pub use promised::{Kept, Promise, PromiseError};
pub use session::Session;
pub use transport::{Body, Transport, TransportError, is_safe_on_the_way, without_credentials};
pub use unverified::{UnverifiedAnswer, UnverifiedIndex, UnverifiedLimits};
pub use updater::{Updater, UpdaterConfig};
pub use verified_file::{Check, VerifiedFile};
