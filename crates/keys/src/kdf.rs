//! Key derivation from passphrases: what is written, what is read, and at what cost.

use std::fmt;

use pkcs8::pkcs5::{pbes2, scrypt};

use crate::KeyFlaw;

/// How a passphrase becomes the key that encrypts a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    /// RFC 7914; the default with 2^17, 8, 1: 128 MiB and about half a second.
    Scrypt {
        /// Binary logarithm of the cost N.
        log_n: u8,
        /// Block size.
        r: u16,
        /// Parallelization.
        p: u16,
    },
    /// RFC 8018 with HMAC-SHA-256 when written; for machines whose tools lack memory for scrypt
    /// (`openssl` refuses more than 32 MiB).
    Pbkdf2 {
        /// Iteration count.
        iterations: u32,
    },
    /// `bcrypt_pbkdf` of OpenSSH key files; read, never written.
    Bcrypt {
        /// What `ssh-keygen -a` sets.
        rounds: u32,
    },
}

/// Most memory a key file may ask scrypt for: N = 2^20 with r = 8, the largest in use.
const MAX_SCRYPT_MEMORY: u64 = 1 << 30;
/// Most work, N·r·p: twice that of N = 2^20 with r = 8, about ten seconds.
const MAX_SCRYPT_WORK: u64 = 1 << 24;
/// Most PBKDF2 iterations: a few seconds with any hash.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// N·r below this is weak: N = 2^14 with r = 8, which `openssl` and RFC 7914 name as the least.
const MIN_SCRYPT_COST: u64 = 1 << 17;
/// Fewer PBKDF2 iterations are weak (OWASP Password Storage Cheat Sheet 2023).
const MIN_PBKDF2_ITERATIONS: u32 = 600_000;
/// Most rounds of bcrypt: about ten seconds.
const MAX_BCRYPT_ROUNDS: u32 = 1_000;
/// Fewer rounds are weak: OpenSSH's own default since 6.5.
const MIN_BCRYPT_ROUNDS: u32 = 16;

impl Default for Kdf {
    fn default() -> Self {
        Self::Scrypt {
            log_n: 17,
            r: 8,
            p: 1,
        }
    }
}

impl Kdf {
    /// The choice for files that `openssl` must be able to open.
    pub const PORTABLE: Self = Self::Pbkdf2 {
        iterations: MIN_PBKDF2_ITERATIONS,
    };

    /// Whether guessing passphrases is cheaper than it should be today.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        match *self {
            Self::Scrypt { log_n, r, .. } => {
                log_n < 24 && (1u64 << log_n) * u64::from(r) < MIN_SCRYPT_COST
            }
            Self::Pbkdf2 { iterations } => iterations < MIN_PBKDF2_ITERATIONS,
            Self::Bcrypt { rounds } => rounds < MIN_BCRYPT_ROUNDS,
        }
    }

    /// Reads the parameters of a key file and refuses those that cost too much.
    pub(crate) fn from_params(params: &pbes2::Kdf) -> Result<Self, KeyFlaw> {
        let kdf = match params {
            pbes2::Kdf::Scrypt(scrypt) => {
                if !scrypt.cost_parameter.is_power_of_two() {
                    return Err(KeyFlaw::KdfParameters);
                }
                Self::Scrypt {
                    // At most 63.
                    log_n: scrypt.cost_parameter.trailing_zeros() as u8,
                    r: scrypt.block_size,
                    p: scrypt.parallelization,
                }
            }
            pbes2::Kdf::Pbkdf2(pbkdf2) => {
                if pbkdf2.prf == pbes2::Pbkdf2Prf::HmacWithSha1 {
                    let oid = pbkdf2.prf.oid();
                    return Err(KeyFlaw::Protection { oid });
                }
                Self::Pbkdf2 {
                    iterations: pbkdf2.iteration_count,
                }
            }
            other => return Err(KeyFlaw::Protection { oid: other.oid() }),
        };
        kdf.bounded()
    }

    /// The parameters to write, with AES-256-CBC.
    pub(crate) fn to_params(
        self,
        salt: &[u8; 16],
        iv: [u8; 16],
    ) -> Result<pbes2::Parameters, KeyFlaw> {
        match self.bounded()? {
            Self::Scrypt { log_n, r, p } => scrypt::Params::new(log_n, r.into(), p.into())
                .ok()
                .and_then(|params| {
                    pbes2::Parameters::generate_scrypt_aes256cbc(params, salt, iv).ok()
                }),
            Self::Pbkdf2 { iterations } => {
                pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(iterations, salt, iv).ok()
            }
            Self::Bcrypt { .. } => None,
        }
        .ok_or(KeyFlaw::KdfParameters)
    }

    /// Refuses zeros and more than the limits above; files come from untrusted media.
    pub(crate) fn bounded(self) -> Result<Self, KeyFlaw> {
        let (possible, affordable) = match self {
            Self::Scrypt { log_n, r, p } => {
                // From here on N ≤ 2^24, so nothing below overflows.
                let n = 1u64 << log_n.min(25);
                let (r, p) = (u64::from(r), u64::from(p));
                let affordable =
                    log_n <= 24 && 128 * n * r <= MAX_SCRYPT_MEMORY && n * r * p <= MAX_SCRYPT_WORK;
                (log_n > 0 && r > 0 && p > 0, affordable)
            }
            Self::Pbkdf2 { iterations } => (iterations > 0, iterations <= MAX_PBKDF2_ITERATIONS),
            Self::Bcrypt { rounds } => (rounds > 0, rounds <= MAX_BCRYPT_ROUNDS),
        };
        match (possible, affordable) {
            (false, _) => Err(KeyFlaw::KdfParameters),
            (true, false) => Err(KeyFlaw::KdfCost { kdf: self }),
            (true, true) => Ok(self),
        }
    }
}

impl fmt::Display for Kdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scrypt { log_n, r, p } => write!(f, "scrypt with N=2^{log_n} r={r} p={p}"),
            Self::Pbkdf2 { iterations } => write!(f, "PBKDF2 with {iterations} iterations"),
            Self::Bcrypt { rounds } => write!(f, "bcrypt with {rounds} rounds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::der::Encode;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn defaults_are_strong_and_affordable() {
        for kdf in [Kdf::default(), Kdf::PORTABLE] {
            assert!(!kdf.is_weak());
            assert_eq!(kdf.bounded(), Ok(kdf));
        }
        for weak in [
            Kdf::Scrypt {
                log_n: 13,
                r: 8,
                p: 1,
            },
            Kdf::Scrypt {
                log_n: 14,
                r: 1,
                p: 1,
            },
            Kdf::Pbkdf2 { iterations: 2048 },
            Kdf::Bcrypt { rounds: 8 },
        ] {
            assert!(weak.is_weak());
        }
        assert!(
            !Kdf::Scrypt {
                log_n: 14,
                r: 8,
                p: 1
            }
            .is_weak()
        );
    }

    #[test]
    fn refuses_what_no_honest_file_asks_for() {
        let largest = Kdf::Scrypt {
            log_n: 20,
            r: 8,
            p: 2,
        };
        assert_eq!(largest.bounded(), Ok(largest));
        for kdf in [
            Kdf::Scrypt {
                log_n: 21,
                r: 8,
                p: 1,
            },
            Kdf::Scrypt {
                log_n: 20,
                r: 8,
                p: 3,
            },
            Kdf::Scrypt {
                log_n: 63,
                r: u16::MAX,
                p: u16::MAX,
            },
            Kdf::Scrypt {
                log_n: 1,
                r: u16::MAX,
                p: u16::MAX,
            },
            Kdf::Pbkdf2 {
                iterations: u32::MAX,
            },
            Kdf::Bcrypt { rounds: u32::MAX },
        ] {
            assert_eq!(kdf.bounded(), Err(KeyFlaw::KdfCost { kdf }));
        }
        for kdf in [
            Kdf::Scrypt {
                log_n: 0,
                r: 8,
                p: 1,
            },
            Kdf::Scrypt {
                log_n: 14,
                r: 0,
                p: 1,
            },
            Kdf::Scrypt {
                log_n: 14,
                r: 8,
                p: 0,
            },
            Kdf::Pbkdf2 { iterations: 0 },
            Kdf::Bcrypt { rounds: 0 },
        ] {
            assert_eq!(kdf.bounded(), Err(KeyFlaw::KdfParameters));
        }
    }

    proptest! {
        /// `scrypt::Params` panics on N = 0, so nothing but checked parameters may reach it.
        #[test]
        fn any_file_parameters_are_judged_without_panic(
            cost in prop_oneof![any::<u64>(), (0u32..64).prop_map(|bit| 1 << bit)],
            block_size: u16,
            parallelization: u16,
        ) {
            let salt = pbes2::Salt::new([0; 16]).unwrap();
            let params = pbes2::Kdf::Scrypt(pbes2::ScryptParams {
                salt, cost_parameter: cost, block_size, parallelization, key_length: None,
            });
            if let Ok(kdf) = Kdf::from_params(&params) {
                let written = kdf.to_params(&[0; 16], [0; 16]).unwrap();
                prop_assert_eq!(written.kdf.to_der().unwrap(), params.to_der().unwrap());
            }
        }
    }
}
