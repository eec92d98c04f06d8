//! Project pages from an index that nobody vouches for (PEP 691).
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| countersign_fuzz::simple_page(data));
