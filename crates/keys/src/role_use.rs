//! What a key is good for: whether it signs, and which roles count its signatures.

use std::fmt;

use metadata::{DelegatedRoles, Delegations, KeyId, PublicKey, Role, RoleKeys, Root, VerifyingKey};
use ring::rand::SecureRandom;

use crate::{KeyError, SignatureCheck, Signer};

/// In front of the nonce that [`check`] has signed. No metadata begins like this, so the signature
/// can never be taken for one over metadata.
const PROOF_PREFIX: &[u8] = b"countersign key check ";

/// Has the key sign a nonce and verifies the signature.
pub fn check(signer: &dyn Signer, rng: &dyn SecureRandom) -> Result<(), KeyError> {
    let mut nonce = [0; 32];
    rng.fill(&mut nonce).map_err(|_| KeyError::Randomness)?;
    let message = [PROOF_PREFIX, hex::encode(nonce).as_bytes()].concat();
    let signature = signer.sign(&message)?;
    let check = SignatureCheck::new(signer.public_key()).map_err(|flaw| KeyError::Unusable {
        key: signer.describe(),
        flaw,
    })?;
    check.accept(signer, &message, signature.bytes)?;
    Ok(())
}

/// Refuses a signer that holds another key than `expected`, for example the one a role lists.
pub fn require_key(signer: &dyn Signer, expected: &PublicKey) -> Result<(), KeyError> {
    if is_same_key(signer.public_key(), expected) {
        return Ok(());
    }
    Err(KeyError::DifferentKey {
        key: signer.describe(),
        expected: expected.id(),
        found: signer.key_id().clone(),
    })
}

/// The top-level roles whose signatures `key` counts for under this root, by the key itself and not
/// by the id it is listed under.
#[must_use]
pub fn roles_served(root: &Root, key: &PublicKey) -> Vec<Role> {
    [Role::Root, Role::Timestamp, Role::Snapshot, Role::Targets]
        .into_iter()
        .filter(|role| {
            let listed = |id: &KeyId| root.keys.get(id);
            root.role_keys(role)
                .is_some_and(|keys| lists(keys, listed, key))
        })
        .collect()
}

/// A delegated role, or all bins of a succinct delegation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DelegationServed {
    /// A role listed by name.
    Role(Role),
    /// All bins that TAP 15 derives from this prefix.
    Bins {
        /// What their names begin with.
        name_prefix: String,
        /// How many there are.
        count: u64,
    },
}

impl fmt::Display for DelegationServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => f.write_str(role.name()),
            Self::Bins { name_prefix, count } => write!(f, "{name_prefix}-* ({count} bins)"),
        }
    }
}

/// The delegated roles whose signatures `key` counts for.
#[must_use]
pub fn delegations_served(delegations: &Delegations, key: &PublicKey) -> Vec<DelegationServed> {
    let listed = |id: &KeyId| delegations.keys.get(id);
    match &delegations.roles {
        DelegatedRoles::Listed(roles) => roles
            .iter()
            .filter(|role| lists(&role.keys, listed, key))
            .map(|role| DelegationServed::Role(Role::Delegated(role.name.clone())))
            .collect(),
        DelegatedRoles::Succinct(bins) if lists(&bins.keys, listed, key) => {
            vec![DelegationServed::Bins {
                name_prefix: bins.name_prefix.clone(),
                count: 1 << bins.bit_length.min(63),
            }]
        }
        DelegatedRoles::Succinct(_) => Vec::new(),
    }
}

fn lists<'a>(
    role: &RoleKeys,
    listed: impl Fn(&KeyId) -> Option<&'a PublicKey>,
    key: &PublicKey,
) -> bool {
    role.keyids
        .iter()
        .any(|id| listed(id).is_some_and(|other| is_same_key(other, key)))
}

/// Whether two listings are of one key (TAP 12); never, if a key is of an unknown type.
fn is_same_key(one: &PublicKey, two: &PublicKey) -> bool {
    match (VerifyingKey::new(one), VerifyingKey::new(two)) {
        (Ok(one), Ok(two)) => one.identity() == two.identity(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use metadata::{Expiry, SuccinctRoles, Value, Version};
    use ring::rand::SystemRandom;

    use super::*;
    use crate::{FileKey, KeyType};

    fn key_of(key_type: KeyType) -> FileKey {
        FileKey::generate(key_type, &SystemRandom::new()).unwrap()
    }

    fn role(ids: &[KeyId]) -> RoleKeys {
        RoleKeys {
            keyids: ids.to_vec(),
            threshold: 1,
        }
    }

    #[test]
    fn working_keys_pass_the_check() {
        for key_type in [KeyType::Ed25519, KeyType::EcdsaP256] {
            check(&key_of(key_type), &SystemRandom::new()).unwrap();
        }
    }

    #[test]
    fn another_key_is_refused() {
        let (one, two) = (key_of(KeyType::Ed25519), key_of(KeyType::Ed25519));
        require_key(&one, one.public_key()).unwrap();
        let error = require_key(&one, two.public_key()).unwrap_err();
        assert!(
            matches!(&error, KeyError::DifferentKey { expected, found, .. }
                if expected == two.key_id() && found == one.key_id()),
            "{error}"
        );
    }

    /// The same P-256 key counts under its old key type and a foreign id as well.
    #[test]
    fn roles_are_found_by_the_key_itself() {
        let (key, other) = (key_of(KeyType::EcdsaP256), key_of(KeyType::Ed25519));
        let legacy = format!(
            r#"{{"keytype":"ecdsa-sha2-nistp256","keyval":{{"public":"{}"}},"scheme":"ecdsa-sha2-nistp256"}}"#,
            key.public_key().public().replace('\n', "\\n")
        );
        let legacy = PublicKey::from_value(&Value::parse(legacy.as_bytes()).unwrap()).unwrap();
        let foreign = KeyId::parse("abc").unwrap();
        let keys = BTreeMap::from([
            (key.key_id().clone(), key.public_key().clone()),
            (other.key_id().clone(), other.public_key().clone()),
            (foreign.clone(), legacy),
        ]);
        let (own, others) = (
            role(&[key.key_id().clone()]),
            role(&[other.key_id().clone()]),
        );
        let expires = Expiry::parse("2030-01-01T00:00:00Z").unwrap();
        let roles = [others.clone(), own, role(&[foreign]), others];
        let root = Root::new(Version::FIRST, expires, keys.clone(), roles);
        assert_eq!(
            roles_served(&root, key.public_key()),
            [Role::Timestamp, Role::Snapshot]
        );
        assert_eq!(
            roles_served(&root, other.public_key()),
            [Role::Root, Role::Targets]
        );
        assert_eq!(roles_served(&root, &PublicKey::ed25519(&[7; 32])), []);

        let bins = SuccinctRoles {
            keys: role(&[key.key_id().clone()]),
            bit_length: 14,
            name_prefix: "bin".to_owned(),
        };
        let roles = DelegatedRoles::Succinct(bins);
        let delegations = Delegations { keys, roles };
        let served = delegations_served(&delegations, key.public_key());
        assert_eq!(served[0].to_string(), "bin-* (16384 bins)");
        assert_eq!(delegations_served(&delegations, other.public_key()), []);
    }
}
