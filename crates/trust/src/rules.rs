//! What an update is held to: limits and dialect.

/// Sizes and counts beyond which untrusted data is refused. The values come from policy; the
/// defaults are what the TUF clients in use share (reference A.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a root (TUF 5.3.3 W).
    pub root: u64,
    /// Bytes of a timestamp (TUF 5.4.1 X).
    pub timestamp: u64,
    /// Bytes of a snapshot whose length is not listed (TUF 5.5.1 Y).
    pub snapshot: u64,
    /// Bytes of a targets role whose length is not listed (TUF 5.6.1 Z).
    pub targets: u64,
    /// Bytes of any file whatever length is listed for it.
    pub listed: u64,
    /// New roots in one update (TUF 5.3.3).
    pub root_rotations: u32,
    /// Delegated roles visited for one path (TUF 5.6.7.1).
    pub delegations: usize,
    /// Signatures listed in one file.
    pub signatures: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            root: 512_000,
            timestamp: 16_384,
            snapshot: 2_000_000,
            targets: 5_000_000,
            listed: 32_000_000,
            root_rotations: 256,
            delegations: 32,
            signatures: 64,
        }
    }
}

/// How closely a repository must keep to the letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// As this program writes: dates in the exact TUF form, key ids that are the digest of their
    /// key, no unknown members in keys, no schemes and spellings of keys but those of TUF 4.2.2.
    #[default]
    Strict,
    /// Also what other tools write (RFC 3339 dates, TAP 12 key ids, EC points in hex, RSA with PKCS#1
    /// v1.5). Thresholds, expiry and versions count the same.
    Lenient,
}

/// Limits and dialect together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Sizes and counts.
    pub limits: Limits,
    /// How closely to the letter.
    pub dialect: Dialect,
}
