//! Finding a key's record without claiming it; and peek.
//!
//! A scan that does not find the key is an answer: at one moment between its load of the header and
//! its last load of a slot the key had no record (keys do not move, table.2). What it finds is
//! validated like a claim's.

use crate::protocol::Core;
use crate::record::fate::Fate;
use crate::record::flight::{Facts, Holder, Identity, equal};
use crate::record::response::{Glance, Response};
use crate::record::term::Term;
use crate::record::value::drop_pending;
use crate::sync::{Ordering, fence, model_fence};
use crate::table::slot::Slot;
use crate::table::{Hit, Place, Scan};
use crate::wait::queue::Snapshot;

/// What a flight says, read while a slot named it (flight.1).
pub(super) struct View {
    pub(super) index: u32,
    pub(super) tenancy: u64,
    pub(super) identity: Identity,
    pub(super) fate: Fate,
    pub(super) term: Term,
    pub(super) facts: Facts,
    pub(super) queue: Snapshot,
}

/// A record in flight.
pub(super) struct InFlight {
    /// Where the table names it.
    pub(super) hit: Hit,
    pub(super) index: u32,
    pub(super) tenancy: u64,
    pub(super) holder: Holder,
}

/// A key's record.
pub(super) enum Found<'a> {
    Absent,
    /// The caller has pinned it through the hit.
    Finished(Hit, Response<'a>),
    InFlight(InFlight),
}

/// What peek found, before it is told in durations.
#[derive(Debug)]
pub(crate) enum Peeked {
    Vacant,
    InFlight(Facts, Term),
    Finished(Glance),
}

/// What a slot with the tag of a key says to a peek.
enum Says {
    /// It is another key's.
    Stranger,
    /// It is the key's.
    Peeked(Peeked),
}

impl Core {
    /// What the flight says that a slot names. `None`: something moved, look at the line again; never
    /// anything from a flight that was used again meanwhile.
    pub(super) fn view(&self, hit: Hit) -> Option<View> {
        let Slot::Flight { flight: index, tenancy: named, .. } = hit.slot() else { return None };
        let flight = self.flights.get(index);
        let tenancy = flight.tenancy();
        let (identity, fate, term) = (flight.identity(), flight.fate(), flight.term());
        let (facts, queue) = (flight.facts(), flight.queue.snapshot());
        let same = Slot::tenancy(tenancy) == named
            && self.table.confirms(hit.at, hit.slot())
            && flight.still(tenancy);
        same.then_some(View { index, tenancy, identity, fate, term, facts, queue })
    }

    /// Where the finished record of the key is, if it has one that is not over; the caller holds it.
    pub(crate) fn hold_finished(&self, id: [u64; 2], now: u64) -> Option<u32> {
        let Found::Finished(hit, response) = self.locate(id) else { return None };
        let is_over = response.deadline() <= now;
        if is_over {
            self.unpin(hit.at, response);
        }
        (!is_over).then(|| response.loc())
    }

    /// The record of the key, if it has one.
    pub(super) fn locate(&self, id: [u64; 2]) -> Found<'_> {
        let place = self.place(id);
        loop {
            if let Some(found) = self.locate_in(self.table.scan(place), id) {
                return found;
            }
            // Something moved: models need not look again at what was there before it.
            model_fence();
        }
    }

    /// The same if it is in flight; a finished record is let go of.
    pub(super) fn locate_in_flight(&self, id: [u64; 2]) -> Option<InFlight> {
        match self.locate(id) {
            Found::InFlight(record) => Some(record),
            Found::Finished(hit, response) => {
                self.unpin(hit.at, response);
                None
            }
            Found::Absent => None,
        }
    }

    /// `None`: something moved.
    fn locate_in(&self, scan: Scan<'_>, id: [u64; 2]) -> Option<Found<'_>> {
        for hit in scan {
            match hit.slot() {
                Slot::Done { .. } => {
                    let response = self.pin(hit)?;
                    if equal(response.id(), id) {
                        return Some(Found::Finished(hit, response));
                    }
                    self.unpin(hit.at, response);
                }
                Slot::Flight { .. } => {
                    let view = self.view(hit)?;
                    if equal(view.identity.id, id) {
                        return self.in_flight(hit, &view).map(Found::InFlight);
                    }
                }
                Slot::Vacant | Slot::Dead { .. } => {}
            }
        }
        Some(Found::Absent)
    }

    /// `None`: it is not in flight any more. What is left to do for it is done first.
    fn in_flight(&self, hit: Hit, view: &View) -> Option<InFlight> {
        let View { index, tenancy, fate, .. } = *view;
        match Holder::of(fate) {
            Some(_) if fate.is_severed() => self.cut(index, tenancy, hit),
            Some(holder) => return Some(InFlight { hit, index, tenancy, holder }),
            None => self.finish(index, tenancy, fate),
        }
        None
    }

    /// What has become of the key, without claiming it (K8). Changes nothing, but that it may do what
    /// the end of a lease has left to do. Copies the bytes of a response to the end of `body`.
    #[inline]
    pub(crate) fn peek(&self, id: [u64; 2], now: u64, mut body: Option<&mut Vec<u8>>) -> Peeked {
        let place = self.place(id);
        // The short way, as a claim's: the first slot with the tag has the key's response.
        if let Some(hit) = self.table.first(place)
            && let Some(Says::Peeked(peeked)) =
                self.peek_at_response::<true>(hit, id, now, body.as_deref_mut())
        {
            if cfg!(idem_asan) {
                // What it has pinned may have been let go of by others.
                drop_pending();
            }
            return peeked;
        }
        self.peek_at_all(place, id, now, body)
    }

    #[inline(never)]
    fn peek_at_all(
        &self,
        place: Place,
        id: [u64; 2],
        now: u64,
        mut body: Option<&mut Vec<u8>>,
    ) -> Peeked {
        loop {
            let scan = self.table.scan(place);
            if let Some(peeked) = self.peek_in(scan, id, now, body.as_deref_mut()) {
                drop_pending();
                return peeked;
            }
            // As in `locate`.
            model_fence();
        }
    }

    /// `None`: something moved.
    fn peek_in(
        &self,
        scan: Scan<'_>,
        id: [u64; 2],
        now: u64,
        mut body: Option<&mut Vec<u8>>,
    ) -> Option<Peeked> {
        for hit in scan {
            let says = match hit.slot() {
                Slot::Done { .. } => {
                    self.peek_at_response::<false>(hit, id, now, body.as_deref_mut())?
                }
                Slot::Flight { .. } => self.peek_at_flight(hit, id)?,
                Slot::Vacant | Slot::Dead { .. } => continue,
            };
            if let Says::Peeked(peeked) = says {
                return Some(peeked);
            }
        }
        Some(Peeked::Vacant)
    }

    /// `None`: it is not there any more, or no response.
    #[inline]
    fn peek_at_response<const SHORT: bool>(
        &self,
        hit: Hit,
        id: [u64; 2],
        now: u64,
        body: Option<&mut Vec<u8>>,
    ) -> Option<Says> {
        self.with_glance(hit, |glance, of| {
            if !equal(of, id) {
                Some(Says::Stranger)
            } else if glance.deadline() <= now {
                Some(Says::Peeked(Peeked::Vacant))
            } else {
                let is_whole = self.copy_body::<SHORT>(hit, &glance, body);
                is_whole.then_some(Says::Peeked(Peeked::Finished(glance)))
            }
        })
    }

    /// `None`: something moved.
    fn peek_at_flight(&self, hit: Hit, id: [u64; 2]) -> Option<Says> {
        let view = self.view(hit)?;
        if !equal(view.identity.id, id) {
            return Some(Says::Stranger);
        }
        self.in_flight(hit, &view)?;
        Some(Says::Peeked(Peeked::InFlight(view.facts, view.term)))
    }

    /// Reads by a glance at the response that a slot names, without holding it (response.4), and with
    /// its id. `None`: the slot names something else by now, or `read` said so.
    #[inline]
    pub(super) fn with_glance<R>(
        &self,
        hit: Hit,
        read: impl FnOnce(Glance, [u64; 2]) -> Option<R>,
    ) -> Option<R> {
        let loc = hit.loc()?;
        // Under AddressSanitizer what is free is poisoned, and a glance may fall on it.
        let held = if cfg!(idem_asan) { Some(self.pin(hit)?) } else { None };
        let mut glance = Glance::begin(&self.arena, loc);
        let mut result = None;
        if self.is_still(hit, loc) {
            let id = glance.read(&self.arena);
            if self.is_believed(hit, &glance) {
                result = read(glance, id);
            }
        }
        if let Some(response) = held {
            self.unpin(hit.at, response);
        }
        result
    }

    /// Copies the bytes that belong to the glance, if anybody wants them. False: it is not there any
    /// more, and `body` is as it was.
    #[inline]
    fn copy_body<const SHORT: bool>(
        &self,
        hit: Hit,
        glance: &Glance,
        body: Option<&mut Vec<u8>>,
    ) -> bool {
        let Some(body) = body else { return true };
        let before = body.len();
        let is_whole = match glance.copy_bytes(&self.arena, body) {
            true => self.is_believed(hit, glance),
            false => !glance.is_by_handle() || (!SHORT && self.copy_held(hit, glance, body)),
        };
        if !is_whole {
            body.truncate(before);
        }
        is_whole
    }

    /// The same of bytes that lie elsewhere, and are there for holders alone (value.1).
    #[cold]
    fn copy_held(&self, hit: Hit, glance: &Glance, body: &mut Vec<u8>) -> bool {
        let Some(response) = self.pin(hit) else { return false };
        // Held now: if it is the one of the glance, it stays so.
        let is_it = glance.is_of_now(&self.arena);
        if is_it {
            body.extend_from_slice(response.bytes());
        }
        self.unpin(hit.at, response);
        // A peek has nothing in its hands that others need: this is as good as its end.
        drop_pending();
        is_it
    }

    #[inline(always)]
    fn is_believed(&self, hit: Hit, glance: &Glance) -> bool {
        // Acquire fence (edge "glance"): pairs with the Release ones in `Response::stamp`.
        fence(Ordering::Acquire);
        self.is_still(hit, glance.loc()) && glance.is_of_now(&self.arena)
    }

    #[inline(always)]
    fn is_still(&self, hit: Hit, loc: u32) -> bool {
        let now = self.table.look(hit.at);
        now.loc() == Some(loc) && now.place() == hit.place()
    }
}
