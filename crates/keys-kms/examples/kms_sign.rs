//! Signs standard input with a key in AWS KMS: `kms_sign awskms:KEY?region=… < DOCUMENT`. Prints key
//! id and signature in hex. The credentials come from wherever AWS programs find them.

use std::error::Error;
use std::io::{Read, stdin};
use std::process::ExitCode;

use countersign_keys_kms::{KmsError, KmsOpener};
use keys::{KeyError, KeyUri, LoadOptions, NoPassphrase};

fn main() -> ExitCode {
    match sign() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            explain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn sign() -> Result<String, Box<dyn Error>> {
    let uri = std::env::args().nth(1).ok_or("usage: kms_sign URI")?;
    let uri: KeyUri = uri.parse()?;
    let mut document = Vec::new();
    stdin().read_to_end(&mut document)?;
    let opener = KmsOpener::default();
    let options = LoadOptions {
        openers: &[&opener],
        ..LoadOptions::default()
    };
    let signer = uri.open(&NoPassphrase, options)?.signer;
    let signature = signer.sign(&document)?;
    Ok(format!(
        "{} {}",
        signature.keyid,
        hex::encode(signature.bytes)
    ))
}

/// Prints an error, its causes, and what to do about it.
fn explain(error: &(dyn Error + 'static)) {
    eprintln!("error: {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        eprintln!("cause: {cause}");
        next = cause.source();
    }
    if let Some(KeyError::Other { source, .. }) = error.downcast_ref()
        && let Some(error) = source.downcast_ref::<KmsError>()
    {
        eprintln!("hint: {}", error.hint());
    }
}
