//! The three operations, with the service's rules.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::answer::Refusal;
use crate::fault::Fault;
use crate::keys::{KeySpec, KeyState, Material};
use crate::state::{Action, Key, State};

/// Most bytes of a message (AWS KMS API reference, `Sign`).
const MAX_MESSAGE: usize = 4096;

/// A request to sign, decoded.
pub(crate) struct SignRequest {
    pub(crate) message: Vec<u8>,
    pub(crate) message_type: String,
    algorithm: String,
}

/// A key that may be used, taken out of the state so that signing holds no lock.
pub(crate) struct Usable {
    arn: String,
    spec: KeySpec,
    material: Arc<Material>,
}

pub(crate) fn key_id(input: &Value) -> Result<&str, Refusal> {
    input["KeyId"]
        .as_str()
        .filter(|id| (1..=2048).contains(&id.len()))
        .ok_or_else(|| Refusal::validation("Value null at 'keyId' failed to satisfy constraint"))
}

impl SignRequest {
    pub(crate) fn read(input: &Value) -> Result<Self, Refusal> {
        let message = input["Message"]
            .as_str()
            .and_then(|text| Base64::decode_vec(text).ok())
            .ok_or_else(|| Refusal::new("SerializationException", "Message is no base64"))?;
        if message.is_empty() || message.len() > MAX_MESSAGE {
            return Err(Refusal::validation(
                "1 validation error detected: Value at 'message' failed to satisfy constraint: \
                 Member must have length less than or equal to 4096",
            ));
        }
        let text = |name: &str| input[name].as_str().map(str::to_owned);
        Ok(Self {
            message,
            message_type: text("MessageType").unwrap_or_else(|| "RAW".to_owned()),
            algorithm: text("SigningAlgorithm").ok_or_else(|| {
                Refusal::validation("Value null at 'signingAlgorithm' failed to satisfy constraint")
            })?,
        })
    }
}

/// Finds the key and checks policy and state.
pub(crate) fn usable(state: &State, named: &str, action: Action) -> Result<Usable, Refusal> {
    if state.denied.contains(&action) {
        return Err(Refusal::new(
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::111122223333:user/index is not authorized to perform: {} on \
                 resource: {named} because no identity-based policy allows the action",
                action.permission()
            ),
        ));
    }
    let key = state.key(named)?;
    let bad_state = |text: &str| {
        let message = format!("{} {text}", key.arn);
        Err(Refusal::new("KMSInvalidStateException", message))
    };
    match key.state {
        _ if action == Action::DescribeKey => {}
        KeyState::Enabled => {}
        KeyState::Disabled => {
            let message = format!("{} is disabled.", key.arn);
            return Err(Refusal::new("DisabledException", message));
        }
        KeyState::PendingDeletion => return bad_state("is pending deletion."),
        KeyState::Unavailable => return bad_state("is unavailable."),
    }
    Ok(Usable {
        arn: key.arn.clone(),
        spec: key.spec,
        material: Arc::clone(&key.material),
    })
}

pub(crate) fn describe(key: &Key) -> Value {
    let mut metadata = json!({
        "KeyId": key.arn.rsplit('/').next(),
        "Arn": key.arn,
        "Enabled": key.state == KeyState::Enabled,
        "KeyState": key.state.name(),
        "KeySpec": key.spec.name(),
        "KeyUsage": key.spec.usage(),
    });
    if key.state == KeyState::PendingDeletion {
        metadata["DeletionDate"] = json!(1_900_000_000.0);
    }
    json!({"KeyMetadata": metadata})
}

pub(crate) fn public_key(key: &Usable, fault: Option<&Fault>) -> Result<Value, Refusal> {
    let der = key.material.public_key().ok_or_else(|| {
        let message = format!("{} is a symmetric key", key.arn);
        Refusal::new("UnsupportedOperationException", message)
    })?;
    let mut answer = json!({
        "KeyId": key.arn,
        "PublicKey": Base64::encode_string(&der),
        "KeySpec": key.spec.name(),
        "KeyUsage": key.spec.usage(),
    });
    if key.spec.usage() == "SIGN_VERIFY" {
        answer["SigningAlgorithms"] = json!(key.spec.algorithms());
    }
    if fault == Some(&Fault::Missing) {
        answer["PublicKey"] = Value::Null;
    }
    Ok(answer)
}

pub(crate) fn sign(
    key: &Usable,
    request: &SignRequest,
    fault: Option<&Fault>,
) -> Result<Value, Refusal> {
    check(key, request)?;
    let sign = |material: &Material| match request.message_type.as_str() {
        "DIGEST" => material.sign_digest(&request.message),
        _ => material.sign_raw(&request.message),
    };
    let signature = match fault {
        Some(Fault::OtherKey) => sign(&key.spec.generate()),
        Some(Fault::OtherPadding) => key.material.sign_pkcs1(&request.message),
        Some(Fault::EmptySignature) => Vec::new(),
        Some(Fault::UnpaddedRsa) => unpadded(|| sign(&key.material)),
        _ => sign(&key.material),
    };
    let mut answer = json!({
        "KeyId": key.arn,
        "Signature": Base64::encode_string(&signature),
        "SigningAlgorithm": request.algorithm,
    });
    match fault {
        Some(Fault::Missing) => answer["Signature"] = Value::Null,
        Some(Fault::OtherKeyId) => answer["KeyId"] = json!(crate::state::arn("another")),
        _ => {}
    }
    Ok(answer)
}

fn check(key: &Usable, request: &SignRequest) -> Result<(), Refusal> {
    let incompatible = |what: &str| {
        let message = format!("{} {what}", key.arn);
        Err(Refusal::new("InvalidKeyUsageException", message))
    };
    if key.spec.usage() != "SIGN_VERIFY" {
        return incompatible("key usage is ENCRYPT_DECRYPT which is not valid for Sign.");
    }
    if !key.spec.algorithms().contains(&request.algorithm.as_str()) {
        return incompatible("key spec is incompatible with the signing algorithm.");
    }
    let digest_length = match request.algorithm.as_str() {
        "ED25519_SHA_512" => None,
        "ECDSA_SHA_384" => Some(48),
        _ => Some(32),
    };
    match (request.message_type.as_str(), digest_length) {
        ("RAW", _) => Ok(()),
        ("DIGEST", Some(length)) if request.message.len() == length => Ok(()),
        ("DIGEST", Some(_)) => Err(Refusal::validation(format!(
            "Digest is invalid length for algorithm {}.",
            request.algorithm
        ))),
        ("DIGEST", None) => Err(Refusal::validation(
            "Algorithm ED25519_SHA_512 takes messages of type RAW only.",
        )),
        (other, _) => Err(Refusal::validation(format!(
            "Value '{other}' at 'messageType' failed to satisfy constraint"
        ))),
    }
}

/// Signs until a signature begins with a zero byte (one in 256 does) and leaves the zeros out.
fn unpadded(sign: impl Fn() -> Vec<u8>) -> Vec<u8> {
    loop {
        let signature = sign();
        if signature[0] == 0 {
            let zeros = signature.iter().take_while(|byte| **byte == 0).count();
            return signature[zeros..].to_vec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALGORITHMS: [(KeySpec, &str); 3] = [
        (KeySpec::P256, "ECDSA_SHA_256"),
        (KeySpec::Rsa2048, "RSASSA_PSS_SHA_256"),
        (KeySpec::Ed25519, "ED25519_SHA_512"),
    ];

    fn key(spec: KeySpec) -> Usable {
        Usable {
            arn: crate::state::arn("1"),
            spec,
            material: Arc::new(spec.generate()),
        }
    }

    fn ask(key: &Usable, algorithm: &str, kind: &str, length: usize) -> Result<(), Refusal> {
        let request = SignRequest::read(&json!({
            "Message": Base64::encode_string(&vec![7; length]),
            "MessageType": kind,
            "SigningAlgorithm": algorithm,
        }))?;
        sign(key, &request, None).map(|_| ())
    }

    fn code(outcome: Result<(), Refusal>) -> &'static str {
        outcome.map_or_else(|refusal| refusal.code, |()| "signed")
    }

    #[test]
    fn holds_messages_to_4096_bytes_and_digests_to_their_length() {
        for (spec, algorithm) in ALGORITHMS {
            let key = key(spec);
            let lengths =
                [0, 1, 4096, 4097].map(|length| code(ask(&key, algorithm, "RAW", length)));
            let refused = "ValidationException";
            assert_eq!(lengths, [refused, "signed", "signed", refused], "{spec:?}");
            let lengths = [31, 32, 64].map(|length| code(ask(&key, algorithm, "DIGEST", length)));
            let of_32 = if spec == KeySpec::Ed25519 {
                refused
            } else {
                "signed"
            };
            assert_eq!(lengths, [refused, of_32, refused], "{spec:?}");
            assert_eq!(code(ask(&key, algorithm, "EXTERNAL_MU", 32)), refused);
        }
    }

    #[test]
    fn holds_keys_to_their_algorithm_and_usage() {
        for (spec, own) in ALGORITHMS {
            let key = key(spec);
            for (_, algorithm) in ALGORITHMS {
                let expected = if algorithm == own {
                    "signed"
                } else {
                    "InvalidKeyUsageException"
                };
                assert_eq!(code(ask(&key, algorithm, "RAW", 32)), expected);
            }
        }
        let encrypting = key(KeySpec::Rsa2048Encryption);
        let outcome = ask(&encrypting, "RSASSA_PSS_SHA_256", "DIGEST", 32);
        assert_eq!(code(outcome), "InvalidKeyUsageException");
        assert_eq!(
            public_key(&key(KeySpec::Symmetric), None).unwrap_err().code,
            "UnsupportedOperationException"
        );
    }

    #[test]
    fn leaves_out_the_zeros_an_rsa_signature_begins_with() {
        let key = key(KeySpec::Rsa2048);
        let request = SignRequest::read(&json!({
            "Message": Base64::encode_string(&[7; 32]),
            "MessageType": "DIGEST",
            "SigningAlgorithm": "RSASSA_PSS_SHA_256",
        }));
        let answer = sign(&key, &request.unwrap(), Some(&Fault::UnpaddedRsa)).unwrap();
        let signature = Base64::decode_vec(answer["Signature"].as_str().unwrap()).unwrap();
        assert!(signature.len() < 256 && signature[0] != 0);
    }
}
