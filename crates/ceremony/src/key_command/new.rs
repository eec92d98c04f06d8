//! `key new`: a key in an encrypted file, or on a token that it never leaves.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, ValueEnum};
use keys::{
    FileKey, Kdf, KeyError, KeyType, KeyUri, KeyWarning, NewTokenKey, Passphrase, PassphraseSource,
    Pkcs11Key, Pkcs11Uri, Signer, TokenKeyType,
};
use ring::rand::SystemRandom;

use super::passphrases::ask_for_new;
use super::report::{KeyReport, save_public};
use super::{
    Edge, KeyCommandError, KeyName, NamesKeys, Opened, Outcome, PassphraseArgs, ReachArgs,
};

/// Make a key: in an encrypted file, its public half beside it; or on a PKCS#11 token
///
/// Without a passphrase file, descriptor or credential the passphrase is asked for, twice; a PIN is
/// asked for once. Nothing is ever overwritten.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("secret").args(SECRETS))]
pub(super) struct Args {
    /// File for the private key, such as online.pem (the public half becomes online.pem.pub), or
    /// `pkcs11:token=…;object=NAME`
    #[arg(value_parser = NamesKeys::<KeyName>::parser())]
    key: KeyName,

    /// Kind of key; by default ed25519 in files and ecdsa-p256 on tokens
    #[arg(long = "type", value_name = "TYPE", env = "COUNTERSIGN_KEY_TYPE")]
    key_type: Option<TypeArg>,

    /// Let the token want the PIN for every signature
    #[arg(long, env = "COUNTERSIGN_ALWAYS_AUTHENTICATE")]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    always_authenticate: bool,

    /// New file for the public half of a key on a token
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_PUBLIC_KEY")]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    new_passphrase: NewPassphraseArgs,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

/// A new key has one secret from one place.
const SECRETS: [&str; 4] = [
    "random_passphrase",
    "passphrase_file",
    "passphrase_fd",
    "passphrase_credential",
];

/// How a new file is encrypted.
#[derive(Debug, clap::Args)]
pub(super) struct NewPassphraseArgs {
    /// What slows down guessing the passphrase: scrypt, or pbkdf2 for files that openssl must open
    #[arg(
        long,
        value_name = "KDF",
        default_value = "scrypt",
        env = "COUNTERSIGN_KEY_KDF"
    )]
    kdf: KdfArg,

    /// Make a random passphrase, and write it to this new file
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_RANDOM_PASSPHRASE")]
    pub(super) random_passphrase: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TypeArg {
    /// Small and deterministic.
    Ed25519,
    /// What hardware and key services have.
    #[value(name = "ecdsa-p256")]
    EcdsaP256,
    /// RSA of 3,072 bits with PSS; on tokens.
    #[value(name = "rsa-3072")]
    Rsa3072,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KdfArg {
    /// Takes memory as well as time.
    Scrypt,
    /// Takes time only.
    Pbkdf2,
}

/// What a new key file is made from.
pub struct NewFile<'a> {
    /// File of the private key; the public half goes to the same name with `.pub` after it.
    pub file: &'a Path,
    /// Ed25519 or P-256.
    pub key_type: KeyType,
    /// What slows down guessing.
    pub kdf: Kdf,
    /// What it is encrypted with.
    pub passphrase: &'a Passphrase,
}

/// Makes a key and its two files.
pub fn make_file(new: &NewFile<'_>) -> Result<FileKey, KeyCommandError> {
    let key = FileKey::generate(new.key_type, &SystemRandom::new())?;
    // The private key first: a public one without it would be a promise nobody can keep.
    key.save_encrypted(new.file, new.passphrase, new.kdf)?;
    save_public(&public_file(new.file), key.public_key()).inspect_err(|_| {
        // Nobody has used the key yet; what is left of a failed command would only be in the way.
        let _ = fs::remove_file(new.file);
    })?;
    Ok(key)
}

pub(super) fn public_file(file: &Path) -> PathBuf {
    let mut public = file.as_os_str().to_owned();
    public.push(".pub");
    PathBuf::from(public)
}

impl Args {
    pub(super) fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        match &self.key.0 {
            KeyUri::File(file) => self.in_file(file, edge),
            KeyUri::Pkcs11(token) => self.on_token(token, edge),
            other => Err(KeyCommandError::NotMadeHere {
                key: Box::new(other.clone()),
            }),
        }
    }

    fn in_file(&self, file: &Path, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let key_type = match self.key_type {
            None | Some(TypeArg::Ed25519) => KeyType::Ed25519,
            Some(TypeArg::EcdsaP256) => KeyType::EcdsaP256,
            Some(TypeArg::Rsa3072) => {
                let key = self.key.0.clone();
                let key_type = "rsa-3072";
                return Err(KeyCommandError::Type {
                    key: Box::new(key),
                    key_type,
                });
            }
        };
        let name = self.key.0.to_string();
        let passphrase = self
            .new_passphrase
            .passphrase(&name, &self.passphrases, edge)?;
        let key = make_file(&NewFile {
            file,
            key_type,
            kdf: self.new_passphrase.kdf(),
            passphrase: passphrase.get(),
        })?;
        passphrase.keep();
        KeyReport {
            key: key.public_key(),
            place: &name,
            token: None,
            public_file: Some(&public_file(file)),
        }
        .outcome()
    }

    fn on_token(&self, uri: &Pkcs11Uri, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let reach = self.reach.reach();
        let new = NewTokenKey {
            key_type: match self.key_type {
                Some(TypeArg::Ed25519) => TokenKeyType::Ed25519,
                None | Some(TypeArg::EcdsaP256) => TokenKeyType::EcdsaP256,
                Some(TypeArg::Rsa3072) => TokenKeyType::Rsa3072,
            },
            always_authenticate: self.always_authenticate,
        };
        let pins = self.passphrases.source();
        let key = Pkcs11Key::generate(uri, new, &pins, reach.options(edge).pkcs11)?;
        let opened = Opened::on_token(key);
        if let Some(path) = &self.public_key {
            save_public(path, opened.signer.public_key())?;
        }
        KeyReport {
            key: opened.signer.public_key(),
            place: &opened.signer.describe(),
            token: opened.token.as_ref(),
            public_file: self.public_key.as_deref(),
        }
        .outcome()
    }
}

impl NewPassphraseArgs {
    pub(super) fn kdf(&self) -> Kdf {
        match self.kdf {
            KdfArg::Scrypt => Kdf::default(),
            KdfArg::Pbkdf2 => Kdf::PORTABLE,
        }
    }

    /// The passphrase of a new file: random, from a source, or typed twice.
    pub(super) fn passphrase(
        &self,
        name: &str,
        sources: &PassphraseArgs,
        edge: &Edge<'_>,
    ) -> Result<NewPassphrase, KeyCommandError> {
        if let Some(path) = &self.random_passphrase {
            let passphrase = Passphrase::random(&SystemRandom::new())?;
            passphrase.save_new(path)?;
            let file = Some(path.clone());
            return Ok(NewPassphrase { passphrase, file });
        }
        let missing = |source| KeyError::Passphrase {
            key: name.to_owned(),
            source,
        };
        let source = sources.sources().into_iter().next();
        let passphrase = match &source {
            Some(source) => source.passphrase(name).map_err(missing)?,
            None => ask_for_new(name)
                .map_err(missing)?
                .ok_or(KeyCommandError::PassphrasesDiffer)?,
        };
        let open = source.and_then(|source| source.warning());
        let short = KeyWarning::about_new(&passphrase, name);
        open.iter().chain(&short).for_each(edge.warn);
        let file = None;
        Ok(NewPassphrase { passphrase, file })
    }
}

/// A passphrase for a key file that is about to be made. One that was made up is in a file before the
/// key is, lest a key be made that nobody can open; unless [`NewPassphrase::keep`] is called, the file
/// goes again.
pub(super) struct NewPassphrase {
    passphrase: Passphrase,
    file: Option<PathBuf>,
}

impl NewPassphrase {
    pub(super) fn get(&self) -> &Passphrase {
        &self.passphrase
    }

    /// The key is there: its passphrase stays.
    pub(super) fn keep(mut self) {
        self.file = None;
    }
}

impl Drop for NewPassphrase {
    fn drop(&mut self) {
        if let Some(path) = &self.file {
            // Without a key it opens nothing.
            let _ = fs::remove_file(path);
        }
    }
}
