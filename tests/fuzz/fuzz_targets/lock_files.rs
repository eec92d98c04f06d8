//! Lock files of uv, poetry, pip and PEP 751.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::lock_files(data));
