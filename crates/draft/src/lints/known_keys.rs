//! Keys are of an allowed scheme, in the one form every client reads, under the id TUF prescribes.

use metadata::VerifyingKey;
use metadata::{KeyId, PublicKey};

use super::{Case, Rule, listed};

pub(super) const RULE: Rule = Rule {
    name: "known-keys",
    clause: "TUF 4.2.1, 4.2.2, TAP 9",
    check,
};

fn check(case: &Case<'_>) -> Vec<String> {
    listed::keys(case)
        .into_iter()
        .flatten()
        .filter_map(|(id, key)| {
            flaw(case, id, key).map(|flaw| format!("key {} {flaw}", id.short()))
        })
        .collect()
}

fn flaw(case: &Case<'_>, id: &KeyId, key: &PublicKey) -> Option<String> {
    if key.has_extra_members() {
        return Some("has members beyond keytype, scheme and keyval".to_owned());
    }
    if key.id() != *id {
        return Some("stands under an id that is not its digest".to_owned());
    }
    let mut schemes = case.policy.keys.schemes.iter();
    if !schemes.any(|scheme| scheme.as_str() == key.scheme()) {
        return Some(format!(
            "has scheme `{}`, which the policy does not allow",
            key.scheme()
        ));
    }
    // Readers accept older spellings of the type; writers must not use them (reference A-20).
    if !matches!(key.keytype(), "ed25519" | "ecdsa" | "rsa") {
        return Some(format!("has the key type `{}`", key.keytype()));
    }
    if let Err(error) = VerifyingKey::new(key) {
        return Some(format!("cannot be read: {error}"));
    }
    if !in_normal_form(key) {
        return Some("is not in normal form: lower-case hex, or PEM of 64 columns".to_owned());
    }
    None
}

/// The id covers the text, so each key has one text (reference F34).
fn in_normal_form(key: &PublicKey) -> bool {
    let text = key.public();
    if key.keytype() == "ed25519" {
        return !text.bytes().any(|b| b.is_ascii_uppercase());
    }
    let Some(body) = text
        .strip_prefix("-----BEGIN PUBLIC KEY-----\n")
        .and_then(|rest| rest.strip_suffix("\n-----END PUBLIC KEY-----\n"))
    else {
        return false;
    };
    let lines: Vec<&str> = body.split('\n').collect();
    let (last, full) = lines.split_last().unwrap_or((&"", &[]));
    full.iter().all(|line| line.len() == 64)
        && (1..=64).contains(&last.len())
        && body.bytes().all(|b| b.is_ascii_graphic() || b == b'\n')
}

#[cfg(test)]
mod tests {
    use metadata::Value;

    use super::*;
    use crate::lints::samples::{key, of_root, root};

    const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n\
        6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n\
        -----END PUBLIC KEY-----\n";

    fn with(key: PublicKey, id: Option<KeyId>) -> Vec<String> {
        let mut one = root();
        one.keys.insert(id.unwrap_or_else(|| key.id()), key);
        of_root(&RULE, &one)
    }

    #[test]
    fn accepts_the_allowed_schemes() {
        assert_eq!(of_root(&RULE, &root()), [""; 0]);
        assert_eq!(with(PublicKey::ecdsa_p256(P256.to_owned()), None), [""; 0]);
    }

    #[test]
    fn refuses_other_ids_schemes_types_and_forms() {
        let read =
            |text: &str| PublicKey::from_value(&Value::parse(text.as_bytes()).unwrap()).unwrap();
        let crlf = P256.replace('\n', "\r\n");
        let json_pem = P256.replace('\n', "\\n");
        let upper = key(0xab).public().to_uppercase();
        for (key, id, expected) in [
            (key(1), Some(KeyId::parse("x").unwrap()), "not its digest"),
            (
                read(r#"{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"00"},"x":1}"#),
                None,
                "members beyond",
            ),
            (
                read(r#"{"keytype":"sphincs","scheme":"shake","keyval":{"public":"00"}}"#),
                None,
                "policy does not allow",
            ),
            (
                read(&format!(
                    r#"{{"keytype":"ecdsa-sha2-nistp256","scheme":"ecdsa-sha2-nistp256","keyval":{{"public":"{json_pem}"}}}}"#
                )),
                None,
                "has the key type",
            ),
            (
                read(r#"{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"00"}}"#),
                None,
                "cannot be read",
            ),
            (
                read(&format!(
                    r#"{{"keytype":"ed25519","scheme":"ed25519","keyval":{{"public":"{upper}"}}}}"#
                )),
                None,
                "not in normal form",
            ),
            (PublicKey::ecdsa_p256(crlf), None, "not in normal form"),
        ] {
            let found = with(key, id).join("; ");
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
