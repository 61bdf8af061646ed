//! A draft: what a claim holds on its way to a new lease, and gives back if it does not get there.

use crate::memory::budget::Room;
use crate::outcome::{Limit, Origin, Reason};
use crate::protocol::claim::{Ask, Claimed, Look, origin_after};
use crate::protocol::{Core, Held};
use crate::realms::{Exceeded, Home, Realm};
use crate::record::flight::{Facts, Identity};
use crate::sync::thread::Thread;
use crate::sync::{model_fence, thread};
use crate::table::slot::Slot;
use crate::table::{Seat, SlotRef};

/// A flight in the making: what a claim holds until it is published, and gives back if it is not.
pub(super) struct Draft<'a> {
    core: &'a Core,
    pub(super) shard: usize,
    flight: Option<Drafted>,
    /// What it has drawn and not used, for a record of this realm.
    room: Room,
    realm: Realm,
    pub(super) has_cleared_line: bool,
    pub(super) reserved: Option<SlotRef>,
    /// What the lease will follow on, as far as this claim has seen it end.
    origin: Origin,
    attempt: u32,
    bound: Option<[u64; 2]>,
    pub(super) claimed: &'a mut Claimed,
}

/// What a key that enters the table needs: itself, and the granule that its tombstone would take.
pub(super) const NEW: Room = Room::of(1, 1);
/// What takes over from a record that is over needs.
pub(super) const NEXT: Room = Room::of(0, 1);

#[derive(Clone, Copy)]
pub(super) struct Drafted {
    index: u32,
    tenancy: u64,
    generation: u64,
}

impl Drafted {
    pub(super) fn slot(self, tag: u64) -> Slot {
        Slot::of_flight(tag, self.index, self.tenancy)
    }

    /// Notes where the table is about to name the flight.
    pub(super) fn sit(self, core: &Core, at: SlotRef, tag: u64) {
        core.flights.get(self.index).set_seat(Seat { at, tag }.pack());
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(core: &'a Core, claimed: &'a mut Claimed) -> Self {
        Self {
            core,
            shard: core.shard(),
            flight: None,
            room: Room::NONE,
            realm: Realm::default(),
            has_cleared_line: false,
            reserved: None,
            origin: Origin::Fresh,
            attempt: 1,
            bound: None,
            claimed,
        }
    }

    /// The lease will be the first of its record, as far as this claim has seen.
    pub(super) fn begin_afresh(&mut self) {
        (self.origin, self.attempt, self.bound) = (Origin::Fresh, 1, None);
    }

    /// The lease will follow on one that this claim has seen end. One that expired leaves its
    /// fingerprint to whoever takes over (K4); one that was given up leaves the key vacant.
    pub(super) fn follow(&mut self, reason: Reason, before: Facts, identity: &Identity) {
        (self.origin, self.attempt) = (origin_after(reason), before.attempt + 1);
        self.bound = identity.fingerprint.filter(|_| self.origin == Origin::AfterExpiry);
    }

    /// A flight that is ready to be published, with the room it `needs`.
    pub(super) fn prepare(&mut self, ask: &Ask, now: u64, needs: Room) -> Result<Drafted, Limit> {
        let core = self.core;
        self.draw(ask.home, needs)?;
        let facts = Facts { started: now, owner: ask.owner, attempt: self.attempt };
        let fingerprint = ask.identity.fingerprint.or(self.bound);
        let drafted = match self.flight {
            Some(drafted) => drafted,
            None => self.draft(ask.identity.id)?,
        };
        let flight = core.flights.get(drafted.index);
        flight.bind(fingerprint);
        flight.set_realm(self.realm);
        flight.set_facts(facts);
        flight.set_retention(ask.terms.retention);
        flight.draft(drafted.generation, core.term(&ask.terms, drafted.generation, now));
        Ok(drafted)
    }

    /// Draws on the limits what is needed and not there yet.
    #[inline(always)]
    fn draw(&mut self, home: Home, needs: Room) -> Result<(), Limit> {
        let lacks = if self.room == Room::NONE { needs } else { needs.minus(self.room) };
        if lacks == Room::NONE || self.try_draw(home, lacks) == Ok(true) {
            return Ok(());
        }
        self.draw_from_what_is_over(home, lacks)
    }

    /// Draws `lacks`, all or nothing. `Ok(false)`: the engine's limit, or the realm was given up.
    #[inline(always)]
    fn try_draw(&mut self, home: Home, lacks: Room) -> Result<bool, Exceeded> {
        let (core, shard) = (self.core, self.shard);
        if self.room != Room::NONE {
            // Once it has drawn something there, the realm stays (realms.2).
            let is_taken = core.take_room(self.realm, lacks, shard)?;
            if is_taken {
                self.room = self.room.plus(lacks);
            }
            return Ok(is_taken);
        }
        let realm = core.realms.enter(home)?;
        if !core.take_room(realm, lacks, shard)? {
            return Ok(false);
        }
        if !core.realms.is_home(realm, home) {
            core.give_room(realm, lacks, shard);
            return Ok(false);
        }
        (self.realm, self.room) = (realm, lacks);
        Ok(true)
    }

    #[cold]
    fn draw_from_what_is_over(&mut self, home: Home, lacks: Room) -> Result<(), Limit> {
        let (core, mut exceeded) = (self.core, None);
        let is_drawn = core.make_room_for(None, &mut || {
            let drawn = self.try_draw(home, lacks);
            exceeded = drawn.err();
            drawn == Ok(true)
        });
        if is_drawn {
            return Ok(());
        }
        Err(match exceeded {
            Some(Exceeded::Namespace) => Limit::Namespace,
            Some(Exceeded::Scope) => Limit::Scope,
            None if core.room.left().records() < lacks.records() => Limit::Records,
            None => Limit::Bytes,
        })
    }

    #[inline(always)]
    fn draft(&mut self, id: [u64; 2]) -> Result<Drafted, Limit> {
        let (core, thread) = (self.core, thread::current());
        let index = match core.flights.alloc(thread, self.shard) {
            Some(index) => index,
            None => self.alloc_from_what_is_over(thread).ok_or(Limit::Records)?,
        };
        let flight = core.flights.get(index);
        let tenancy = flight.begin(id);
        let generation = flight.first_generation(core.geometry.generation_mask);
        let drafted = Drafted { index, tenancy, generation };
        self.flight = Some(drafted);
        Ok(drafted)
    }

    /// There is a flight for each record, up to what a slot can name. So those that lack are in the
    /// middle of being given back, or that many are in use.
    #[cold]
    fn alloc_from_what_is_over(&self, thread: Thread) -> Option<u32> {
        let (core, mut index) = (self.core, None);
        core.make_room_for(None, &mut || {
            index = core.flights.alloc(thread, self.shard);
            index.is_some()
        });
        index
    }

    /// The flight is in the table, and has used `needed`: the caller is its owner.
    pub(super) fn execute(&mut self, ask: &Ask, needed: Room) -> Look {
        let Some(drafted) = self.flight.take() else { unreachable!("prepared before published") };
        self.room = self.room.minus(needed);
        // Models need not look at views from before that, which others have only for a while.
        model_fence();
        self.settle(Claimed::Execute(Held {
            generation: drafted.generation,
            flight: drafted.index,
            attempt: self.attempt,
            on_abandon: ask.terms.on_abandon,
            origin: self.origin,
        }))
    }

    /// Decides the claim.
    #[inline]
    pub(super) fn settle(&mut self, claimed: Claimed) -> Look {
        *self.claimed = claimed;
        Look::Settled
    }
}

impl Drop for Draft<'_> {
    #[inline]
    fn drop(&mut self) {
        let core = self.core;
        if self.reserved.is_some() {
            core.table.unreserve(self.reserved.take());
        }
        if let Some(drafted) = self.flight {
            core.flights.get(drafted.index).set_free();
            core.flights.free(drafted.index, thread::current());
        }
        if self.room != Room::NONE {
            core.give_room(self.realm, self.room, self.shard);
        }
    }
}
