//! Which keys may sign, and how key files are encrypted.

use crate::PolicyError;
use crate::reader::Section;

/// The keys of the table `keys`.
pub(crate) const KEYS: &[&str] = &[
    "schemes",
    "offline_keys_in_files",
    "kdf",
    "scrypt_log_n",
    "pbkdf2_iterations",
];

/// What keys must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Signature schemes that a new key may have, the preferred one first; none twice.
    pub schemes: Vec<Scheme>,
    /// Whether keys of roles with offline keys may be encrypted files instead of hardware.
    pub offline_keys_in_files: bool,
    /// How the key that encrypts a key file comes from its passphrase.
    pub kdf: Kdf,
}

/// A signature scheme (TUF 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `ed25519`
    Ed25519,
    /// `ecdsa-sha2-nistp256`
    EcdsaSha2Nistp256,
    /// `rsassa-pss-sha256`
    RsassaPssSha256,
}

/// Key derivation for encrypted key files (RFC 8018 PBES2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    /// scrypt (RFC 7914) with N = 2^`log_n`, r = 8, p = 1; 14 to 20.
    Scrypt {
        /// Binary logarithm of the cost; memory is 1 KiB · 2^`log_n`.
        log_n: u8,
    },
    /// PBKDF2-HMAC-SHA256, which older OpenSSL reads too; at least 600,000 iterations.
    Pbkdf2HmacSha256 {
        /// Number of iterations.
        iterations: u32,
    },
}

impl Scheme {
    /// The name in metadata and in a policy file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaSha2Nistp256 => "ecdsa-sha2-nistp256",
            Self::RsassaPssSha256 => "rsassa-pss-sha256",
        }
    }
}

impl KeyPolicy {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, PolicyError> {
        let schemes = [
            Scheme::Ed25519,
            Scheme::EcdsaSha2Nistp256,
            Scheme::RsassaPssSha256,
        ]
        .map(|scheme| (scheme.as_str(), scheme));
        Ok(Self {
            schemes: section.choices("schemes", &schemes)?,
            offline_keys_in_files: section.flag("offline_keys_in_files")?,
            kdf: Self::read_kdf(section)?,
        })
    }

    /// A cost of the function that is not chosen would look as if it held, so it is unknown.
    fn read_kdf(section: &Section<'_>) -> Result<Kdf, PolicyError> {
        let scrypt = section.choice("kdf", &[("scrypt", true), ("pbkdf2-hmac-sha256", false)])?;
        if scrypt {
            section.refuse("pbkdf2_iterations", &["kdf", "scrypt_log_n"])?;
            let log_n = section.count("scrypt_log_n", 14..=20)?;
            Ok(Kdf::Scrypt { log_n: log_n as u8 })
        } else {
            section.refuse("scrypt_log_n", &["kdf", "pbkdf2_iterations"])?;
            let iterations = section.count("pbkdf2_iterations", 600_000..=100_000_000)?;
            Ok(Kdf::Pbkdf2HmacSha256 { iterations })
        }
    }
}
