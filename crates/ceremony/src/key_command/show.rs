//! `key show`: the public half of a key, its fingerprint, and where the private half lives.

use std::path::{Path, PathBuf};

use keys::{KeyError, KeyUri, MAX_KEY_FILE, Pkcs11Uri, public_key_from_pem, show_token_key};
use metadata::PublicKey;

use super::report::{KeyReport, read, save_public};
use super::{
    Edge, KeyCommandError, KeyName, NamesKeys, Outcome, PassphraseArgs, ReachArgs, Source,
};

/// Show a key's id, its fingerprint in hex and in words, and where it lives
///
/// A public key file needs no passphrase, and most tokens show a public key without the PIN. The words
/// are for reading aloud: sixteen of them say the first half of the fingerprint. What is shown is what
/// file or token say; `key check` has the private key prove it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key URI, or a key file, private or public
    #[arg(value_parser = NamesKeys::<KeyName>::parser())]
    key: KeyName,

    /// Write the public half to this new file too
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_PUBLIC_KEY")]
    public_key: Option<PathBuf>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

impl Args {
    pub(super) fn run(&self, edge: &Edge<'_>) -> Result<Outcome, KeyCommandError> {
        let name = &self.key.0;
        if let KeyUri::File(path) = name
            && let Some(key) = public_key(path)?
        {
            return self.report(&KeyReport {
                key: &key,
                place: &name.to_string(),
                token: None,
                public_file: self.public_key.as_deref(),
            });
        }
        let source = self.passphrases.source();
        if let KeyUri::Pkcs11(uri) = name {
            return self.on_token(uri, &source, edge);
        }
        let opened = self.reach.reach().open(name, &source, edge)?;
        self.report(&KeyReport {
            key: opened.signer.public_key(),
            place: &opened.signer.describe(),
            token: opened.token.as_ref(),
            public_file: self.public_key.as_deref(),
        })
    }

    fn on_token(
        &self,
        uri: &Pkcs11Uri,
        pins: &Source,
        edge: &Edge<'_>,
    ) -> Result<Outcome, KeyCommandError> {
        let reach = self.reach.reach();
        let (key, token) = show_token_key(uri, pins, reach.options(edge).pkcs11)?;
        let public = key.public.map_err(|source| KeyError::Token {
            key: format!("pkcs11:{}", key.uri),
            source: Box::new(source),
        })?;
        self.report(&KeyReport {
            key: &public,
            place: &KeyUri::Pkcs11(key.uri).to_string(),
            token: Some(&token),
            public_file: self.public_key.as_deref(),
        })
    }

    fn report(&self, report: &KeyReport<'_>) -> Result<Outcome, KeyCommandError> {
        if let Some(path) = &self.public_key {
            save_public(path, report.key)?;
        }
        report.outcome()
    }
}

/// The key in a public key file; `None` if the file holds a private key.
fn public_key(path: &Path) -> Result<Option<PublicKey>, KeyCommandError> {
    let bytes = zeroize::Zeroizing::new(read(path, MAX_KEY_FILE as u64)?);
    let text = String::from_utf8_lossy(&bytes);
    if text.contains("PRIVATE KEY") {
        return Ok(None);
    }
    let key = public_key_from_pem(&text).map_err(|source| KeyCommandError::PublicKey {
        path: path.to_owned(),
        source,
    })?;
    Ok(Some(key))
}
