//! The claim: find the record or make one, in one linearizable step (K2).
//!
//! 1. Scan the line of the key. Each slot with the right tag is looked at: a response is pinned and
//!    its id compared; a flight's id is read and validated (flight.1).
//! 2. No record: a flight is drafted, a slot reserved, and the header CAS publishes it. It succeeds
//!    only under the header that was scanned, so nobody else can have brought the key in: that CAS
//!    is where `Execute` is decided. Otherwise scan again.
//! 3. A finished record past its deadline, or a cancelled flight: the draft takes its slot, in
//!    place.
//! 4. A lease past its deadline is ended first (`expiry`), then the claim looks again.

use crate::memory::budget::Room;
use crate::outcome::{Limit, Origin, Reason, State};
use crate::protocol::draft::{Draft, NEW, NEXT};
use crate::protocol::expiry::Lapse;
use crate::protocol::hand_over::Waiting;
use crate::protocol::lookup::View;
use crate::protocol::{Core, Held, Terms};
use crate::realms::Home;
use crate::record::fate::Fate;
use crate::record::flight::{Facts, Identity, equal};
use crate::record::response::Response;
use crate::record::term::Term;
use crate::stats::Count;
use crate::sync::model_fence;
use crate::table::header::Header;
use crate::table::slot::Slot;
use crate::table::{Hit, NoSlot, Place, Scan};

/// What a claim asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) identity: Identity,
    pub(crate) home: Home,
    pub(crate) terms: Terms,
    pub(crate) owner: u64,
    pub(crate) wait: bool,
    pub(crate) may_execute: bool,
}

/// What a claim came to.
#[derive(Debug)]
#[must_use]
pub(crate) enum Claimed {
    Execute(Held),
    /// Registered in the queue, if it asked to wait.
    InFlight(Option<Waiting>, Facts, Term),
    /// The caller holds the response at this place: finished, to be told as its kind says.
    Finished(u32),
    Mismatch(State),
    Refused(Refusal),
}

/// A claim that the short way did not settle.
#[derive(Clone, Copy)]
pub(crate) struct Undecided {
    pub(super) place: Place,
    pub(super) now: u64,
}

/// Why a claim got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full(Limit),
    Closed,
}

/// What a look at the line came to.
pub(super) enum Look {
    /// The claim is decided.
    Settled,
    /// Something moved: look again.
    Again,
    /// The key has no record, says the header of the scan.
    Absent,
}

/// What a response is to a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// Another key's.
    Stranger,
    /// The key's, but its retention is over.
    Over,
    /// The key's, and bound to another fingerprint.
    Mismatch,
    Answer,
}

impl Finding {
    #[inline(always)]
    fn of(response: Response<'_>, ask: &Ask, now: u64) -> Self {
        if !equal(response.id(), ask.identity.id) {
            Self::Stranger
        } else if response.deadline() <= now {
            Self::Over
        } else if ask.identity.mismatches(response.fingerprint()) {
            Self::Mismatch
        } else {
            Self::Answer
        }
    }
}

impl Core {
    /// The short way of most claims, which are replays: the first slot with the tag has the key's
    /// response, and nothing speaks against handing it out. The caller then holds the response, which
    /// is at the place returned. Otherwise the claim is still to be decided.
    #[inline(always)]
    pub(crate) fn seek(&self, ask: &Ask) -> Result<u32, Undecided> {
        // The clock first: what it says may be a little old, which can only delay an end; what ends a
        // lease reads it again (K7).
        let now = self.clock.now();
        let place = self.place(ask.identity.id);
        self.seek_by(self.table.first(place), Undecided { place, now }, ask)
    }

    /// The same by what was found first, at this place and time.
    #[inline(always)]
    pub(super) fn seek_by(
        &self,
        hit: Option<Hit>,
        undecided: Undecided,
        ask: &Ask,
    ) -> Result<u32, Undecided> {
        match hit {
            Some(hit) => self.find(hit, ask, undecided.now).ok_or(undecided),
            None => Err(undecided),
        }
    }

    /// Whether the slot has the key's response, to be handed out. Says nothing about the key otherwise.
    #[inline(always)]
    fn find(&self, hit: Hit, ask: &Ask, now: u64) -> Option<u32> {
        let response = self.pin_at_once(hit)?;
        if Finding::of(response, ask, now) != Finding::Answer {
            self.unpin(hit.at, response);
            return None;
        }
        Some(response.loc())
    }

    /// The whole claim, for tests: `seek` and `decide`.
    #[cfg(test)]
    pub(crate) fn claim(&self, ask: &Ask, claimed: &mut Claimed) {
        match self.seek(ask) {
            Ok(loc) => *claimed = Claimed::Finished(loc),
            Err(undecided) => self.decide(undecided, ask, claimed),
        }
    }

    /// Steps 1 to 4; says in `claimed` what the claim came to. (Written there rather than returned,
    /// since it is large.)
    #[inline(never)]
    pub(crate) fn decide(&self, undecided: Undecided, ask: &Ask, claimed: &mut Claimed) {
        let mut draft = Draft::new(self, claimed);
        let Undecided { place, mut now } = undecided;
        loop {
            let scan = self.table.scan(place);
            let header = scan.header;
            // Most of these claims are of new keys, which nothing in the line has the tag of.
            let look =
                if scan.is_empty() { Look::Absent } else { self.look(scan, ask, now, &mut draft) };
            let look = match look {
                Look::Absent => self.insert(place, header, ask, now, &mut draft),
                look => look,
            };
            if let Look::Settled = look {
                return;
            }
            // Something moved: models need not look again at what was there before it.
            model_fence();
            now = self.clock.now();
        }
    }

    /// Step 1: what the line says about the key.
    #[inline(never)]
    fn look(&self, scan: Scan<'_>, ask: &Ask, now: u64, draft: &mut Draft<'_>) -> Look {
        for hit in scan {
            let look = match hit.slot() {
                Slot::Done { .. } => self.look_at_response(hit, ask, now, draft),
                Slot::Flight { .. } => self.look_at_flight(hit, ask, now, draft),
                Slot::Vacant | Slot::Dead { .. } => continue,
            };
            if let Some(look) = look {
                return look;
            }
        }
        Look::Absent
    }

    /// Step 2: no record under this header.
    fn insert(
        &self,
        place: Place,
        header: Header,
        ask: &Ask,
        now: u64,
        draft: &mut Draft<'_>,
    ) -> Look {
        if self.is_closed() {
            return draft.settle(Claimed::Refused(Refusal::Closed));
        }
        // Not by the time that the claim began: if the key is new because another's time was over, the
        // lease begins after that.
        let flight = match draft.prepare(ask, self.clock.now(), NEW) {
            Ok(flight) => flight,
            Err(limit) => return draft.settle(Claimed::Refused(Refusal::Full(limit))),
        };
        let slot = flight.slot(place.tag);
        let (reserved, shard) = (&mut draft.reserved, draft.shard);
        match self.table.reserve(place.line, header, slot, reserved, shard) {
            Ok(at) => {
                flight.sit(self, at, place.tag);
                if !self.table.publish(at, header) {
                    return Look::Again;
                }
                draft.reserved = None;
                draft.execute(ask, NEW)
            }
            Err(NoSlot::Changed) => Look::Again,
            Err(NoSlot::Full) if draft.has_cleared_line => {
                draft.settle(Claimed::Refused(Refusal::Full(Limit::Records)))
            }
            Err(NoSlot::Full) => {
                // It is the line that is full: what is over in it makes room (R2).
                draft.has_cleared_line = true;
                self.clear_line(place.line, now);
                Look::Again
            }
        }
    }

    /// `None`: it is another key's.
    #[inline]
    fn look_at_response(
        &self,
        hit: Hit,
        ask: &Ask,
        now: u64,
        draft: &mut Draft<'_>,
    ) -> Option<Look> {
        let Some(response) = self.pin(hit) else { return Some(Look::Again) };
        match Finding::of(response, ask, now) {
            Finding::Stranger => {
                self.unpin(hit.at, response);
                None
            }
            Finding::Over => {
                let look = self.replace_expired(hit, response.loc(), ask, now, draft);
                self.release(response, 1);
                Some(look)
            }
            Finding::Mismatch => {
                let state = response.kind().state();
                self.unpin(hit.at, response);
                Some(draft.settle(Claimed::Mismatch(state)))
            }
            Finding::Answer => Some(draft.settle(Claimed::Finished(response.loc()))),
        }
    }

    /// Step 3 for a finished record whose retention is over; the caller has pinned it.
    fn replace_expired(
        &self,
        hit: Hit,
        expired: u32,
        ask: &Ask,
        now: u64,
        draft: &mut Draft<'_>,
    ) -> Look {
        if self.is_closed() {
            return draft.settle(Claimed::Refused(Refusal::Closed));
        }
        draft.begin_afresh();
        let flight = match draft.prepare(ask, now, NEXT) {
            Ok(flight) => flight,
            Err(_) => {
                // The room that lacks may be what this very record has, which the caller holds.
                self.expire_if_due(hit, now);
                return Look::Again;
            }
        };
        let mut seen = self.table.load(hit.at);
        while let Slot::Done { tag, loc, pins } = seen
            && loc == expired
        {
            // Linearization of `Execute` for an expired key; table.2: the slot keeps the key.
            let slot = flight.slot(tag);
            flight.sit(self, hit.at, tag);
            match self.table.change(hit.at, seen, slot) {
                Ok(()) => {
                    let room = self.unlink(self.response(expired), pins);
                    debug_assert_eq!(room, Room::NONE, "response.2: the caller holds it");
                    self.count(Count::Expired);
                    return draft.execute(ask, NEXT);
                }
                Err(now) => seen = now,
            }
        }
        Look::Again
    }

    /// `None`: it is another key's.
    pub(super) fn look_at_flight(
        &self,
        hit: Hit,
        ask: &Ask,
        now: u64,
        draft: &mut Draft<'_>,
    ) -> Option<Look> {
        let Some(view) = self.view(hit) else { return Some(Look::Again) };
        let View { index, tenancy, identity, fate, term, facts, queue } = view;
        if !equal(identity.id, ask.identity.id) {
            return None;
        }
        if fate.is_severed() {
            self.cut(index, tenancy, hit);
            return Some(Look::Again);
        }
        let flight = self.flights.get(index);
        // Another flight is here now: what an earlier look saw end is not its predecessor.
        draft.begin_afresh();
        if let Fate::Dropped { reason, .. } = fate {
            draft.follow(reason, facts, &identity);
            self.tell(index, tenancy, fate);
            return Some(self.replace_dropped(hit, fate, ask, draft));
        }
        if identity.mismatches(ask.identity.fingerprint) {
            // Before any takeover (K4), also of a lease that ran out: its owner may still complete, and
            // a request that is refused is no reason to lose what it did (L2).
            return Some(draft.settle(Claimed::Mismatch(State::InFlight)));
        }
        match fate {
            Fate::Leased { generation, .. } => match self.lapse(index, tenancy, generation, now) {
                Lapse::Holds => {}
                Lapse::Expired => {
                    draft.follow(Reason::LeaseExpired, facts, &identity);
                    return Some(Look::Again);
                }
                Lapse::Gone => return Some(Look::Again),
            },
            Fate::Vacated { reason, .. } => {
                self.serve(index, tenancy, now);
                if flight.fate() != fate {
                    draft.follow(reason, facts, &identity);
                    return Some(Look::Again);
                }
            }
            _ => {
                self.finish(index, tenancy, fate);
                return Some(Look::Again);
            }
        }
        if !ask.wait {
            return Some(draft.settle(Claimed::InFlight(None, facts, term)));
        }
        Some(match self.join(hit, tenancy, fate, queue, ask) {
            Ok(Some(waiting)) => draft.settle(Claimed::InFlight(Some(waiting), facts, term)),
            Ok(None) => Look::Again,
            Err(limit) => draft.settle(Claimed::Refused(Refusal::Full(limit))),
        })
    }

    /// Step 3 for a flight whose lease was given up, with nobody to take over; its waiters, if any,
    /// have been told.
    fn replace_dropped(&self, hit: Hit, fate: Fate, ask: &Ask, draft: &mut Draft<'_>) -> Look {
        let Slot::Flight { tag, flight: dropped, .. } = hit.slot() else { return Look::Again };
        if self.is_closed() {
            return draft.settle(Claimed::Refused(Refusal::Closed));
        }
        let flight = match draft.prepare(ask, self.clock.now(), NEXT) {
            Ok(flight) => flight,
            Err(_) => {
                // The room that lacks may be what the dropped flight still has. Without it the key
                // is one that has no record.
                self.look_after(dropped, self.clock.now());
                return Look::Again;
            }
        };
        // Linearization of `Execute` after a cancel or an expiry. The slot names the tenancy, so
        // this takes out the very flight that was looked at.
        let slot = flight.slot(tag);
        flight.sit(self, hit.at, tag);
        if self.table.change(hit.at, hit.slot(), slot).is_err() {
            return Look::Again;
        }
        self.detach(dropped, fate);
        draft.execute(ask, NEXT)
    }

    /// The term word of a lease that begins now.
    pub(super) fn term(&self, terms: &Terms, generation: u64, now: u64) -> Term {
        Term::Lease {
            tag: Term::tag(generation),
            on_expiry: terms.on_expiry,
            deadline: self.clock.deadline(now, terms.lease),
        }
    }
}

/// How a lease follows on one that ended for this reason.
pub(super) fn origin_after(reason: Reason) -> Origin {
    match reason {
        Reason::LeaseExpired => Origin::AfterExpiry,
        _ => Origin::AfterCancel,
    }
}
