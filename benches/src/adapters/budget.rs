//! The byte bound of the peers: a hard limit that worker threads do not contend for.
//!
//! Each worker draws bytes from the pool a chunk at a time and keeps what it does not use as
//! credit of its own, so that a store and a removal are one atomic step each on a line that no
//! other worker writes. Pool, credits and bytes in use add up to the limit, so the limit holds;
//! within a few chunks of it a worker takes back what the others have not used.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// What a worker draws at once.
const CHUNK: u64 = 64 << 10;

/// A bound on bytes in use.
pub(crate) struct ByteBudget {
    limit: u64,
    pool: CachePadded<AtomicU64>,
    credits: Box<[CachePadded<AtomicU64>]>,
}

// Relaxed throughout: the counts order nothing but themselves.
impl ByteBudget {
    /// A budget of `limit` bytes for `lanes` workers.
    pub(crate) fn new(limit: u64, lanes: usize) -> Self {
        Self {
            limit,
            pool: CachePadded::new(AtomicU64::new(limit)),
            credits: (0..lanes).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
        }
    }

    /// Takes `bytes` for worker `lane`; false if the bound forbids it.
    pub(crate) fn take(&self, lane: usize, bytes: u64) -> bool {
        let taken =
            self.credits[lane].fetch_update(Ordering::Relaxed, Ordering::Relaxed, |credit| {
                credit.checked_sub(bytes)
            });
        taken.is_ok() || self.take_beyond_credit(lane, bytes)
    }

    #[cold]
    fn take_beyond_credit(&self, lane: usize, bytes: u64) -> bool {
        // What is drawn is in nobody's count until it is used or put back.
        let mut drawn = draw(&self.pool, bytes.max(CHUNK));
        for credit in &self.credits {
            if drawn >= bytes {
                break;
            }
            drawn += draw(credit, u64::MAX);
        }
        if drawn < bytes {
            self.pool.fetch_add(drawn, Ordering::Relaxed);
            return false;
        }
        self.credits[lane].fetch_add(drawn - bytes, Ordering::Relaxed);
        true
    }

    /// Gives `bytes` back.
    pub(crate) fn put(&self, lane: usize, bytes: u64) {
        let credit = &self.credits[lane];
        if credit.fetch_add(bytes, Ordering::Relaxed) + bytes > 4 * CHUNK {
            let surplus = draw(credit, 2 * CHUNK);
            self.pool.fetch_add(surplus, Ordering::Relaxed);
        }
    }

    /// Bytes in use; exact while nobody takes or puts.
    pub(crate) fn used(&self) -> u64 {
        let credits = self.credits.iter();
        let unused: u64 = credits.map(|credit| credit.load(Ordering::Relaxed)).sum();
        self.limit - self.pool.load(Ordering::Relaxed) - unused
    }
}

/// Takes at most `most` out of `count` and says how much it was.
fn draw(count: &AtomicU64, most: u64) -> u64 {
    let before = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
        (held > 0).then(|| held.saturating_sub(most))
    });
    before.map_or(0, |held| held.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_exact() {
        let budget = ByteBudget::new(10 * CHUNK, 3);
        let mut taken = 0;
        let mut lane = 0;
        while budget.take(lane, 1000) {
            taken += 1000;
            lane = (lane + 1) % 3;
        }
        assert_eq!(taken, 10 * CHUNK / 1000 * 1000);
        assert_eq!(budget.used(), taken);
        while taken > 0 {
            budget.put(1, 1000);
            taken -= 1000;
        }
        assert_eq!(budget.used(), 0);
        assert!(!budget.take(0, 10 * CHUNK + 1));
        assert!(budget.take(0, 10 * CHUNK));
    }
}
