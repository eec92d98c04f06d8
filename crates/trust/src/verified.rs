//! The only maker of [`Verified`]: everything that may mint trust stands in this file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, Range};
use std::sync::Arc;

use metadata::{
    Document, KeyId, PublicKey, Role, RoleKeys, Sha256, Signature, UnverifiedSignature,
    VerifyingKey, Wire,
};

use crate::{Dialect, Rejection, Rules};

/// A document that a threshold of distinct keys of its role has signed.
///
/// There is one way to get one: [`verify`], below, private to this crate.
///
/// ```compile_fail,E0451
/// # use countersign_trust::Verified;
/// # fn forge(role: metadata::Role, document: metadata::Root) -> Verified<metadata::Root> {
/// Verified { role, document, file: std::sync::Arc::from([]), sha256: metadata::Sha256::of(b"") }
/// # }
/// ```
///
/// Its positive twin, so that the refusal above is for the right reason:
///
/// ```
/// # use countersign_trust::Verified;
/// # fn read(root: &Verified<metadata::Root>) -> (&metadata::Role, &[u8]) {
/// (root.role(), root.file())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verified<R> {
    role: Role,
    document: R,
    file: Arc<[u8]>,
    sha256: Sha256,
}

impl<R> Verified<R> {
    /// The role it speaks for.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The file as received, byte for byte: what is stored, and what digests are over.
    #[must_use]
    pub fn file(&self) -> &[u8] {
        &self.file
    }

    /// The digest of [`Verified::file`].
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &R {
        &self.document
    }
}

impl<R> Deref for Verified<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.document
    }
}

/// A metadata file taken apart and parsed; nobody vouches for it yet.
pub struct Envelope<R> {
    role: Role,
    document: R,
    message: Message,
    signatures: Vec<Signature>,
    file: Arc<[u8]>,
}

/// The canonical form of what is signed.
enum Message {
    /// It stands in the file as it is.
    InFile(Range<usize>),
    /// The file has it in another form.
    Apart(Vec<u8>),
}

impl<R: Document> Envelope<R> {
    /// Parses `file` as the document of `role`, of at most `limit` bytes.
    pub fn parse(role: Role, file: &[u8], limit: u64, rules: &Rules) -> Result<Self, Rejection> {
        if file.len() as u64 > limit {
            return Err(Rejection::TooLarge { role, limit });
        }
        let malformed = |source| Rejection::Malformed {
            role: role.clone(),
            source,
        };
        let mut wire = Wire::parse(file, rules.limits.signatures).map_err(malformed)?;
        let document = wire.document().map_err(malformed)?;
        if rules.dialect == Dialect::Strict {
            check_strict(&role, &document)?;
        }
        let message = match wire.canonical {
            Cow::Borrowed(_) => Message::InFile(wire.signed_at),
            Cow::Owned(canonical) => Message::Apart(canonical),
        };
        Ok(Self {
            role,
            document,
            message,
            signatures: wire.signatures,
            file: file.into(),
        })
    }

    /// The bytes all signatures are over.
    fn message(&self) -> &[u8] {
        match &self.message {
            Message::InFile(range) => self.file.get(range.clone()).unwrap_or_default(),
            Message::Apart(canonical) => canonical,
        }
    }

    /// Shows what the file says, though nobody vouches for it: for a ceremony's screen and for
    /// deciding what to ask next, never for deciding what to believe.
    #[must_use]
    pub fn peek_unverified(&self) -> &R {
        &self.document
    }

    /// Counts who has signed, without believing anything.
    #[must_use]
    pub fn tally(&self, authority: &Authority<'_>) -> Tally {
        tally(self.message(), &self.signatures, authority)
    }
}

/// The strict dialect: exact dates; keys in the forms of TUF 4.2.2, every key id the digest of its
/// plain key (TUF 4.2.1).
fn check_strict<R: Document>(role: &Role, document: &R) -> Result<(), Rejection> {
    let not_strict = |why: String| {
        Err(Rejection::NotStrict {
            role: role.clone(),
            version: document.version(),
            why,
        })
    };
    if !document.expires().is_exact_form() {
        return not_strict("has an expiry not of the form YYYY-MM-DDTHH:MM:SSZ".to_owned());
    }
    for (id, key) in document.keys().into_iter().flatten() {
        if key.has_extra_members() {
            return not_strict(format!("lists key {} with unknown members", id.short()));
        }
        if VerifyingKey::is_foreign(key) {
            let (id, scheme) = (id.short(), key.scheme());
            return not_strict(format!(
                "lists key {id} in a form of {scheme} that is not ours"
            ));
        }
        if key.id() != *id {
            return not_strict(format!(
                "lists a key under {}, which is not its id",
                id.short()
            ));
        }
    }
    Ok(())
}

/// Whose signatures count for a role: its keys as its delegator lists them.
#[derive(Clone, Copy)]
pub struct Authority<'a> {
    pub(crate) voucher: &'a str,
    pub(crate) keys: &'a BTreeMap<KeyId, PublicKey>,
    pub(crate) role_keys: &'a RoleKeys,
}

impl<'a> Authority<'a> {
    /// Keys and threshold as `voucher` lists them. This makes nobody trusted: only what comes out
    /// of a session is.
    #[must_use]
    pub fn new(
        voucher: &'a str,
        keys: &'a BTreeMap<KeyId, PublicKey>,
        role_keys: &'a RoleKeys,
    ) -> Self {
        Self {
            voucher,
            keys,
            role_keys,
        }
    }
}

/// Who of a role's keys has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Distinct keys with a valid signature, by the id they signed under.
    pub valid: Vec<KeyId>,
    /// Key ids of the role without a valid signature.
    pub missing: Vec<KeyId>,
    /// How many are needed.
    pub threshold: u32,
}

impl Tally {
    /// Whether the threshold is reached.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.valid.len() >= self.threshold as usize
    }
}

/// Counts distinct public keys with a valid signature over `message` (TUF 5.3.4). The one counter
/// of this project: sessions, ceremonies and rehearsals all come here. A key listed under two key
/// ids counts once; a key this program does not know counts for nothing.
#[must_use]
pub fn tally(message: &[u8], signatures: &[Signature], authority: &Authority<'_>) -> Tally {
    let signed = |keyid: &KeyId| {
        signatures
            .iter()
            .find(|signature| signature.keyid == *keyid)
    };
    count(authority, |keyid, key| {
        signed(keyid).is_some_and(|signature| key.verifies(message, &signature.bytes))
    })
}

/// The same for signatures fresh from their keys; gives those that are valid.
#[must_use]
pub fn tally_unverified(
    message: &[u8],
    signatures: &[UnverifiedSignature],
    authority: &Authority<'_>,
) -> (Tally, Vec<Signature>) {
    let mut verified = Vec::new();
    let tally = count(authority, |keyid, key| {
        let signed = signatures.iter().find(|one| one.keyid() == keyid);
        let before = verified.len();
        verified.extend(signed.and_then(|signature| signature.verify(key, message)));
        verified.len() > before
    });
    (tally, verified)
}

fn count(
    authority: &Authority<'_>,
    mut is_signed: impl FnMut(&KeyId, &VerifyingKey) -> bool,
) -> Tally {
    let mut counted = BTreeSet::new();
    let mut valid = Vec::new();
    let mut missing = Vec::new();
    for keyid in &authority.role_keys.keyids {
        let key = authority.keys.get(keyid);
        match key.and_then(|key| VerifyingKey::new(key).ok()) {
            Some(key) if is_signed(keyid, &key) => {
                if counted.insert(key.identity().clone()) {
                    valid.push(keyid.clone());
                }
            }
            _ => missing.push(keyid.clone()),
        }
    }
    Tally {
        valid,
        missing,
        threshold: authority.role_keys.threshold,
    }
}

/// Whose thresholds a document must meet.
pub(crate) enum Vouchers<'a, R> {
    /// Its delegator's.
    Delegator(Authority<'a>),
    /// Its own: a root that is pinned.
    Itself(fn(&R) -> Authority<'_>),
    /// Its predecessor's and its own: a root that follows another (TUF 5.3.4).
    Both(Authority<'a>, fn(&R) -> Authority<'_>),
}

/// Makes a [`Verified`] of an envelope that meets every threshold asked.
pub(crate) fn verify<R: Document>(
    envelope: Envelope<R>,
    vouchers: &Vouchers<'_, R>,
) -> Result<Verified<R>, Rejection> {
    let check = |authority: &Authority<'_>| {
        let tally = envelope.tally(authority);
        if tally.is_met() {
            return Ok(());
        }
        Err(Rejection::Signatures {
            role: envelope.role.clone(),
            version: envelope.document.version(),
            voucher: authority.voucher.to_owned(),
            threshold: tally.threshold,
            valid: tally.valid,
            missing: tally.missing,
        })
    };
    match vouchers {
        Vouchers::Delegator(authority) => check(authority)?,
        Vouchers::Itself(own) => check(&own(&envelope.document))?,
        Vouchers::Both(previous, own) => {
            check(previous)?;
            check(&own(&envelope.document))?;
        }
    }
    let sha256 = Sha256::of(&envelope.file);
    let Envelope {
        role,
        document,
        file,
        ..
    } = envelope;
    Ok(Verified {
        role,
        document,
        file,
        sha256,
    })
}
