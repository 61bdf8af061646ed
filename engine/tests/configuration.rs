//! Random options of engines, namespaces and claims: refused for what is out of bounds, or kept to.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test configuration` runs more of them. `make fuzz`
//! runs the same, chosen by what they reach.
#![cfg(not(idem_loom))]

#[path = "configuration/mod.rs"]
mod configuration;

use proptest::collection::vec;
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap());
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(1024))]

    #[test]
    fn options_are_refused_for_a_reason_or_kept_to(data in vec(any::<u8>(), 80)) {
        configuration::run(&data);
    }
}
