//! Any bytes as options of engines, namespaces and claims: what `engine/tests/configuration.rs` does,
//! with the bytes chosen by the code they reach.
#![no_main]

#[path = "../../engine/tests/configuration/mod.rs"]
mod configuration;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| configuration::run(data));
