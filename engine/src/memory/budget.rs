//! The hard limits of records and bytes (R1), which many threads draw on without meeting at one word.
//!
//! The room left lies in one common pot and, in small lumps, with the shards. A shard that runs out
//! refills from the pot and, when that is empty, from the other shards: so the limit is exact - it
//! refuses only when all places together have less than was asked - and touched in common only once a
//! lump. Records and granules are in one word, since a claim draws one of each.
//!
//! budget.1  pot + all purses + what is handed out == limit, except for what a call has in its
//!     hands. A thread stopped inside `take` or `give` costs others at most a lump besides what
//!     it asked for.

use crossbeam_utils::CachePadded;

use crate::record::Field;
use crate::sync::{AtomicU64, Ordering};

type GranuleBits = Field<0, 32>;
type RecordBits = Field<{ GranuleBits::END }, 32>;

/// How many records, and how many granules of the arena: one word, as it is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room(u64);

impl Room {
    pub(crate) const NONE: Self = Self::of(0, 0);

    pub(crate) const fn of(records: u32, granules: u32) -> Self {
        Self(RecordBits::put(records as u64) | GranuleBits::put(granules as u64))
    }

    /// As one word, to be kept.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn records(self) -> u32 {
        RecordBits::get(self.0) as u32
    }

    #[inline]
    pub(crate) fn granules(self) -> u32 {
        GranuleBits::get(self.0) as u32
    }

    #[inline]
    pub(crate) fn plus(self, other: Self) -> Self {
        self.zip(other, u32::saturating_add)
    }

    /// What is left without `other`; none of what there is less of.
    #[inline]
    pub(crate) fn minus(self, other: Self) -> Self {
        self.zip(other, u32::saturating_sub)
    }

    #[inline]
    fn covers(self, other: Self) -> bool {
        self.records() >= other.records() && self.granules() >= other.granules()
    }

    #[inline]
    fn zip(self, other: Self, both: impl Fn(u32, u32) -> u32) -> Self {
        Self::of(both(self.records(), other.records()), both(self.granules(), other.granules()))
    }
}

impl core::fmt::Debug for Room {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} records, {} granules", self.records(), self.granules())
    }
}

/// See the module.
pub(crate) struct Budget {
    limit: Room,
    lump: Room,
    pot: CachePadded<AtomicU64>,
    purses: Box<[CachePadded<AtomicU64>]>,
}

impl Budget {
    pub(crate) fn new(limit: Room, lump: Room, shard_count: u32) -> Self {
        Self {
            limit,
            // All purses together never hold back more than a quarter.
            lump: lump.zip(limit, |lump, limit| lump.min(limit / (8 * shard_count)).max(1)),
            pot: CachePadded::new(AtomicU64::new(limit.0)),
            purses: (0..shard_count).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
        }
    }

    /// Draws `wanted`, all or nothing; false if the limit does not allow it.
    #[inline]
    pub(crate) fn take(&self, wanted: Room, shard: usize) -> bool {
        let purse = &self.purses[shard];
        wanted == Room::NONE || draw(purse, wanted) || self.collect(wanted, purse)
    }

    /// Draws from the purse what it has of it, and the rest from the pot, with some for later; then from
    /// the other shards. Only of what lacks there is more for later: or the one that lasts longer would
    /// heap up here, refill by refill, until the pot has none and all shards live on each other's.
    #[cold]
    fn collect(&self, wanted: Room, purse: &AtomicU64) -> bool {
        let mut held = drain(purse, wanted);
        let with_lump = |lacks: u32, lump: u32| if lacks > 0 { lacks + lump } else { 0 };
        held = held.plus(drain(&self.pot, wanted.minus(held).zip(self.lump, with_lump)));
        for other in &self.purses {
            if held.covers(wanted) {
                break;
            }
            held = held.plus(drain(other, wanted.minus(held)));
        }
        let enough = held.covers(wanted);
        put(purse, if enough { held.minus(wanted) } else { held });
        enough
    }

    /// Gives `room` back.
    #[inline]
    pub(crate) fn give(&self, room: Room, shard: usize) {
        let purse = &self.purses[shard];
        // Relaxed: a count; the things counted are published by their own words. No carry from one
        // half to the other: neither exceeds its limit (budget.1).
        let had = purse.fetch_add(room.0, Ordering::Relaxed);
        let over = |had: u32, lump: u32| if had > 2 * lump { lump } else { 0 };
        let spare = Room(had).plus(room).zip(self.lump, over);
        if spare != Room::NONE {
            put(&self.pot, drain(purse, spare));
        }
    }

    /// What is handed out now. Exact when nobody is inside a call.
    pub(crate) fn used(&self) -> Room {
        let load = |place: &AtomicU64| Room(place.load(Ordering::Relaxed));
        let idle = self.purses.iter().fold(load(&self.pot), |sum, purse| sum.plus(load(purse)));
        self.limit.minus(idle)
    }

    /// What is left, as `used`.
    pub(crate) fn left(&self) -> Room {
        self.limit.minus(self.used())
    }
}

/// Takes exactly `wanted` or nothing.
#[inline]
fn draw(place: &AtomicU64, wanted: Room) -> bool {
    let less = |have| Room(have).covers(wanted).then(|| have - wanted.0);
    place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
}

/// Takes up to `wanted`.
fn drain(place: &AtomicU64, wanted: Room) -> Room {
    let mut taken = Room::NONE;
    let less = |have| {
        taken = Room(have).zip(wanted, u32::min);
        (taken != Room::NONE).then(|| have - taken.0)
    };
    // Fails only where there is nothing to take.
    let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    taken
}

fn put(place: &AtomicU64, room: Room) {
    if room != Room::NONE {
        place.fetch_add(room.0, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_however_it_is_spread() {
        let budget = Budget::new(Room::of(1000, 100), Room::of(64, 16), 4);
        let three = Room::of(1, 3);
        let mut taken = Room::NONE;
        for i in 0..1000 {
            if budget.take(three, i % 4) {
                taken = taken.plus(three);
            }
            if i % 7 == 0 && taken != Room::NONE {
                budget.give(three, (i + 1) % 4);
                taken = taken.minus(three);
            }
            assert_eq!(budget.used(), taken);
            assert!(taken.granules() <= 100);
        }
        assert_eq!(taken, Room::of(33, 99), "as many threes as fit");
        let one = Room::of(0, 1);
        assert!(budget.take(one, 0) && !budget.take(one, 0));
        assert!(!budget.take(three, 0), "one of the two is not enough");
        assert!(budget.take(Room::of(967, 0), 1) && budget.left() == Room::NONE);
    }

    #[test]
    fn a_shard_heaps_up_neither_of_the_two() {
        // Another shard gives back what this one takes, as a helper thread does.
        let budget = Budget::new(Room::of(10_000, 100_000), Room::of(64, 1024), 2);
        for _ in 0..100_000 {
            assert!(budget.take(Room::of(1, 1), 0) && budget.take(Room::of(0, 4), 0));
            budget.give(Room::of(1, 5), 1);
        }
        let purse = Room(budget.purses[0].load(Ordering::Relaxed));
        assert!(purse.records() <= 64 && purse.granules() <= 1024 + 4, "{purse:?}");
    }
}
