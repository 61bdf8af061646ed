//! Random keys and fingerprints, and whether those are one that should be (K5, K6).
//!
//! `PROPTEST_CASES=100000 cargo test --release --test keys` runs more of them. `make fuzz` runs the
//! same, chosen by what they reach.
#![cfg(not(idem_loom))]

#[path = "keys/mod.rs"]
mod keys;

use proptest::collection::vec;
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap());
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn k5_keys_and_fingerprints_are_one_if_made_of_the_same(
        // Of few letters, so that pieces of it meet.
        text in vec(0..3_u8, 64),
        codes in vec(any::<[u8; 8]>(), 0..60),
    ) {
        let mut data = text;
        data.extend(codes.iter().flatten());
        keys::run(&data);
    }
}
