//! Serves installers only what `client` verified.
//!
//! A proxy stands between an unmodified installer and an index that signs with TUF. It answers like
//! an index (PEP 503, 691, 658), and each page and file it answers with has been verified to its
//! last byte before the first one leaves: a file goes into the cache first. What cannot be verified
//! is refused with status 409, a reason phrase and an RFC 9457 body. There is no fallback.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use client::{Datastore, Pace, Updater, UpdaterConfig, transport_for};
//! use countersign_proxy::{ProxyConfig, ProxyState, serve};
//!
//! let metadata_url: url::Url = "https://index.example/metadata/".parse()?;
//! let config = UpdaterConfig::new(metadata_url.clone(), "https://index.example/".parse()?);
//! let transport = transport_for(&metadata_url, Pace::default())?;
//! let updater = Updater::new(config, Datastore::open("trusted")?, transport)?;
//!
//! let state = ProxyState::new(updater, ProxyConfig::new("cache"))?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8451").await?;
//! let interrupted = async { drop(tokio::signal::ctrl_c().await) };
//! serve(listener, state, interrupted).await?;
//! # Ok(())
//! # }
//! ```

mod agreed;
mod authority;
mod cache;
mod canonical;
mod config;
mod connections;
mod core_metadata;
mod files;
mod folder;
mod forward;
mod guard;
mod identity;
mod interim;
mod negotiate;
mod pages;
mod problem;
mod project_list;
mod range;
mod rules;
mod search;
mod send;
mod server;
mod state;
mod unverified;
mod upstream;
mod verdict;
mod views;

pub use authority::{AuthorityError, LocalAuthority, local_authorities_in};
pub use canonical::Canonical;
pub use config::{Clock, ProxyConfig};
pub use connections::{ConnectionLimits, serve_router, serve_router_tls};
pub use forward::AllowedHost;
pub use identity::{Challenge, Identity, new_key};
pub use negotiate::Form;
pub use problem::Problem;
pub use rules::{RulesError, UpstreamRules};
pub use server::{router, serve};
pub use state::{ProxyState, SharedState};
pub use verdict::{Unverified, Verdict};
