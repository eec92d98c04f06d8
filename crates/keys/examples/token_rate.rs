//! Measures how many signatures per second a key makes: `token_rate KEY-URI [COUNT]`.
//!
//! A PIN comes from the URI's `pin-source`.

use std::time::Instant;

use countersign_keys::{KeyUri, LoadOptions, NoPassphrase};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let uri: KeyUri = arguments.next().ok_or("no key URI given")?.parse()?;
    let count: u32 = arguments.next().map_or(Ok(1000), |count| count.parse())?;
    let key = uri.open(&NoPassphrase, LoadOptions::default())?.signer;
    // A bin of 600 targets has about this size.
    let message = vec![b'x'; 87_000];
    for (name, message) in [("timestamp", &message[..500]), ("bin", &message)] {
        let started = Instant::now();
        for _ in 0..count {
            key.sign(message)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let rate = f64::from(count) / seconds;
        println!("{name}, {} bytes: {rate:.0} signatures/s", message.len());
    }
    Ok(())
}
