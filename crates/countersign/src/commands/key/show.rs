//! `countersign key show`: the public half of a key.

use std::fs;
use std::path::{Path, PathBuf};

use keys::{KeyError, KeyUri, public_key_from_pem, public_key_to_pem};
use metadata::PublicKey;
use serde::Serialize;

use crate::cli::JsonArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::online_keys::open_key;
use crate::passphrases::{PassphraseArgs, Source};

/// Show the key id and the public half of a key
///
/// A public key file needs no passphrase.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Key file, private or public
    file: PathBuf,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    json: JsonArgs,
}

/// A public key, as people and ceremonies want it.
#[derive(Serialize)]
pub(super) struct Report {
    file: Option<PathBuf>,
    keyid: String,
    keytype: String,
    scheme: String,
    public_pem: String,
}

pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let text = fs::read_to_string(&args.file).map_err(|source| Failure::Io {
        doing: "read",
        path: args.file.clone(),
        source,
    })?;
    let key = if text.contains("PRIVATE KEY") {
        let sources = args.passphrases.sources();
        let source = sources.first().unwrap_or(&Source::Terminal);
        let signer = open_key(&KeyUri::File(args.file.clone()), source)?;
        signer.public_key().clone()
    } else {
        public_key_from_pem(&text).map_err(|flaw| unusable(&args.file, flaw))?
    };
    let report = Report::of(&key, Some(&args.file))?;
    console.report(args.json.json, &report, || report.text())
}

impl Report {
    pub(super) fn of(key: &PublicKey, file: Option<&Path>) -> Result<Self, Failure> {
        let name = file.unwrap_or(Path::new("key"));
        Ok(Self {
            file: file.map(Path::to_owned),
            keyid: key.id().to_string(),
            keytype: key.keytype().to_owned(),
            scheme: key.scheme().to_owned(),
            public_pem: public_key_to_pem(key).map_err(|flaw| unusable(name, flaw))?,
        })
    }

    pub(super) fn text(&self) -> String {
        format!(
            "key id {}\ntype   {}, scheme {}\n{}",
            self.keyid, self.keytype, self.scheme, self.public_pem
        )
    }
}

fn unusable(path: &Path, flaw: keys::KeyFlaw) -> KeyError {
    let key = path.display().to_string();
    KeyError::Unusable { key, flaw }
}
