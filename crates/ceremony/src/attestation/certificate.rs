//! One certificate: its form, its time, what it may sign, and who signed it.

use chrono::{DateTime, Utc};
use metadata::PublicKey;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, pem};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::{Certificate, TbsCertificate};

use super::{AttestationFlaw, MAX_CERTIFICATE};

/// Extensions that may be marked critical: what they say is checked here.
const UNDERSTOOD: [&str; 2] = ["2.5.29.15", "2.5.29.19"];

/// A certificate in its one exact form (X.690 DER).
pub(super) struct Parsed {
    pub(super) der: Vec<u8>,
    /// The bytes that are signed.
    tbs: Vec<u8>,
    certificate: Certificate,
}

impl Parsed {
    /// `None` for what is no certificate, is too long, or would be written in another way.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        if der.len() > MAX_CERTIFICATE {
            return None;
        }
        let certificate = Certificate::from_der(der).ok()?;
        if certificate.to_der().ok()? != der {
            return None;
        }
        let tbs = certificate.tbs_certificate();
        if tbs.signature() != certificate.signature_algorithm() {
            return None;
        }
        Some(Self {
            der: der.to_vec(),
            tbs: tbs.to_der().ok()?,
            certificate,
        })
    }

    fn body(&self) -> &TbsCertificate {
        self.certificate.tbs_certificate()
    }

    /// Whether it is about this key.
    pub(super) fn is_for(&self, key: &PublicKey) -> bool {
        let Ok(text) = keys::public_key_to_pem(key) else {
            return false;
        };
        let ours = pem::decode_vec(text.as_bytes()).map(|(_, der)| der);
        let theirs = self.body().subject_public_key_info().to_der();
        matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    pub(super) fn names_issuer(&self, issuer: &Self) -> bool {
        self.body().issuer() == issuer.body().subject()
    }

    pub(super) fn check_time(
        &self,
        number: usize,
        at: DateTime<Utc>,
    ) -> Result<(), AttestationFlaw> {
        let validity = self.body().validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let at = u64::try_from(at.timestamp()).unwrap_or(0);
        if (seconds(validity.not_before)..=seconds(validity.not_after)).contains(&at) {
            return Ok(());
        }
        Err(AttestationFlaw::Time { number })
    }

    /// May sign certificates, with `below` others that may between it and the key's.
    pub(super) fn check_authority(
        &self,
        number: usize,
        below: usize,
    ) -> Result<(), AttestationFlaw> {
        self.check_extensions(number)?;
        let refused = Err(AttestationFlaw::NotAuthority { number });
        let Some(constraints) = self.constraints() else {
            return refused;
        };
        let far = constraints.path_len_constraint.map(usize::from);
        if !constraints.ca || far.is_some_and(|most| below > most) {
            return refused;
        }
        match self.body().get_extension::<KeyUsage>() {
            Ok(Some((_, usage))) if !usage.key_cert_sign() => refused,
            Ok(_) => Ok(()),
            Err(_) => Err(AttestationFlaw::Extension { number }),
        }
    }

    pub(super) fn is_authority(&self) -> bool {
        self.constraints().is_some_and(|one| one.ca)
    }

    fn constraints(&self) -> Option<BasicConstraints> {
        let found = self.body().get_extension::<BasicConstraints>().ok()??;
        Some(found.1)
    }

    /// No extension twice, none critical that is not understood (RFC 5280 4.2).
    pub(super) fn check_extensions(&self, number: usize) -> Result<(), AttestationFlaw> {
        let mut seen = Vec::new();
        for one in self.body().extensions().into_iter().flatten() {
            let id = one.extn_id.to_string();
            let foreign = one.critical && !UNDERSTOOD.contains(&id.as_str());
            if foreign || seen.contains(&id) {
                return Err(AttestationFlaw::Extension { number });
            }
            seen.push(id);
        }
        Ok(())
    }

    /// The value of an extension.
    pub(super) fn extension(&self, id: &str) -> Option<&[u8]> {
        let mut all = self.body().extensions().into_iter().flatten();
        let found = all.find(|one| one.extn_id.to_string() == id)?;
        Some(found.extn_value.as_bytes())
    }
}

/// Whether `issuer` made `one`, by name and by signature.
pub(super) fn check_signature(
    one: &Parsed,
    issuer: &Parsed,
    number: usize,
) -> Result<(), AttestationFlaw> {
    let flaw = AttestationFlaw::Signature { number };
    if !one.names_issuer(issuer) {
        return Err(flaw);
    }
    let key = issuer.body().subject_public_key_info();
    let curve = key.algorithm.parameters.as_ref();
    let curve = curve.and_then(|value| value.decode_as::<ObjectIdentifier>().ok());
    let scheme = one.certificate.signature_algorithm().oid.to_string();
    let algorithm = algorithm(
        &scheme,
        &key.algorithm.oid.to_string(),
        curve.map(|id| id.to_string()).as_deref(),
    );
    let bits = key.subject_public_key.as_bytes();
    let signature = one.certificate.signature().as_bytes();
    let (Some(algorithm), Some(bits), Some(signature)) = (algorithm, bits, signature) else {
        return Err(flaw);
    };
    let key = UnparsedPublicKey::new(algorithm, bits);
    key.verify(&one.tbs, signature).map_err(|_| flaw)
}

/// What a signature scheme (RFC 4055, 5758, 8410) means with a key of this kind. SHA-1 is not there.
fn algorithm(
    scheme: &str,
    key: &str,
    curve: Option<&str>,
) -> Option<&'static dyn VerificationAlgorithm> {
    const RSA: &str = "1.2.840.113549.1.1.1";
    const EC: &str = "1.2.840.10045.2.1";
    const P256: Option<&str> = Some("1.2.840.10045.3.1.7");
    const P384: Option<&str> = Some("1.3.132.0.34");
    Some(match (scheme, key, curve) {
        ("1.2.840.113549.1.1.11", RSA, _) => &RSA_PKCS1_2048_8192_SHA256,
        ("1.2.840.113549.1.1.12", RSA, _) => &RSA_PKCS1_2048_8192_SHA384,
        ("1.2.840.113549.1.1.13", RSA, _) => &RSA_PKCS1_2048_8192_SHA512,
        ("1.2.840.10045.4.3.2", EC, P256) => &ECDSA_P256_SHA256_ASN1,
        ("1.2.840.10045.4.3.3", EC, P256) => &ECDSA_P256_SHA384_ASN1,
        ("1.2.840.10045.4.3.2", EC, P384) => &ECDSA_P384_SHA256_ASN1,
        ("1.2.840.10045.4.3.3", EC, P384) => &ECDSA_P384_SHA384_ASN1,
        ("1.3.101.112", "1.3.101.112", None) => &ED25519,
        _ => return None,
    })
}
