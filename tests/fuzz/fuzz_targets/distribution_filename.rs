//! Names of wheels and sdists (PEP 427, PEP 625).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::distribution_filename(data));
