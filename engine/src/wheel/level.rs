//! The arithmetic of a hierarchical timer wheel: plain functions of ticks, no clock, no atomics.
//!
//! Level l has `1 << slot_bits` slots of `1 << (l * slot_bits)` ticks each. A tick at most one
//! level's round away goes to that level; when time comes to the slot's first tick, its entries
//! move to a lower level, until in level 0 a slot is one tick.

/// How many slots and levels a wheel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) slot_bits: u32,
    pub(crate) level_count: u32,
}

/// One slot of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) level: u32,
    pub(crate) slot: u32,
}

impl Shape {
    pub(crate) const fn slot_count(self) -> u32 {
        1 << self.slot_bits
    }

    pub(crate) const fn bucket_count(self) -> u32 {
        self.slot_count() * self.level_count
    }

    /// The furthest distance that can be placed.
    pub(crate) const fn span(self) -> u64 {
        1 << (self.slot_bits * self.level_count)
    }

    pub(crate) const fn index(self, bucket: Bucket) -> usize {
        (bucket.level * self.slot_count() + bucket.slot) as usize
    }

    /// Where `tick` goes when everything up to `done` has been processed, and the tick at which
    /// that bucket is processed. `tick` is brought into `done + 1 ..= done + span`.
    pub(crate) fn place(self, done: u64, tick: u64) -> (Bucket, u64) {
        let tick = tick.clamp(done + 1, done + self.span());
        // Counted from the next tick: so when a bucket is processed, at its first tick, each of its
        // entries finds its place in a lower level.
        let distance = tick - done - 1;
        let mut level = 0;
        while distance >> self.shift(level + 1) != 0 {
            level += 1;
        }
        let first = tick >> self.shift(level) << self.shift(level);
        (Bucket { level, slot: self.slot(tick, level) }, first)
    }

    /// The buckets that are processed at `tick`, the highest level first.
    pub(crate) fn due(self, tick: u64) -> impl Iterator<Item = Bucket> {
        (0..self.level_count)
            .rev()
            .filter(move |&level| tick & ((1 << self.shift(level)) - 1) == 0)
            .map(move |level| Bucket { level, slot: self.slot(tick, level) })
    }

    /// The first tick after `done`, at most `limit`, at which a bucket that is not empty is
    /// processed.
    pub(crate) fn next(
        self,
        done: u64,
        limit: u64,
        is_empty: impl Fn(Bucket) -> bool,
    ) -> Option<u64> {
        let mut best = limit + 1;
        for level in 0..self.level_count {
            let shift = self.shift(level);
            for round in 1..=u64::from(self.slot_count()) {
                let tick = ((done >> shift) + round) << shift;
                if tick >= best {
                    break;
                }
                if !is_empty(Bucket { level, slot: self.slot(tick, level) }) {
                    best = tick;
                    break;
                }
            }
        }
        (best <= limit).then_some(best)
    }

    const fn shift(self, level: u32) -> u32 {
        level * self.slot_bits
    }

    const fn slot(self, tick: u64, level: u32) -> u32 {
        (tick >> self.shift(level)) as u32 & (self.slot_count() - 1)
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    /// Every tick is visited exactly when its time has come, whatever the distance and the start.
    #[test]
    fn every_entry_comes_to_level_zero_at_its_tick() {
        let shape = Shape { slot_bits: 2, level_count: 3 };
        for start in 0..130 {
            for distance in 1..=shape.span() {
                let tick = start + distance;
                let (mut bucket, mut first) = shape.place(start, tick);
                while bucket.level > 0 {
                    assert!(first <= tick && first > start);
                    assert!(shape.due(first).any(|b| b == bucket));
                    (bucket, first) = shape.place(first - 1, tick);
                }
                assert_eq!(first, tick, "from {start} by {distance}");
            }
        }
    }

    #[test]
    fn next_finds_the_first_bucket_that_is_not_empty() {
        let shape = Shape { slot_bits: 2, level_count: 3 };
        for done in 0..70 {
            for tick in done + 1..=done + shape.span() {
                let (bucket, first) = shape.place(done, tick);
                let next = shape.next(done, done + 100, |b| b != bucket);
                assert_eq!(next, Some(first), "from {done} to {tick}");
            }
        }
        assert_eq!(shape.next(5, 9, |_| true), None);
    }
}
