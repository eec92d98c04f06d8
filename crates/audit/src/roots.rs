//! The chain of roots from the first: a client that pinned any of them has to come to the newest.

use client::{ClientError, Kind, Session};
use metadata::{Role, Version};
use trust::{Request, RootChain};

use crate::finding::{Cause, Finding, Findings};
use crate::source::Source;

/// Follows the roots from the first, or from the oldest from which a client's limit of rotations
/// reaches the root in force.
pub(crate) async fn check(source: &Source, session: &Session, findings: &mut Findings) {
    let snapped = session.snapped();
    let current = snapped.root();
    let rotations = u64::from(snapped.rules().limits.root_rotations);
    let oldest = current.version.get().saturating_sub(rotations).max(1);
    let mut chain = None;
    for number in oldest..=current.version.get() {
        // Every number up to that of a version is one.
        let version = Version::new(number).unwrap_or(current.version);
        match follow(source, session, chain, version).await {
            Ok(next) => chain = Some(next),
            Err(error) => {
                let cause = error.into();
                return findings.add(Finding::RootHistory { version, cause });
            }
        }
    }
    if chain.is_some_and(|chain| chain.root().sha256() != current.sha256()) {
        findings.add(Finding::RootHistory {
            version: current.version,
            cause: Cause {
                kind: Kind::Digest,
                why: "the chain from the first root leads to another root than the trusted one"
                    .to_owned(),
            },
        });
    }
}

async fn follow(
    source: &Source,
    session: &Session,
    chain: Option<RootChain>,
    version: Version,
) -> Result<RootChain, ClientError> {
    let rules = *session.snapped().rules();
    let request = Request {
        role: Role::Root,
        version,
        limit: rules.limits.root,
    };
    let file = source.role(&request, true).await?;
    Ok(match chain {
        Some(chain) => chain.advance(&file)?,
        None => RootChain::pinned(&file, rules)?,
    })
}
