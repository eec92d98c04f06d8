//! What makes a key unusable.

use pkcs8::ObjectIdentifier;

use crate::Kdf;

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
    /// Not what an OpenSSH private key file holds (`PROTOCOL.key`).
    #[error("is a malformed OpenSSH key")]
    OpenSsh,
    /// An OpenSSH key encrypted in a way that is not read here.
    #[error("is encrypted with {cipher}; `ssh-keygen -p -Z aes256-ctr` re-encrypts it")]
    OpenSshCipher {
        /// The cipher, if it is one `ssh-keygen` has.
        cipher: &'static str,
    },
    /// An OpenSSH key of a type this program cannot use.
    #[error("is an OpenSSH key that is neither ssh-ed25519 nor ecdsa-sha2-nistp256")]
    OpenSshAlgorithm,
    /// Not what an encrypted key file of cosign holds, or encrypted otherwise than with scrypt and
    /// secretbox.
    #[error("is a malformed sigstore key")]
    Envelope,
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
