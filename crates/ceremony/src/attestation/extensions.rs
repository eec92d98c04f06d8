//! What a `YubiKey` says of a key in extensions of its own (PIV attestation, Yubico's arc
//! 1.3.6.1.4.1.41482.3).

use x509_cert::der::Decode;
use x509_cert::der::asn1::Uint;

use super::certificate::Parsed;
use super::{AttestationFlaw, Attested};

const FIRMWARE: &str = "1.3.6.1.4.1.41482.3.3";
const SERIAL: &str = "1.3.6.1.4.1.41482.3.7";
const POLICIES: &str = "1.3.6.1.4.1.41482.3.8";

/// The extensions as they stand in the key's certificate.
pub(super) struct Vendor<'a> {
    firmware: &'a [u8],
    serial: &'a [u8],
    policies: &'a [u8],
}

impl<'a> Vendor<'a> {
    pub(super) fn read(leaf: &'a Parsed) -> Result<Self, AttestationFlaw> {
        leaf.check_extensions(1)?;
        let find = |id, what| leaf.extension(id).ok_or(AttestationFlaw::Vendor { what });
        Ok(Self {
            firmware: find(FIRMWARE, "its firmware")?,
            serial: find(SERIAL, "its serial number")?,
            policies: find(POLICIES, "when it asks for PIN and touch")?,
        })
    }

    pub(super) fn attested(&self) -> Result<Attested, AttestationFlaw> {
        let flaw = |what| AttestationFlaw::Vendor { what };
        let [major, minor, patch] = self.firmware else {
            return Err(flaw("its firmware"));
        };
        let [pin, touch] = self.policies else {
            return Err(flaw("when it asks for PIN and touch"));
        };
        Ok(Attested {
            serial: serial(self.serial).ok_or_else(|| flaw("its serial number"))?,
            firmware: format!("{major}.{minor}.{patch}"),
            pin: pin_policy(*pin).ok_or_else(|| flaw("when it asks for the PIN"))?,
            touch: touch_policy(*touch).ok_or_else(|| flaw("when it has to be touched"))?,
        })
    }
}

/// A DER integer of at most 64 bits.
fn serial(value: &[u8]) -> Option<u64> {
    let number = Uint::from_der(value).ok()?;
    let bytes = number.as_bytes();
    (bytes.len() <= 8).then(|| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    })
}

fn pin_policy(value: u8) -> Option<&'static str> {
    Some(match value {
        1 => "never",
        2 => "once a session",
        3 => "for every signature",
        4 => "or finger once a session",
        5 => "or finger for every signature",
        _ => return None,
    })
}

fn touch_policy(value: u8) -> Option<&'static str> {
    Some(match value {
        1 => "never",
        2 => "for every signature",
        3 => "for every signature, 15 seconds apart",
        _ => return None,
    })
}
