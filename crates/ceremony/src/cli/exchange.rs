//! `export-payload` and `import-signature`: for holders who sign with another program.

use std::path::PathBuf;

use chrono::Utc;
use countersign_ceremony::Event;
use metadata::Role;
use serde_json::json;

use super::combine::acting;
use super::files::{create, read_bytes};
use super::output::Report;
use super::{Done, Failure, sign};

/// Largest signature file: RSA of 8,192 bits in hex.
const MAX_SIGNATURE: u64 = 4_096;

/// Write out the bytes to sign, for another program
///
/// They are canonical JSON, exactly as in `payload/`. Ed25519 signs them as they are; ECDSA and
/// RSA-PSS sign their SHA-256.
#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// The event's folder
    event: PathBuf,

    /// The role to sign
    #[arg(long, value_name = "ROLE", env = "COUNTERSIGN_ROLE")]
    #[arg(value_parser = ["root", "targets", "bins"])]
    role: String,

    /// File to make
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_OUT")]
    out: PathBuf,
}

/// Take in a signature that another program made
///
/// Raw or DER, as it is or in hex or base64. Whose it is shows by itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The event's folder
    event: PathBuf,

    /// The role that was signed
    #[arg(long, value_name = "ROLE", env = "COUNTERSIGN_ROLE")]
    #[arg(value_parser = ["root", "targets", "bins"])]
    role: String,

    /// The signature's file
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_SIGNATURE")]
    signature: PathBuf,

    /// Your name, for the transcript; else it says `administrator`
    #[arg(long = "as", value_name = "NAME", env = "COUNTERSIGN_HOLDER")]
    actor: Option<String>,
}

fn role(name: &str) -> Result<Role, Failure> {
    Ok(Role::parse(name).map_err(countersign_ceremony::CeremonyError::from)?)
}

impl Export {
    pub(crate) fn run(self) -> Done {
        let event = Event::open(&self.event)?;
        let bytes = event.export_payload(&role(&self.role)?, Utc::now())?;
        create(&self.out, bytes)?;
        let sha256 = metadata::Sha256::of(bytes).to_string();
        let text = format!("{sha256}  {}\n", self.out.display());
        Ok(Report::new(
            text,
            json!({ "sha256": sha256, "length": bytes.len() }),
        ))
    }
}

impl Import {
    pub(crate) fn run(self) -> Done {
        let event = acting(&self.event, self.actor.as_deref())?;
        let file = read_bytes(&self.signature, MAX_SIGNATURE)?;
        let given = event.import_signature(&role(&self.role)?, &file, Utc::now())?;
        Ok(sign::report(&[given]))
    }
}
