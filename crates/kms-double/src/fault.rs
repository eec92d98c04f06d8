//! What can go wrong at the service or on the way to it, on demand.

use std::time::Duration;

/// One thing going wrong, once per injected count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error answer.
    Refuse {
        /// HTTP status.
        status: u16,
        /// `__type` of the answer.
        code: &'static str,
        /// What it says.
        message: &'static str,
    },
    /// The right answer, late.
    Delay(Duration),
    /// The connection is closed without an answer.
    Disconnect,
    /// A page of a proxy in place of JSON.
    NotJson,
    /// An answer of this many bytes.
    Flood(usize),
    /// The signature is another key's, of the same kind.
    OtherKey,
    /// An RSA signature with the padding of PKCS#1 v1.5 in place of PSS.
    OtherPadding,
    /// The answer carries no signature, no public key.
    Missing,
    /// The answer carries an empty signature.
    EmptySignature,
    /// The answer names a key other than the one that signed.
    OtherKeyId,
    /// An RSA signature that happens to begin with zeros, without these zeros.
    UnpaddedRsa,
}

impl Fault {
    /// Too many requests; the service says so with status 400.
    pub const THROTTLE: Self = Self::Refuse {
        status: 400,
        code: "ThrottlingException",
        message: "You have exceeded the rate at which you may call KMS. Reduce the frequency of \
                  your calls.",
    };
    /// A fault inside the service.
    pub const INTERNAL: Self = Self::Refuse {
        status: 500,
        code: "KMSInternalException",
        message: "An internal error occurred.",
    };
    /// A part of the service that did not answer another part.
    pub const DEPENDENCY_TIMEOUT: Self = Self::Refuse {
        status: 503,
        code: "DependencyTimeoutException",
        message: "The system timed out while trying to fulfill the request.",
    };
}
