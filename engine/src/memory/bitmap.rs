//! A lock-free allocator of runs of units: one bit a unit, 1 = in use.
//!
//! It hands out everything the engine reuses: flights, waiter nodes, overflow pairs, timer chunks
//! and the arena's granules. There is no free list, hence no ABA and nothing to wrap: a unit is
//! free when its bit is 0, neighbours that are free *are* one larger run, and freed memory serves
//! any size at once.
//!
//! Search is next-fit within a *chunk* of words that a shard has to itself most of the time, so that
//! threads allocate side by side, units come out in address order, and a unit just freed is not the
//! next one used (which slows the wrap of whatever generation its user keeps). Chunks beyond
//! `active` have never been touched; `active` grows only when those in use are nearly full, which
//! keeps resident memory near what is live.
//!
//! bitmap.1  A unit belongs to whoever set its bit from 0 to 1, until the same party clears it.
//! bitmap.2  A run that spans words is claimed word by word in ascending order and rolled back on
//!     the first conflict: a thread stopped in between holds only the bits it has set.
//!
//! Progress: lock-free. A failed CAS means that another call took or freed a unit in that word.

use core::iter::successors;
use core::num::NonZeroU64;

use crossbeam_utils::CachePadded;

use crate::memory::pages::Paged;
use crate::memory::region::Region;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

const WORD_BITS: u32 = u64::BITS;
/// Words that one search for a sparse run looks through.
const SEARCH_WORDS: u32 = 1024;
/// Chunks that are looked at before new memory is touched.
const ROOMY_TRIES: u32 = 4;

/// See the module.
pub(crate) struct Bitmap {
    words: Region<AtomicU64>,
    unit_count: u32,
    reserved: u32,
    /// A power of two.
    chunk_units: u32,
    chunk_count: u32,
    /// Chunks that may be searched; only grows.
    active: CachePadded<AtomicU32>,
    /// Ticket for the next chunk a shard moves to.
    ring: CachePadded<AtomicU32>,
    /// Per shard: the unit where its next search starts.
    cursors: Box<[CachePadded<AtomicU32>]>,
}

impl Bitmap {
    /// `unit_count` units, the first `reserved` of them never handed out; `chunk_words` words of 64
    /// units make a chunk. `None` if there is no memory.
    pub(crate) fn new(
        unit_count: u32,
        reserved: u32,
        chunk_words: u32,
        shard_count: u32,
    ) -> Option<Self> {
        let chunk_units = chunk_words * WORD_BITS;
        let word_count = unit_count.div_ceil(WORD_BITS);
        let words: Region<AtomicU64> = Region::new(word_count as usize)?;
        debug_assert!(chunk_words.is_power_of_two());
        debug_assert!(reserved < WORD_BITS && reserved <= unit_count);
        // Relaxed throughout: nobody else sees the map yet.
        words[0].store((1 << reserved) - 1, Ordering::Relaxed);
        let tail = unit_count % WORD_BITS;
        if tail != 0 {
            words[word_count as usize - 1].fetch_or(!0 << tail, Ordering::Relaxed);
        }
        let chunk_count = unit_count.div_ceil(chunk_units);
        let active = shard_count.min(chunk_count);
        Some(Self {
            words,
            unit_count,
            reserved,
            chunk_units,
            chunk_count,
            active: CachePadded::new(AtomicU32::new(active)),
            ring: CachePadded::new(AtomicU32::new(active)),
            cursors: (0..shard_count)
                .map(|s| CachePadded::new(AtomicU32::new((s % active) * chunk_units)))
                .collect(),
        })
    }

    pub(crate) fn region(&mut self) -> &mut dyn Paged {
        &mut self.words
    }

    /// Claims `count` adjacent units, or `None` if there is no such run.
    #[inline]
    pub(crate) fn alloc(&self, count: u32, shard: usize) -> Option<u32> {
        debug_assert!(count > 0);
        let cursor = &self.cursors[shard];
        // Relaxed: the cursor is a hint.
        let from = cursor.load(Ordering::Relaxed);
        let start = match self.alloc_in_word(from, count) {
            Some(start) => start,
            None => self.alloc_by_chunk(from, count)?,
        };
        let next = start + count;
        let is_chunk_over = next & (self.chunk_units - 1) == 0 || next >= self.unit_count;
        let next = if is_chunk_over { self.leave_chunk(self.chunk_of(start)) } else { next };
        cursor.store(next, Ordering::Relaxed);
        Some(start)
    }

    /// Searches chunk by chunk: first those that have room, then fresh ones, then all.
    #[inline(never)]
    fn alloc_by_chunk(&self, from: u32, count: u32) -> Option<u32> {
        if count <= self.chunk_units / 2 {
            if let Some(start) = self.alloc_between(from, self.chunk_end_of(from), count) {
                return Some(start);
            }
            let mut from = self.leave_chunk(self.chunk_of(from));
            for _ in 0..ROOMY_TRIES {
                if let Some(start) = self.alloc_between(from, self.chunk_end_of(from), count) {
                    return Some(start);
                }
                from = self.roomy_chunk();
            }
            while let Some(fresh) = self.fresh_chunk() {
                if let Some(start) = self.alloc_between(fresh, self.chunk_end_of(fresh), count) {
                    return Some(start);
                }
            }
        }
        // Too large for a chunk, or every chunk is nearly full or in pieces: any run at all.
        let start = self.alloc_between(0, self.unit_count, count)?;
        let last_chunk = self.chunk_of(start + count - 1);
        self.active.fetch_max(last_chunk + 1, Ordering::Relaxed);
        Some(start)
    }

    /// Claims the free units from `from` on, up to the first that is in use or `to`; how many.
    pub(crate) fn take_free(&self, from: u32, to: u32) -> u32 {
        let mut taken_to = from;
        while taken_to < to {
            let (index, bit) = (taken_to / WORD_BITS, taken_to % WORD_BITS);
            // Relaxed: only a guess, `take_run` decides.
            let used = self.words[index as usize].load(Ordering::Relaxed) >> bit;
            let free = used.trailing_zeros().min(WORD_BITS - bit).min(to - taken_to);
            if free == 0 || self.take_run(taken_to, free).is_err() {
                break;
            }
            taken_to += free;
        }
        taken_to - from
    }

    /// The beginning of a run of `count` units that has few in use, among `SEARCH_WORDS` words from
    /// unit `from` on; and where to search next. It begins with a free unit.
    pub(crate) fn sparsest_run(&self, count: u32, from: u32) -> (Option<u32>, u32) {
        let end = self.active_word_count();
        let first = if from / WORD_BITS < end { from / WORD_BITS } else { 0 };
        let searched = first.saturating_add(SEARCH_WORDS).min(end);
        // Relaxed: only a guess, and it may change in between.
        let word = |index: u32| self.words[index as usize].load(Ordering::Relaxed);
        let ones = |index: u32| word(index).count_ones();
        let width = count.div_ceil(WORD_BITS);
        // Nothing is taken beyond the words in use without saying so (`active_word_count`).
        let searchable = end.saturating_mul(WORD_BITS).min(self.unit_count);
        // Where the first free run of a word begins, though it be in the word before: close to what is
        // in use there, so that no gap is left that serves nobody.
        let start = |index: u32| {
            let used = word(index);
            let before =
                if index > 0 && used & 1 == 0 { word(index - 1).leading_zeros() } else { 0 };
            let start = index * WORD_BITS + used.trailing_ones() - before;
            (used != u64::MAX && count <= searchable.saturating_sub(start)).then_some(start)
        };
        let last = searched.min((end + 1).saturating_sub(width));
        let mut used: u32 = (first..first + width).take_while(|i| *i < end).map(ones).sum();
        let mut sparsest = None;
        for index in first..last {
            if let Some(start) = start(index)
                && sparsest.is_none_or(|(least, _)| used < least)
            {
                sparsest = Some((used, start));
            }
            used = used.saturating_sub(ones(index))
                + if index + width < end { ones(index + width) } else { 0 };
        }
        (sparsest.map(|(_, start)| start), searched * WORD_BITS)
    }

    /// Gives `count` units from `start` back. They must be the caller's (bitmap.1).
    pub(crate) fn free(&self, start: u32, count: u32) {
        for (index, mask) in word_masks(start, count) {
            // Release: what the owner did with the units happens before their next owner's Acquire
            // in `take_run`.
            let before = self.words[index].fetch_and(!mask, Ordering::Release);
            debug_assert_eq!(before & mask, mask, "bitmap.1: freed units that were not in use");
        }
    }

    /// The units in use in word `index`, as bits.
    fn word(&self, index: u32) -> u64 {
        // Acquire: pairs with the Release in `free`, also when the bit was set again since: the
        // visitor sees the unit as its last owner left it, or newer.
        self.words[index as usize].load(Ordering::Acquire)
    }

    /// The units in use in word `index`, in ascending order; the reserved ones as well.
    pub(crate) fn in_use(&self, index: u32) -> impl Iterator<Item = u32> {
        let next = |left: &NonZeroU64| NonZeroU64::new(left.get() & (left.get() - 1));
        successors(NonZeroU64::new(self.word(index)), next)
            .map(move |left| index * WORD_BITS + left.trailing_zeros())
            // The bits beyond the last unit are set for good.
            .take_while(|unit| *unit < self.unit_count)
    }

    /// Words that have ever been searched: nothing is in use beyond them.
    pub(crate) fn active_word_count(&self) -> u32 {
        let units = self.active.load(Ordering::Relaxed).saturating_mul(self.chunk_units);
        units.min(self.unit_count).div_ceil(WORD_BITS)
    }

    /// Units in use, counted. For tests and reports, not for decisions.
    pub(crate) fn used(&self) -> u32 {
        let words = 0..self.active_word_count();
        let taken: u32 = words.clone().map(|index| self.word(index).count_ones()).sum();
        // The bits beyond the last unit are set for good, and so are the reserved ones.
        let beyond = (words.end * WORD_BITS).saturating_sub(self.unit_count);
        taken - beyond - self.reserved
    }

    #[inline]
    fn chunk_of(&self, unit: u32) -> u32 {
        // Not a division: this is on the way of every allocation.
        unit >> self.chunk_units.trailing_zeros()
    }

    fn chunk_end_of(&self, unit: u32) -> u32 {
        (self.chunk_of(unit) + 1).saturating_mul(self.chunk_units).min(self.unit_count)
    }

    /// Where to go on after the end of a chunk: at its beginning, if that has become free meanwhile
    /// (it is warm), else in another.
    #[inline(never)]
    fn leave_chunk(&self, chunk: u32) -> u32 {
        if self.free_share(chunk) >= 2 { chunk * self.chunk_units } else { self.roomy_chunk() }
    }

    /// The next chunk in the ring of those in use that has room; if a few have none, a fresh one.
    fn roomy_chunk(&self) -> u32 {
        let active = self.active.load(Ordering::Relaxed);
        let mut chunk = 0;
        for _ in 0..ROOMY_TRIES {
            // Relaxed: a ticket, nothing is published through it.
            chunk = self.ring.fetch_add(1, Ordering::Relaxed) % active;
            if self.free_share(chunk) >= 1 {
                return chunk * self.chunk_units;
            }
        }
        self.fresh_chunk().unwrap_or(chunk * self.chunk_units)
    }

    /// The first unit of a chunk that has never been searched, if there is one left.
    fn fresh_chunk(&self) -> Option<u32> {
        // Relaxed: `active` publishes nothing, bits do.
        let fresh = self.active.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |active| {
            (active < self.chunk_count).then_some(active + 1)
        });
        fresh.ok().map(|chunk| chunk * self.chunk_units)
    }

    /// How many quarters of a chunk are free, rounded down.
    fn free_share(&self, chunk: u32) -> u32 {
        let first = chunk * self.chunk_units;
        let end = self.chunk_end_of(first);
        let words = &self.words[(first / WORD_BITS) as usize..end.div_ceil(WORD_BITS) as usize];
        let used: u32 = words.iter().map(|w| w.load(Ordering::Relaxed).count_ones()).sum();
        (self.chunk_units - used.min(self.chunk_units)) * 4 / self.chunk_units
    }

    /// The run at the cursor's word, from the cursor on: nearly always there is one.
    #[inline]
    fn alloc_in_word(&self, from: u32, count: u32) -> Option<u32> {
        let word = &self.words[(from / WORD_BITS) as usize];
        // Relaxed: only a guess, the CAS decides.
        let used = word.load(Ordering::Relaxed);
        let starts = run_starts(!used & !0 << (from % WORD_BITS), count);
        if starts == 0 {
            return None;
        }
        let at = starts.trailing_zeros();
        let mask = (!0 >> (WORD_BITS - count)) << at;
        // Acquire: as in `take_run`.
        word.compare_exchange(used, used | mask, Ordering::Acquire, Ordering::Relaxed).ok()?;
        Some(from / WORD_BITS * WORD_BITS + at)
    }

    fn alloc_between(&self, from: u32, to: u32, count: u32) -> Option<u32> {
        let mut from = from;
        while let Some(start) = self.find_run(from, to, count) {
            match self.take_run(start, count) {
                Ok(()) => return Some(start),
                Err(conflict) => from = conflict,
            }
        }
        None
    }

    /// The first run of `count` free units that starts at or after `from` and ends by `to`.
    fn find_run(&self, from: u32, to: u32, count: u32) -> Option<u32> {
        let (mut start, mut length) = (from, 0);
        let mut at = from;
        while at < to {
            let index = at / WORD_BITS;
            // Relaxed: only a guess, `take_run` decides.
            let mut used = self.words[index as usize].load(Ordering::Relaxed);
            used |= !(!0 << (at % WORD_BITS));
            let next = (index + 1) * WORD_BITS;
            let found = if used == 0 {
                length += WORD_BITS;
                (length >= count).then_some(start)
            } else {
                let leading = used.trailing_zeros();
                if length > 0 && length + leading >= count {
                    Some(start)
                } else {
                    let inside = run_starts(!used, count);
                    let tail = used.leading_zeros();
                    (start, length) = (next - tail, tail);
                    (inside != 0).then(|| index * WORD_BITS + inside.trailing_zeros())
                }
            };
            if let Some(start) = found {
                return (start + count <= to).then_some(start);
            }
            at = next;
        }
        None
    }

    /// Sets the bits of a run, or none of them; on conflict says where to search on.
    fn take_run(&self, start: u32, count: u32) -> Result<(), u32> {
        let mut taken = 0;
        for (index, mask) in word_masks(start, count) {
            // Acquire: pairs with the Release in `free`, so the last owner is done with the units.
            let take =
                self.words[index].fetch_update(Ordering::Acquire, Ordering::Relaxed, |used| {
                    (used & mask == 0).then_some(used | mask)
                });
            match take {
                Ok(_) => taken += mask.count_ones(),
                Err(used) => {
                    if taken > 0 {
                        self.free(start, taken);
                    }
                    let last = WORD_BITS - (used & mask).leading_zeros();
                    return Err(index as u32 * WORD_BITS + last);
                }
            }
        }
        Ok(())
    }
}

/// Bit i of the result: bits i..i+count of `free` are all 1 (within the word).
fn run_starts(free: u64, count: u32) -> u64 {
    if count > WORD_BITS {
        return 0;
    }
    let (mut starts, mut length) = (free, 1);
    while length < count {
        let step = length.min(count - length);
        starts &= starts >> step;
        length += step;
    }
    starts
}

/// The words a run lies in, each with the mask of its bits there.
fn word_masks(start: u32, count: u32) -> impl Iterator<Item = (usize, u64)> {
    let end = u64::from(start) + u64::from(count);
    (start / WORD_BITS..end.div_ceil(u64::from(WORD_BITS)) as u32).map(move |index| {
        let base = u64::from(index) * u64::from(WORD_BITS);
        let low = u64::from(start).saturating_sub(base);
        let high = (end - base).min(u64::from(WORD_BITS));
        let mask = (!0 >> (u64::from(WORD_BITS) - (high - low))) << low;
        (index as usize, mask)
    })
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn masks_cover_exactly_the_run() {
        for start in 0..130 {
            for count in 1..200 {
                let mut bits = std::collections::BTreeSet::new();
                for (index, mask) in word_masks(start, count) {
                    (0..64).filter(|b| mask >> b & 1 == 1).for_each(|b| {
                        bits.insert(index as u32 * 64 + b);
                    });
                }
                assert_eq!(bits, (start..start + count).collect());
            }
        }
    }

    #[test]
    fn units_in_use_are_visited_once_and_nothing_else_is() {
        let map = Bitmap::new(130, 1, 1, 1).unwrap();
        let visited = || (0..map.active_word_count()).flat_map(|word| map.in_use(word)).collect();
        assert_eq!(map.alloc(129, 0), Some(1));
        let mut units: Vec<u32> = visited();
        assert_eq!(units, Vec::from_iter(0..130), "none of those beyond the last");
        for gap in [64, 63, 129] {
            map.free(gap, 1);
            units.retain(|unit| *unit != gap);
            assert_eq!(units, visited());
        }
    }

    #[test]
    fn freed_units_serve_any_size() {
        let map = Bitmap::new(640, 1, 2, 2).unwrap();
        let mut held: Vec<(u32, u32)> = Vec::new();
        for round in 0..200_u32 {
            let count = [1, 5, 64, 65, 129][round as usize % 5];
            while held.iter().map(|(_, n)| n).sum::<u32>() + count > 320 {
                let (start, n) = held.remove(0);
                map.free(start, n);
            }
            let start = map.alloc(count, round as usize % 2).expect("half of the map is free");
            assert!(start > 0 && start + count <= 640);
            assert!(held.iter().all(|(s, n)| start + count <= *s || s + n <= start));
            held.push((start, count));
        }
        held.drain(..).for_each(|(start, n)| map.free(start, n));
        assert_eq!(map.used(), 0);
        assert_eq!(map.alloc(639, 0), Some(1));
        assert_eq!(map.alloc(1, 0), None);
    }

    #[test]
    fn a_sparse_run_lies_within_the_words_in_use() {
        // 130 units, of which one chunk of 64 is in use: a run must end there, however long it is.
        let map = Bitmap::new(130, 1, 1, 1).unwrap();
        assert_eq!(map.alloc(1, 0), Some(1));
        assert_eq!(map.sparsest_run(62, 0).0, Some(2));
        assert_eq!(map.sparsest_run(63, 0).0, None);
        assert_eq!(map.sparsest_run(u32::MAX, 0).0, None);
    }

    #[test]
    fn a_small_live_set_stays_in_few_chunks() {
        let map = Bitmap::new(1 << 20, 1, 64, 1).unwrap();
        let mut held = std::collections::VecDeque::new();
        for _ in 0..1_000_000 {
            held.push_back(map.alloc(5, 0).unwrap());
            if held.len() > 100 {
                map.free(held.pop_front().unwrap(), 5);
            }
        }
        assert!(map.active_word_count() <= 64 * 2, "{}", map.active_word_count());
    }
}
