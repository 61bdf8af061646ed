//! How long responses are: all the same, or a mix in which each key decides the length of its own.

use std::fmt;

use crate::keys::{self, Key};

/// The lengths of the mix, and how many keys of a hundred have each.
const MIX: [(usize, u64); 4] = [(64, 50), (512, 30), (4 << 10, 15), (64 << 10, 5)];

/// The name of the mix on the command line, in tables and in the CSV.
const MIX_NAME: &str = "mix";

/// The lengths of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// This many bytes each.
    Bytes(usize),
    /// 64 B (half of the keys), 512 B (30 %), 4 KiB (15 %) and 64 KiB (5 %).
    Mix,
}

impl Payload {
    /// The length of the response of `key`.
    pub(crate) fn length(self, key: Key) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Mix => {
                let mut drawn = keys::draw(key, 100);
                let chosen = MIX.iter().find(|(_, share)| {
                    let below = drawn < *share;
                    drawn = drawn.saturating_sub(*share);
                    below
                });
                chosen.expect("the shares make a hundred").0
            }
        }
    }

    /// The shortest and the longest response.
    pub(crate) const fn range(self) -> (usize, usize) {
        match self {
            Self::Bytes(bytes) => (bytes, bytes),
            Self::Mix => (MIX[0].0, MIX[MIX.len() - 1].0),
        }
    }

    /// The bytes of a hundred responses, as they are to be expected.
    pub(crate) fn of_a_hundred(self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes as u64 * 100,
            Self::Mix => MIX.iter().map(|&(bytes, share)| bytes as u64 * share).sum(),
        }
    }

    /// The bytes of the responses of the keys that `counters` give.
    pub(crate) fn total(self, counters: std::ops::Range<u64>) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes as u64 * (counters.end - counters.start),
            Self::Mix => counters.map(|counter| self.length(keys::key(counter)) as u64).sum(),
        }
    }

    /// Reads what `Display` writes.
    pub(crate) fn named(text: &str) -> Option<Self> {
        if text == MIX_NAME {
            return Some(Self::Mix);
        }
        text.replace('_', "").parse().ok().map(Self::Bytes)
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Mix => f.write_str(MIX_NAME),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive() {
        for payload in [Payload::Bytes(0), Payload::Bytes(256), Payload::Mix] {
            assert_eq!(Payload::named(&payload.to_string()), Some(payload));
        }
        assert_eq!(Payload::named("many"), None);
    }

    #[test]
    fn the_mix_has_its_shares() {
        const KEYS: u64 = 100_000;
        for (bytes, share) in MIX {
            let of_these = |counter: &u64| Payload::Mix.length(keys::key(*counter)) == bytes;
            let found = (0..KEYS).filter(of_these).count() as u64;
            let expected = KEYS / 100 * share;
            assert!(found.abs_diff(expected) < KEYS / 100, "{bytes}: {found}, not {expected}");
        }
    }

    #[test]
    fn totals_are_sums() {
        for payload in [Payload::Bytes(7), Payload::Mix] {
            let whole = payload.total(0..1000);
            assert_eq!(whole, payload.total(0..300) + payload.total(300..1000));
        }
        assert_eq!(Payload::Bytes(7).total(3..13), 70);
        assert_eq!(Payload::Mix.of_a_hundred(), 407_680);
    }
}
