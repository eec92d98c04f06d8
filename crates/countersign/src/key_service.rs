//! Keys in AWS KMS: what this program adds to the places that keys live in.

use std::path::PathBuf;

use keys_kms::{KmsLimits, KmsOpener, KmsOptions};
use policy::SignerLimits;

/// How keys in AWS KMS are reached.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct KmsArgs {
    /// File with AWS credentials for `awskms:` keys, such as a systemd credential, in place of every
    /// other source
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "COUNTERSIGN_AWS_CREDENTIALS_FILE"
    )]
    #[arg(help_heading = "Reaching keys")]
    aws_credentials_file: Option<PathBuf>,
}

impl KmsArgs {
    /// Opens such keys within the limits of a policy.
    pub(crate) fn opener(&self, limits: &SignerLimits) -> KmsOpener {
        KmsOpener {
            options: KmsOptions {
                credentials_file: self.aws_credentials_file.clone(),
                limits: within(limits),
            },
        }
    }
}

fn within(limits: &SignerLimits) -> KmsLimits {
    KmsLimits {
        concurrency: usize::try_from(limits.kms_concurrency).unwrap_or(1),
        attempts: limits.kms_attempts,
        longest_backoff: limits.kms_longest_pause,
        connect: limits.kms_connect_timeout,
        attempt: limits.kms_attempt_timeout,
        call: limits.kms_call_timeout,
        ..KmsLimits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's own numbers are the policy's.
    #[test]
    fn the_default_policy_has_the_limits_of_the_library() {
        assert_eq!(within(&SignerLimits::default()), KmsLimits::default());
        let waits = keys::LoadOptions::default().timeout;
        assert_eq!(SignerLimits::default().answer_timeout, waits);
    }
}
