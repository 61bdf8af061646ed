//! Any bytes as requests over HTTP and as stored responses, chosen by the code they reach.
#![no_main]

#[path = "../../http/tests/untrusted/mod.rs"]
mod untrusted;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| untrusted::run(data));
