//! Counters: always on, without a word that threads meet at, never on a decision path.

use core::time::Duration;

use crossbeam_utils::CachePadded;

use crate::outcome::Limit;
use crate::protocol::Core;
use crate::record::response::Stamp;
use crate::sync::thread::{EXCLUSIVE_NUMBERS, Thread};
use crate::sync::{AtomicU64, Ordering};

/// What is counted.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Count {
    Executes,
    Replays,
    Done,
    InFlight,
    Mismatches,
    Cancelled,
    Halted,
    FullRecords,
    FullBytes,
    FullWaiters,
    FullNamespace,
    FullScope,
    Closed,
    Completes,
    Tombstones,
    Detached,
    Late,
    Stale,
    Cancels,
    Halts,
    Renews,
    HandOvers,
    LeaseExpiries,
    Expired,
    TimedOut,
    Forced,
    Forgotten,
    Resolved,
    Shutdowns,
    /// Not for reports: numbers the responses that a thread writes.
    Stamps,
}

impl Count {
    pub(crate) fn full(limit: Limit) -> Self {
        match limit {
            Limit::Records => Count::FullRecords,
            Limit::Bytes => Count::FullBytes,
            Limit::Waiters => Count::FullWaiters,
            Limit::Namespace => Count::FullNamespace,
            Limit::Scope => Count::FullScope,
        }
    }
}

/// Where the buckets of the wait-time histogram begin, among the counts.
const WAITS: usize = Count::Stamps as usize + 1;
const KINDS: usize = WAITS + WaitTimes::BUCKETS;

type Set = CachePadded<[AtomicU64; KINDS]>;

/// See the module.
pub(crate) struct Counters {
    /// First one set for each number that a thread has to itself, then those the others share.
    sets: Box<[Set]>,
}

impl Counters {
    pub(crate) fn new(shard_count: u32) -> Self {
        let set = |_| CachePadded::new(core::array::from_fn(|_| AtomicU64::new(0)));
        Self { sets: (0..EXCLUSIVE_NUMBERS as usize + shard_count as usize).map(set).collect() }
    }

    #[inline(always)]
    pub(crate) fn add(&self, what: Count, times: u64, thread: Thread, shard: usize) {
        self.add_to(what as usize, times, thread, shard);
    }

    #[inline(always)]
    fn add_to(&self, what: usize, times: u64, thread: Thread, shard: usize) {
        // Relaxed throughout: counts. Load and store lose nothing: whoever has the number next comes
        // after us (edge "thread number").
        let count = &self.sets[self.set(thread, shard)][what];
        if thread.is_exclusive {
            // So no locked instruction.
            count.store(count.load(Ordering::Relaxed) + times, Ordering::Relaxed);
        } else {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// A wait that took so long.
    pub(crate) fn waited(&self, micros: u64, thread: Thread, shard: usize) {
        self.add_to(WAITS + WaitTimes::bucket(micros), 1, thread, shard);
    }

    /// A stamp for a response that the thread writes.
    #[inline]
    pub(crate) fn stamp(&self, thread: Thread, shard: usize) -> Stamp {
        // Relaxed: as in `add`.
        let set = self.set(thread, shard);
        let count = &self.sets[set][Count::Stamps as usize];
        let number = if thread.is_exclusive {
            let number = count.load(Ordering::Relaxed);
            count.store(number + 1, Ordering::Relaxed);
            number
        } else {
            count.fetch_add(1, Ordering::Relaxed)
        };
        Stamp::new(set as u32, number)
    }

    /// The thread's own set, or the one that it shares.
    #[inline]
    fn set(&self, thread: Thread, shard: usize) -> usize {
        if thread.is_exclusive {
            thread.number as usize
        } else {
            EXCLUSIVE_NUMBERS as usize + shard
        }
    }

    pub(crate) fn sum(&self, what: Count) -> u64 {
        self.sum_of(what as usize)
    }

    fn sum_of(&self, what: usize) -> u64 {
        self.sets.iter().map(|s| s[what].load(Ordering::Relaxed)).sum()
    }
}

/// What an engine has done and holds (O1). Counts are since it was built.
///
/// Counts of different things are read one after the other, so sums may be off by what happened
/// meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Claims and waits that got a lease.
    pub executes: u64,
    /// Claims that got a stored response.
    pub replays: u64,
    /// Claims that got [`Outcome::Done`](crate::Outcome::Done).
    pub done: u64,
    /// Claims that met an owner at work.
    pub in_flight: u64,
    /// Claims of a key that was used with another fingerprint.
    pub mismatches: u64,
    /// Claims that met a kept cancellation.
    pub cancelled: u64,
    /// Claims that met a halted record.
    pub halted: u64,
    /// Claims refused for the limit of records.
    pub full_records: u64,
    /// Claims refused for the limit of bytes.
    pub full_bytes: u64,
    /// Claims refused for the limits of waiters.
    pub full_waiters: u64,
    /// Claims refused because their namespace was full.
    pub full_namespace: u64,
    /// Claims refused because their scope was full.
    pub full_scope: u64,
    /// Claims refused because the engine was closed.
    pub closed: u64,
    /// Leases that ended with a response.
    pub completes: u64,
    /// Of these, those whose bytes were not kept.
    pub tombstones: u64,
    /// Completions of owners that the key had been taken from: given to their waiters alone.
    pub detached: u64,
    /// Ends by the owner that came after the deadline and still counted.
    pub late: u64,
    /// Calls of owners whose lease was over.
    pub stale: u64,
    /// Leases that their owners gave up, or dropped.
    pub cancels: u64,
    /// Leases that ended halted.
    pub halts: u64,
    /// Deadlines moved.
    pub renews: u64,
    /// Leases that passed to a waiter.
    pub hand_overs: u64,
    /// Leases that ended for their age.
    pub lease_expiries: u64,
    /// Finished records removed because their retention was over.
    pub expired: u64,
    /// Waits that ended because their time was up.
    pub timed_out: u64,
    /// Leases that were ended by force, or with their key forgotten.
    pub forced: u64,
    /// Finished records that were removed before their time.
    pub forgotten: u64,
    /// Halted records that were settled.
    pub resolved: u64,
    /// Leases that were ended as the engine closed.
    pub shutdowns: u64,
    /// How long waits took that came to an end, or were given up.
    pub wait_times: WaitTimes,
    /// System calls made to wake a waiter.
    pub wakes: u64,
    /// Keys with a record, now.
    pub records: u64,
    /// The most there were, as seen at ticks and calls of `stats`.
    pub records_peak: u64,
    /// Bytes of the arena in use, headers and rounding included, and what in-flight records
    /// reserve.
    pub bytes: u64,
    /// The most there were, as seen at ticks and calls of `stats`.
    pub bytes_peak: u64,
    /// Waiters, now.
    pub waiters: u64,
    /// The most there were, as seen at ticks and calls of `stats`.
    pub waiters_peak: u64,
}

impl Stats {
    pub(crate) fn read(core: &Core) -> Self {
        let sum = |what| core.counters.sum(what);
        let [records_peak, bytes_peak, waiters_peak] = core.peaks();
        Self {
            executes: sum(Count::Executes),
            replays: sum(Count::Replays),
            done: sum(Count::Done),
            in_flight: sum(Count::InFlight),
            mismatches: sum(Count::Mismatches),
            cancelled: sum(Count::Cancelled),
            halted: sum(Count::Halted),
            full_records: sum(Count::FullRecords),
            full_bytes: sum(Count::FullBytes),
            full_waiters: sum(Count::FullWaiters),
            full_namespace: sum(Count::FullNamespace),
            full_scope: sum(Count::FullScope),
            closed: sum(Count::Closed),
            completes: sum(Count::Completes),
            tombstones: sum(Count::Tombstones),
            detached: sum(Count::Detached),
            late: sum(Count::Late),
            stale: sum(Count::Stale),
            cancels: sum(Count::Cancels),
            halts: sum(Count::Halts),
            renews: sum(Count::Renews),
            hand_overs: sum(Count::HandOvers),
            lease_expiries: sum(Count::LeaseExpiries),
            expired: sum(Count::Expired),
            timed_out: sum(Count::TimedOut),
            forced: sum(Count::Forced),
            forgotten: sum(Count::Forgotten),
            resolved: sum(Count::Resolved),
            shutdowns: sum(Count::Shutdowns),
            wakes: core.parker.wakes(),
            wait_times: WaitTimes(core::array::from_fn(|bucket| {
                core.counters.sum_of(WAITS + bucket)
            })),
            records: core.records_used(),
            records_peak,
            bytes: core.bytes_used(),
            bytes_peak,
            waiters: core.waiters_used(),
            waiters_peak,
        }
    }
}

/// A histogram of waits, by powers of two of a microsecond.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WaitTimes([u64; WaitTimes::BUCKETS]);

impl WaitTimes {
    /// Buckets there are. Bucket 0 has the waits of less than a microsecond, bucket `i` those of at
    /// least 2^(i-1) and less than 2^i microseconds; the last has all that are longer.
    pub const BUCKETS: usize = 32;

    fn bucket(micros: u64) -> usize {
        ((u64::BITS - micros.leading_zeros()) as usize).min(Self::BUCKETS - 1)
    }

    /// Waits in each bucket.
    #[must_use]
    pub fn counts(&self) -> &[u64; Self::BUCKETS] {
        &self.0
    }

    /// Waits in all.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// A time that at least this part of the waits (0.99: 99 of 100) did not reach: the upper end of a
    /// bucket, so up to twice too much. `None` if nobody has waited, or only the last bucket says.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let wanted = (self.count() as f64 * part.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut so_far = 0;
        let bucket = self.0[..Self::BUCKETS - 1].iter().position(|count| {
            so_far += count;
            so_far >= wanted
        });
        bucket.map(|bucket| Duration::from_micros(1 << bucket))
    }
}
