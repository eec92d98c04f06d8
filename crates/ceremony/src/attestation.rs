//! Attestation: certificates by which the maker of a token says that a key was made in it and never
//! leaves it. Read here: those of YubiKey's PIV application, whose chain is the key's certificate,
//! the device's, and the maker's up to a root certificate that the policy names. No certificate is
//! believed for anything else.

mod certificate;
mod extensions;

use std::fmt;

use chrono::{DateTime, Utc};
use metadata::PublicKey;
use x509_cert::Certificate;

use certificate::{Parsed, check_signature};
use extensions::Vendor;

/// Most certificates from the key's to the last below the root.
const MAX_CHAIN: usize = 6;

/// Longest certificate, in bytes.
pub(crate) const MAX_CERTIFICATE: usize = 8_192;

/// What the maker says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attested {
    /// The device's serial number.
    pub serial: u64,
    /// The version of its firmware.
    pub firmware: String,
    /// When the PIN is asked for.
    pub pin: &'static str,
    /// When it has to be touched.
    pub touch: &'static str,
}

impl fmt::Display for Attested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "attested by its maker: YubiKey {}, firmware {}, PIN {}, touch {}",
            self.serial, self.firmware, self.pin, self.touch
        )
    }
}

/// Why an attestation proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationFlaw {
    /// A certificate that is none, or not in its one exact form.
    #[error("certificate {number} of the attestation cannot be read")]
    Form {
        /// Which, from 1.
        number: usize,
    },
    /// Too few or too many certificates.
    #[error("the attestation has {found} certificates; it takes 2 to {MAX_CHAIN}")]
    Length {
        /// How many.
        found: usize,
    },
    /// It is about another key.
    #[error("the attestation is for another key")]
    OtherKey,
    /// One certificate was not made by the next.
    #[error("certificate {number} of the attestation is not signed by the one above it")]
    Signature {
        /// Which, from 1.
        number: usize,
    },
    /// A certificate that may certify nothing, but does.
    #[error("certificate {number} of the attestation may not sign others")]
    NotAuthority {
        /// Which, from 1; one more than there are for the root.
        number: usize,
    },
    /// Used before or after its time.
    #[error("certificate {number} of the attestation was not valid at that time")]
    Time {
        /// Which, from 1; one more than there are for the root.
        number: usize,
    },
    /// An extension that must be understood and is not, or one given twice.
    #[error("certificate {number} of the attestation has an extension that is not understood")]
    Extension {
        /// Which, from 1; one more than there are for the root.
        number: usize,
    },
    /// It ends in nobody the policy believes.
    #[error("the attestation leads to no root certificate of the policy")]
    Root,
    /// The maker's own statements are missing or not in their form.
    #[error("the attestation does not say {what} as YubiKeys do")]
    Vendor {
        /// What is missing.
        what: &'static str,
    },
    /// A root certificate of the policy cannot be read.
    #[error("root certificate {number} of the policy cannot be read")]
    PolicyRoot {
        /// Which, from 1.
        number: usize,
    },
}

/// The certificates of a PEM file, in order.
pub fn read_chain(pem: &[u8]) -> Result<Vec<Vec<u8>>, AttestationFlaw> {
    let read = Certificate::load_pem_chain(pem);
    let chain = read.map_err(|_| AttestationFlaw::Form { number: 1 })?;
    let mut out = Vec::new();
    for (at, one) in chain.iter().enumerate() {
        let der = x509_cert::der::Encode::to_der(one);
        out.push(der.map_err(|_| AttestationFlaw::Form { number: at + 1 })?);
    }
    Ok(out)
}

/// Checks what a chain of certificates, the key's own first, says about a key at a time, up to one
/// of the policy's roots in PEM.
pub(crate) fn check(
    chain: &[Vec<u8>],
    roots: &[String],
    key: &PublicKey,
    at: DateTime<Utc>,
) -> Result<Attested, AttestationFlaw> {
    if !(2..=MAX_CHAIN).contains(&chain.len()) {
        let found = chain.len();
        return Err(AttestationFlaw::Length { found });
    }
    let mut parsed = Vec::new();
    for (at, der) in chain.iter().enumerate() {
        let number = at + 1;
        let one = Parsed::read(der).ok_or(AttestationFlaw::Form { number })?;
        parsed.push(one);
    }
    let root = root_above(&parsed, roots)?;
    // Where the chain brings the root along, that certificate is the root.
    if parsed.last().is_some_and(|last| last.der == root.der) {
        parsed.pop();
    }
    let Some(leaf) = parsed.first() else {
        return Err(AttestationFlaw::Length { found: chain.len() });
    };
    if !leaf.is_for(key) {
        return Err(AttestationFlaw::OtherKey);
    }
    let above = parsed.iter().skip(1).chain([&root]);
    for (below, (one, issuer)) in parsed.iter().zip(above).enumerate() {
        let number = below + 1;
        one.check_time(number, at)?;
        check_signature(one, issuer, number)?;
        issuer.check_authority(number + 1, below)?;
        issuer.check_time(number + 1, at)?;
    }
    if leaf.is_authority() {
        return Err(AttestationFlaw::NotAuthority { number: 1 });
    }
    Vendor::read(leaf)?.attested()
}

/// The root of the policy that the last certificate is, or was made by. Of several that have the
/// name of its maker, the one whose key it was.
fn root_above(chain: &[Parsed], roots: &[String]) -> Result<Parsed, AttestationFlaw> {
    let mut namesake = None;
    for (at, pem) in roots.iter().enumerate() {
        let number = at + 1;
        let flaw = || AttestationFlaw::PolicyRoot { number };
        let der = read_chain(pem.as_bytes()).map_err(|_| flaw())?;
        let [der] = der.as_slice() else {
            return Err(flaw());
        };
        let root = Parsed::read(der).ok_or_else(flaw)?;
        let Some(last) = chain.last() else {
            break;
        };
        if last.der == root.der || check_signature(last, &root, chain.len()).is_ok() {
            return Ok(root);
        }
        if last.names_issuer(&root) {
            namesake = Some(root);
        }
    }
    namesake.ok_or(AttestationFlaw::Root)
}
