//! Measures how many signatures a second a key gives, whatever back end it lives in.
//!
//! `cargo run --release -p countersign-keys --example signing_speed -- KEY-URI…`
//! asks the agent at `$SSH_AUTH_SOCK`, and takes passphrases and PINs from `$PASSPHRASE_FILE`.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use countersign_keys::{KeyUri, LoadOptions, PassphraseFile};

/// A timestamp, a bin of 16,384, a bin of 1,024, in bytes of canonical JSON.
const DOCUMENTS: [usize; 3] = [450, 13_000, 200_000];
/// How long each measurement runs.
const PERIOD: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let socket = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
    let passphrases = std::env::var_os("PASSPHRASE_FILE").unwrap_or_default();
    let options = LoadOptions {
        allow_unencrypted: true,
        agent_socket: socket.as_deref(),
        ..LoadOptions::default()
    };
    for uri in std::env::args().skip(1) {
        let started = Instant::now();
        let source = PassphraseFile(passphrases.clone().into());
        let signer = uri.parse::<KeyUri>()?.open(&source, options)?.signer;
        let opened = started.elapsed().as_secs_f64() * 1e3;
        println!(
            "{uri}: {}, opened in {opened:.1} ms",
            signer.public_key().scheme()
        );
        for length in DOCUMENTS {
            let document = vec![b'x'; length];
            let (started, mut count) = (Instant::now(), 0u32);
            while started.elapsed() < PERIOD {
                signer.sign(&document)?;
                count += 1;
            }
            let rate = f64::from(count) / started.elapsed().as_secs_f64();
            println!("  {length:>7} bytes: {rate:>8.0} signatures/s");
        }
    }
    Ok(())
}
