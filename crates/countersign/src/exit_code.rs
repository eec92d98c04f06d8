//! Which failure ends the program with which code. The codes are listed in `cli.rs`.

use client::Kind;
use developer::ProjectError;
use keys::KeyError;
use repository::{RepositoryError, StoreError};
use store_bucket::BucketError;

use crate::commands::DeliveryError;
use crate::failure::Failure;

/// Refused by a rule or the policy, or failed on this machine.
const REFUSED: u8 = 1;
/// Wrong usage, as clap has it.
const USAGE: u8 = 2;
/// Too few valid signatures.
const SIGNATURES: u8 = 11;
/// A defect (`EX_SOFTWARE`).
pub(crate) const INTERNAL: u8 = 70;
/// Try again (`EX_TEMPFAIL`).
pub(crate) const BUSY: u8 = 75;
/// `exec` itself failed (as `env` and `timeout` have it).
const EXEC: u8 = 125;
/// 128 + SIGINT.
const INTERRUPTED: u8 = 130;

/// The code for a failure.
pub(crate) fn of(failure: &Failure) -> u8 {
    match failure {
        Failure::Client(error) => error.exit_code(),
        Failure::Repository(error) => of_repository(error),
        Failure::Bucket(error) => of_bucket(error),
        Failure::Ceremony(error) => match error {
            ceremony::CeremonyError::TooFew(_) => SIGNATURES,
            ceremony::CeremonyError::Rejected(rejection) => Kind::of(rejection).exit_code(),
            _ => REFUSED,
        },
        Failure::NotARoot { source, .. } => source.exit_code(),
        Failure::NothingFits { only_digests, .. } if *only_digests => Kind::Digest.exit_code(),
        Failure::UnknownProject { .. }
        | Failure::NothingFits { .. }
        | Failure::NotFromIndex { .. } => Kind::NotSigned.exit_code(),
        Failure::Audit(error) => error.exit_code(),
        Failure::Project(error) => of_project(error),
        Failure::KeyCommand(error) if error.is_usage() => USAGE,
        Failure::Usage(_)
        | Failure::TokensInTheClear { .. }
        | Failure::Delivery(DeliveryError::InTheClear { .. }) => USAGE,
        Failure::Exec(_) => EXEC,
        Failure::Findings { code } | Failure::Broken { code, .. } | Failure::Ended(code) => *code,
        Failure::Delivery(DeliveryError::Unreachable { .. }) => Kind::Network.exit_code(),
        Failure::Worker { .. } => INTERNAL,
        Failure::StillQueued { .. } | Failure::NotPublished { .. } => BUSY,
        Failure::OthersPublished { .. } => Kind::Digest.exit_code(),
        Failure::Attention { expired: true, .. } => Kind::Expired.exit_code(),
        Failure::Interrupted => INTERRUPTED,
        _ => REFUSED,
    }
}

fn of_project(error: &ProjectError) -> u8 {
    match error {
        ProjectError::Refused(reason) => match &**reason {
            claims::Reason::Role(rejection) => Kind::of(rejection).exit_code(),
            _ => REFUSED,
        },
        ProjectError::Claim(
            claims::ClaimError::NotOperator { .. } | claims::ClaimError::NotPossessed { .. },
        ) => SIGNATURES,
        _ => REFUSED,
    }
}

fn of_bucket(error: &BucketError) -> u8 {
    match error {
        BucketError::Place { .. } | BucketError::Endpoint { .. } | BucketError::NoRegion => USAGE,
        BucketError::Unusable { .. } => Kind::Network.exit_code(),
        BucketError::Ended => INTERNAL,
        _ => REFUSED,
    }
}

fn of_repository(error: &RepositoryError) -> u8 {
    match error {
        error if error.is_busy() => BUSY,
        RepositoryError::Unsigned(_)
        | RepositoryError::Key {
            source: KeyError::DifferentKey { .. },
            ..
        } => SIGNATURES,
        RepositoryError::Store(StoreError::Altered { .. }) => Kind::Digest.exit_code(),
        RepositoryError::Store(StoreError::Remote { .. } | StoreError::Denied { .. }) => {
            Kind::Network.exit_code()
        }
        RepositoryError::StateBehind { .. } | RepositoryError::BelowFloor { .. } => {
            Kind::Rollback.exit_code()
        }
        RepositoryError::NotForThisKey { .. } => Kind::Expired.exit_code(),
        RepositoryError::Rehearsal { source } | RepositoryError::SetRejected { source } => {
            Kind::of(source).exit_code()
        }
        RepositoryError::Document(_) | RepositoryError::Page(_) => INTERNAL,
        _ => REFUSED,
    }
}
