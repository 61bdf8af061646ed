//! Any bytes as keys, scopes, namespaces and fingerprints, and a model of which of them are one:
//! what `engine/tests/keys.rs` does, with the bytes chosen by the code they reach.
#![no_main]

#[path = "../../engine/tests/keys/mod.rs"]
mod keys;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| keys::run(data));
