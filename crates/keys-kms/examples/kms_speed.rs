//! Measures signatures per second, one after another and with `sign_many`: `kms_speed URI` with the
//! key that is named, without one with keys of the double.

use std::error::Error;
use std::time::Instant;

use countersign_keys_kms::{KmsLimits, KmsOptions, KmsSigner};
use keys::{AwsKmsUri, KeyUri, Signer};
use kms_double::{KeySpec, KmsDouble, REGION};

const SIGNATURES: usize = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(uri) = std::env::args().nth(1) {
        let KeyUri::AwsKms(uri) = uri.parse()? else {
            return Err("usage: kms_speed [awskms:KEY]".into());
        };
        return measure(&uri, &KmsOptions::default());
    }
    let double = KmsDouble::start()?;
    let folder = tempfile::tempdir()?;
    let credentials = folder.path().join("credentials");
    std::fs::write(&credentials, double.credentials_file())?;
    for spec in [
        KeySpec::P256,
        KeySpec::Rsa2048,
        KeySpec::Rsa3072,
        KeySpec::Ed25519,
    ] {
        let uri = AwsKmsUri {
            key: double.create_key(spec),
            region: Some(REGION.to_owned()),
            endpoint: Some(double.endpoint()),
            profile: None,
        };
        let options = KmsOptions {
            credentials_file: Some(credentials.clone()),
            ..KmsOptions::default()
        };
        print!("{spec:?}: ");
        measure(&uri, &options)?;
    }
    Ok(())
}

fn measure(uri: &AwsKmsUri, options: &KmsOptions) -> Result<(), Box<dyn Error>> {
    let signer = KmsSigner::open(uri, options)?;
    let document = [b'x'; 1000];
    let started = Instant::now();
    for _ in 0..SIGNATURES {
        signer.sign(&document)?;
    }
    let sequential = rate(started);
    let started = Instant::now();
    signer.sign_many(&vec![document.as_slice(); SIGNATURES])?;
    let many = rate(started);
    let concurrency = KmsLimits::default().concurrency;
    println!("{sequential:.0} signatures/s, {many:.0} with {concurrency} at once");
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn rate(started: Instant) -> f64 {
    SIGNATURES as f64 / started.elapsed().as_secs_f64()
}
