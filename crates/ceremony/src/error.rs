//! What can go wrong in a ceremony, with what is needed to say what to do next.

use std::io;
use std::path::PathBuf;

use crate::{AttestationFlaw, ClaimPlanFlaw};
use metadata::{KeyId, MetadataError, Role, Sha256, Version};

/// A role that lacks signatures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{role} v{version} has {} of {threshold} signatures; not signed by {}",
    signed.len(),
    missing.join(", "),
)]
pub struct TooFew {
    /// The role.
    pub role: Role,
    /// The version.
    pub version: Version,
    /// How many must sign.
    pub threshold: u32,
    /// The holders who have.
    pub signed: Vec<String>,
    /// The holders who have not.
    pub missing: Vec<String>,
}

/// A ceremony's step was refused or failed; nothing half done was left behind.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The operating system refused to let a file or folder be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused to let a file or folder be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing in an event is ever overwritten.
    #[error("`{}` exists already and is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No file of an event is this large.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes read.
        limit: u64,
    },
    /// A file of the event does not hold what it should.
    #[error("`{}`: {flaw}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        flaw: EventFlaw,
    },
    /// The policy is none.
    #[error("`{}` is not a policy", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: policy::PolicyError,
    },
    /// A plan cannot be carried out with the keys it names.
    #[error("the holder `{holder}` {why}")]
    Holder {
        /// The holder.
        holder: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A renewal of a role that an event does not handle, or of none at all.
    #[error(
        "nothing to renew: name at least one of root, targets, bins and, where there is one, claimed"
    )]
    NothingToRenew,
    /// A claim that cannot be planned as asked.
    #[error(transparent)]
    Claim(#[from] ClaimPlanFlaw),
    /// A shard that does not follow from the claims.
    #[error("{role} v{version} cannot be signed: {flaw}")]
    Shard {
        /// The shard.
        role: Role,
        /// Its version.
        version: Version,
        /// What is wrong.
        flaw: Box<draft::ShardFlaw>,
    },
    /// A change that leaves every key and threshold as it is.
    #[error("nothing to change: every role keeps its keys and its threshold")]
    NothingToChange,
    /// A rebin to the bins there are.
    #[error("the index has {count} bins of this form already")]
    SameBins {
        /// How many.
        count: u32,
    },
    /// A rebin under an online key that a published root lists or listed.
    #[error(
        "the online key {} of `{holder}` is, or was, listed by a published root: with a key they know \
         clients would miss the bins of before and refuse the index",
        keyid.short()
    )]
    OnlineKeyKnown {
        /// Who holds it.
        holder: String,
        /// The key.
        keyid: KeyId,
    },
    /// This machine's clock, or that of another that wrote to the transcript, is wrong.
    #[error("the clock says {now}, and the transcript already has an entry of {last}")]
    Clock {
        /// The latest entry's time.
        last: String,
        /// This machine's.
        now: String,
    },
    /// A copy has a file of the same name with other bytes.
    #[error("`{}` differs in the two copies", path.display())]
    Conflict {
        /// The file in the other copy.
        path: PathBuf,
    },
    /// A copy of another event.
    #[error("`{}` is a copy of another event: its digest is {found}, not {expected}", path.display())]
    OtherEvent {
        /// The other copy's folder.
        path: PathBuf,
        /// This event's digest.
        expected: Sha256,
        /// The other's.
        found: Sha256,
    },
    /// The draft breaks rules.
    #[error(transparent)]
    Refused(#[from] draft::Refused),
    /// Too few signatures.
    #[error(transparent)]
    TooFew(Box<TooFew>),
    /// The files for the index were made already, and nothing changes them any more.
    #[error("`{}` was made already: a later signature would change nothing", path.display())]
    Combined {
        /// The folder of the files.
        path: PathBuf,
    },
    /// There are no files for the index yet; nothing else is wrong.
    #[error(
        "`{}` was not combined yet: what is in it so far holds, and the files for the index are to come",
        path.display()
    )]
    NotCombined {
        /// The event's folder.
        path: PathBuf,
    },
    /// A key that somebody else holds.
    #[error("{key} is held by {held_by}, not by {holder}")]
    OtherHolder {
        /// The key, as its signer describes it.
        key: String,
        /// Who holds it in this event.
        held_by: String,
        /// Who wants to sign.
        holder: String,
    },
    /// A name that nobody has who may take this step.
    #[error("nobody called `{name}` holds a key in this event")]
    NoSuchHolder {
        /// The name.
        name: String,
        /// Whose name it looks like.
        meant: Option<String>,
        /// Everybody who holds a key.
        holders: Vec<String>,
    },
    /// The key signs for no role of this event.
    #[error("{key} with key id {} signs for no role of this ceremony", keyid.short())]
    NoRole {
        /// The key, as its signer describes it.
        key: String,
        /// Its id.
        keyid: KeyId,
    },
    /// The event does not sign this role.
    #[error("this ceremony signs no {role}")]
    NoPayload {
        /// The role.
        role: Role,
    },
    /// What another program made is no signature of this payload by any of its keys.
    #[error("this is no signature over {role} v{version} by any key that signs for it")]
    ForeignSignature {
        /// The role.
        role: Role,
        /// The version.
        version: Version,
    },
    /// A key file that overwriting would not destroy.
    #[error("`{}` {why}; the key was not destroyed", path.display())]
    NotDestroyed {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        why: &'static str,
    },
    /// No nonce could be made.
    #[error("the system gives no random bytes")]
    Randomness,
    /// A key could not be used.
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    /// The client's own rules refuse the result.
    #[error("a client would refuse this")]
    Rejected(#[from] trust::Rejection),
    /// A version or name outside its range.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

/// What is wrong with one file of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventFlaw {
    /// The description is not TOML of the right shape.
    #[error("{0}")]
    Toml(String),
    /// Not JSON of the right shape.
    #[error("is not the JSON expected here: {0}")]
    Json(String),
    /// Another format than this program's.
    #[error("has format {found}, this program knows {known}")]
    Format {
        /// The format found.
        found: u32,
        /// The format known.
        known: u32,
    },
    /// A value that cannot be.
    #[error("{what} `{found}` is not valid")]
    Value {
        /// Which value.
        what: &'static str,
        /// What was found.
        found: String,
    },
    /// A digest is not the one written down.
    #[error("has the digest {found}, not {expected} as `ceremony.toml` says")]
    Digest {
        /// The digest written down.
        expected: Sha256,
        /// The digest found.
        found: Sha256,
    },
    /// A document that cannot be read.
    #[error("{0}")]
    Document(#[from] MetadataError),
    /// A payload is not canonical JSON, or another program wrote more than this one reads.
    #[error("is not canonical")]
    NotCanonical,
    /// A payload differs from the description.
    #[error("{role} has {what} `{found}`, `ceremony.toml` says `{expected}`")]
    Differs {
        /// The role.
        role: Role,
        /// What differs.
        what: &'static str,
        /// In the payload.
        found: String,
        /// In the description.
        expected: String,
    },
    /// The keys listed for a role are not those of the description.
    #[error("lists other keys for {role} than `ceremony.toml` names holders for")]
    Keys {
        /// The role.
        role: &'static str,
    },
    /// One person, or one key, would count twice in a role.
    #[error("names a holder or a key twice for {role}")]
    HolderTwice {
        /// The role.
        role: &'static str,
    },
    /// Neither a payload nor a published document of a role that every event needs.
    #[error("holds no {role}")]
    Missing {
        /// The role.
        role: Role,
    },
    /// A file that has no business here.
    #[error("does not belong here")]
    Stray,
    /// An attestation that does not hold.
    #[error("{0}")]
    Attestation(AttestationFlaw),
    /// A proof of possession that proves nothing here.
    #[error("{what}")]
    Join {
        /// What is wrong.
        what: &'static str,
    },
    /// A file that no recorded step made.
    #[error("is in no entry of the transcript")]
    Unrecorded,
    /// The transcript does not hold together.
    #[error("{what}")]
    Transcript {
        /// What is wrong.
        what: &'static str,
    },
    /// A signature over other bytes than the payload's.
    #[error("signs bytes with the digest {found}; {role} v{version} has {expected}")]
    OtherPayload {
        /// The role.
        role: Role,
        /// The version of the payload.
        version: Version,
        /// The payload's digest.
        expected: Sha256,
        /// The digest that was signed.
        found: Sha256,
    },
    /// A signature that does not verify.
    #[error("is no valid signature of key {} over {role} v{version}", keyid.short())]
    Signature {
        /// The role.
        role: Role,
        /// The version.
        version: Version,
        /// The key it claims.
        keyid: KeyId,
    },
    /// A signature by a key that has no say.
    #[error("is by key {}, which does not sign for {role}", keyid.short())]
    ForeignKey {
        /// The role.
        role: Role,
        /// The key.
        keyid: KeyId,
    },
}

impl EventFlaw {
    /// With the file it is in.
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> CeremonyError {
        CeremonyError::Event {
            path: path.into(),
            flaw: self,
        }
    }
}
