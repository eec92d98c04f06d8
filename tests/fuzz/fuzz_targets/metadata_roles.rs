//! Metadata files of every role (TUF 4).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::metadata_roles(data));
