//! A hard limit that many threads draw on without meeting at one word.
//!
//! The amount left lies in one common pot and, in small lumps, with the shards. A shard that runs
//! out refills from the pot and, when that is empty, from the other shards: so the limit is exact -
//! it refuses only when all places together have less than was asked - and touched in common only
//! once a lump.
//!
//! budget.1  pot + all purses + what is handed out == limit, except for what a call has in its
//!     hands. A thread stopped inside `take` or `give` costs others at most a lump besides what
//!     it asked for.

use crossbeam_utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

/// See the module.
pub(crate) struct Budget {
    limit: u64,
    lump: u64,
    pot: CachePadded<AtomicU64>,
    purses: Box<[CachePadded<AtomicU64>]>,
}

impl Budget {
    pub(crate) fn new(limit: u64, lump: u64, shard_count: u32) -> Self {
        Self {
            limit,
            // All purses together never hold back more than a quarter.
            lump: lump.min(limit / (8 * u64::from(shard_count))).max(1),
            pot: CachePadded::new(AtomicU64::new(limit)),
            purses: (0..shard_count).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
        }
    }

    /// Draws `amount`; false if the limit does not allow it.
    pub(crate) fn take(&self, amount: u64, shard: usize) -> bool {
        let purse = &self.purses[shard];
        if amount == 0 || draw(purse, amount) {
            return true;
        }
        let mut held = drain(&self.pot, amount + self.lump);
        for other in &self.purses {
            if held >= amount {
                break;
            }
            held += drain(other, amount - held);
        }
        let enough = held >= amount;
        let rest = if enough { held - amount } else { held };
        if rest > 0 {
            put(purse, rest);
        }
        enough
    }

    /// Gives `amount` back.
    pub(crate) fn give(&self, amount: u64, shard: usize) {
        let purse = &self.purses[shard];
        // Relaxed: a count; the things counted are published by their own words.
        let had = purse.fetch_add(amount, Ordering::Relaxed);
        if had + amount > 2 * self.lump {
            put(&self.pot, drain(purse, self.lump));
        }
    }

    /// What is handed out now. Exact when nobody is inside a call.
    pub(crate) fn used(&self) -> u64 {
        let idle: u64 = self.purses.iter().map(|p| p.load(Ordering::Relaxed)).sum();
        self.limit.saturating_sub(idle + self.pot.load(Ordering::Relaxed))
    }
}

/// Takes exactly `amount` or nothing.
fn draw(place: &AtomicU64, amount: u64) -> bool {
    place
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |have| have.checked_sub(amount))
        .is_ok()
}

/// Takes up to `amount`.
fn drain(place: &AtomicU64, amount: u64) -> u64 {
    place
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |have| {
            (have > 0).then(|| have.saturating_sub(amount))
        })
        .map_or(0, |had| had.min(amount))
}

fn put(place: &AtomicU64, amount: u64) {
    place.fetch_add(amount, Ordering::Relaxed);
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_however_it_is_spread() {
        let budget = Budget::new(100, 16, 4);
        let mut taken = 0;
        for i in 0..1000 {
            if budget.take(3, i % 4) {
                taken += 3;
            }
            if i % 7 == 0 && taken > 0 {
                budget.give(3, (i + 1) % 4);
                taken -= 3;
            }
            assert_eq!(budget.used(), taken);
            assert!(taken <= 100);
        }
        assert_eq!(taken, 99, "as many threes as fit");
        assert!(budget.take(1, 0) && !budget.take(1, 0));
    }
}
