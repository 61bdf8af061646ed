//! Holding a response while looking at it (response.1, response.2).

use crate::memory::budget::Room;
use crate::protocol::Core;
use crate::record::body::ByHandle;
use crate::record::response::Response;
use crate::record::value::{Handle, drop_later, drop_pending};
use crate::table::slot::Slot;
use crate::table::{Hit, SlotRef};

impl Core {
    /// Holds the response that a slot names, by counting a pin in the slot itself. `None` if the
    /// slot names something else by now.
    #[inline(always)]
    pub(super) fn pin(&self, hit: Hit) -> Option<Response<'_>> {
        self.pin_at_once(hit).or_else(|| self.pin_in_turn(hit))
    }

    fn pin_in_turn(&self, hit: Hit) -> Option<Response<'_>> {
        let Slot::Done { loc: wanted, .. } = hit.slot() else { return None };
        let mut seen = hit.slot();
        loop {
            let Slot::Done { tag, loc, pins } = seen else { return None };
            // At the greatest count nobody can be let in before somebody below has moved pins over;
            // that takes as many threads as there are counts above the threshold, each stopped
            // between two neighbouring steps (DESIGN.md, "Widths").
            if loc != wanted || pins == Slot::PINS_MAX {
                return None;
            }
            let more = Slot::Done { tag, loc, pins: pins + 1 };
            match self.table.change(hit.at, seen, more) {
                Ok(()) => {
                    if pins + 1 >= self.geometry.pins_high {
                        self.move_pins(hit.at, more);
                    }
                    return Some(Response::held(&self.arena, loc));
                }
                Err(now) => seen = now,
            }
        }
    }

    /// As `pin`, in one attempt: `None` also where that has to do more than count.
    #[inline(always)]
    pub(super) fn pin_at_once(&self, hit: Hit) -> Option<Response<'_>> {
        let loc = hit.loc()?;
        self.table.pin(hit, self.geometry.pins_high).then(|| Response::held(&self.arena, loc))
    }

    /// As `pin`; if the response has been moved meanwhile (`compaction`), the one that is there now.
    pub(super) fn pin_moved(&self, hit: Hit) -> Option<(Hit, Response<'_>)> {
        let mut hit = hit;
        loop {
            if let Some(response) = self.pin(hit) {
                return Some((hit, response));
            }
            hit = self.moved(hit)?;
        }
    }

    /// The slot as it is now, if it has been a response with the same tag all along, but not this one.
    pub(super) fn moved(&self, hit: Hit) -> Option<Hit> {
        let now = self.table.look(hit.at);
        let is_response = hit.loc().is_some() && now.loc().is_some();
        let is_other = now.loc() != hit.loc() && now.place() == hit.place();
        (is_response && is_other).then_some(now)
    }

    /// Moves the pins counted in a slot over to the response, which the caller holds. First added
    /// there, then taken here: in between there is one too many, never one too few.
    #[cold]
    fn move_pins(&self, at: SlotRef, seen: Slot) {
        let Slot::Done { tag, loc, pins } = seen else { return };
        let response = Response::held(&self.arena, loc);
        response.hold(pins);
        if self.table.change(at, seen, Slot::Done { tag, loc, pins: 0 }).is_err() {
            self.release(response, pins);
        }
    }

    /// Lets go of a response that was pinned through `at` and goes no further than this call.
    pub(super) fn unpin(&self, at: SlotRef, response: Response<'_>) {
        // Back in the slot if that is where the pin still is; it saves the response's cache line.
        if let Slot::Done { tag, loc, pins } = self.table.load(at)
            && loc == response.loc()
            && pins > 0
        {
            let seen = Slot::Done { tag, loc, pins };
            if self.table.change(at, seen, Slot::Done { tag, loc, pins: pins - 1 }).is_ok() {
                return;
            }
        }
        self.release(response, 1);
    }

    /// Lets go of `count` holds, and frees the response if they were the last; whether they were.
    #[inline]
    pub(crate) fn release(&self, response: Response<'_>, count: u64) -> bool {
        let is_last = response.release(count);
        if is_last {
            let room = self.free_response(response, Room::NONE);
            self.room.give(room, self.shard());
        }
        is_last
    }

    /// The slot that named the response does not any more; it had counted `pins`. Returns the room that
    /// this made, for the caller to give back.
    #[must_use]
    pub(super) fn unlink(&self, response: Response<'_>, pins: u64) -> Room {
        if response.unlink(pins) { self.free_response(response, Room::NONE) } else { Room::NONE }
    }

    /// Frees the memory of a response that nobody holds (response.2), or has seen yet. Returns the
    /// room that this made, for the caller to give back; without `kept`, which is still needed.
    #[must_use]
    pub(super) fn free_response(&self, response: Response<'_>, kept: Room) -> Room {
        let realm = response.realm();
        let Some(size) = response.size_without_value() else {
            return self.free_with_value(response, kept);
        };
        self.arena.free(response.loc(), size);
        let room = Room::of(0, size).minus(kept);
        self.realms.give(realm, room);
        room
    }

    #[cold]
    fn free_with_value(&self, response: Response<'_>, kept: Room) -> Room {
        let (value, realm) = (response.value(), response.realm());
        self.arena.free(response.loc(), ByHandle::SIZE);
        let room = Room::of(0, ByHandle::SIZE).minus(kept);
        self.realms.give(realm, room);
        value.map_or(room, |value| room.plus(self.disown(value)))
    }

    /// One holder of a value fewer. The last one returns the room that this made, for the caller to give
    /// back, and the value is dropped at the end of the call (value.4).
    #[must_use]
    pub(super) fn disown(&self, value: Handle) -> Room {
        if !value.release() {
            return Room::NONE;
        }
        let (realm, granules) = value.charge();
        let room = Room::of(0, granules);
        self.realms.give(realm, room);
        drop_later(value);
        room
    }

    /// The same for a holder that has no response; a call by itself.
    pub(crate) fn end_own(&self, value: Handle) {
        let room = self.disown(value);
        if room != Room::NONE {
            self.room.give(room, self.shard());
        }
        drop_pending();
    }

    /// A replay lets go of what it holds; a call by itself.
    #[inline]
    pub(crate) fn end_replay(&self, loc: u32) {
        if self.release(self.response(loc), 1) {
            drop_pending();
        }
    }

    /// One hold more, by somebody who has one.
    pub(crate) fn hold(&self, loc: u32) {
        Response::held(&self.arena, loc).hold(1);
    }

    /// A response that the caller holds.
    #[inline]
    pub(crate) fn response(&self, loc: u32) -> Response<'_> {
        Response::held(&self.arena, loc)
    }
}
