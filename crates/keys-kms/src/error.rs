//! What can go wrong between this program and AWS KMS, sorted by who can mend it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use keys::KeyFlaw;
use metadata::KeyId;

/// A foreign error behind one of ours.
type Source = Box<dyn Error + Send + Sync>;

/// A key in AWS KMS could not be used. [`KmsError::hint`] says what to do. Texts that come from the
/// service are shortened and stripped of control characters.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// The region beside an ARN is not the ARN's.
    #[error("the key lies in `{arn}`, but the region `{given}` is named beside it")]
    RegionMismatch {
        /// The region in the ARN.
        arn: String,
        /// The region given.
        given: String,
    },
    /// Neither the key URI nor the environment nor the profile names a region.
    #[error("no region is named")]
    NoRegion,
    /// Plain HTTP to another machine.
    #[error("the endpoint `{endpoint}` is not encrypted and not on this machine")]
    Endpoint {
        /// The endpoint.
        endpoint: String,
    },
    /// The credentials file cannot be read.
    #[error("cannot read the credentials file `{}`", path.display())]
    CredentialsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No source gave credentials.
    #[error("no AWS credentials")]
    NoCredentials {
        /// Which sources were asked, and what they said.
        source: Source,
    },
    /// The service does not accept the credentials.
    #[error("AWS refused the credentials with {code}: {message}")]
    CredentialsRefused {
        /// The service's error code.
        code: String,
        /// What the service said.
        message: String,
    },
    /// A policy forbids the action.
    #[error("no permission for {action}: {message}")]
    Denied {
        /// The action, as policies name it.
        action: &'static str,
        /// What the service said; names the user or role.
        message: String,
    },
    /// There is no such key, or the account's keys are invisible to this one.
    #[error("there is no such key in the region `{region}`: {message}")]
    NotFound {
        /// The region asked.
        region: String,
        /// What the service said.
        message: String,
    },
    /// The endpoint belongs to a region other than the one the request was made for.
    #[error("the endpoint does not serve the region `{region}`: {message}")]
    WrongRegion {
        /// The region asked.
        region: String,
        /// What the service said.
        message: String,
    },
    /// The key is disabled.
    #[error("the key is disabled")]
    Disabled,
    /// The key will be deleted.
    #[error("the key is going to be deleted{}", on(date.as_ref()))]
    PendingDeletion {
        /// When, if the service tells: `YYYY-MM-DDTHH:MM:SSZ`.
        date: Option<String>,
    },
    /// The key is in another state that allows no signing.
    #[error("the key is in the state `{state}`: {message}")]
    KeyState {
        /// The state, such as `Unavailable` or `PendingImport`.
        state: String,
        /// What the service said.
        message: String,
    },
    /// The key is not for signing.
    #[error("the key is for {usage}, not for signing")]
    Usage {
        /// What it is for.
        usage: String,
    },
    /// The key signs, but not in a way that TUF knows.
    #[error("the key is of the kind `{spec}`, which signs no metadata")]
    Spec {
        /// The key spec.
        spec: String,
    },
    /// The public key of the service cannot be used.
    #[error("the public key {flaw}")]
    PublicKey {
        /// What is wrong with it.
        flaw: KeyFlaw,
    },
    /// The name leads to another key than when it was opened.
    #[error("the name now leads to another key: {found} in place of {pinned}")]
    Repointed {
        /// The ARN of the key when it was opened.
        pinned: String,
        /// The ARN of the key that answered.
        found: String,
    },
    /// The document is larger than the service signs with Ed25519.
    #[error("the document has {size} bytes, and AWS KMS signs with Ed25519 only {limit}")]
    TooLong {
        /// Bytes of the document.
        size: usize,
        /// Most bytes.
        limit: usize,
    },
    /// The signature does not verify against the public key.
    #[error("its signature does not verify against its public key {keyid}")]
    BadSignature {
        /// The public key it should have signed for.
        keyid: KeyId,
    },
    /// The service was asked too often, also after all retries.
    #[error("{action} is throttled, also after retries: {message}")]
    Throttled {
        /// The action.
        action: &'static str,
        /// What the service said.
        message: String,
    },
    /// The service has a fault of its own, also after all retries.
    #[error("AWS KMS failed on {action}, also after retries: {code}")]
    ServiceFault {
        /// The action.
        action: &'static str,
        /// The service's error code or HTTP status.
        code: String,
    },
    /// No answer in time.
    #[error("{action} was not answered in time, with retries within {milliseconds} ms")]
    TimedOut {
        /// The action.
        action: &'static str,
        /// How long the whole call had.
        milliseconds: u128,
    },
    /// No connection.
    #[error("cannot reach `{endpoint}`")]
    Unreachable {
        /// The endpoint, or the region's name for it.
        endpoint: String,
        /// Why.
        source: Source,
    },
    /// An answer that is none.
    #[error("the answer to {action} is not what AWS KMS answers")]
    Answer {
        /// The action.
        action: &'static str,
        /// What is wrong with it.
        source: Source,
    },
    /// A refusal this program has no name for.
    #[error("AWS KMS refused {action} with {code}: {message}")]
    Refused {
        /// The action.
        action: &'static str,
        /// The service's error code.
        code: String,
        /// What the service said.
        message: String,
    },
    /// The thread that talks to the service cannot be started.
    #[error("cannot start the thread that talks to AWS KMS")]
    Thread {
        /// Why.
        source: io::Error,
    },
    /// The thread that talks to the service has ended.
    #[error("the thread that talks to AWS KMS has ended")]
    Ended,
}

fn on(date: Option<&String>) -> String {
    date.map(|date| format!(" on {date}")).unwrap_or_default()
}

impl KmsError {
    /// What to do about it, as one sentence for a `hint:` line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::RegionMismatch { .. } => "leave `region=` out: the ARN names the region",
            Self::NoRegion => {
                "add `?region=REGION` to the key URI, set AWS_REGION, or name the key by its ARN"
            }
            Self::Endpoint { .. } => "write `https://`; plain HTTP is for doubles on loopback",
            Self::CredentialsFile { .. } => "check the path and who may read the file",
            Self::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile, or give the \
                 machine a role (web identity, container or instance); SSO profiles are not read"
            }
            Self::CredentialsRefused { .. } => {
                "check the access key, whether its session has expired, and this machine's clock"
            }
            Self::Denied { .. } => {
                "allow kms:GetPublicKey and kms:Sign on this key, in its key policy or to the role \
                 (kms:DescribeKey too, for clearer errors)"
            }
            Self::NotFound { .. } => {
                "check the key's name, `region=`, and that the credentials are of its account (a \
                 key of another account needs its ARN)"
            }
            Self::WrongRegion { .. } => "let `region=` and `endpoint=` name one region",
            Self::Disabled => "enable the key, or name another that the role lists",
            Self::PendingDeletion { .. } => {
                "cancel the deletion now if the key is needed; a deleted key cannot be restored"
            }
            Self::KeyState { .. } => "the key must be `Enabled`: check it with DescribeKey",
            Self::Usage { .. } | Self::Spec { .. } => {
                "create a key for SIGN_VERIFY of ECC_NIST_P256 (recommended), RSA_2048, RSA_3072, \
                 RSA_4096 or, for small roles, ECC_NIST_EDWARDS25519"
            }
            Self::TooLong { .. } => {
                "use a key of ECC_NIST_P256 for this role: only its SHA-256 digest is sent, \
                 whatever the size"
            }
            Self::Repointed { .. } => {
                "name the key by its ARN, or let the role list the new key first"
            }
            Self::PublicKey { .. } | Self::BadSignature { .. } | Self::Answer { .. } => {
                "check that `endpoint=` and any proxy lead to AWS KMS; nothing was signed"
            }
            Self::Throttled { .. } => {
                "lower `kms_concurrency` in the policy, or raise the account's KMS request quota in \
                 this region"
            }
            Self::ServiceFault { .. } => "try again later; nothing was published",
            Self::TimedOut { .. } | Self::Unreachable { .. } => {
                "check network, proxy (HTTPS_PROXY), `region=` and `endpoint=`"
            }
            Self::Refused { .. } => "look the code up in the AWS KMS API reference",
            Self::Thread { .. } | Self::Ended => "start the program again",
        }
    }
}
