//! Canonical JSON: scan against encoder (TUF 4.1).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::canonical_json(data));
