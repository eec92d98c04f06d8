//! What can go wrong with keys, sorted by whose fault it is. No variant can hold a secret.

use std::io;
use std::path::PathBuf;

use metadata::KeyId;
use pkcs8::ObjectIdentifier;

use crate::Kdf;

/// A key could not be reached, read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The name of the key is no key URI.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The operating system refused to let the file be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system refused to let the file be written; what was begun has been removed.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file is never overwritten.
    #[error("`{}` exists already and is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No key file is this large.
    #[error("`{}` is larger than the {limit} bytes a key file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes read.
        limit: usize,
    },
    /// The key was reached, but what was found cannot be used.
    #[error("{key} {flaw}")]
    Unusable {
        /// The key, as [`crate::Signer::describe`] names it.
        key: String,
        /// What is wrong with it.
        flaw: KeyFlaw,
    },
    /// The passphrase of an encrypted key could not be had.
    #[error("{key}: no passphrase")]
    Passphrase {
        /// The key it would have opened.
        key: String,
        /// Why.
        source: PassphraseError,
    },
    /// The key refused to sign.
    #[error("{key}: signing failed")]
    Signing {
        /// The key.
        key: String,
    },
    /// What the key returned does not verify against its public key: a fault, or another key than
    /// the one that was named.
    #[error("{key}: its signature does not verify against its public key {keyid}")]
    BadSignature {
        /// The key.
        key: String,
        /// The public key it should have signed for.
        keyid: KeyId,
    },
    /// Two signers for one document hold the same key; it would count once (TUF 4.2.1).
    #[error("{first} and {second} are the same key {keyid}")]
    SameKey {
        /// The key they share.
        keyid: KeyId,
        /// The signer named first.
        first: String,
        /// The signer named after it.
        second: String,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    Randomness,
}

/// What makes a key unusable, whoever holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFlaw {
    /// Not PEM (RFC 7468), or more than one block of it.
    #[error("is not one block of PEM")]
    Pem,
    /// PEM, but of something else.
    #[error("holds a PEM block `{}`, not `{expected}`", found.unwrap_or("of another kind"))]
    Label {
        /// The label found, if it is one of the usual ones.
        found: Option<&'static str>,
        /// The label or labels read here.
        expected: &'static str,
    },
    /// The PEM does not contain the DER its label promises.
    #[error("holds malformed DER")]
    Der,
    /// The key is of a type this program cannot use.
    #[error("is a key of the unsupported algorithm {oid}")]
    Algorithm {
        /// The algorithm.
        oid: ObjectIdentifier,
    },
    /// An elliptic curve other than P-256.
    #[error("lies on the unsupported curve {oid}; only P-256 is used")]
    Curve {
        /// The curve.
        oid: ObjectIdentifier,
    },
    /// A P-256 private key without its public key; nothing here can derive it.
    #[error("does not contain its public key; `openssl ec`, then `openssl pkcs8 -topk8` add it")]
    PublicKeyMissing,
    /// The public key stored beside a private key is another key's.
    #[error("contains a public key that is not its own")]
    PublicKeyMismatch,
    /// A private key of the wrong length or out of range.
    #[error("contains an invalid private key")]
    PrivateKey,
    /// A public key of the wrong length, or a point not on its curve.
    #[error("contains an invalid public key")]
    PublicKey,
    /// A compressed or hybrid curve point; metadata carries uncompressed ones.
    #[error("contains a public key that is not an uncompressed point")]
    PointForm,
    /// RSA keys have at least 2048 bits (TUF 4.2.2) and at most 8192.
    #[error("is an RSA key of {bits} bits; 2048 to 8192 are accepted")]
    RsaSize {
        /// Bits of the modulus.
        bits: usize,
    },
    /// A key object whose type and scheme no signature can be checked for.
    #[error("has the unsupported key type `{keytype}` with scheme `{scheme}`")]
    Scheme {
        /// The key type listed.
        keytype: String,
        /// The scheme listed.
        scheme: String,
    },
    /// The key file is not encrypted and the caller did not allow that.
    #[error("is not encrypted")]
    Unencrypted,
    /// Encrypted in a way that is not read here.
    #[error("is protected by the unsupported algorithm {oid}")]
    Protection {
        /// The scheme, cipher, key derivation or hash.
        oid: ObjectIdentifier,
    },
    /// The parameters of the key derivation contradict each other or RFC 7914 and RFC 8018.
    #[error("has impossible key derivation parameters")]
    KdfParameters,
    /// Opening the file would take more memory or time than any honest key file asks for.
    #[error("asks for too costly a key derivation: {kdf}")]
    KdfCost {
        /// What it asks for.
        kdf: Kdf,
    },
    /// The passphrase does not open it, or its encrypted part was damaged; the two cannot be told
    /// apart.
    #[error("does not open with this passphrase")]
    WrongPassphrase,
}

/// A text is no key URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// No `SCHEME:` in front.
    #[error("a key is named by a URI with one of the schemes {known:?}, such as file:PATH")]
    NoScheme {
        /// The schemes there are.
        known: &'static [&'static str],
    },
    /// A scheme nobody handles.
    #[error("unknown key scheme `{scheme}`; the schemes are {known:?}")]
    UnknownScheme {
        /// The scheme found.
        scheme: String,
        /// The schemes there are.
        known: &'static [&'static str],
    },
    /// `file:` and nothing usable after it.
    #[error("`file:` needs a path without NUL")]
    Path,
    /// `file://HOST/…`: key files are local.
    #[error("key files are local: write file:PATH or file:///PATH, not `file://{host}`")]
    Host {
        /// The host found.
        host: String,
    },
}

/// A passphrase could not be had, or is none.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nobody said where to take it from.
    #[error("none was given")]
    NotGiven,
    /// The person asked gave none.
    #[error("the prompt was cancelled")]
    Cancelled,
    /// The terminal failed.
    #[error("cannot ask on the terminal")]
    Terminal {
        /// Why.
        source: io::Error,
    },
    /// An empty passphrase protects nothing.
    #[error("it is empty")]
    Empty,
    /// Longer than any passphrase.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// Most bytes accepted.
        limit: usize,
    },
    /// The passphrase file cannot be read.
    #[error("cannot read the passphrase file `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first line of the passphrase file is no passphrase.
    #[error("the first line of the passphrase file `{}` is empty or too long", path.display())]
    FirstLine {
        /// The file.
        path: PathBuf,
    },
}
