//! What time ends: leases and retentions; and making room when a limit is reached.
//!
//! Nothing here is needed for a claim to be right (K7): deadlines are checked when a record is read.
//! This gives memory back, and wakes those who wait for a lease that ran out.

use crate::outcome::{OnEnd, Reason};
use crate::protocol::Core;
use crate::record::fate::Fate;
use crate::record::term::Term;
use crate::stats::Count;
use crate::sync::Ordering;
use crate::table::Hit;
use crate::table::slot::Slot;
use crate::wheel::Entry;

/// Wheel entries that one tick works through.
const TICK_ENTRIES: u32 = 4096;
/// Words of 64 flights that one tick looks through.
const TICK_FLIGHT_WORDS: u32 = 1024;
/// Wheel entries, words of flights and lines that one attempt to make room works through.
const ROOM_ENTRIES: u32 = 128;
const ROOM_FLIGHT_WORDS: u32 = 16;
const ROOM_LINES: u32 = 64;
/// Attempts before a claim is refused.
const ROOM_ATTEMPTS: u32 = 8;

impl Core {
    /// A bounded slice of what is due; true if there may be more.
    pub(crate) fn tick(&self) -> bool {
        let now = self.clock.now();
        let left = self.wheel.advance(now, TICK_ENTRIES, |entry| self.remind(entry, now));
        let swept = self.sweep_flights(TICK_FLIGHT_WORDS, now);
        self.peaks();
        left == 0 || !swept
    }

    /// `take`, and if it fails, once more after making room, a few times (R2).
    #[inline]
    pub(super) fn with_room(&self, take: impl Fn() -> bool) -> bool {
        take() || self.make_room_for(&take)
    }

    #[cold]
    fn make_room_for(&self, take: &dyn Fn() -> bool) -> bool {
        for _ in 0..ROOM_ATTEMPTS {
            self.make_room();
            if take() {
                return true;
            }
        }
        false
    }

    /// Removes what has expired: by the wheel, and, for what the wheel may have lost, by looking at
    /// some lines in turn.
    pub(super) fn make_room(&self) {
        let now = self.clock.now();
        let mut left = self.wheel.advance(now, ROOM_ENTRIES, |entry| self.remind(entry, now));
        // Moving entries down the levels frees nothing: go on while there is something due.
        for _ in 0..ROOM_ATTEMPTS {
            if left > 0 {
                break;
            }
            left = self.wheel.advance(now, ROOM_ENTRIES, |entry| self.remind(entry, now));
        }
        self.sweep_flights(ROOM_FLIGHT_WORDS, now);
        // Relaxed: a place to go on from.
        let from = self.table_sweep.fetch_add(ROOM_LINES, Ordering::Relaxed);
        let count = self.table.line_count();
        for line in (0..ROOM_LINES.min(count)).map(|i| from.wrapping_add(i) % count) {
            for hit in self.table.scan_line(line) {
                self.expire_if_due(hit, now);
            }
        }
    }

    /// A reminder from the wheel: what it was set for may be due.
    fn remind(&self, entry: Entry, now: u64) {
        for hit in self.table.scan_line(entry.line) {
            let Slot::Done { tag, .. } = hit.slot else { continue };
            if !entry.has_tag(tag) {
                continue;
            }
            if let Some(deadline) = self.expire_if_due(hit, now)
                && entry.is_for(tag, deadline)
            {
                // Early: the deadline is beyond the wheel's span, or the entry went astray.
                self.wheel.push(entry, deadline, self.shard());
            }
        }
    }

    /// Removes a finished record whose retention is over; otherwise its deadline, if it has one.
    fn expire_if_due(&self, hit: Hit, now: u64) -> Option<u64> {
        let response = self.pin(hit)?;
        let deadline = response.deadline();
        if deadline > now {
            self.unpin(hit.at, response);
            return Some(deadline);
        }
        let mut seen = self.table.load(hit.at);
        while let Slot::Done { loc, pins, .. } = seen
            && loc == response.loc()
        {
            match self.table.remove(hit.at, seen) {
                Ok(()) => {
                    self.records.give(1, self.shard());
                    self.unlink(response, pins);
                    self.count(Count::Expired);
                    break;
                }
                Err(now) => seen = now,
            }
        }
        self.release(response, 1);
        None
    }

    /// Ends a lease whose deadline has passed, as its owner's policy says; true if it has ended
    /// (by us or others). Contends with `renew` in the term word (D1).
    pub(super) fn lapse(&self, index: u32, tenancy: u64, generation: u64, now: u64) -> bool {
        let flight = self.flights.get(index);
        let leased = Fate::Leased { generation };
        loop {
            let term = flight.term();
            // The fate after the term: if it still is this lease, so was the term.
            if flight.fate() != leased || flight.tenancy() != tenancy {
                return true;
            }
            let policy = match term {
                Term::Lease { tag, on_expiry, deadline } => {
                    if deadline > now {
                        return false;
                    }
                    let lapsed = Term::Lapsed { tag, on_expiry, deadline };
                    if flight.change_term(term, lapsed).is_err() {
                        continue;
                    }
                    on_expiry
                }
                Term::Lapsed { on_expiry, .. } => on_expiry,
                Term::Offer { .. } => OnEnd::HandOver,
            };
            let ended = self.end_without_result(index, generation, policy, Reason::LeaseExpired);
            if ended.is_ok() {
                self.count(Count::LeaseExpiries);
            }
            return true;
        }
    }

    /// Looks through some of the flights in use: ends leases that ran out, and goes on with what a
    /// stopped thread left behind. True if it came round.
    fn sweep_flights(&self, words: u32, now: u64) -> bool {
        let count = self.flights.in_use.active_word_count();
        let words = words.min(count);
        // Relaxed: a place to go on from.
        let from = self.flight_sweep.fetch_add(words, Ordering::Relaxed);
        for word in (0..words).map(|i| from.wrapping_add(i) % count) {
            let mut in_use = self.flights.in_use.word(word);
            while in_use != 0 {
                let index = word * u64::BITS + in_use.trailing_zeros();
                in_use &= in_use - 1;
                if u64::from(index) < u64::from(self.geometry.flights) {
                    self.look_after(index, now);
                }
            }
        }
        words == count
    }

    fn look_after(&self, index: u32, now: u64) {
        let flight = self.flights.get(index);
        let tenancy = flight.tenancy();
        match flight.fate() {
            Fate::Leased { generation } => {
                self.lapse(index, tenancy, generation, now);
            }
            Fate::Vacated { .. } => self.serve(index, tenancy, now),
            Fate::Free => {}
            fate => self.finish(index, tenancy, fate),
        }
    }
}
