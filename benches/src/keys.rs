//! Keys, fingerprints and responses, all derived from a counter, so that any answer can be checked
//! without a list of what was asked.

use std::hash::Hash;

/// A ready 128-bit key, as a hash of the caller's own would give it.
pub(crate) type Key = u128;

/// What an engine is given as a key.
pub(crate) trait Name: Copy + Eq + Hash + Send + Sync + 'static {
    /// The name of `key`.
    fn of(key: Key) -> Self;
}

/// Ready: the 128 bits themselves.
impl Name for Key {
    fn of(key: Key) -> Self {
        key
    }
}

/// A key as clients send it: 36 bytes, as a UUID is written. They lie in the engine's own record,
/// which spares a peer the allocation that a `String` would cost it.
pub(crate) type Text = [u8; 36];

impl Name for Text {
    fn of(key: Key) -> Self {
        // Where the two digits of each byte are written.
        const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let mut text = [b'-'; 36];
        for (byte, place) in key.to_be_bytes().into_iter().zip(PLACES) {
            text[place..place + 2].copy_from_slice(&DIGITS[usize::from(byte)]);
        }
        text
    }
}

/// The two hexadecimal digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let mut digits = [[0; 2]; 256];
    let mut byte = 0;
    while byte < digits.len() {
        digits[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    digits
};

/// The fingerprint that goes with a key.
pub(crate) type Fingerprint = u128;

/// The odd constant of Weyl sequences: its multiples visit every 64-bit value.
const WEYL: u64 = 0x9e37_79b9_7f4a_7c15;

/// The key of operation `counter`. Distinct counters give distinct keys: `mix` is a bijection.
pub(crate) fn key(counter: u64) -> Key {
    let low = mix(counter.wrapping_add(WEYL));
    let high = mix(low ^ 0xd1b5_4a32_d192_ed03);
    (u128::from(high) << 64) | u128::from(low)
}

/// What the request of `key` says.
pub(crate) fn fingerprint(key: Key) -> Fingerprint {
    key.rotate_left(64) ^ 0x5bd1_e995_0000_0000_0000_0000_c2b2_ae35
}

/// Writes the response of `key`: a few cycles for each word, and no two keys alike.
pub(crate) fn write_response(key: Key, response: &mut [u8]) {
    let (low, step) = words_of(key);
    let mut words = response.chunks_exact_mut(8);
    let mut word = low;
    for chunk in &mut words {
        chunk.copy_from_slice(&word.to_le_bytes());
        word = word.wrapping_add(step);
    }
    let rest = words.into_remainder();
    let count = rest.len();
    rest.copy_from_slice(&word.to_le_bytes()[..count]);
}

/// Whether `response` has the length and the first word of the response of `key`: the check that
/// every measured replay makes. It touches the first line of the response, as any reader would.
pub(crate) fn begins_like(key: Key, response: &[u8], length: usize) -> bool {
    let (low, _) = words_of(key);
    let first = low.to_le_bytes();
    response.len() == length
        && match response.first_chunk() {
            Some(begin) => *begin == first,
            None => *response == first[..length],
        }
}

/// Whether `response` is the response of `key`, to the last byte.
pub(crate) fn is_response(key: Key, response: &[u8], length: usize) -> bool {
    let (mut word, step) = words_of(key);
    response.len() == length
        && response.chunks(8).all(|chunk| {
            let expected = word.to_le_bytes();
            word = word.wrapping_add(step);
            chunk == &expected[..chunk.len()]
        })
}

/// A uniform number below `bound` that goes with `key`.
pub(crate) fn draw(key: Key, bound: u64) -> u64 {
    let (low, high) = (truncate(key), truncate(key >> 64));
    truncate((u128::from(mix(low ^ high.rotate_left(32))) * u128::from(bound)) >> 64)
}

fn words_of(key: Key) -> (u64, u64) {
    // An odd step never repeats a word within one response.
    (truncate(key), truncate(key >> 64) | 1)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn truncate(wide: u128) -> u64 {
    wide as u64
}

/// The finalizer of splitmix64.
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A stream of random indices; splitmix64.
pub(crate) struct Random(u64);

impl Random {
    /// A stream of its own for each `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(1)))
    }

    /// A uniform index below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> u64 {
        self.0 = self.0.wrapping_add(WEYL);
        truncate((u128::from(mix(self.0)) * bound as u128) >> 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_told_apart() {
        for length in [0, 1, 7, 8, 9, 256] {
            let mut response = vec![0; length];
            write_response(key(7), &mut response);
            assert!(begins_like(key(7), &response, length));
            assert!(is_response(key(7), &response, length));
            assert!(!begins_like(key(7), &response, length + 1));
            assert_eq!(is_response(key(8), &response, length), length == 0);
        }
    }

    #[test]
    fn text_is_that_of_a_uuid() {
        let text = Text::of(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(&text, b"01234567-89ab-cdef-fedc-ba9876543210");
        assert_ne!(Text::of(key(1)), Text::of(key(2)));
    }

    #[test]
    fn indices_stay_below_their_bound() {
        let mut random = Random::new(3);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[usize::try_from(random.below(10)).unwrap()] = true;
        }
        assert!(seen.iter().all(|&hit| hit));
    }
}
