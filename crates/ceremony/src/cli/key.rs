//! `key`: makes and shows keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use keys::{
    FileKey, Kdf, KeyType, KeyUri, NewTokenKey, Pkcs11Key, Pkcs11Options, Pkcs11Uri, Signer,
    TokenKeyType, public_key_from_pem, public_key_to_pem,
};
use metadata::PublicKey;
use metadata::canonical::{Writer, to_json};
use ring::rand::SystemRandom;
use serde_json::json;

use super::output::Report;
use super::passphrase::PassphraseArgs;
use super::{Done, Failure, plan};

/// Make and show keys
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key: an encrypted file, or one that stays on a token, and its public half beside it
    New(New),
    /// Show the key id of a public key
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct New {
    /// File to make, or `pkcs11:token=…;object=…?module-path=…` for a key on a token
    #[arg(value_name = "FILE|URI")]
    place: String,

    /// File for the public key; without it, the private key's name with `.pub` after it
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,

    /// What kind of key
    #[arg(long = "type", value_name = "TYPE", env = "COUNTERSIGN_KEY_TYPE")]
    #[arg(value_parser = ["ed25519", "ecdsa-p256"], default_value = "ed25519")]
    key_type: String,

    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// File of the public key
    file: PathBuf,
}

impl Args {
    pub(crate) fn run(self) -> Done {
        match self.what {
            What::New(new) => new.run(),
            What::Show(show) => show.run(),
        }
    }
}

impl New {
    fn run(self) -> Done {
        if let Ok(KeyUri::Pkcs11(uri)) = self.place.parse() {
            return self.on_token(&uri);
        }
        let file = PathBuf::from(&self.place);
        let key_type = match self.key_type.as_str() {
            "ecdsa-p256" => KeyType::EcdsaP256,
            _ => KeyType::Ed25519,
        };
        let mut beside = file.clone().into_os_string();
        beside.push(".pub");
        let public = self.public.clone().unwrap_or_else(|| beside.into());
        let passphrase = self.passphrase.new_passphrase(&self.place)?;
        let key = FileKey::generate(key_type, &SystemRandom::new())?;
        // The private key first: a public one without it would be a promise nobody can keep.
        key.save_encrypted(&file, &passphrase, Kdf::default())?;
        save_public(&public, key.public_key())?;
        let more = format!("public key in {}\n", public.display());
        Ok(report(key.public_key(), &more))
    }

    fn on_token(&self, uri: &Pkcs11Uri) -> Done {
        let Some(public) = &self.public else {
            return Err(Failure::NoPublicFile);
        };
        let new = NewTokenKey {
            key_type: match self.key_type.as_str() {
                "ecdsa-p256" => TokenKeyType::EcdsaP256,
                _ => TokenKeyType::Ed25519,
            },
            always_authenticate: false,
        };
        let options = Pkcs11Options::default();
        let key = Pkcs11Key::generate(uri, new, &self.passphrase, options)?;
        save_public(public, key.public_key())?;
        let (name, place) = (key.describe(), public.display());
        let more = format!("private key {name}\npublic key in {place}\n");
        Ok(report(key.public_key(), &more))
    }
}

impl Show {
    fn run(self) -> Done {
        let text = plan::read(&self.file, keys::MAX_KEY_FILE as u64)?;
        let key = public_key_from_pem(&text).map_err(|source| Failure::PublicKey {
            path: self.file.clone(),
            source,
        })?;
        Ok(report(&key, ""))
    }
}

fn save_public(path: &Path, key: &PublicKey) -> Result<(), Failure> {
    let pem = public_key_to_pem(key).map_err(|source| Failure::PublicKey {
        path: path.to_owned(),
        source,
    })?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| Failure::Write {
            path: path.to_owned(),
            source,
        })
}

fn report(key: &PublicKey, more: &str) -> Report {
    let mut out = Writer::new();
    key.write(&mut out);
    let listed = to_json(&out.into_bytes()).into_owned();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let id = key.id();
    let json = json!({ "keyid": id.as_str(), "key": listed });
    Report::new(format!("key id {id}\n{listed}\n{more}"), json)
}
