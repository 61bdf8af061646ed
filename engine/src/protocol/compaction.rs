//! Making a run of granules: moving responses out of the way when there is room, but not in one piece.
//!
//! A response is found by what lies at the head of its run: an id, which leads to a line, where a slot
//! names the response, or the guess was wrong. So nothing has to be kept for this. It is moved by a
//! copy and a CAS of that slot from the old place to the new. The CAS succeeds only if nobody else
//! has pinned the response; who had it before then keeps the old copy (response.2), which stays
//! where it is, and the run is given up.
//!
//! Reminders name lines, not places, so the wheel does not notice.

use crate::memory::budget::Room;
use crate::protocol::Core;
use crate::record::response::Response;
use crate::sync::Ordering;
use crate::table::Hit;
use crate::table::slot::Slot;

/// Runs that one call tries to clear.
const RUNS: u32 = 8;

impl Core {
    /// Makes a run of `size` granules out of scattered ones; it is the caller's.
    #[cold]
    pub(super) fn compact(&self, size: u32) -> Option<u32> {
        (0..RUNS).find_map(|_| {
            // Relaxed: a place to go on from.
            let from = self.compaction_cursor.load(Ordering::Relaxed);
            let (start, next) = self.arena.sparsest_run(size, from);
            self.compaction_cursor.store(next, Ordering::Relaxed);
            start.and_then(|start| self.clear_run(start, size))
        })
    }

    /// Clears the run from `start`, where a run of free granules or a response begins.
    pub(crate) fn clear_run(&self, start: u32, size: u32) -> Option<u32> {
        let end = start + size;
        // What lies before `at` is ours.
        let mut at = start;
        while at < end {
            let cleared = match self.arena.take_free(at, end) {
                0 => self.move_away(at),
                free => Some(free),
            };
            let Some(cleared) = cleared else {
                if at > start {
                    self.arena.free(start, at - start);
                }
                return None;
            };
            at += cleared;
        }
        if at > end {
            self.arena.free(end, at - end);
        }
        self.arena.open(start, size);
        Some(start)
    }

    /// Gives a run back that was cleared. For models.
    #[cfg(all(test, idem_loom))]
    pub(crate) fn give_back_run(&self, loc: u32, size: u32) {
        self.arena.free(loc, size);
    }

    /// Moves the response at `loc` elsewhere. Returns its size; its granules are the caller's.
    fn move_away(&self, loc: u32) -> Option<u32> {
        let place = self.place(self.arena.head_id(loc)?);
        let hit = self.table.scan(place).find(|hit| hit.loc() == Some(loc))?;
        let response = self.pin(hit)?;
        let size = response.size();
        // The copy is paid for before the original is given back: the limit holds all the while.
        if !self.room.take(Room::of(0, size), self.shard()) {
            self.unpin(hit.at, response);
            return None;
        }
        let copy = self.arena.alloc(size, self.shard());
        let switched = copy.and_then(|copy| self.switch(hit, response, copy));
        let mut room = Room::of(0, size);
        match switched {
            None => self.unpin(hit.at, response),
            // Our pin goes with the slot's. A value stays, since the copy has it as well, unless that is
            // over already.
            Some(pins) if response.unlink(pins - 1) => {
                if let Some(value) = response.value() {
                    room = room.plus(self.disown(value));
                }
            }
            // Held after all: it stays where it is, and keeps its share beside the copy's.
            Some(_) => {
                self.realms.add(response.realm(), Room::of(0, size));
                return None;
            }
        }
        self.room.give(room, self.shard());
        switched.map(|_| size)
    }

    /// Copies a response that the caller has pinned, and makes its slot name the copy. Returns the
    /// pins that the slot had counted.
    fn switch(&self, hit: Hit, response: Response<'_>, copy: u32) -> Option<u64> {
        if let Slot::Done { tag, loc, pins } = self.table.load(hit.at)
            && loc == response.loc()
            && response.is_held_once(pins)
        {
            response.copy_to(copy, self.stamp());
            let (from, to) =
                (Slot::Done { tag, loc, pins }, Slot::Done { tag, loc: copy, pins: 0 });
            if pins > 0 && self.table.change(hit.at, from, to).is_ok() {
                return Some(pins);
            }
            if let Some(value) = response.value() {
                let room = self.disown(value);
                debug_assert_eq!(room, Room::NONE, "value.1: the original has it");
            }
        }
        self.arena.free(copy, response.size());
        None
    }
}
