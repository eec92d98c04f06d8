//! `invite` and `join`: keys with proof, gathered before the plan.

use std::path::{Path, PathBuf};

use chrono::Utc;
use countersign_ceremony::key_command::{PassphraseArgs, ReachArgs, numbered_words};
use countersign_ceremony::{Hardware, HeldKey, Invitation, Join, read_chain};
use keys::{KeyUri, fingerprint_words, key_fingerprint};
use serde_json::json;

use super::files::{create, read_bytes};
use super::output::Report;
use super::{Done, Failure, edge};

/// Largest invitation or proof.
const MAX_FILE: u64 = 65_536;

/// Write an invitation, for which holders prove their keys
#[derive(Debug, clap::Args)]
pub(crate) struct Invite {
    /// File to make
    file: PathBuf,

    /// Name of the coming event, such as `genesis 2026`
    #[arg(long, value_name = "TEXT", env = "COUNTERSIGN_EVENT_NAME")]
    name: String,
}

/// Prove a key for an invitation
///
/// The file it makes holds the public key and a signature over the invitation; of a token also its
/// model, serial number and firmware. Hand it over in place of the public key's file.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The invitation
    invitation: PathBuf,

    /// Your name, as everybody in the ceremony knows it
    #[arg(long, value_name = "NAME", env = "COUNTERSIGN_HOLDER")]
    holder: String,

    /// The key
    #[arg(long, value_name = "URI", env = "COUNTERSIGN_KEY")]
    key: KeyUri,

    /// File to make
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_OUT")]
    out: PathBuf,

    /// Certificates by which the token's maker attests the key, in PEM, the key's own first
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_ATTESTATION")]
    attestation: Option<PathBuf>,

    #[command(flatten)]
    passphrases: PassphraseArgs,

    #[command(flatten)]
    reach: ReachArgs,
}

impl Invite {
    pub(crate) fn run(self) -> Done {
        let invitation = Invitation::new(&self.name)?;
        create(&self.file, &invitation.to_file()?)?;
        let text = format!("invitation in {}\n", self.file.display());
        Ok(Report::new(text, json!({ "nonce": invitation.nonce })))
    }
}

impl Args {
    pub(crate) fn run(self) -> Done {
        let invitation = read_invitation(&self.invitation)?;
        let reach = self.reach.reach();
        let opened = reach.open(&self.key, &self.passphrases.source(), &edge())?;
        let signer = opened.signer.as_ref();
        let hardware = Hardware {
            token: opened.token.as_ref(),
            attestation: self.chain()?,
        };
        let file = Join::prove(&invitation, &self.holder, signer, &hardware, Utc::now())?;
        let keyid = signer.key_id();
        create(&self.out, &file)?;
        let digest = key_fingerprint(signer.public_key());
        let text = format!(
            "{} proves for `{}` the key {keyid}; in words, to compare with those on paper:\n{}\
             the proof is in {}; next: hand it over\n",
            self.holder,
            invitation.name,
            numbered_words(digest.as_bytes()),
            self.out.display()
        );
        let json = json!({
            "keyid": keyid.as_str(),
            "event": invitation.name,
            "words": fingerprint_words(digest.as_bytes()),
        });
        Ok(Report::new(text, json))
    }
}

impl Args {
    fn chain(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let Some(path) = &self.attestation else {
            return Ok(Vec::new());
        };
        let pem = read_bytes(path, MAX_FILE)?;
        read_chain(&pem).map_err(|source| Failure::Attestation {
            path: path.clone(),
            source,
        })
    }
}

pub(crate) fn read_invitation(path: &Path) -> Result<Invitation, Failure> {
    Ok(Invitation::parse(path, &read_bytes(path, MAX_FILE)?)?)
}

/// The key of a proof, which must be of this holder.
pub(crate) fn proved(
    path: &Path,
    holder: &str,
    invitation: &Invitation,
) -> Result<(HeldKey, Vec<u8>), Failure> {
    let file = read_bytes(path, MAX_FILE)?;
    let (_, held) = Join::check(path, &file, invitation)?;
    if held.holder != holder {
        let (holder, path) = (held.holder, path.to_owned());
        return Err(Failure::OtherHolder { path, holder });
    }
    Ok((held, file))
}
