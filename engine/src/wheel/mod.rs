//! The timer wheel: tells when to look at a line of the table again. It only reminds; what is due
//! is decided from the record and the clock (K7), so an entry may be late, twice or for nothing.
//!
//! Each shard has a wheel of its own, so equal deadlines do not meet at one word. A bucket is a
//! stack of *chunks* of entries. Inserting reserves a place in the top chunk with one CAS; taking
//! out pops a whole chunk, so that a thread stopped while it works through one holds up no more
//! than that.
//!
//! ```text
//! bucket head:  version 32 | filled 8 | chunk 24          chunk: next | 63 entries
//! entry:        line + 1 28 | tag 8 | deadline 28 (low bits)
//! ```
//!
//! wheel.1  A chunk is filled only while it is the top of its bucket, and `next` never changes
//!     there.
//! wheel.2  `done` only grows. Whoever inserts looks at `done` again afterwards, whoever processes
//!     a tick looks at its buckets again after moving `done`: one of the two sees the other, so no
//!     entry stays behind in a bucket whose time has passed.
//! wheel.3  Whoever has reserved a place and written to it looks at the bucket again: if the chunk
//!     has been taken out meanwhile, it takes the entry back and inserts it again. Only what a
//!     thread has in its hands when it is stopped is lost; the sweep that a full engine makes finds
//!     it (R2).
//! wheel.4  Moving an entry never fails: new ones get no chunk once all but one a bucket, and
//!     `IN_HAND`, are in use. Entries that fill so many chunks need at most one more a bucket, however
//!     they are spread; and a thread has at most one in hand. Should more than that many threads be
//!     stopped at once, each with a chunk in hand, a reminder may be lost as in wheel.3.

mod level;
#[cfg(any(fuzzing, all(test, not(idem_loom))))]
pub(crate) mod side_by_side;

use crossbeam_utils::CachePadded;

use level::Bucket;
pub(crate) use level::Shape;

use crate::memory::bitmap::Bitmap;
use crate::memory::pages::Paged;
use crate::memory::region::{Region, Zeroed, prefetch};
use crate::record::Field;
use crate::sync::{AtomicU32, AtomicU64, Ordering, model_fence};

/// Entries of a chunk; its first word is the link to the next. Two in models, to have more chunks.
const CHUNK_ENTRIES: u32 = if cfg!(idem_loom) { 2 } else { 63 };

/// Chunks that may be in the hands of threads: on the way into a bucket, or out of one.
const IN_HAND: u64 = if cfg!(idem_loom) { 4 } else { 64 };

/// Entries of a cache line.
const LINE_ENTRIES: usize = 8;

type ChunkBits = Field<0, 24>;
type Filled = Field<{ ChunkBits::END }, 8>;
type Version = Field<{ Filled::END }, 32>;

type Time = Field<0, 28>;
type Tag = Field<{ Time::END }, 8>;
type LineBits = Field<{ Tag::END }, 28>;

/// A reminder: look at the slots with this tag in this line. It has low bits of the tag in the table,
/// and of the deadline it was inserted for. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry(u64);

impl Entry {
    /// Lines that entries can name.
    pub(crate) const LINE_COUNT_MAX: u64 = LineBits::MAX;

    pub(crate) fn new(line: u32, tag: u64, deadline: u64) -> Self {
        Self(LineBits::put(u64::from(line) + 1) | Tag::put(tag) | Time::put(deadline))
    }

    pub(crate) fn line(self) -> u32 {
        (LineBits::get(self.0) - 1) as u32
    }

    /// Whether it was made for a record with this tag and deadline.
    pub(crate) fn is_for(self, tag: u64, deadline: u64) -> bool {
        self.has_tag(tag) && Time::get(self.0) == deadline & Time::MAX
    }

    pub(crate) fn has_tag(self, tag: u64) -> bool {
        Tag::get(self.0) == tag & Tag::MAX
    }

    /// The full tick, as seen when everything up to `done` has been processed. What is already over
    /// (another thread went on meanwhile) is for the next tick.
    fn tick(self, done: u64) -> u64 {
        let ahead = Time::get(self.0).wrapping_sub(done + 1) & Time::MAX;
        if ahead > Time::MAX / 2 { done + 1 } else { done + 1 + ahead }
    }
}

#[derive(Clone, Copy)]
struct HeadWord {
    version: u64,
    filled: u32,
    chunk: u32,
}

impl HeadWord {
    fn unpack(word: u64) -> Self {
        Self {
            version: Version::get(word),
            filled: Filled::get(word) as u32,
            chunk: ChunkBits::get(word) as u32,
        }
    }

    fn pack(self) -> u64 {
        Version::put(self.version)
            | Filled::put(self.filled.into())
            | ChunkBits::put(self.chunk.into())
    }
}

#[repr(C, align(64))]
struct Chunk {
    next: AtomicU64,
    entries: [AtomicU64; CHUNK_ENTRIES as usize],
}

#[cfg(idem_loom)]
impl Default for Chunk {
    fn default() -> Self {
        Self { next: AtomicU64::new(0), entries: core::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

// SAFETY: region.1 (integer atomics).
unsafe impl Zeroed for Chunk {}

struct Shard {
    /// Every tick up to this one has been processed.
    done: AtomicU64,
    heads: Box<[AtomicU64]>,
}

/// See the module.
pub(crate) struct Wheel {
    shape: Shape,
    shards: Box<[CachePadded<Shard>]>,
    chunks: Region<Chunk>,
    in_use: Bitmap,
    /// Chunks in use, counted once a chunk.
    used: CachePadded<AtomicU32>,
    /// How many may be in use for a new reminder to take another (wheel.4).
    limit: u32,
}

impl Wheel {
    /// Room for about `entry_count` entries.
    pub(crate) fn new(shape: Shape, entry_count: u64, shard_count: u32) -> Option<Self> {
        // Each bucket may hold one chunk that is not full.
        let partial = u64::from(shape.bucket_count() * shard_count);
        let full = entry_count.div_ceil(CHUNK_ENTRIES.into());
        // Twice: L4.
        let chunk_count = (full + 2 * partial + IN_HAND).min(ChunkBits::MAX) as u32;
        let limit = chunk_count.saturating_sub((partial + IN_HAND) as u32);
        let heads = || (0..shape.bucket_count()).map(|_| AtomicU64::new(0)).collect();
        let shard = |_| CachePadded::new(Shard { done: AtomicU64::new(0), heads: heads() });
        Some(Self {
            shape,
            shards: (0..shard_count).map(shard).collect(),
            chunks: Region::new(chunk_count as usize)?,
            in_use: Bitmap::new(chunk_count, 1, 1, shard_count)?,
            used: CachePadded::new(AtomicU32::new(0)),
            limit,
        })
    }

    /// What `Pages` may back, before anybody uses it.
    pub(crate) fn regions(&mut self) -> Vec<&mut dyn Paged> {
        vec![&mut self.chunks, self.in_use.region()]
    }

    /// Inserts a reminder for `deadline`; false if there are too many.
    pub(crate) fn push(&self, entry: Entry, deadline: u64, shard: usize) -> bool {
        self.put(entry, deadline, shard, self.limit)
    }

    /// Inserts a reminder again that came early; there always is room for it (wheel.4).
    pub(crate) fn push_again(&self, entry: Entry, deadline: u64, shard: usize) {
        let inserted = self.put(entry, deadline, shard, u32::MAX);
        debug_assert!(inserted, "wheel.4: moving an entry needs no new room");
    }

    fn put(&self, entry: Entry, deadline: u64, at: usize, limit: u32) -> bool {
        loop {
            // SeqCst here, below and in `advance`: wheel.2 needs insert-then-look against
            // move-then-look in one order. (Free on x86, where the CAS is a full barrier and the
            // load a load.)
            let done = self.shards[at].done.load(Ordering::SeqCst);
            let (bucket, first) = self.shape.place(done, deadline);
            if !self.insert(at, bucket, entry, limit) {
                return false;
            }
            model_fence();
            if self.shards[at].done.load(Ordering::SeqCst) < first {
                return true;
            }
            // The bucket was passed meanwhile. Once more; the entry left there reminds for nothing.
        }
    }

    /// Whether a reminder for `deadline` may have come already, inserted by this shard's threads.
    ///
    /// SeqCst as everywhere (wheel.2): whoever visits a tick has moved `done` to just before it. So if a
    /// visitor did not see what the caller has written before this, the caller sees that `done`.
    pub(crate) fn may_have_come(&self, deadline: u64, shard: usize) -> bool {
        model_fence();
        self.shards[shard].done.load(Ordering::SeqCst) + 1 >= deadline
    }

    /// Processes ticks up to `now`, about `budget` entries at most; `visit` gets those due, up to a
    /// chunk at a time. Returns what is left of the budget: 0 means that there may be more to do.
    pub(crate) fn advance(&self, now: u64, budget: u32, mut visit: impl FnMut(&[Entry])) -> u32 {
        (0..self.shards.len())
            .fold(budget, |left, shard| self.advance_shard(shard, now, left, &mut visit))
    }

    /// The same for one shard's wheel alone.
    pub(crate) fn advance_shard(
        &self,
        shard: usize,
        now: u64,
        budget: u32,
        mut visit: impl FnMut(&[Entry]),
    ) -> u32 {
        let mut left = budget;
        while left > 0 && self.step(shard, now, &mut left, &mut visit) {}
        left
    }

    /// Whether a shard's ticks up to `tick` have not been processed yet.
    #[inline]
    pub(crate) fn is_behind(&self, tick: u64, shard: usize) -> bool {
        // Relaxed: a hint.
        self.shards[shard].done.load(Ordering::Relaxed) < tick
    }

    /// Goes on to the next tick that has entries; false when `now` is reached.
    fn step(&self, at: usize, now: u64, left: &mut u32, visit: &mut impl FnMut(&[Entry])) -> bool {
        let shard = &self.shards[at];
        let done = shard.done.load(Ordering::SeqCst);
        let is_empty = |bucket| self.head(at, bucket).chunk == 0;
        let Some(tick) = self.shape.next(done, now, is_empty).or_else(|| {
            // Nothing up to `now`, it seems. Who inserted before we say so did not see it: look
            // again after saying it (wheel.2).
            self.move_done(at, now);
            self.shape.next(done, now, is_empty)
        }) else {
            return false;
        };
        // So that entries moved down now are placed as seen from just before the tick.
        self.move_done(at, tick - 1);
        let mut clean = false;
        while !clean {
            for bucket in self.shape.due(tick) {
                while let Some(chunk) = self.pop(at, bucket) {
                    self.empty(at, chunk, bucket.level, left, visit);
                    if *left == 0 {
                        return true;
                    }
                }
            }
            self.move_done(at, tick);
            clean = self.shape.due(tick).all(|bucket| self.head(at, bucket).chunk == 0);
        }
        true
    }

    /// Moves `done` up to `tick`, if it is not there yet.
    fn move_done(&self, at: usize, tick: u64) {
        self.shards[at].done.fetch_max(tick, Ordering::SeqCst);
        model_fence();
    }

    fn head(&self, at: usize, bucket: Bucket) -> HeadWord {
        HeadWord::unpack(self.shards[at].heads[self.shape.index(bucket)].load(Ordering::SeqCst))
    }

    fn change_head(
        &self,
        at: usize,
        bucket: Bucket,
        from: HeadWord,
        filled: u32,
        chunk: u32,
    ) -> bool {
        let to = HeadWord { version: from.version + 1, filled, chunk };
        // SeqCst: see `put`; as Release it publishes a new chunk, as Acquire it sees the entries of
        // the one taken.
        self.shards[at].heads[self.shape.index(bucket)]
            .compare_exchange(from.pack(), to.pack(), Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    fn insert(&self, at: usize, bucket: Bucket, entry: Entry, limit: u32) -> bool {
        loop {
            let head = self.head(at, bucket);
            if head.chunk != 0 && head.filled < CHUNK_ENTRIES {
                if self.change_head(at, bucket, head, head.filled + 1, head.chunk)
                    && self.fill(at, bucket, head, entry)
                {
                    return true;
                }
                continue;
            }
            let Some(fresh) = self.take_chunk(at, limit) else { return false };
            let chunk = &self.chunks[fresh as usize];
            // Relaxed: the head publishes both.
            chunk.next.store(head.chunk.into(), Ordering::Relaxed);
            chunk.entries[0].store(entry.0, Ordering::Relaxed);
            if self.change_head(at, bucket, head, 1, fresh) {
                return true;
            }
            chunk.entries[0].store(0, Ordering::Relaxed);
            self.free_chunk(fresh);
        }
    }

    fn take_chunk(&self, at: usize, limit: u32) -> Option<u32> {
        // Relaxed here and in `free_chunk`: a count. Once a chunk, not once an entry.
        let before = self.used.fetch_add(1, Ordering::Relaxed);
        let chunk = if before < limit { self.in_use.alloc(1, at) } else { None };
        if chunk.is_none() {
            self.used.fetch_sub(1, Ordering::Relaxed);
        }
        chunk
    }

    fn free_chunk(&self, chunk: u32) {
        self.in_use.free(chunk, 1);
        self.used.fetch_sub(1, Ordering::Relaxed);
    }

    /// Writes to the place that was reserved under `head`; false: insert the entry again (wheel.3).
    fn fill(&self, at: usize, bucket: Bucket, head: HeadWord, entry: Entry) -> bool {
        let entries = &self.chunks[head.chunk as usize].entries;
        let place = &entries[head.filled as usize];
        if let Some(later) = entries.get(head.filled as usize + LINE_ENTRIES) {
            // Taken long ago, or never: far away. The insertions until then hide it.
            prefetch(later);
        }
        // SeqCst: pairs with the load in `empty`. Either that one finds the entry, or we see here
        // that the chunk has left the bucket, where nobody may come for the entry any more.
        let put = place.compare_exchange(0, entry.0, Ordering::SeqCst, Ordering::Relaxed);
        model_fence();
        if put.is_err() || self.head(at, bucket).chunk == head.chunk {
            return put.is_ok();
        }
        // Relaxed: our own entry. Gone: somebody has come for it.
        place.compare_exchange(entry.0, 0, Ordering::Relaxed, Ordering::Relaxed).is_err()
    }

    /// Takes the top chunk of a bucket out.
    fn pop(&self, at: usize, bucket: Bucket) -> Option<u32> {
        loop {
            let head = self.head(at, bucket);
            if head.chunk == 0 {
                return None;
            }
            // Relaxed: `next` was published with the head (wheel.1); if the chunk is gone, the CAS
            // fails.
            let next = self.chunks[head.chunk as usize].next.load(Ordering::Relaxed) as u32;
            if self.change_head(at, bucket, head, CHUNK_ENTRIES, next) {
                model_fence();
                return Some(head.chunk);
            }
        }
    }

    /// Visits (level 0) or moves down (above) the entries of a chunk that was taken out.
    fn empty(
        &self,
        at: usize,
        chunk: u32,
        level: u32,
        left: &mut u32,
        visit: &mut impl FnMut(&[Entry]),
    ) {
        let mut due = [Entry(0); CHUNK_ENTRIES as usize];
        let mut count = 0;
        for place in &self.chunks[chunk as usize].entries {
            // SeqCst: pairs with the write in `fill`. Not written yet: whoever reserved it will see
            // that the chunk is gone (wheel.3).
            let word = place.load(Ordering::SeqCst);
            if word != 0 {
                // Relaxed: the chunk is ours, and `insert` only writes where 0 is.
                place.store(0, Ordering::Relaxed);
                due[count] = Entry(word);
                count += 1;
            }
        }
        self.free_chunk(chunk);
        let due = &due[..count];
        *left = left.saturating_sub(count as u32);
        if level == 0 {
            visit(due);
            return;
        }
        for entry in due {
            // Relaxed: `put` looks again.
            let done = self.shards[at].done.load(Ordering::Relaxed);
            self.push_again(*entry, entry.tick(done), at);
        }
    }

    /// Chunks in use; 0 when no reminder is left. For tests.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn chunks_used(&self) -> u32 {
        self.in_use.used()
    }
}

#[cfg(all(test, not(idem_loom)))]
mod tests {
    use super::*;

    #[test]
    fn entries_come_at_their_tick_in_any_geometry() {
        for (slot_bits, level_count) in [(1, 3), (2, 2), (3, 3), (6, 4)] {
            let wheel = Wheel::new(Shape { slot_bits, level_count }, 1000, 2).unwrap();
            let mut state = 7_u64;
            let mut expected = std::collections::BTreeMap::new();
            for line in 0..500 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let deadline = 1 + (state >> 40) % 300;
                expected.insert(line, deadline);
                assert!(wheel.push(Entry::new(line, 1, deadline), deadline, line as usize % 2));
            }
            let mut now = 0;
            while !expected.is_empty() {
                now += 1 + (now % 7);
                let mut again = Vec::new();
                wheel.advance(now, u32::MAX, |entries| {
                    for entry in entries {
                        let deadline = expected[&entry.line()];
                        assert!(entry.is_for(1, deadline));
                        // Beyond the wheel's span an entry comes early and is inserted again.
                        if deadline > now {
                            again.push((*entry, deadline));
                        } else {
                            expected.remove(&entry.line());
                        }
                    }
                });
                for (entry, deadline) in again {
                    assert!(wheel.push(entry, deadline, entry.line() as usize % 2));
                }
                assert!(expected.values().all(|d| *d > now), "late at {now}");
            }
            assert_eq!(wheel.chunks_used(), 0);
        }
    }

    #[test]
    fn a_jump_is_worked_off_in_slices() {
        let wheel = Wheel::new(Shape { slot_bits: 6, level_count: 4 }, 10_000, 1).unwrap();
        for line in 0..5000 {
            wheel.push(Entry::new(line, 0, 1 + u64::from(line)), 1 + u64::from(line), 0);
        }
        let (mut seen, mut slices) = (0, 0);
        while wheel.advance(1_000_000, 100, |entries| seen += entries.len()) == 0 {
            slices += 1;
        }
        assert_eq!(seen, 5000);
        assert!(slices >= 50);
    }
}
