//! The online keys, by the role they sign.

use std::collections::BTreeSet;
use std::sync::Arc;

use draft::{Linted, Signed, SignedFile};
use keys::{KeyError, Signer};
use metadata::{Document, Role, UnverifiedSignature};
use trust::Authority;

use crate::cores::on_all_cores;
use crate::error::RepositoryError;

/// Who signs timestamp, snapshot and bins. One key may serve all three.
#[derive(Clone)]
pub struct OnlineSigners {
    signers: Vec<Arc<dyn Signer>>,
}

impl OnlineSigners {
    /// Signs with whichever of these keys a role lists. A key named for several roles counts once: a
    /// document signed twice by one key is refused everywhere.
    #[must_use]
    pub fn new(mut signers: Vec<Arc<dyn Signer>>) -> Self {
        let mut seen = BTreeSet::new();
        signers.retain(|signer| seen.insert(signer.key_id().clone()));
        Self { signers }
    }

    /// Signs a linted document with every key at hand that its authority lists, and seals it.
    pub(crate) fn sign<R: Document>(
        &self,
        linted: Linted<R>,
        keys: &metadata::RoleKeys,
        authority: &Authority<'_>,
    ) -> Result<Signed<R>, RepositoryError> {
        self.require_one(keys, linted.role())?;
        let signatures = self
            .listed(keys)
            .map(|signer| signer.sign_unverified(linted.canonical()))
            .collect::<Result<Vec<UnverifiedSignature>, KeyError>>()
            .map_err(|source| RepositoryError::Key {
                role: linted.role().clone(),
                source,
            })?;
        Ok(linted.seal_unverified(&signatures, authority)?)
    }

    /// The same for several documents of one authority, for signers that work on several at once. Sealed
    /// on all cores.
    pub(crate) fn sign_many<R: Document + Send>(
        &self,
        linted: Vec<Linted<R>>,
        keys: &metadata::RoleKeys,
        authority: &Authority<'_>,
    ) -> Result<Vec<SignedFile>, RepositoryError> {
        if let Some(first) = linted.first() {
            self.require_one(keys, first.role())?;
        }
        let messages: Vec<&[u8]> = linted.iter().map(Linted::canonical).collect();
        let mut signatures: Vec<Vec<UnverifiedSignature>> = Vec::new();
        signatures.resize_with(linted.len(), Vec::new);
        for signer in self.listed(keys) {
            let made = signer.sign_many(&messages).map_err(|source| {
                let role = linted
                    .first()
                    .map_or(Role::Targets, |first| first.role().clone());
                RepositoryError::Key { role, source }
            })?;
            for (all, one) in signatures.iter_mut().zip(made) {
                all.push(one);
            }
        }
        let pairs: Vec<_> = linted.into_iter().zip(signatures).collect();
        on_all_cores(pairs, &|(linted, signatures): (Linted<R>, Vec<_>)| {
            let sealed = linted.seal_unverified(&signatures, authority)?;
            Ok(sealed.into_file())
        })
    }

    /// Refuses the only key at hand where the role does not list it: an alias that leads elsewhere now,
    /// another token, a key that a ceremony has replaced. Of several, the missing signatures tell more.
    fn require_one(&self, keys: &metadata::RoleKeys, role: &Role) -> Result<(), RepositoryError> {
        match (
            self.listed(keys).next(),
            self.signers.as_slice(),
            keys.keyids.first(),
        ) {
            (None, [signer], Some(expected)) => Err(RepositoryError::Key {
                role: role.clone(),
                source: KeyError::DifferentKey {
                    key: signer.describe(),
                    expected: expected.clone(),
                    found: signer.key_id().clone(),
                },
            }),
            _ => Ok(()),
        }
    }

    /// Their public halves.
    pub(crate) fn public_keys(&self) -> impl Iterator<Item = &metadata::PublicKey> {
        self.signers.iter().map(|signer| signer.public_key())
    }

    fn listed(&self, keys: &metadata::RoleKeys) -> impl Iterator<Item = &Arc<dyn Signer>> {
        let signers = self.signers.iter();
        signers.filter(|signer| keys.keyids.contains(signer.key_id()))
    }
}
