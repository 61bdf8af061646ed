//! Taking a record away from outside: forget, detach, an operator's force and settlement.
//!
//! None of these has a lease's token. They name the key, find its record, and act on the very record
//! that they found: by the whole slot word, or the whole fate word.

use crate::hook::What;
use crate::memory::budget::Room;
use crate::outcome::{Completion, OnEnd, Reason, Removal};
use crate::protocol::Core;
use crate::protocol::draft::NEXT;
use crate::protocol::lookup::{Found, InFlight};
use crate::record::body::Body;
use crate::record::flight::Holder;
use crate::record::response::{Head, Kind, Response};
use crate::stats::Count;
use crate::sync::model_fence;
use crate::table::slot::Slot;
use crate::table::{Hit, Place};
use crate::wheel::Entry;

/// What came of settling a halted record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Settled {
    Done(Completion),
    /// There is no such halted record any more.
    Stale,
    /// No room for what is to take its place.
    Full,
}

/// How a halted record is settled (L8).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settlement<B> {
    /// It was done, and this is what it came to, kept for so long.
    Complete(Kind, B, u64),
    /// It was not done: the key is free.
    Release,
    /// It stays halted, for as long again.
    Keep,
}

impl Core {
    /// Removes a finished record; a halted one, or one in flight, only if `forced` (K8).
    pub(crate) fn forget(&self, id: [u64; 2], forced: bool) -> Removal {
        loop {
            let now = self.clock.now();
            match self.locate(id) {
                Found::Absent => return Removal::Vacant,
                Found::Finished(hit, response) => {
                    let (kind, is_over) = (response.kind(), response.deadline() <= now);
                    if kind == Kind::Halted && !is_over && !forced {
                        self.unpin(hit.at, response);
                        return Removal::Halted;
                    }
                    if self.take_out(hit, response) {
                        if is_over {
                            self.count(Count::Expired);
                            return Removal::Vacant;
                        }
                        self.report(Count::Forgotten, What::Forgotten, id);
                        return Removal::Removed;
                    }
                }
                Found::InFlight(..) if !forced => return Removal::InFlight,
                Found::InFlight(InFlight { index, holder, .. }) => {
                    // Whatever is kept of cancellations: the key is to be free.
                    let (policy, reason) = (OnEnd::FailWaiters, Reason::Forgotten);
                    if self.let_go(index, holder, policy, reason).is_ok() {
                        self.report_forced(holder, reason, id);
                        return Removal::Removed;
                    }
                }
            }
            model_fence();
        }
    }

    /// Takes the key from the owner that has it, who goes on for those who wait already (K8). False: it
    /// is not in flight.
    pub(crate) fn detach_key(&self, id: [u64; 2]) -> bool {
        while let Some(record) = self.locate_in_flight(id) {
            if self.sever(&record) {
                self.note(What::Detached, id);
                return true;
            }
            model_fence();
        }
        false
    }

    fn sever(&self, record: &InFlight) -> bool {
        let InFlight { hit, index, tenancy, holder } = *record;
        match holder {
            Holder::Lease(generation) => {
                let is_severed = self.flights.get(index).sever(generation);
                if is_severed {
                    self.cut(index, tenancy, hit);
                }
                is_severed
            }
            // Nobody executes, so there is nothing to wait for.
            Holder::Nobody { reason, .. } => {
                self.let_go(index, holder, OnEnd::FailWaiters, reason).is_ok()
            }
        }
    }

    /// Takes a severed flight out of the table. Anyone may, and one does (fate.7).
    pub(super) fn cut(&self, index: u32, tenancy: u64, hit: Hit) {
        if self.remove(hit.at, hit.slot()) {
            self.mark_detached(index, tenancy);
        }
    }

    /// The same for a flight that was found by its number.
    pub(super) fn cut_by_number(&self, index: u32, tenancy: u64) {
        let place = self.place(self.flights.get(index).id());
        for hit in self.table.scan(place) {
            if hit.slot().names(index, tenancy) && self.table.confirms(hit.at, hit.slot()) {
                return self.cut(index, tenancy, hit);
            }
        }
    }

    /// The caller took a severed flight out of the table. Until it says so here the flight stays this
    /// tenant's (fate.3, fate.4), whose lease may end meanwhile.
    fn mark_detached(&self, index: u32, tenancy: u64) {
        let flight = self.flights.get(index);
        loop {
            let fate = flight.fate();
            if fate.is_severed() {
                if flight.change_fate(fate, fate.detach()).is_ok() {
                    return;
                }
                continue;
            }
            self.tell(index, tenancy, fate);
            return self.detach(index, fate);
        }
    }

    /// Ends the lease of a key by force, as `policy` says (O2). False: nobody has one.
    pub(crate) fn force(&self, id: [u64; 2], policy: OnEnd) -> bool {
        let reason = Reason::Forced;
        while let Some(InFlight { index, holder, .. }) = self.locate_in_flight(id) {
            let ended = match (holder, policy) {
                (Holder::Lease(generation), _) => {
                    self.end_without_result(index, generation, policy, reason)
                }
                // It is being handed over already.
                (Holder::Nobody { .. }, OnEnd::HandOver) => return false,
                (holder, OnEnd::FailWaiters) => self.let_go(index, holder, policy, reason),
                (holder, OnEnd::Halt) => self.halt(index, holder, reason),
            };
            if ended.is_ok() {
                self.report_forced(holder, reason, id);
                return true;
            }
            model_fence();
        }
        false
    }

    /// Counts and tells of a lease that was ended from outside; between two owners there was none.
    fn report_forced(&self, holder: Holder, reason: Reason, id: [u64; 2]) {
        if let Holder::Lease(_) = holder {
            self.report(Count::Forced, What::Forced(reason), id);
        }
    }

    /// Settles the halted record of this number (L8).
    pub(crate) fn settle<B: Body>(
        &self,
        id: [u64; 2],
        incident: u32,
        settlement: Settlement<B>,
    ) -> Settled {
        loop {
            let now = self.clock.now();
            let (hit, halted) = match self.locate(id) {
                Found::Absent | Found::InFlight(..) => return Settled::Stale,
                Found::Finished(hit, response) => (hit, response),
            };
            let is_it = halted.kind() == Kind::Halted
                && halted.incident() == incident
                && halted.deadline() > now;
            if !is_it {
                self.unpin(hit.at, halted);
                return Settled::Stale;
            }
            let settled = match settlement {
                Settlement::Complete(kind, body, retention) if retention > 0 => {
                    let length = u32::try_from(body.length()).unwrap_or(u32::MAX);
                    let mut head = self.head_after(halted, kind, (now, retention));
                    head.length = length;
                    self.replace(hit, halted, &mut head, body)
                }
                Settlement::Complete(..) | Settlement::Release => {
                    self.take_out(hit, halted).then_some(Settled::Done(Completion::Stored))
                }
                Settlement::Keep => {
                    let time = (now, self.rules.halted_retention);
                    let mut head = self.head_after(halted, Kind::Halted, time);
                    self.replace::<&[u8]>(hit, halted, &mut head, &[])
                }
            };
            if let Some(settled) = settled {
                if let Settled::Done(_) = settled {
                    self.report(Count::Resolved, What::Resolved, id);
                }
                return settled;
            }
            model_fence();
        }
    }

    /// The header of what follows on a halted record.
    fn head_after(&self, halted: Response<'_>, kind: Kind, (now, retention): (u64, u64)) -> Head {
        Head {
            identity: halted.identity(),
            realm: halted.realm(),
            kind,
            reason: halted.reason(),
            finished: now,
            deadline: self.clock.deadline(now, retention),
            length: halted.incident(),
        }
    }

    /// Puts another finished record in the place of one that the caller has pinned; it is let go of.
    /// `None`: it is not there any more.
    fn replace<B: Body>(
        &self,
        hit: Hit,
        before: Response<'_>,
        head: &mut Head,
        body: B,
    ) -> Option<Settled> {
        let shard = self.shard();
        let take = || self.take_room(head.realm, NEXT, shard) == Ok(true);
        if !self.with_room(None, take) {
            self.unpin(hit.at, before);
            return Some(Settled::Full);
        }
        let (response, fit) = self.store(head, body, None);
        response.set_holders(true, false);
        let Place { line, tag } = hit.place();
        self.remember(Entry::new(line, tag, head.deadline), head.deadline);
        let after = Slot::Done { tag, loc: response.loc(), pins: 0 };
        let pins = self.step_from(hit.at, before, |seen| self.table.change(hit.at, seen, after));
        if let Some(pins) = pins {
            // Our own pin is let go of below.
            let room = self.unlink(before, pins);
            debug_assert_eq!(room, Room::NONE, "response.2: the caller holds it");
        } else {
            let room = self.free_response(response, Room::NONE);
            self.room.give(room, shard);
        }
        self.release(before, 1);
        pins.map(|_| Settled::Done(fit))
    }

    /// Removes a finished record that the caller has pinned; it is let go of. False: it was not there
    /// any more.
    fn take_out(&self, hit: Hit, response: Response<'_>) -> bool {
        let room = self.unlink_from(hit, response);
        match room {
            Some(room) => self.room.give(room, self.shard()),
            None => {
                self.release(response, 1);
            }
        }
        room.is_some()
    }
}
