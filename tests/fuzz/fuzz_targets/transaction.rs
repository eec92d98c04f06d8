//! Archives that developers send to an index (PEP 480 transactions).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::transaction(data));
