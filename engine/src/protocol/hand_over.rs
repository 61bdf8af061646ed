//! Handing over: who waits, who is offered a vacated record, who accepts it (L5 to L7).
//!
//! A lease that ends without a result leaves its flight `Vacated`, with the queue as it is. From
//! then on whoever meets it *serves* it: offers it to the oldest waiter that may execute, by a CAS
//! of the term word, and wakes that waiter, which accepts by another CAS of the same word. A waiter
//! that leaves, or does not accept in time, is passed over by a third kind of CAS of the same word:
//! so exactly one waiter executes, and none can take the record away with it.

use core::task::Waker;

use crate::hook::What;
use crate::outcome::{Limit, OnEnd, Reason};
use crate::protocol::claim::{Ask, origin_after};
use crate::protocol::expiry::Lapse;
use crate::protocol::{Core, Held, Terms};
use crate::record::fate::{Fate, Ties};
use crate::record::flight::{Facts, Holder};
use crate::record::term::Term;
use crate::stats::Count;
use crate::sync::{Ordering, fence};
use crate::table::Hit;
use crate::table::slot::Slot;
use crate::wait::queue::Snapshot;

/// A place in a flight's queue. While it is held, the flight stays this tenant's (fate.4).
#[derive(Debug)]
pub(crate) struct Waiting {
    flight: u32,
    tenancy: u64,
    pub(super) node: u32,
    terms: Terms,
    owner: u64,
    may_execute: bool,
    /// When it joined, in microseconds, for the histogram.
    since: u64,
}

/// What a waiter finds when it looks.
#[derive(Debug)]
#[must_use]
pub(crate) enum Verdict {
    /// Nothing yet; look again when notified, or at this time.
    Wait(u64),
    /// The caller holds the response at this place.
    Finished(u32),
    Cancelled(Reason),
    Execute(Held),
    Closed,
}

impl Core {
    /// Registers a waiter, if the queue still is as it was seen, under that fate. `Ok(None)`: it is not.
    pub(super) fn join(
        &self,
        hit: Hit,
        tenancy: u64,
        fate: Fate,
        seen: Snapshot,
        ask: &Ask,
    ) -> Result<Option<Waiting>, Limit> {
        let Slot::Flight { flight: index, .. } = hit.slot() else { return Ok(None) };
        let flight = self.flights.get(index);
        // After the queue was seen (queue.5). What is vacated was awaited, and is told before its
        // flight is used again: an open queue is still the tenant's.
        let may_join = match fate {
            Fate::Leased { generation, .. } => flight.await_end(generation),
            _ => seen.open,
        };
        if !may_join {
            return Ok(None);
        }
        // Relaxed: a count. It may be a later tenant's for a moment; that costs it one place (W3).
        let before = flight.waiters.fetch_add(1, Ordering::Relaxed);
        let node = (before < self.rules.waiters_per_key).then(|| self.nodes.alloc(self.shard()));
        let Some(Some(number)) = node else {
            flight.waiters.fetch_sub(1, Ordering::Relaxed);
            return Err(Limit::Waiters);
        };
        let link = self.nodes.get(number).start(ask.may_execute);
        if !flight.queue.join(seen, &self.nodes, number, link) {
            self.nodes.free(number);
            flight.waiters.fetch_sub(1, Ordering::Relaxed);
            return Ok(None);
        }
        Ok(Some(Waiting {
            flight: index,
            tenancy,
            node: number,
            terms: ask.terms,
            owner: ask.owner,
            may_execute: ask.may_execute,
            since: self.clock.micros(),
        }))
    }

    /// What has become of the record the waiter waits for. Anything but `Wait` has ended the
    /// waiting: the place is given back.
    pub(crate) fn poll(&self, waiting: &Waiting) -> Verdict {
        let flight = self.flights.get(waiting.flight);
        loop {
            let now = self.clock.now();
            let fate = flight.fate();
            match fate {
                fate if self.closing() <= now && self.shut_flight(waiting.flight, fate) => {}
                Fate::Leased { generation, .. } => {
                    let until = flight.term().deadline().min(self.closing());
                    let lapse = self.lapse(waiting.flight, waiting.tenancy, generation, now);
                    if lapse == Lapse::Holds {
                        return Verdict::Wait(until);
                    }
                }
                Fate::Vacated { .. } => {
                    if let Some(verdict) = self.poll_vacated(waiting, fate, now) {
                        return verdict;
                    }
                }
                Fate::Ended { loc, .. } => {
                    // The flight holds the response as long as we are in its queue.
                    self.hold(loc);
                    self.leave(waiting);
                    return Verdict::Finished(loc);
                }
                Fate::Dropped { reason, .. } => {
                    self.leave(waiting);
                    return Verdict::Cancelled(reason);
                }
                Fate::Free => unreachable!("fate.4: a flight with waiters is not free"),
            }
        }
    }

    /// `None`: look again.
    fn poll_vacated(&self, waiting: &Waiting, fate: Fate, now: u64) -> Option<Verdict> {
        let flight = self.flights.get(waiting.flight);
        match flight.term() {
            Term::Offer { node, .. } if node == waiting.node => {
                if !waiting.may_execute {
                    // Meant for whoever had this node before (DESIGN.md, "First come, first
                    // served").
                    self.take_back(waiting.flight, node);
                    return None;
                }
                if self.is_closed() {
                    self.leave(waiting);
                    return Some(Verdict::Closed);
                }
                if self.realms.is_cleared(flight.realm()) {
                    // `serve` drops it.
                    self.serve(waiting.flight, waiting.tenancy, now);
                    return None;
                }
                let held = self.accept(waiting, now)?;
                self.leave(waiting);
                Some(Verdict::Execute(held))
            }
            _ => {
                self.serve(waiting.flight, waiting.tenancy, now);
                match (flight.fate() == fate, flight.term()) {
                    (true, Term::Offer { node, deadline }) if node != waiting.node => {
                        Some(Verdict::Wait(deadline))
                    }
                    _ => None,
                }
            }
        }
    }

    /// Takes the record that was offered; `None` if the offer was taken back.
    fn accept(&self, waiting: &Waiting, now: u64) -> Option<Held> {
        let flight = self.flights.get(waiting.flight);
        let offer = flight.term();
        if !matches!(offer, Term::Offer { node, .. } if node == waiting.node) {
            return None;
        }
        // Read before accepting: afterwards others may have written the new lease into the fate.
        let Fate::Vacated { reason, generation: ended } = flight.fate() else { return None };
        let generation = flight.next_generation(self.geometry.generation_mask);
        // term.2: nobody else gets the record now.
        flight.change_term(offer, self.term(&waiting.terms, generation, now)).ok()?;
        let attempt = flight.facts().attempt + 1;
        flight.set_facts(Facts { started: now, owner: waiting.owner, attempt });
        flight.set_retention(waiting.terms.retention);
        // The linearization of the hand-over is the step in there that makes the fate `Leased`. Instead of
        // it the record may have been taken away from outside, and the caller was never its owner.
        self.serve(waiting.flight, waiting.tenancy, now);
        if flight.fate().is_after(ended) {
            return None;
        }
        self.count(Count::HandOvers);
        self.note(What::HandedOver, flight.id());
        Some(Held {
            generation,
            flight: waiting.flight,
            attempt,
            on_abandon: waiting.terms.on_abandon,
            origin: origin_after(reason),
        })
    }

    /// Goes one step on with a vacated flight: writes an accepted lease into the fate, offers the
    /// record to the next waiter, or drops it if there is none. Idempotent; anyone may do it.
    pub(super) fn serve(&self, index: u32, tenancy: u64, now: u64) {
        let flight = self.flights.get(index);
        loop {
            let fate = flight.fate();
            let Fate::Vacated { reason, generation: ended } = fate else { return };
            // The tenancy was read after the fate: the fate is the tenant's that the caller means.
            // Another's would be dropped without its waiters being told.
            if flight.tenancy() != tenancy {
                return;
            }
            if self.realms.is_cleared(flight.realm()) {
                let holder = Holder::Nobody { reason, generation: ended };
                let _ = self.let_go(index, holder, OnEnd::FailWaiters, Reason::Cleared);
                return;
            }
            let term = flight.term();
            // The term was read after the fate: if the fate still is this, it is this one's.
            if flight.fate() != fate {
                continue;
            }
            let passed = match term {
                Term::Lease { tag, .. } if tag != Term::tag(ended) => {
                    let generation = flight.generation_of(tag, self.geometry.generation_mask);
                    let _ =
                        flight.change_fate(fate, Fate::Leased { ties: Ties::AWAITED, generation });
                    return;
                }
                Term::Offer { node, deadline } if deadline > now => {
                    // Whoever offered it may have been stopped before waking.
                    self.nodes.get(node).notify(&self.parker);
                    return;
                }
                Term::Offer { node, .. } => Some(node),
                Term::Lease { .. } | Term::Lapsed { .. } => None,
            };
            let (next, walked) = flight.queue.next_executor(&self.nodes, passed);
            if flight.fate() != fate {
                continue;
            }
            let Some(next) = next else {
                if flight.queue.close_if(walked) {
                    let dropped =
                        Fate::Dropped { detached: false, reason, awaited: true, generation: ended };
                    if flight.change_fate(fate, dropped).is_ok() {
                        self.finish(index, tenancy, dropped);
                    }
                }
                continue;
            };
            let deadline = self.clock.deadline(now, self.rules.accept_timeout);
            let offer = Term::Offer { node: next.number, deadline };
            if flight.change_term(term, offer).is_err() {
                continue;
            }
            // SeqCst fence: pairs with the one in `leave`. Either the leaver sees this offer, or we
            // see that it leaves.
            fence(Ordering::SeqCst);
            if next.is_still_waiting(&self.nodes) {
                self.nodes.get(next.number).notify(&self.parker);
                if deadline < term.deadline() {
                    self.wake_watcher(index, next.number);
                }
                return;
            }
            self.take_back(index, next.number);
        }
    }

    /// Waiters sleep until the deadline they last saw, and now there may be an earlier one. One of
    /// them, not all, wakes and watches over it, so that nobody else has to (K7, L6).
    fn wake_watcher(&self, index: u32, besides: u32) {
        let queue = &self.flights.get(index).queue;
        if let Some(watcher) = queue.oldest_besides(&self.nodes, besides) {
            self.nodes.get(watcher).notify(&self.parker);
        }
    }

    /// Gives the place in the queue back. If the record was offered here, it passes on (L7).
    pub(crate) fn leave(&self, waiting: &Waiting) {
        let flight = self.flights.get(waiting.flight);
        flight.queue.leave(&self.nodes, waiting.node);
        // SeqCst fence: see `serve`.
        fence(Ordering::SeqCst);
        self.take_back(waiting.flight, waiting.node);
        self.serve(waiting.flight, waiting.tenancy, self.clock.now());
        if matches!(flight.fate(), Fate::Leased { .. } | Fate::Vacated { .. }) {
            // Whoever leaves may have been the one that watched, or the one that accepted.
            self.wake_watcher(waiting.flight, waiting.node);
        }
        self.count_wait(waiting.since);
        // Relaxed: a count.
        flight.waiters.fetch_sub(1, Ordering::Relaxed);
        self.nodes.get(waiting.node).disarm();
        self.nodes.free(waiting.node);
        self.try_free(waiting.flight);
    }

    /// Withdraws an offer to a waiter that has left.
    fn take_back(&self, index: u32, node: u32) {
        let flight = self.flights.get(index);
        let fate = flight.fate();
        let term = flight.term();
        if let (Fate::Vacated { generation, .. }, Term::Offer { node: offered, deadline }) =
            (fate, term)
            && offered == node
        {
            let lapsed =
                Term::Lapsed { tag: Term::tag(generation), on_expiry: OnEnd::HandOver, deadline };
            let _ = flight.change_term(term, lapsed);
        }
    }

    /// Sleeps until notified or `until`, if nothing has happened since `prepare`.
    pub(crate) fn sleep(&self, waiting: &Waiting, until: u64) {
        self.nodes.get(waiting.node).sleep(&self.parker, until);
    }

    /// Has `waker` called when something happens, if nothing has since `prepare`. False: look again.
    pub(crate) fn arm(&self, waiting: &Waiting, waker: &Waker) -> bool {
        self.nodes.get(waiting.node).arm(waker)
    }

    /// Before looking: what happens from here on wakes the waiter.
    pub(crate) fn prepare(&self, waiting: &Waiting) {
        self.nodes.get(waiting.node).prepare();
    }
}
