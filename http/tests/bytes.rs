//! Random bytes; `fuzz/fuzz_targets/http.rs` chooses them by the code they reach.

mod untrusted;

use idem_http::write;

#[test]
fn c15_any_bytes_are_a_request_or_are_refused() {
    let mut state = 1_u64;
    for round in 0..4000_usize {
        let bytes: Vec<u8> = (0..round % 200)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as u8
            })
            .collect();
        untrusted::run(&bytes);
        // Keys that are some, so that more than the refusal is reached.
        let mut keyed = vec![bytes.first().copied().unwrap_or_default(), 3];
        keyed.extend_from_slice(b"\"k\"");
        keyed.extend_from_slice(&bytes);
        untrusted::run(&keyed);
    }
    let nested = [&[8, 3][..], b"\"k\"\x00\x00", "[".repeat(100_000).as_bytes()].concat();
    untrusted::run(&nested);
    let header: [(&[u8], &[u8]); 1] = [(b"a", b"b")];
    untrusted::run(&write(200, header.into_iter(), header.into_iter(), b"body").unwrap());
}
