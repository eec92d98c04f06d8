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
mod download;
mod error;
mod fetch;
mod file;
mod hidden;
mod http;
mod kind;
mod location;
mod minimum;
mod page;
mod pin;
mod promised;
mod resume;
mod session;
#[cfg(test)]
mod testing;
mod transport;
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
pub use page::{Listing, ProjectPage, Withheld};
pub use pin::{init, init_again};
pub use promised::{Kept, Promise, PromiseError};
pub use session::Session;
pub use transport::{Body, Transport, TransportError, without_credentials};
pub use updater::{Updater, UpdaterConfig};
pub use verified_file::{Check, VerifiedFile};
