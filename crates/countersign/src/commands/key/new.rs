//! `countersign key new`: a new encrypted key file.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use keys::{
    FileKey, Kdf, KeyError, KeyType, Passphrase, PassphraseSource, Signer, public_key_to_pem,
};
use ring::rand::SystemRandom;

use super::show::Report;
use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::passphrases::{PassphraseArgs, ask_for_new};
use crate::progress::Progress;

/// Make a key: encrypted PKCS#8 in PEM, and its public half beside it
///
/// Without a passphrase file, descriptor or credential the passphrase is asked for, twice. Nothing is
/// ever overwritten.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File for the private key, such as online.pem; the public half becomes online.pem.pub
    file: PathBuf,

    /// Kind of key
    #[arg(long = "type", value_name = "TYPE", default_value = "ed25519")]
    #[arg(env = "COUNTERSIGN_KEY_TYPE")]
    key_type: TypeArg,

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
    #[arg(conflicts_with_all = ["passphrase_file", "passphrase_fd", "passphrase_credential"])]
    random_passphrase: Option<PathBuf>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    json: JsonArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TypeArg {
    /// Small and deterministic.
    Ed25519,
    /// What hardware and key services have.
    EcdsaP256,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KdfArg {
    /// Takes memory as well as time.
    Scrypt,
    /// Takes time only.
    Pbkdf2,
}

/// What a new key is made from.
pub(crate) struct NewKey<'a> {
    /// File of the private key.
    pub(crate) file: &'a Path,
    /// Ed25519 or P-256.
    pub(crate) key_type: KeyType,
    /// What slows down guessing.
    pub(crate) kdf: Kdf,
    /// What it is encrypted with.
    pub(crate) passphrase: &'a Passphrase,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let passphrase = args.passphrase()?;
    let progress = Progress::spinner(console, "deriving the key's key");
    let key = make(&NewKey {
        file: &args.file,
        key_type: match args.key_type {
            TypeArg::Ed25519 => KeyType::Ed25519,
            TypeArg::EcdsaP256 => KeyType::EcdsaP256,
        },
        kdf: match args.kdf {
            KdfArg::Scrypt => Kdf::default(),
            KdfArg::Pbkdf2 => Kdf::PORTABLE,
        },
        passphrase: &passphrase,
    })?;
    drop(progress);
    let report = Report::of(key.public_key(), Some(&args.file))?;
    console.report(args.json.json, &report, || report.text())
}

impl Args {
    fn passphrase(&self) -> Result<Passphrase, Failure> {
        let name = format!("file:{}", self.file.display());
        let missing = |source| KeyError::Passphrase {
            key: name.clone(),
            source,
        };
        if let Some(path) = &self.random_passphrase {
            let passphrase = Passphrase::random(&SystemRandom::new())?;
            passphrase.save_new(path)?;
            return Ok(passphrase);
        }
        match self.passphrases.sources().first() {
            Some(source) => Ok(source.passphrase(&name).map_err(missing)?),
            None => ask_for_new(&name)
                .map_err(missing)?
                .ok_or(Failure::PassphrasesDiffer),
        }
    }
}

/// Makes a key and its files.
pub(crate) fn make(new: &NewKey<'_>) -> Result<FileKey, Failure> {
    let key = FileKey::generate(new.key_type, &SystemRandom::new())?;
    key.save_encrypted(new.file, new.passphrase, new.kdf)?;
    let mut public = new.file.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    let pem = public_key_to_pem(key.public_key()).map_err(|flaw| KeyError::Unusable {
        key: public.display().to_string(),
        flaw,
    })?;
    let failed = |source| Failure::Io {
        doing: "write",
        path: public.clone(),
        source,
    };
    let mut file = std::fs::File::create_new(&public).map_err(failed)?;
    std::io::Write::write_all(&mut file, pem.as_bytes()).map_err(failed)?;
    Ok(key)
}
