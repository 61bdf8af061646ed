//! The wheel beside sorted lists, one for each shard, which say what may come and what must. Any
//! bytes are operations: the tests below choose them by chance, `fuzz/` by what they reach.

use std::collections::{BTreeMap, BTreeSet};

use super::{CHUNK_ENTRIES, Entry, Ordering, Shape, Wheel};

/// Four bytes are one operation, so that each can be left out without a change to the others.
pub(crate) type Code = [u8; 4];

/// Longer inputs show nothing new, only slower.
const OPS_MAX: usize = 300;
/// Rounds of the wheel to the furthest deadline: what lies so far away is moved once a round.
const ROUNDS: u64 = 10;
/// Reminders beyond those there must be room for, to see the wheel refuse one.
const SURPLUS: usize = 400;

/// A reminder that has not come.
#[derive(Clone, Copy, Debug)]
struct Pending {
    tag: u64,
    deadline: u64,
    shard: usize,
    /// By when it comes: its deadline, or the next tick if that was over.
    due: u64,
    /// Beyond the wheel's span when it was inserted, so that it may come before its deadline.
    may_be_early: bool,
}

struct SideBySide {
    wheel: Wheel,
    shape: Shape,
    lists: Lists,
    now: u64,
    /// The least number of reminders that there must be room for.
    room: usize,
    next_line: u32,
}

/// What is in the wheel: by the line that names it, and for each shard in order of time.
struct Lists {
    pending: BTreeMap<u32, Pending>,
    by_time: Vec<BTreeSet<(u64, u32)>>,
    /// Ticks that have been worked through, all of them; and the last one that any call came to.
    done: Vec<u64>,
    latest: u64,
    span: u64,
}

/// Runs them all, then lets all time pass and sees the wheel empty.
pub(crate) fn run(setup: Code, codes: impl IntoIterator<Item = Code>) {
    let mut sides = SideBySide::new(setup);
    for code in codes.into_iter().take(OPS_MAX) {
        sides.apply(code);
        sides.settle();
    }
    sides.end();
}

impl SideBySide {
    fn new([a, b, c, _]: Code) -> Self {
        let (slot_bits, level_count) =
            [(1, 1), (1, 2), (2, 2), (1, 5), (3, 1), (3, 3), (6, 2), (7, 4)][usize::from(a & 7)];
        let shape = Shape { slot_bits, level_count };
        let shard_count = [1, 1, 2, 4][usize::from(b & 3)];
        let room = [1, 62, 63, 64, 126, 200, 500, 1000][usize::from(c & 7)];
        Self {
            wheel: Wheel::new(shape, room as u64, shard_count).expect("little memory"),
            shape,
            lists: Lists {
                pending: BTreeMap::new(),
                by_time: vec![BTreeSet::new(); shard_count as usize],
                done: vec![0; shard_count as usize],
                latest: 0,
                span: shape.span(),
            },
            now: 0,
            room,
            // A name is never used again. The last ones have the greatest number there may be.
            next_line: if b & 4 == 0 { 0 } else { Entry::LINE_COUNT_MAX as u32 - 100_000 },
        }
    }

    fn apply(&mut self, [op, a, b, c]: Code) {
        let shard = usize::from(op >> 4) % self.lists.done.len();
        let distance = (u64::from(b) << (a & 31)) % (ROUNDS * self.shape.span());
        let stride = u64::from(a >> 5);
        match op & 15 {
            0..4 => self.push(shard, self.now + distance, c.into()),
            4 | 5 => {
                let furthest = self.now + ROUNDS * self.shape.span();
                for i in 0..u64::from(c) {
                    let deadline = self.now + distance + i * stride;
                    self.push(shard, deadline.min(furthest), b.into());
                }
            }
            // Over already: another thread went on meanwhile.
            6 => self.push(shard, self.now.saturating_sub(b.into()), c.into()),
            7..10 => self.advance_to(None, self.now + distance, c, shard),
            10 => self.advance_to(Some(shard), self.now + distance, c, shard),
            11 | 12 => {
                let next = self.lists.first(shard).unwrap_or(self.now) + stride;
                self.advance_to(None, next.saturating_sub(u64::from(b & 7)), c, shard);
            }
            // Somebody has read the clock earlier.
            13 => self.work_through(None, self.now.saturating_sub(distance), c, shard),
            14 => self.work_off(c),
            _ => self.jump(u64::from(b) << 22),
        }
    }

    fn push(&mut self, shard: usize, deadline: u64, tag: u64) {
        if self.lists.pending.len() >= self.room + SURPLUS {
            return;
        }
        let line = self.next_line;
        self.next_line += 1;
        let there_must_be_room = self.lists.pending.len() < self.room;
        let inserted = self.wheel.push(Entry::new(line, tag, deadline), deadline, shard);
        assert!(inserted || !there_must_be_room, "no room at {}", self.lists.pending.len());
        if inserted {
            self.lists.insert(line, shard, deadline, tag);
        }
    }

    fn advance_to(&mut self, only: Option<usize>, time: u64, budget: u8, again: usize) {
        self.now = self.now.max(time);
        self.work_through(only, self.now, budget, again);
    }

    /// Over any number of rounds. Before that all there is comes, since what is left would go round
    /// with it.
    fn jump(&mut self, distance: u64) {
        self.let_all_come();
        self.now += distance;
        self.call(None, self.now, u32::MAX, 0);
    }

    /// One call, with a budget of none to all there is. What comes early goes to shard `again`, as
    /// the thread that ticks need not be the one that inserted.
    fn work_through(&mut self, only: Option<usize>, time: u64, budget: u8, again: usize) {
        let budget = [0, 1, 2, 63, 64, 128, 4096, u32::MAX][usize::from(budget & 7)];
        self.call(only, time, budget, again);
    }

    /// Calls with a small budget, until there is nothing more to do.
    fn work_off(&mut self, budget: u8) {
        let budget = [1, 7, 63, 100][usize::from(budget & 3)];
        let calls = (0..1_000_000).take_while(|_| self.call(None, self.now, budget, 0) == 0);
        assert!(calls.count() < 1_000_000, "it comes to no end");
    }

    fn call(&mut self, only: Option<usize>, time: u64, budget: u32, again: usize) -> u32 {
        let Self { wheel, lists, .. } = self;
        let wheel = &*wheel;
        let mut came = 0;
        lists.latest = lists.latest.max(time);
        let visit = |entries: &[Entry]| {
            assert!(entries.len() <= CHUNK_ENTRIES as usize, "up to a chunk at a time");
            came += entries.len() as u64;
            for entry in entries {
                let (reminder, is_early) = lists.take(*entry, time);
                let Pending { deadline, shard, tag, .. } = reminder;
                assert!(only.is_none_or(|only| only == shard), "another's: {reminder:?}");
                if is_early {
                    wheel.push_again(*entry, deadline, again);
                    lists.insert(entry.line(), again, deadline, tag);
                } else if !reminder.may_be_early {
                    assert!(wheel.may_have_come(deadline, shard), "it has come: {reminder:?}");
                }
            }
        };
        let left = match only {
            None => wheel.advance(time, budget, visit),
            Some(shard) => wheel.advance_shard(shard, time, budget, visit),
        };
        assert!(u64::from(left) <= u64::from(budget).saturating_sub(came), "{left} of {budget}");
        let chunk = u64::from(CHUNK_ENTRIES);
        let most = if budget == 0 { 0 } else { u64::from(budget) + chunk - 1 };
        assert!(came <= most, "{came} came, with a budget of {budget}");
        if left > 0 {
            let all = 0..self.lists.done.len();
            for shard in all.filter(|shard| only.is_none_or(|only| only == *shard)) {
                self.worked_through(shard, time);
            }
        }
        left
    }

    /// The wheel says that a shard has no more to do up to `time`: then nothing is late.
    fn worked_through(&mut self, shard: usize, time: u64) {
        self.lists.done[shard] = self.lists.done[shard].max(time);
        assert!(!self.wheel.is_behind(time, shard));
        let first = self.lists.first(shard);
        assert!(first.is_none_or(|due| due > time), "late at {time}: {first:?}");
    }

    /// Whatever has come has left its chunk, and an empty wheel has none.
    fn settle(&self) {
        let used = self.wheel.chunks_used();
        assert_eq!(self.wheel.used.load(Ordering::Relaxed), used, "chunks are counted");
        let (count, chunk) = (self.lists.pending.len() as u32, CHUNK_ENTRIES);
        assert!(used >= count.div_ceil(chunk), "{count} in {used} chunks");
        let partial = self.shape.bucket_count() * self.lists.done.len() as u32;
        assert!(used <= count / chunk + partial.min(count), "{count} in {used} chunks");
    }

    fn let_all_come(&mut self) {
        let last = self.lists.pending.values().map(|pending| pending.due).max();
        self.now = self.now.max(last.unwrap_or(0));
        self.call(None, self.now, u32::MAX, 0);
        assert!(self.lists.pending.is_empty(), "lost: {:?}", self.lists.pending);
    }

    fn end(mut self) {
        self.let_all_come();
        assert_eq!(self.wheel.chunks_used(), 0, "all chunks are given back");
    }
}

impl Lists {
    fn insert(&mut self, line: u32, shard: usize, deadline: u64, tag: u64) {
        let due = deadline.max(self.latest + 1);
        // The wheel has come at least as far as it said.
        let may_be_early = deadline - deadline.min(self.done[shard]) > self.span;
        let pending = Pending { tag, deadline, shard, due, may_be_early };
        assert!(self.pending.insert(line, pending).is_none());
        self.by_time[shard].insert((due, line));
    }

    /// Takes what came off the list: it must be there, and as it was put in. Returns what came early,
    /// as only what is beyond the wheel's span may.
    fn take(&mut self, entry: Entry, time: u64) -> (Pending, bool) {
        let pending = self.pending.remove(&entry.line());
        let pending = pending.unwrap_or_else(|| panic!("never put in, or twice: {entry:?}"));
        self.by_time[pending.shard].remove(&(pending.due, entry.line()));
        assert!(entry.is_for(pending.tag, pending.deadline), "{entry:?} for {pending:?}");
        let is_early = pending.deadline > time;
        assert!(!is_early || pending.may_be_early, "early at {time}: {pending:?}");
        (pending, is_early)
    }

    /// When the next reminder of a shard is due.
    fn first(&self, shard: usize) -> Option<u64> {
        self.by_time[shard].first().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn config(cases: u32) -> ProptestConfig {
        let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().unwrap());
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
    }

    proptest! {
        #![proptest_config(config(512))]

        #[test]
        fn wheel_and_lists_agree(setup in any::<Code>(), codes in vec(any::<Code>(), 0..100)) {
            run(setup, codes);
        }
    }
}
