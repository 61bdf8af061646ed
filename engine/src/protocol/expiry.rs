//! What time ends: leases and retentions; and making room when a limit is reached.
//!
//! Nothing here is needed for a claim to be right (K7): deadlines are checked when a record is
//! read. This gives memory back, and wakes those who wait for a lease that ran out.

use crate::hook::What;
use crate::memory::budget::Room;
use crate::outcome::{OnEnd, Reason};
use crate::protocol::Core;
use crate::realms::{Exceeded, Realm};
use crate::record::fate::Fate;
use crate::record::response::{Glance, Response};
use crate::record::term::Term;
use crate::record::value::drop_pending;
use crate::stats::Count;
use crate::sync::{AtomicU32, Ordering};
use crate::table::slot::Slot;
use crate::table::{Hit, Place, SlotRef};
use crate::wheel::Entry;

/// Wheel entries that one tick works through.
const TICK_ENTRIES: u32 = 4096;
/// Words of 64 flights that one tick looks through.
const TICK_FLIGHT_WORDS: u32 = 1024;
/// Lines that one tick looks through for what was cleared, and words of 64 realms.
const TICK_LINES: u32 = 4096;
const TICK_REALM_WORDS: u32 = 16;
/// Wheel entries, words of flights and lines that one attempt to make room works through.
const ROOM_ENTRIES: u32 = 128;
const ROOM_FLIGHT_WORDS: u32 = 16;
const ROOM_LINES: u32 = 64;
/// Responses that are looked at in one pass.
const PASS: usize = 64;
/// Wheel entries that one completion works through, and how late they are before it does: three times
/// what the helper thread sleeps.
const HELP_ENTRIES: u32 = 63;
const LATE_MILLIS: u64 = 30;
/// Slices of `ROOM_ENTRIES` in one attempt.
const ROOM_SLICES: u32 = 9;
/// Attempts before a claim is refused.
const ROOM_ATTEMPTS: u32 = 8;

/// What a look at a lease's deadline came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lapse {
    /// It has time left.
    Holds,
    /// It had none, and the caller has ended it.
    Expired,
    /// It is not there any more: its owner, or another caller, has ended it.
    Gone,
}

/// What a look at a finished record's deadline came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expiry {
    /// It is not over, or was moved.
    Stays,
    /// It was over, and the caller has removed it: this is the room that it leaves.
    Expired(Room),
    /// It is not there any more.
    Gone,
}

impl Core {
    /// A bounded slice of what is due; true if there may be more.
    pub(crate) fn tick(&self) -> bool {
        let now = self.clock.now();
        let left = self.remind_due(now, TICK_ENTRIES);
        let swept = self.sweep_flights(&self.flight_sweep, TICK_FLIGHT_WORDS, now, None);
        let is_clear = self.sweep_cleared(now);
        self.sweep_realms();
        self.peaks();
        drop_pending();
        left == 0 || !swept || !is_clear
    }

    /// Removes what was cleared from some lines; true if none are left.
    fn sweep_cleared(&self, now: u64) -> bool {
        // Relaxed: a place to go on from. A namespace that is cleared meanwhile begins anew.
        let less = |lines: u32| (lines > 0).then(|| lines.saturating_sub(TICK_LINES));
        let lines = &self.cleared_lines;
        let Ok(end) = lines.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) else {
            return true;
        };
        for line in end.saturating_sub(TICK_LINES)..end {
            for hit in self.table.scan_line(line) {
                let is_cleared =
                    |glance: Glance, _| self.realms.is_cleared(glance.realm()).then_some(());
                if self.with_glance(hit, is_cleared).is_some() {
                    self.expire_if_due(hit, now);
                }
            }
        }
        end <= TICK_LINES
    }

    fn sweep_realms(&self) {
        // Relaxed: a place to go on from.
        let from = self.realm_sweep.load(Ordering::Relaxed);
        let next = self.realms.sweep(from, TICK_REALM_WORDS);
        self.realm_sweep.store(next, Ordering::Relaxed);
    }

    /// `take`, and if it fails, once more after making room, a few times (R2); `except` as in
    /// `make_room`.
    #[inline]
    pub(super) fn with_room(&self, except: Option<u32>, mut take: impl FnMut() -> bool) -> bool {
        take() || self.make_room_for(except, &mut take)
    }

    /// `take` after making room, a few times; false if it never succeeds.
    #[cold]
    pub(super) fn make_room_for(
        &self,
        except: Option<u32>,
        take: &mut dyn FnMut() -> bool,
    ) -> bool {
        for _ in 0..ROOM_ATTEMPTS {
            self.make_room(except);
            if take() {
                return true;
            }
        }
        false
    }

    /// Draws on the limits, of the engine and of the realm. `Ok(false)`: the engine's, or the realm was
    /// given up.
    #[inline]
    pub(super) fn take_room(
        &self,
        realm: Realm,
        wanted: Room,
        shard: usize,
    ) -> Result<bool, Exceeded> {
        if !self.realms.take(realm, wanted)? {
            return Ok(false);
        }
        let is_taken = self.room.take(wanted, shard);
        if !is_taken {
            self.realms.give(realm, wanted);
        }
        Ok(is_taken)
    }

    /// Gives back what was drawn.
    #[inline]
    pub(super) fn give_room(&self, realm: Realm, room: Room, shard: usize) {
        self.realms.give(realm, room);
        self.room.give(room, shard);
    }

    /// Removes what has expired: by the wheel, and, for what the wheel may have lost, by looking at
    /// some lines in turn. Spares the flight that the caller is about to end: its owner's own call
    /// is no reason to end a lease that ran out (L2).
    pub(super) fn make_room(&self, except: Option<u32>) {
        let now = self.clock.now();
        // Moving entries down the levels frees nothing: go on while there is something due.
        for _ in 0..ROOM_SLICES {
            if self.remind_due(now, ROOM_ENTRIES) > 0 {
                break;
            }
        }
        self.sweep_flights(&self.room_sweep, ROOM_FLIGHT_WORDS, now, except);
        // Relaxed: a place to go on from.
        let from = self.table_sweep.fetch_add(ROOM_LINES, Ordering::Relaxed);
        let count = self.table.line_count();
        for line in (0..ROOM_LINES.min(count)).map(|i| from.wrapping_add(i) % count) {
            for hit in self.table.scan_line(line) {
                self.expire_if_due(hit, now);
            }
        }
    }

    /// Sets a reminder of a finished record.
    pub(super) fn remember(&self, entry: Entry, deadline: u64) {
        let mut is_up_to_now = false;
        while !self.wheel.push(entry, deadline, self.shard()) && !is_up_to_now {
            // Nobody ticks, and the wheel is full of reminders of what was replaced in place. A few
            // have to go; it is seldom more than one slice.
            let now = self.clock.now();
            is_up_to_now = self.remind_due(now, ROOM_ENTRIES) > 0;
        }
    }

    /// Works through at most about `budget` reminders that are due. Returns what is left of it.
    fn remind_due(&self, now: u64, budget: u32) -> u32 {
        self.wheel.advance(now, budget, |entries| self.remind(entries, now))
    }

    /// Works off a few reminders of the caller's shard, if whoever ticks does not come to it: nobody
    /// does, or there are more threads than processors and the helper waits for its turn. A completion
    /// then pays for what it leaves behind, so that memory does not fill up with what is over.
    #[inline]
    pub(super) fn help_out(&self, now: u64) {
        let shard = self.shard();
        if self.wheel.is_behind(now.saturating_sub(LATE_MILLIS), shard) {
            self.remind_shard(shard, now);
        }
    }

    #[cold]
    fn remind_shard(&self, shard: usize, now: u64) {
        let visit = |entries: &[Entry]| self.remind(entries, now);
        self.wheel.advance_shard(shard, now, HELP_ENTRIES, visit);
    }

    /// Reminders from the wheel: what they were set for may be due.
    ///
    /// In passes, so that the cache misses of one pass overlap: first all the lines, then all the
    /// responses, and only then what must be done one by one.
    fn remind(&self, entries: &[Entry], now: u64) {
        self.table.warm(entries.iter().map(|entry| entry.line()));
        let mut pinned = [None; PASS];
        let mut count = 0;
        for entry in entries {
            for hit in self.table.scan_tagged(entry.line(), |tag| entry.has_tag(tag)) {
                if let Some((hit, response)) = self.pin_moved(hit) {
                    if count == PASS {
                        self.expire_pass(&pinned, now);
                        count = 0;
                    }
                    pinned[count] = Some((*entry, hit, response));
                    count += 1;
                }
            }
        }
        self.expire_pass(&pinned[..count], now);
    }

    fn expire_pass(&self, pinned: &[Option<(Entry, Hit, Response<'_>)>], now: u64) {
        let mut deadlines = [0; PASS];
        for (deadline, pinned) in deadlines.iter_mut().zip(pinned) {
            *deadline = pinned.map_or(0, |(_, _, response)| response.deadline());
        }
        let mut room = Room::NONE;
        for (deadline, (entry, hit, response)) in deadlines.into_iter().zip(pinned.iter().flatten())
        {
            let (hit, response) = (*hit, *response);
            match self.expire_if_over(hit, response, deadline, now) {
                Expiry::Expired(made) => room = room.plus(made),
                Expiry::Gone => {}
                // Early: the deadline is beyond the wheel's span, or the entry went astray.
                Expiry::Stays if entry.is_for(hit.place().tag, deadline) => {
                    self.wheel.push_again(*entry, deadline, self.shard());
                }
                Expiry::Stays => {}
            }
        }
        self.give_expired(room);
    }

    /// Gives back what expired records have left, and counts them. Once for many: others do not need
    /// it sooner than the caller is through.
    fn give_expired(&self, room: Room) {
        if room != Room::NONE {
            self.room.give(room, self.shard());
            self.count_many(Count::Expired, room.records().into());
        }
    }

    /// Removes everything that is over from a line.
    pub(super) fn clear_line(&self, line: u32, now: u64) {
        for hit in self.table.scan_line(line) {
            match hit.slot() {
                Slot::Flight { flight, .. } => self.look_after(flight, now),
                _ => self.expire_if_due(hit, now),
            }
        }
    }

    /// Removes what is due among the slots with a key's tag.
    pub(super) fn expire_place(&self, place: Place, now: u64) {
        for hit in self.table.scan(place) {
            self.expire_if_due(hit, now);
        }
    }

    /// Removes a finished record whose retention is over.
    pub(super) fn expire_if_due(&self, hit: Hit, now: u64) {
        if let Some((hit, response)) = self.pin_moved(hit)
            && let Expiry::Expired(room) =
                self.expire_if_over(hit, response, response.deadline(), now)
        {
            self.give_expired(room);
        }
    }

    /// The same for a response that was pinned through `hit`; it is let go of.
    ///
    /// `now` was read before the line was scanned. So what is over by then is the record that the
    /// scan found, and the line is its line: one that came later, even to the same granule and, with
    /// an overflow pair, to another line's use of the same slot, ends after `now`.
    fn expire_if_over(&self, hit: Hit, response: Response<'_>, deadline: u64, now: u64) -> Expiry {
        if deadline > now && !self.realms.is_cleared(response.realm()) {
            self.unpin(hit.at, response);
            return Expiry::Stays;
        }
        if let Some(room) = self.unlink_from(hit, response) {
            return Expiry::Expired(room);
        }
        // Moved by somebody who did not see our pin (it was moved itself): then it is not gone.
        let is_gone = self.moved(hit).is_none();
        self.release(response, 1);
        if is_gone { Expiry::Gone } else { Expiry::Stays }
    }

    /// Takes a finished record that the caller has pinned out of the table, and lets go of it. Returns
    /// the room that it leaves, for the caller to give back; `None`, and still pinned, if the slot
    /// names something else by now.
    pub(super) fn unlink_from(&self, hit: Hit, response: Response<'_>) -> Option<Room> {
        let pins = self.step_from(hit.at, response, |seen| self.table.remove(hit.at, seen))?;
        // Before its bytes are: they hold the realm (realms.2).
        self.realms.give(response.realm(), Room::of(1, 0));
        // Our own pin goes with it, unless it is at the response already (`move_pins`).
        let made = self.unlink(response, pins.saturating_sub(1));
        if pins == 0 {
            self.release(response, 1);
        }
        Some(made.plus(Room::of(1, 0)))
    }

    /// Tries `step` from the slot's word, for as long as that names the response: others may pin it
    /// meanwhile. Returns the pins that it had at the step; `None`: it names something else by now.
    #[inline]
    pub(super) fn step_from(
        &self,
        at: SlotRef,
        response: Response<'_>,
        step: impl Fn(Slot) -> Result<(), Slot>,
    ) -> Option<u64> {
        let mut seen = self.table.load(at);
        while let Slot::Done { loc, pins, .. } = seen
            && loc == response.loc()
        {
            match step(seen) {
                Ok(()) => return Some(pins),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// Ends a lease whose deadline has passed, as its owner's policy says. Contends with `renew` in
    /// the term word (term.1).
    pub(super) fn lapse(&self, index: u32, tenancy: u64, generation: u64, now: u64) -> Lapse {
        let flight = self.flights.get(index);
        loop {
            let term = flight.term();
            // The fate after the term: if it still is this lease, so was the term.
            if !flight.fate().is_lease(generation) || flight.tenancy() != tenancy {
                return Lapse::Gone;
            }
            let policy = match term {
                Term::Lease { tag, on_expiry, deadline } => {
                    if deadline > now {
                        return Lapse::Holds;
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
            let id = flight.id();
            let ended = self.end_without_result(index, generation, policy, Reason::LeaseExpired);
            if ended.is_err() {
                return Lapse::Gone;
            }
            self.report(Count::LeaseExpiries, What::LeaseExpired(policy), id);
            return Lapse::Expired;
        }
    }

    /// Looks through some of the flights in use, on from `cursor`: ends leases that ran out, and goes
    /// on with what a stopped thread left behind. True at the end of a round.
    fn sweep_flights(&self, cursor: &AtomicU32, words: u32, now: u64, except: Option<u32>) -> bool {
        let count = self.flights.active_word_count();
        let slice = |at: u32| {
            let from = if at < count { at } else { 0 };
            (from, from.saturating_add(words).min(count))
        };
        // Relaxed: a place to go on from.
        let next = |at| Some(slice(at).1);
        let at = cursor.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let (from, to) = slice(at.unwrap_or_default());
        for index in (from..to).flat_map(|word| self.flights.in_use(word)) {
            if Some(index) != except {
                self.look_after(index, now);
            }
        }
        to == count
    }

    /// Does what time, or a stopped thread, has left to do for a flight.
    pub(super) fn look_after(&self, index: u32, now: u64) {
        let flight = self.flights.get(index);
        let tenancy = flight.tenancy();
        let fate = flight.fate();
        let is_over = self.closing() <= now;
        match fate {
            fate if is_over
                && (fate.is_severed() || self.is_published(index, tenancy))
                && self.shut_flight(index, fate) => {}
            Fate::Leased { ties, generation } => {
                if ties.severed && !ties.detached {
                    self.cut_by_number(index, tenancy);
                }
                // Known by its number alone: it may be a draft, or have become one (fate.5).
                if flight.term().deadline() <= now
                    && (ties.severed || self.is_published(index, tenancy))
                {
                    self.lapse(index, tenancy, generation, now);
                }
            }
            Fate::Vacated { .. } => self.serve(index, tenancy, now),
            Fate::Free => {}
            fate => self.finish(index, tenancy, fate),
        }
    }

    /// Whether the table names the flight, in this tenancy; if so, it does until the lease has ended.
    pub(super) fn is_published(&self, index: u32, tenancy: u64) -> bool {
        let place = self.place(self.flights.get(index).id());
        self.table
            .scan(place)
            .any(|hit| hit.slot().names(index, tenancy) && self.table.confirms(hit.at, hit.slot()))
    }
}
