//! The protocol: what a claim, an end, a hand-over and an expiry do, step by step.
//!
//! [`Core`] holds the structures; each file here is one part of the life of a record:
//!
//! - `batch`: many of the next two at once, so that their cache misses overlap.
//! - `claim`: find the record, or make one; the decision who executes. `draft`: a lease in the making.
//! - `end`: complete, cancel, halt, renew; and `finish`, which any thread can do after them.
//! - `hand_over`: the queue is served: offer, accept, pass on; joining and leaving.
//! - `expiry`: what time ends: leases, finished records; and making room.
//! - `pins`: holding a response while looking at it. `compaction`: moving those that are in the way.
//! - `lookup`: finding a key's record without claiming it; peek. `removal`: forget, detach, and what an
//!   operator may do: end a lease by force, settle a halted record. `listing`: what is in flight, what is halted.
//! - `close`: no new work, and the end of what is under way at a deadline.
//!
//! No function here blocks, and each loop goes round again only because another thread's step
//! succeeded (P1).

mod batch;
mod claim;
mod close;
mod compaction;
mod draft;
mod end;
mod expiry;
mod hand_over;
mod listing;
mod lookup;
mod pins;
mod removal;
#[cfg(all(test, not(idem_loom)))]
mod tests;

pub(crate) use batch::WINDOW;
pub(crate) use claim::{Ask, Claimed, Refusal, Undecided};
pub(crate) use end::{Ending, Held};
pub(crate) use hand_over::{Verdict, Waiting};
pub(crate) use listing::{Cursor, Entry};
pub(crate) use lookup::Peeked;
pub(crate) use removal::{Settled, Settlement};

use crate::clock::Clock;
use crate::geometry::Geometry;
use crate::hook::{Hook, What};
use crate::memory::arena::{Arena, Granule};
use crate::memory::budget::{Budget, Room};
use crate::memory::pages::Pages;
use crate::outcome::OnEnd;
use crate::realms::Realms;
use crate::record::flight::Flights;
use crate::record::response::{Response, Stamp};
use crate::record::value::{drop_later, drop_pending, set_aside};
use crate::stats::{Count, Counters};
use crate::sync::thread::Thread;
use crate::sync::{AtomicU32, AtomicU64, Ordering, thread};
use crate::table::{Place, Table};
use crate::wait::node::Nodes;
use crate::wait::park::Parker;
use crate::wheel::Wheel;

/// What an owner may choose about its lease; in milliseconds of engine time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) lease: u64,
    pub(crate) retention: u64,
    pub(crate) on_abandon: OnEnd,
    pub(crate) on_expiry: OnEnd,
}

/// What holds for the whole engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_response: usize,
    pub(crate) waiters_per_key: u32,
    pub(crate) cancelled_retention: u64,
    pub(crate) halted_retention: u64,
    pub(crate) accept_timeout: u64,
}

/// There is a hook to be told.
const HOOK: u32 = 1;
/// There are values, or were: a call may have let go of some.
const VALUES: u32 = 2;

/// See the module.
pub(crate) struct Core {
    pub(crate) clock: Clock,
    pub(crate) parker: Parker,
    pub(crate) rules: Rules,
    pub(crate) geometry: Geometry,
    pub(crate) counters: Counters,
    hook: Option<Hook>,
    /// What there is to do as a call ends: `HOOK`, `VALUES`.
    duties: AtomicU32,
    seed: u64,
    pub(crate) realms: Realms,
    table: Table,
    flights: Flights,
    nodes: Nodes,
    arena: Arena,
    wheel: Wheel,
    /// For keys with a record; and for responses, with one granule for each record in flight.
    room: Budget,
    /// When it closes for those who are at work: see `close`.
    closing: AtomicU64,
    /// Where the next look through the table, and through the flights, goes on: by those who need
    /// room, and by ticks, which must come round.
    table_sweep: AtomicU32,
    room_sweep: AtomicU32,
    flight_sweep: AtomicU32,
    /// Lines that are still to be looked through for what was cleared; and where the next look for scopes
    /// that are not used goes on.
    cleared_lines: AtomicU32,
    realm_sweep: AtomicU32,
    /// Where the next search for a run that can be cleared goes on.
    compaction_cursor: AtomicU32,
    /// Halted records so far: their numbers (L8).
    incidents: AtomicU32,
    records_peak: AtomicU64,
    granules_peak: AtomicU64,
    waiters_peak: AtomicU64,
}

impl Core {
    /// `None` if the system has no address space for it.
    pub(crate) fn new(
        geometry: Geometry,
        rules: Rules,
        clock: Clock,
        seed: u64,
        hook: Option<Hook>,
    ) -> Option<Self> {
        let shards = geometry.shards;
        Some(Self {
            parker: Parker::new(clock.clone()),
            clock,
            rules,
            geometry,
            counters: Counters::new(shards),
            duties: AtomicU32::new(if hook.is_some() { HOOK } else { 0 }),
            hook,
            seed,
            realms: Realms::new(geometry.realms)?,
            table: Table::new(geometry.lines_for, shards)?,
            flights: Flights::new(geometry.flights, shards)?,
            nodes: Nodes::new(geometry.waiters, shards)?,
            arena: Arena::new(geometry.arena_granules, shards)?,
            // One reminder a record, and as many again that have lost their record.
            wheel: Wheel::new(geometry.wheel, 2 * geometry.records, shards)?,
            room: Budget::new(geometry.room(), Room::of(64, 1024), shards),
            closing: AtomicU64::new(close::OPEN),
            table_sweep: AtomicU32::new(0),
            room_sweep: AtomicU32::new(0),
            flight_sweep: AtomicU32::new(0),
            cleared_lines: AtomicU32::new(0),
            realm_sweep: AtomicU32::new(0),
            compaction_cursor: AtomicU32::new(0),
            incidents: AtomicU32::new(0),
            records_peak: AtomicU64::new(0),
            granules_peak: AtomicU64::new(0),
            waiters_peak: AtomicU64::new(0),
        })
    }

    /// Backs what grows with the limits by these pages. False: the system has not got the memory.
    /// Realms are left out: they do not, and few engines have more than one.
    pub(crate) fn back(&mut self, pages: Pages) -> bool {
        let mut regions = self.table.regions();
        regions.append(&mut self.flights.regions());
        regions.append(&mut self.nodes.regions());
        regions.append(&mut self.arena.regions());
        regions.append(&mut self.wheel.regions());
        pages.back(regions)
    }

    /// The shard of the calling thread: where it allocates, counts and inserts.
    #[inline]
    pub(crate) fn shard(&self) -> usize {
        self.shard_of(thread::current())
    }

    #[inline]
    fn shard_of(&self, thread: Thread) -> usize {
        // Shards are a power of two.
        (thread.number & (self.geometry.shards - 1)) as usize
    }

    /// Where a key belongs. The seed is secret: callers who choose their ids cannot choose a line.
    #[inline]
    pub(crate) fn place(&self, id: [u64; 2]) -> Place {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&id[0].to_le_bytes());
        bytes[8..].copy_from_slice(&id[1].to_le_bytes());
        self.table.place(xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, self.seed))
    }

    #[inline(always)]
    pub(crate) fn count(&self, what: Count) {
        self.count_many(what, 1);
    }

    /// A wait has ended, that began at this time in microseconds.
    pub(crate) fn count_wait(&self, since: u64) {
        let thread = thread::current();
        let micros = self.clock.micros().saturating_sub(since);
        self.counters.waited(micros, thread, self.shard_of(thread));
    }

    /// Counts, and concludes.
    #[inline(always)]
    pub(crate) fn report(&self, count: Count, what: What, id: [u64; 2]) {
        self.count(count);
        self.conclude(what, id);
    }

    /// The last step of a call: tells the hook, and drops the values that the call has let go of
    /// (value.4). Neither costs anything where there is neither.
    #[inline(always)]
    pub(crate) fn conclude(&self, what: What, id: [u64; 2]) {
        // Relaxed: who lets go of a value comes after who stored it, and so after `expect_values`.
        if self.duties.load(Ordering::Relaxed) != 0 {
            self.do_duties(what, id);
        }
    }

    #[cold]
    fn do_duties(&self, what: What, id: [u64; 2]) {
        drop_pending();
        self.note(what, id);
    }

    /// Tells the hook, if there is one; also in the middle of a call.
    #[inline(always)]
    pub(crate) fn note(&self, what: What, id: [u64; 2]) {
        if let Some(hook) = &self.hook {
            let _aside = set_aside();
            hook.call(what, id);
        }
    }

    /// From here on there may be values in the engine.
    pub(crate) fn expect_values(&self) {
        // Relaxed: before the first is stored; see `conclude`.
        if self.duties.load(Ordering::Relaxed) & VALUES == 0 {
            self.duties.fetch_or(VALUES, Ordering::Relaxed);
        }
    }

    /// A stamp for a response that the caller is about to write (response.4).
    #[inline]
    fn stamp(&self) -> Stamp {
        let thread = thread::current();
        self.counters.stamp(thread, self.shard_of(thread))
    }

    #[inline(always)]
    fn count_many(&self, what: Count, times: u64) {
        let thread = thread::current();
        self.counters.add(what, times, thread, self.shard_of(thread));
    }

    /// A number that no other halted record has, or had for four billion of them.
    fn next_incident(&self) -> u32 {
        // Relaxed: a number.
        self.incidents.fetch_add(1, Ordering::Relaxed)
    }

    /// Clears a namespace (R4): its keys are other ones from now on. What is left of them is removed by
    /// ticks, and by claims that need room.
    pub(crate) fn clear(&self, namespace: u32) {
        self.realms.clear(namespace);
        // Relaxed: after the epoch; a sweep that does not see it yet leaves it to those that follow.
        self.cleared_lines.store(self.table.line_count(), Ordering::Relaxed);
    }

    pub(crate) fn records_used(&self) -> u64 {
        self.room.used().records().into()
    }

    /// Bytes by the budget: responses, and one granule for each record in flight.
    pub(crate) fn bytes_used(&self) -> u64 {
        u64::from(self.room.used().granules()) * Granule::BYTES as u64
    }

    pub(crate) fn waiters_used(&self) -> u64 {
        self.nodes.used().into()
    }

    /// Brings the peaks up to now: records, bytes, waiters.
    pub(crate) fn peaks(&self) -> [u64; 3] {
        // Relaxed: reports.
        let raise = |peak: &AtomicU64, now: u64| peak.fetch_max(now, Ordering::Relaxed).max(now);
        [
            raise(&self.records_peak, self.records_used()),
            raise(&self.granules_peak, self.bytes_used()),
            raise(&self.waiters_peak, self.waiters_used()),
        ]
    }

    /// What is allocated behind the budgets, for tests: arena granules, overflow pairs, wheel
    /// chunks.
    #[cfg(test)]
    pub(crate) fn memory_used(&self) -> [u32; 3] {
        [self.arena.used(), self.table.pairs_used(), self.wheel.chunks_used()]
    }

    /// Flights in use, for tests.
    #[cfg(all(test, idem_loom))]
    pub(crate) fn flights_used(&self) -> u32 {
        self.flights.used()
    }
}

impl Drop for Core {
    /// Drops the values that are stored. Nobody else is left: who holds a response or a value keeps the
    /// engine, and who is inside a call as well.
    fn drop(&mut self) {
        // Relaxed: whoever had the engine comes before this.
        if self.duties.load(Ordering::Relaxed) & VALUES == 0 {
            return;
        }
        for line in 0..self.table.line_count() {
            let locs = self.table.scan_line(line).filter_map(|hit| hit.loc());
            for value in locs.filter_map(|loc| Response::held(&self.arena, loc).value()) {
                if value.release() {
                    drop_later(value);
                }
            }
        }
        drop_pending();
    }
}
