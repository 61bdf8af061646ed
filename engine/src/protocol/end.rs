//! Ending a lease: complete, cancel, halt; moving its deadline; and what is left to do afterwards.
//!
//! The CAS of the fate word ends the lease and says what came of it (fate.2). All the rest -
//! telling the waiters, putting the response in the table, giving the flight back - is `finish`,
//! which every thread that meets such a flight does as well. A thread stopped anywhere in it holds
//! up nobody.

use crate::hook::What;
use crate::memory::budget::Room;
use crate::outcome::{Completion, NoBody, OnEnd, Origin, Reason, Stale};
use crate::protocol::Core;
use crate::protocol::draft::NEXT;
use crate::record::body::Body;
use crate::record::fate::{Fate, Ties};
use crate::record::flight::Holder;
use crate::record::response::{Head, Kind, Response};
use crate::record::term::Term;
use crate::stats::Count;
use crate::sync::thread;
use crate::table::slot::Slot;
use crate::table::{Hit, Seat, SlotRef};
use crate::wheel::Entry;

/// A lease as a plain value: its flight, and the fencing token. Small, since it is moved a lot: what
/// else there is to know of it is in the flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub(crate) generation: u64,
    pub(crate) flight: u32,
    pub(crate) attempt: u32,
    pub(crate) on_abandon: OnEnd,
    pub(crate) origin: Origin,
}

/// What a finished record is to say, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending<B> {
    pub(crate) kind: Kind,
    pub(crate) reason: Reason,
    pub(crate) body: B,
    /// `None`: as the owner said when the lease began.
    pub(crate) retention: Option<u64>,
}

/// What a record has that is finished without a body.
const NO_BYTES: &[u8] = &[];

impl Core {
    /// Ends the lease with a response, shared by everyone who waits and kept for the retention.
    pub(crate) fn complete<B: Body>(
        &self,
        held: &Held,
        ending: Ending<B>,
    ) -> Result<Completion, Stale> {
        // Before the end: afterwards the flight may be another tenant's.
        let id = self.flights.get(held.flight).id();
        let holder = Holder::Lease(held.generation);
        let ended = match self.check_open(held) {
            Ok(()) => self.end_with(held.flight, holder, ending),
            Err(Stale) => Err(Stale),
        };
        match ended {
            Ok(fit) => {
                self.count(Count::Completes);
                match fit {
                    Completion::Stored => {}
                    Completion::Tombstone(_) => self.count(Count::Tombstones),
                    Completion::Detached => self.count(Count::Detached),
                }
                self.conclude(What::Completed(fit), id);
            }
            Err(Stale) => {
                self.count(Count::Stale);
                self.conclude(What::Stale, id);
            }
        }
        ended
    }

    /// Ends the lease without a result.
    pub(crate) fn give_up(&self, held: &Held, policy: OnEnd, reason: Reason) -> Result<(), Stale> {
        let id = self.flights.get(held.flight).id();
        let late = self.is_late(held);
        let ended = self
            .check_open(held)
            .and_then(|()| self.end_without_result(held.flight, held.generation, policy, reason));
        match (ended, policy) {
            (Err(Stale), _) => self.count(Count::Stale),
            // Counted where it is done, as all halts are.
            (Ok(()), OnEnd::Halt) => {}
            (Ok(()), _) => self.count(Count::Cancels),
        }
        if late && ended.is_ok() {
            self.count(Count::Late);
        }
        self.conclude(ended.map_or(What::Stale, |()| What::GaveUp(policy, reason)), id);
        ended
    }

    /// Moves the deadline to `millis` from now, never earlier (L1, term.1).
    pub(crate) fn renew(&self, held: &Held, millis: u64) -> Result<(), Stale> {
        let id = self.flights.get(held.flight).id();
        let renewed = self.check_open(held).and_then(|()| self.move_deadline(held, millis));
        self.count(if renewed.is_ok() { Count::Renews } else { Count::Stale });
        self.conclude(if renewed.is_ok() { What::Renewed } else { What::Stale }, id);
        renewed
    }

    fn move_deadline(&self, held: &Held, millis: u64) -> Result<(), Stale> {
        let flight = self.flights.get(held.flight);
        let tag = Term::tag(held.generation);
        let deadline = self.clock.deadline(self.clock.now(), millis);
        loop {
            let term = flight.term();
            // The fate is read after the term: if it still is this lease, so was the term (term.1).
            if !flight.fate().is_lease(held.generation) {
                return Err(Stale);
            }
            let Term::Lease { tag: found, on_expiry, deadline: before } = term else {
                // Lapsed: somebody is about to end it.
                return Err(Stale);
            };
            if found != tag {
                // Read before the hand-over that made the lease the caller's.
                continue;
            }
            let later = Term::Lease { tag, on_expiry, deadline: before.max(deadline) };
            if flight.change_term(term, later).is_ok() {
                return Ok(());
            }
        }
    }

    /// Whether the lease is still the caller's, and until when.
    pub(crate) fn deadline(&self, held: &Held) -> Result<u64, Stale> {
        let flight = self.flights.get(held.flight);
        let term = flight.term();
        if flight.fate().is_lease(held.generation) { Ok(term.deadline()) } else { Err(Stale) }
    }

    /// Whose key the lease is of, if it is still the caller's.
    pub(crate) fn id_of(&self, held: &Held) -> Result<[u64; 2], Stale> {
        let flight = self.flights.get(held.flight);
        let id = flight.id();
        // The fate after the id: if it still is this lease, so was the id (fate.1).
        if flight.fate().is_lease(held.generation) { Ok(id) } else { Err(Stale) }
    }

    /// Whether there is such a flight: not every token that was sent around has come back as it was.
    pub(crate) fn may_hold(&self, held: &Held) -> bool {
        held.flight < self.flights.count()
    }

    /// Whether somebody waits for the end of the lease, which is the caller's.
    pub(crate) fn is_awaited(&self, held: &Held) -> bool {
        self.flights.get(held.flight).waiting() > 0
    }

    fn is_late(&self, held: &Held) -> bool {
        self.deadline(held).is_ok_and(|deadline| deadline <= self.clock.now())
    }

    /// What `policy` says of a lease that ends without a result (L4, L5, L6).
    pub(super) fn end_without_result(
        &self,
        index: u32,
        generation: u64,
        policy: OnEnd,
        reason: Reason,
    ) -> Result<(), Stale> {
        let holder = Holder::Lease(generation);
        match policy {
            OnEnd::Halt => self.halt(index, holder, reason),
            // T3: a cancellation that is kept is for everybody who waits.
            _ if self.rules.cancelled_retention > 0 => {
                let retention = Some(self.rules.cancelled_retention);
                let ending = Ending { kind: Kind::Cancelled, reason, body: NO_BYTES, retention };
                self.end_with(index, holder, ending).map(drop)
            }
            OnEnd::FailWaiters | OnEnd::HandOver => self.let_go(index, holder, policy, reason),
        }
    }

    /// Ends with a halted record (T4).
    pub(super) fn halt(&self, index: u32, holder: Holder, reason: Reason) -> Result<(), Stale> {
        let retention = Some(self.rules.halted_retention);
        let ending = Ending { kind: Kind::Halted, reason, body: NO_BYTES, retention };
        self.end_with(index, holder, ending).map(|_| self.count(Count::Halts))
    }

    /// Ends without a record: a lease passes to the next waiter, where `policy` says so; otherwise, and
    /// where nobody holds one, the key is free and whoever waits is told.
    pub(super) fn let_go(
        &self,
        index: u32,
        holder: Holder,
        policy: OnEnd,
        reason: Reason,
    ) -> Result<(), Stale> {
        let flight = self.flights.get(index);
        // Before the step: afterwards the flight may be another tenant's any moment.
        let tenancy = flight.tenancy();
        let generation = holder.generation();
        // R4: no hand-over into an epoch that is over.
        let is_cleared = self.realms.is_cleared(flight.realm());
        let to = |ties: Ties| {
            let Ties { awaited, severed, detached } = ties;
            if policy == OnEnd::HandOver && awaited && !severed && !is_cleared {
                Fate::Vacated { reason, generation }
            } else {
                Fate::Dropped { detached, reason, awaited, generation }
            }
        };
        match flight.change_holder(holder, to).ok_or(Stale)? {
            Fate::Vacated { .. } => self.serve(index, tenancy, self.clock.now()),
            dropped => self.finish(index, tenancy, dropped),
        }
        Ok(())
    }

    /// Ends with a finished record.
    fn end_with<B: Body>(
        &self,
        index: u32,
        holder: Holder,
        ending: Ending<B>,
    ) -> Result<Completion, Stale> {
        let flight = self.flights.get(index);
        let term = flight.term();
        let tenancy = flight.tenancy();
        let (identity, realm) = (flight.identity(), flight.realm());
        let seat = Seat::unpack(flight.seat());
        let retention = ending.retention.unwrap_or_else(|| flight.retention());
        // What was read above is the lease's if it is there until the step below (fate.1).
        if !flight.is_with(holder) {
            return Err(Stale);
        }
        let now = self.clock.now();
        let mut head = Head {
            identity,
            realm,
            kind: ending.kind,
            reason: ending.reason,
            finished: now,
            deadline: self.clock.deadline(now, retention),
            length: match ending.kind {
                Kind::Halted => self.next_incident(),
                _ => u32::try_from(ending.body.length()).unwrap_or(u32::MAX),
            },
        };
        let (response, mut fit) = self.store(&mut head, ending.body, Some(index));
        let place = seat.place();
        if retention > 0 {
            // Before the lease ends: if it does not, the reminder is for nothing.
            let entry = Entry::new(place.line, place.tag, head.deadline);
            self.remember(entry, head.deadline);
        }
        let (loc, generation) = (response.loc(), holder.generation());
        let mut kept = false;
        let ended = flight.change_holder(holder, |ties| {
            let Ties { awaited, severed, detached } = ties;
            let is_away = severed || self.realms.is_cleared(realm);
            kept = retention > 0 && !is_away;
            let ended = Fate::Ended { detached, loc, kept, awaited, generation };
            response.set_holders(kept, ended.holds().is_some());
            if is_away {
                fit = Completion::Detached;
            }
            ended
        });
        let Some(ended) = ended else {
            // Nobody has seen it. The record's own granule stays with the flight.
            let room = self.free_response(response, NEXT);
            self.room.give(room, self.shard());
            return Err(Stale);
        };
        // Ends without a result have their own count of this, in `give_up`.
        if term.deadline() <= now && ending.kind.has_body() {
            self.count(Count::Late);
        }
        self.tell(index, tenancy, ended);
        if ended.is_detached() {
            self.try_free(index);
        } else {
            let slot = Slot::of_flight(seat.tag, index, tenancy);
            self.update_slot(index, ended, Hit::new(seat.at, slot));
        }
        if kept && self.wheel.may_have_come(head.deadline, self.shard()) {
            // Before the slot said Done, so that it found nothing; and nobody else will look.
            self.expire_place(place, self.clock.now());
        }
        self.help_out(now);
        Ok(fit)
    }

    /// Writes a finished record into the arena: with its body if there is room, else as a tombstone
    /// in the granule that the caller has taken for it, or the claim of `flight`.
    pub(super) fn store<B: Body>(
        &self,
        head: &mut Head,
        body: B,
        flight: Option<u32>,
    ) -> (Response<'_>, Completion) {
        let shard = self.shard();
        let mut fit = Completion::Tombstone(NoBody::TooLarge);
        if body.length() <= self.rules.max_response {
            let size = body.size();
            let extra = Room::of(0, body.cost()).minus(NEXT);
            let take = || self.take_room(head.realm, extra, shard) == Ok(true);
            if self.with_room(flight, take) {
                if let Some(loc) = self.alloc_granules(size, flight) {
                    let response = Response::write(&self.arena, loc, (&*head, self.stamp()), body);
                    return (response, Completion::Stored);
                }
                self.give_room(head.realm, extra, shard);
            }
            fit = Completion::Tombstone(NoBody::NoRoom);
        }
        // A halt or a kept cancellation has no body to lose, and stays what it is.
        if head.kind.has_body() {
            head.kind = Kind::Tombstone;
        }
        // There are more granules than the budget lets be in use, so one is always free; if not now,
        // then because other calls are in the middle of taking or rolling back.
        loop {
            if let Some(loc) = self.arena.alloc(1, shard) {
                let written = (&*head, self.stamp());
                return (Response::write(&self.arena, loc, written, NO_BYTES), fit);
            }
        }
    }

    fn alloc_granules(&self, size: u32, flight: Option<u32>) -> Option<u32> {
        let shard = self.shard();
        self.arena.alloc(size, shard).or_else(|| {
            // What is expired but not yet removed may lie in the way.
            self.make_room(flight);
            self.arena.alloc(size, shard).or_else(|| self.compact(size))
        })
    }

    /// Does what is left to do for a flight whose lease has ended. Idempotent; `fate` is the word
    /// that was seen, in `tenancy`.
    pub(super) fn finish(&self, index: u32, tenancy: u64, fate: Fate) {
        if !matches!(fate, Fate::Ended { .. } | Fate::Dropped { .. }) {
            return;
        }
        self.tell(index, tenancy, fate);
        if fate.is_detached() {
            return self.try_free(index);
        }
        let id = self.flights.get(index).id();
        let place = self.place(id);
        for hit in self.table.scan(place) {
            if hit.slot().names(index, tenancy) {
                return self.update_slot(index, fate, hit);
            }
        }
    }

    /// Makes the slot that names an ended flight say what the fate says. Its CAS has one winner in
    /// a tenancy: fate.3.
    #[inline]
    fn update_slot(&self, index: u32, fate: Fate, hit: Hit) {
        let won = match (fate, hit.slot()) {
            (Fate::Ended { loc, kept: true, .. }, Slot::Flight { tag, .. }) => {
                self.table.change(hit.at, hit.slot(), Slot::Done { tag, loc, pins: 0 }).is_ok()
            }
            _ => self.remove(hit.at, hit.slot()),
        };
        if won {
            self.detach(index, fate);
        }
    }

    /// Closes the queue of an ended flight and tells everyone in it to look.
    #[inline(always)]
    pub(super) fn tell(&self, index: u32, tenancy: u64, fate: Fate) {
        if fate.is_awaited() {
            self.tell_waiters(index, tenancy, fate);
        }
    }

    fn tell_waiters(&self, index: u32, tenancy: u64, fate: Fate) {
        let flight = self.flights.get(index);
        loop {
            // The snapshot first: if the flight still is what it was after that, the snapshot is of
            // its queue, and closing succeeds only if it still is (queue.3).
            let seen = flight.queue.snapshot();
            let same = flight.tenancy() == tenancy && flight.fate() == fate;
            if !same {
                return;
            }
            if flight.queue.close_if(seen) {
                if !seen.is_empty() {
                    flight.queue.notify_all(&self.nodes, &self.parker);
                }
                return;
            }
        }
    }

    /// Takes the slot of a flight out of the table, and its key off the count.
    pub(super) fn remove(&self, at: SlotRef, slot: Slot) -> bool {
        let removed = self.table.remove(at, slot).is_ok();
        if let (true, Slot::Flight { flight, .. }) = (removed, slot) {
            // Still this tenant's: the caller is yet to detach it (fate.3).
            self.give_room(self.flights.get(flight).realm(), Room::of(1, 0), self.shard());
        }
        removed
    }

    /// The caller took the flight out of the table: nothing names it any more but its waiters. `fate`
    /// is its word, which nobody else changes before it is detached (fate.3).
    #[inline(always)]
    pub(super) fn detach(&self, index: u32, fate: Fate) {
        let flight = self.flights.get(index);
        if !fate.is_awaited() {
            flight.set_free();
            return self.give_back(index, fate);
        }
        let detached = flight.change_fate(fate, fate.detach());
        debug_assert!(detached.is_ok(), "fate.3: the word of an ended flight changed");
        self.try_free(index);
    }

    /// Gives an ended flight back once nothing names it (fate.4).
    pub(super) fn try_free(&self, index: u32) {
        let flight = self.flights.get(index);
        // In order: whoever detaches looks at the queue afterwards, whoever leaves the queue last
        // looks at the fate afterwards, and one of the two must see both. The fate is read first:
        // the CAS below then says that the queue was this tenant's.
        let fate = flight.fate_in_order();
        let queue = flight.queue.snapshot_in_order();
        if !fate.is_detached() || queue.open || !queue.is_empty() {
            return;
        }
        if flight.change_fate(fate, Fate::Free).is_ok() {
            self.give_back(index, fate);
        }
    }

    /// The caller has made the flight `Free`: what it held goes back, and then the flight itself.
    #[inline]
    fn give_back(&self, index: u32, fate: Fate) {
        match fate {
            Fate::Ended { .. } => {
                if let Some(loc) = fate.holds() {
                    self.release(self.response(loc), 1);
                }
            }
            _ => self.give_room(self.flights.get(index).realm(), NEXT, self.shard()),
        }
        self.flights.free(index, thread::current());
    }
}
