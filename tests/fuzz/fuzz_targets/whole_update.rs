//! Whole updates of the real client from a repository that the input makes hostile (TUF 5).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::whole_update(data));
