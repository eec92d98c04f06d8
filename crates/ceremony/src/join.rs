//! Joining: a holder's public key with the proof that they have the private one, made for this
//! event and no other, before the plan is frozen.

mod kept;

use std::path::Path;

use base64ct::{Base64, Encoding};
use chrono::{DateTime, Utc};
use keys::{Signer, TokenInfo};
use metadata::canonical::{Writer, to_json};
use metadata::{Expiry, KeyId, PublicKey, Sha256, Value, VerifyingKey, Wire};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::description::check_holder;
use crate::{CeremonyError, EventFlaw, HeldKey};

pub use kept::Origin;

/// Folder of the proofs.
pub(crate) const FOLDER: &str = "joins";

/// Name of the invitation among them.
const INVITATION: &str = "invitation.json";

const INVITATION_TYPE: &str = "ceremony-invitation";
const JOIN_TYPE: &str = "ceremony-join";

/// What holders prove their keys for: a name people know the coming event by, and a nonce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    #[serde(rename = "_type")]
    kind: String,
    /// The event's name, such as `genesis 2026`.
    pub name: String,
    /// 32 random bytes, hex.
    pub nonce: String,
}

/// Where a joined key lives, as its holder's program saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The maker.
    pub manufacturer: String,
    /// The model.
    pub model: String,
    /// The serial number.
    pub serial: String,
    /// Version of the firmware.
    pub firmware: String,
}

/// A holder's key and what was said with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    #[serde(rename = "_type")]
    kind: String,
    /// SHA-256 of the invitation.
    invitation: String,
    /// Who.
    pub holder: String,
    /// The KEY object as metadata lists it (TUF 4.2.2).
    key: String,
    /// The token; none for a key in software.
    pub device: Option<Device>,
    /// What its maker says: certificates in base64, the key's own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attestation: Vec<String>,
    /// When.
    pub time: String,
}

/// What stands behind a key that joins.
#[derive(Clone, Debug, Default)]
pub struct Hardware<'a> {
    /// The token that holds it; none for a key in software.
    pub token: Option<&'a TokenInfo>,
    /// Certificates by which the token's maker attests the key, in DER, the key's own first.
    pub attestation: Vec<Vec<u8>>,
}

impl Invitation {
    /// Invites to an event.
    pub fn new(name: &str) -> Result<Self, CeremonyError> {
        check_holder(name)?;
        let mut nonce = [0; 32];
        let filled = SystemRandom::new().fill(&mut nonce);
        filled.map_err(|_| CeremonyError::Randomness)?;
        Ok(Self {
            kind: INVITATION_TYPE.to_owned(),
            name: name.to_owned(),
            nonce: hex::encode(nonce),
        })
    }

    /// Its file: canonical JSON.
    pub fn to_file(&self) -> Result<Vec<u8>, CeremonyError> {
        canonical(self)
    }

    /// Reads an invitation.
    pub fn parse(path: &Path, file: &[u8]) -> Result<Self, CeremonyError> {
        let read: Self = from_json(file).map_err(|flaw| flaw.at(path))?;
        let nonce = hex::decode(&read.nonce).is_ok_and(|nonce| nonce.len() == 32);
        if read.kind != INVITATION_TYPE || !nonce || read.to_file()? != file {
            let (what, found) = ("invitation", read.name);
            return Err(EventFlaw::Value { what, found }.at(path));
        }
        check_holder(&read.name)?;
        Ok(read)
    }
}

impl Join {
    /// Proves a key for an invitation: the file to hand over.
    pub fn prove(
        invitation: &Invitation,
        holder: &str,
        signer: &dyn Signer,
        hardware: &Hardware<'_>,
        now: DateTime<Utc>,
    ) -> Result<Vec<u8>, CeremonyError> {
        check_holder(holder)?;
        let mut out = Writer::new();
        signer.public_key().write(&mut out);
        let join = Self {
            kind: JOIN_TYPE.to_owned(),
            invitation: Sha256::of(&invitation.to_file()?).to_string(),
            holder: holder.to_owned(),
            key: String::from_utf8_lossy(&to_json(&out.into_bytes())).into_owned(),
            device: hardware.token.map(|token| Device {
                manufacturer: token.manufacturer.clone(),
                model: token.model.clone(),
                serial: token.serial.clone(),
                firmware: format!("{}.{}", token.firmware.0, token.firmware.1),
            }),
            attestation: hardware
                .attestation
                .iter()
                .map(|one| Base64::encode_string(one))
                .collect(),
            time: Expiry::at(now).to_string(),
        };
        let canonical = canonical(&join)?;
        let signature = signer.sign(&canonical)?;
        Ok(Wire::write(&canonical, &[signature]))
    }

    /// Reads a proof and checks that it holds for the invitation.
    pub fn check(
        path: &Path,
        file: &[u8],
        invitation: &Invitation,
    ) -> Result<(Self, HeldKey), CeremonyError> {
        let (join, key) = Self::read(file, invitation).map_err(|flaw| flaw.at(path))?;
        check_holder(&join.holder)?;
        let holder = join.holder.clone();
        Ok((join, HeldKey { holder, key }))
    }

    /// The certificates, as far as they are base64; what is not fails as a certificate later.
    fn certificates(&self) -> Vec<Vec<u8>> {
        let all = self.attestation.iter();
        all.map(|one| Base64::decode_vec(one).unwrap_or_default())
            .collect()
    }

    fn read(file: &[u8], invitation: &Invitation) -> Result<(Self, PublicKey), EventFlaw> {
        let wire = Wire::parse(file, 1)?;
        let join: Self = from_json(&wire.canonical)?;
        let key = PublicKey::from_value(&Value::parse(join.key.as_bytes())?)?;
        let flaw = |what| Err(EventFlaw::Join { what });
        let expected = canonical(invitation).map(|file| Sha256::of(&file).to_string());
        if join.kind != JOIN_TYPE || expected.ok().as_ref() != Some(&join.invitation) {
            return flaw("was made for another invitation");
        }
        let verifying = VerifyingKey::new(&key)?;
        let proves = |one: &metadata::Signature| {
            one.keyid == key.id() && verifying.verifies(&wire.canonical, &one.bytes)
        };
        if !wire.signatures.iter().any(proves) {
            return flaw("does not prove that its holder has the key");
        }
        Ok((join, key))
    }
}

/// Name of the file of a key's proof.
fn join_file(keyid: &KeyId) -> String {
    format!("{FOLDER}/{}.json", keyid.as_str())
}

fn canonical(value: &impl Serialize) -> Result<Vec<u8>, CeremonyError> {
    let flaw = |error: serde_json::Error| EventFlaw::Json(error.to_string()).at(FOLDER);
    let json = serde_json::to_vec(value).map_err(flaw)?;
    Ok(Value::parse(&json)?.to_canonical())
}

fn from_json<T: for<'a> Deserialize<'a>>(canonical: &[u8]) -> Result<T, EventFlaw> {
    let json = to_json(canonical);
    serde_json::from_slice(&json).map_err(|error| EventFlaw::Json(error.to_string()))
}
