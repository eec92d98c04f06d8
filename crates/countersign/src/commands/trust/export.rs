//! `countersign trust export`: a trust anchor for others, with the versions that this machine has seen.

use std::collections::BTreeMap;

use client::Session;
use metadata::{Role, Version};

use crate::clock;
use crate::console::{Console, hand_out};
use crate::failure::Failure;
use crate::runtime;
use crate::trusted::{Anchor, HomeArgs, TrustError};

/// Roles delegated by `targets` whose versions go with the anchor.
const MOST_ROLES: usize = 64;

/// Write an index's trust anchor to stdout, for `trust add --anchor` on other machines
///
/// It holds URL, root, and the versions verified here: whoever starts from it can be shown nothing
/// older. It refreshes first, if it can.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name; may be left out where there is only one
    name: Option<String>,

    #[command(flatten)]
    home: HomeArgs,
}

pub(crate) fn run(args: &Args, _console: &Console) -> Result<(), Failure> {
    let entry = args.home.open()?.chosen(args.name.as_deref())?;
    let updater = entry.place()?.updater()?;
    let now = clock::now();
    let session = runtime::run(async {
        match updater.refresh(now).await {
            Ok(session) => Ok(Some(session)),
            Err(error) => {
                tracing::warn!(%error, "not refreshed: the versions are those verified before");
                Ok(updater.resume(now).await.ok())
            }
        }
    })?;
    let mut anchor = Anchor {
        port: None,
        ..entry.anchor().clone()
    };
    if let Some(session) = &session {
        // The root stays the one given by hand: it is what people have compared.
        anchor.minimum.extend(seen(session));
    }
    let text = anchor.write().map_err(|error| TrustError::Anchor {
        path: entry.folder().to_owned(),
        why: error.to_string(),
    })?;
    hand_out(text.as_bytes())
}

/// The versions a session has: of the top-level roles, and of those that `targets` delegates to. The
/// bins below them are as young as the snapshot.
fn seen(session: &Session) -> BTreeMap<String, u64> {
    let (snapped, targets) = (session.snapped(), session.targets());
    let own = [
        (Role::Root, snapped.root().version),
        (Role::Timestamp, snapped.timestamp().version),
        (Role::Snapshot, snapped.snapshot().version),
        (Role::Targets, targets.version),
    ];
    let delegated = targets.all_edges().take(MOST_ROLES).filter_map(|edge| {
        let role = Role::parse(edge.name().as_str()).ok()?;
        let listed = snapped.snapshot().get(&role)?;
        Some((role, listed.version))
    });
    let entry = |(role, version): (Role, Version)| (role.name().to_owned(), version.get());
    own.into_iter().chain(delegated).map(entry).collect()
}
