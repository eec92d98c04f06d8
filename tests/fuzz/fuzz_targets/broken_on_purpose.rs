//! Must crash within seconds: shows that fuzzing here finds what is broken.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::broken_on_purpose(data));
