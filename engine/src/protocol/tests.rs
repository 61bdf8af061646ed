//! What a thread leaves behind that is stopped between two of its steps (L3, P1).
//!
//! The states are made by hand, step by step as the protocol would, and then somebody else comes.
//! Models reach them as well, but among thousands of interleavings; here each has a name.

use core::mem::ManuallyDrop;
use core::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::outcome::Reason;
use crate::protocol::draft::{Draft, NEW};
use crate::protocol::listing::Cursor;
use crate::record::fate::Fate;
use crate::record::flight::Identity;
use crate::record::response::Kind;
use crate::record::term::Term;
use crate::stats::Count;
use crate::table::slot::Slot;
use crate::wheel::Shape;

const LEASE: u64 = 10;

fn core(granules: u64) -> (Core, ManualClock) {
    let clock = ManualClock::new();
    let geometry = Geometry {
        realms: 4,
        shards: 1,
        records: 4,
        lines_for: 1,
        flights: 4,
        waiters: 4,
        granules,
        arena_granules: 16,
        wheel: Shape { slot_bits: 2, level_count: 3 },
        generation_mask: Fate::GENERATION_MAX,
        pins_high: 100,
    };
    let rules = Rules {
        max_response: 128,
        waiters_per_key: 4,
        cancelled_retention: 0,
        halted_retention: 20,
        accept_timeout: 1,
    };
    (Core::new(geometry, rules, Clock::manual(&clock), 1, None).expect("memory"), clock)
}

fn ask(wait: bool) -> Ask {
    let terms = Terms {
        lease: LEASE,
        retention: 5,
        on_abandon: OnEnd::HandOver,
        on_expiry: OnEnd::HandOver,
    };
    let identity = Identity { id: [1, 2], fingerprint: None };
    Ask { identity, home: Default::default(), terms, owner: 0, wait, may_execute: true }
}

fn claim(core: &Core, ask: Ask) -> Claimed {
    let mut claimed = Claimed::Refused(Refusal::Closed);
    core.claim(&ask, &mut claimed);
    claimed
}

#[track_caller]
fn own(core: &Core) -> Held {
    match claim(core, ask(false)) {
        Claimed::Execute(held) => held,
        other => panic!("no lease, but {other:?}"),
    }
}

#[track_caller]
fn queue(core: &Core, ask: Ask) -> Waiting {
    match claim(core, ask) {
        Claimed::InFlight(Some(waiting), ..) => waiting,
        other => panic!("no owner, but {other:?}"),
    }
}

/// A draft as `claim` makes it, up to the last step before publishing. It is never given back.
fn draft(core: &Core) -> (u32, Slot) {
    let ask = ask(false);
    let mut claimed = Claimed::Refused(Refusal::Closed);
    let mut draft = ManuallyDrop::new(Draft::new(core, &mut claimed));
    let drafted = draft.prepare(&ask, core.clock.now(), NEW).expect("there is room");
    let slot = drafted.slot(core.place(ask.identity.id).tag);
    let Slot::Flight { flight, .. } = slot else { panic!("a draft is a flight") };
    (flight, slot)
}

/// Ends the lease by the one step that does, as a thread that is stopped right after it.
fn end_only(core: &Core, held: &Held, fate: Fate) {
    let flight = core.flights.get(held.flight);
    flight.change_lease(held.generation, |_| fate).expect("nobody else ends it");
}

/// The same, of a lease that its owner gives up.
fn vacate_only(core: &Core, held: &Held) {
    let (reason, generation) = (Reason::Owner, held.generation);
    end_only(core, held, Fate::Vacated { reason, generation });
}

fn tick(core: &Core) {
    while core.tick() {}
}

/// How many records a listing of all has.
fn listed(core: &Core) -> usize {
    let (mut at, mut entries) = (Cursor::Flights(0), Vec::new());
    while !matches!(at, Cursor::End) {
        at = core.list(at, &mut entries);
    }
    entries.len()
}

#[test]
fn a_draft_is_not_ended_for_its_age() {
    let (core, clock) = core(8);
    let (index, _) = draft(&core);
    clock.advance(Duration::from_millis(2 * LEASE));
    tick(&core);
    assert!(matches!(core.flights.get(index).fate(), Fate::Leased { .. }));
    assert_eq!(core.counters.sum(Count::LeaseExpiries), 0, "nobody has had that lease");
}

#[test]
fn neither_a_draft_nor_an_ended_lease_is_listed() {
    let (core, _clock) = core(8);
    draft(&core);
    assert_eq!(listed(&core), 0, "of a draft nobody knows but its claimer");
    let held = own(&core);
    assert_eq!(listed(&core), 1);
    let (reason, generation) = (Reason::Owner, held.generation);
    end_only(&core, &held, Fate::Dropped { detached: false, reason, awaited: false, generation });
    assert_eq!(listed(&core), 0, "the table still names it, but it is over");
}

#[test]
fn a_draft_that_was_published_is_a_lease() {
    let (core, clock) = core(8);
    let (index, slot) = draft(&core);
    let place = core.place(ask(false).identity.id);
    let header = core.table.scan(place).header;
    let at = core.table.reserve(place.line, header, slot, &mut None, 0).expect("there is room");
    assert!(core.table.publish(at, header));
    clock.advance(Duration::from_millis(LEASE));
    tick(&core);
    assert!(matches!(core.flights.get(index).fate(), Fate::Free));
    assert_eq!(core.counters.sum(Count::LeaseExpiries), 1);
}

#[test]
fn a_slot_that_was_reserved_in_vain_is_given_back() {
    let (core, _clock) = core(8);
    let ask = ask(false);
    let place = core.place(ask.identity.id);
    let held = own(&core);
    let (reason, generation) = (Reason::Owner, held.generation);
    end_only(&core, &held, Fate::Dropped { detached: false, reason, awaited: false, generation });
    // A claim that had reserved a slot when the key came in, and now finds it given up.
    let mut claimed = Claimed::Refused(Refusal::Closed);
    let mut draft = Draft::new(&core, &mut claimed);
    let scan = core.table.scan(place);
    let drafted = draft.prepare(&ask, core.clock.now(), NEW).expect("there is room");
    let slot = drafted.slot(place.tag);
    core.table.reserve(place.line, scan.header, slot, &mut draft.reserved, 0).expect("vacant");
    let [hit] = core.table.scan(place).collect::<Vec<_>>()[..] else { panic!("one is live") };
    core.look_at_flight(hit, &ask, core.clock.now(), &mut draft);
    drop(draft);
    assert!(matches!(claimed, Claimed::Execute(_)), "{claimed:?}");
    let slots = core.table.slots_taken(place.line);
    assert_eq!(slots, 1, "the lease's own");
}

#[test]
fn a_flight_that_was_dropped_makes_room_for_its_key() {
    // One granule: the claim cannot have its own before the dropped flight's is back.
    let (core, _clock) = core(1);
    let held = own(&core);
    let (reason, generation) = (Reason::Owner, held.generation);
    end_only(&core, &held, Fate::Dropped { detached: false, reason, awaited: false, generation });
    assert_eq!(own(&core).attempt, 2);
}

#[test]
fn an_ended_lease_is_finished_by_the_next_claim() {
    let (core, _clock) = core(8);
    let held = own(&core);
    let mut head = crate::record::response::Head {
        realm: Default::default(),
        identity: ask(false).identity,
        kind: Kind::Response,
        reason: Reason::Owner,
        finished: 1,
        deadline: 100,
        length: 3,
    };
    let (response, _) = core.store(&mut head, &b"abc"[..], Some(0));
    response.set_holders(true, false);
    let ended = Fate::Ended {
        detached: false,
        loc: response.loc(),
        kept: true,
        awaited: false,
        generation: held.generation,
    };
    end_only(&core, &held, ended);
    assert_eq!(core.response(find(&core)).bytes(), b"abc");
}

/// What its owner says to a lease that nobody awaits, or one that passes to a waiter.
fn cancel(core: &Core, held: &Held) {
    core.give_up(held, OnEnd::HandOver, Reason::Owner).expect("the lease is ours");
}

#[test]
fn an_owner_of_long_ago_is_stale_after_a_hand_over_on_its_flight() {
    let (core, _clock) = core(8);
    let first = own(&core);
    cancel(&core, &first);
    let second = own(&core);
    let waiting = queue(&core, ask(true));
    cancel(&core, &second);
    let Verdict::Execute(third) = core.poll(&waiting) else { panic!("it is offered") };
    assert_eq!([first.flight, second.flight], [third.flight; 2]);
    assert!(first.generation < second.generation && second.generation < third.generation);
    assert!(core.renew(&first, LEASE).is_err() && core.renew(&second, LEASE).is_err());
    assert!(core.renew(&third, LEASE).is_ok());
}

#[test]
fn a_flight_that_is_used_again_has_not_the_fingerprint_of_before() {
    let (core, _clock) = core(8);
    let bound = || {
        let identity = Identity { fingerprint: Some([3, 4]), ..ask(false).identity };
        Ask { identity, ..ask(false) }
    };
    let Claimed::Execute(before) = claim(&core, bound()) else { panic!("the key is new") };
    cancel(&core, &before);
    let held = own(&core);
    assert_eq!((held.flight, held.attempt), (before.flight, 1));
    assert!(matches!(claim(&core, bound()), Claimed::InFlight(..)), "no mismatch (K4)");
}

#[test]
fn a_vacated_record_is_served_by_the_next_who_looks() {
    let (core, _clock) = core(8);
    let held = own(&core);
    let waiting = queue(&core, ask(true));
    vacate_only(&core, &held);
    assert!(matches!(core.poll(&waiting), Verdict::Execute(_)));
}

#[test]
fn an_offer_to_one_that_may_not_execute_passes_on() {
    let (core, _clock) = core(8);
    let held = own(&core);
    let watcher = queue(&core, Ask { may_execute: false, ..ask(true) });
    let waiting = queue(&core, ask(true));
    let index = held.flight;
    let flight = core.flights.get(index);
    vacate_only(&core, &held);
    // The node's number was taken in a walk, and its waiter left before the offer was made.
    let offer = Term::Offer { node: watcher.node, deadline: 1_000 };
    flight.change_term(flight.term(), offer).expect("nobody else offers it");
    assert!(matches!(core.poll(&watcher), Verdict::Wait(_)));
    assert!(matches!(core.poll(&waiting), Verdict::Execute(_)));
}

/// Completes the key with these bytes; where they lie.
fn store(core: &Core, bytes: &[u8]) -> u32 {
    let held = own(core);
    let (kind, reason, retention) = (Kind::Response, Reason::Owner, Some(5));
    let ending = Ending { kind, reason, body: bytes, retention };
    core.complete(&held, ending).expect("the lease is ours");
    let loc = find(core);
    core.release(core.response(loc), 1);
    loc
}

/// Where the response of the key is; the caller holds it.
#[track_caller]
fn find(core: &Core) -> u32 {
    match claim(core, ask(false)) {
        Claimed::Finished(loc) => loc,
        other => panic!("no response, but {other:?}"),
    }
}

#[test]
fn a_response_that_is_in_the_way_is_moved() {
    let (core, clock) = core(8);
    let bytes = [7; 100];
    let before = store(&core, &bytes);
    assert_eq!(core.clear_run(before, 3), Some(before));
    let after = find(&core);
    assert!(after != before && core.response(after).bytes() == bytes);
    assert_eq!(core.bytes_used(), 3 * 64, "one response, wherever it is");
    core.release(core.response(after), 1);
    // Its reminder finds it all the same.
    core.arena.free(before, 3);
    clock.advance(Duration::from_millis(10));
    tick(&core);
    assert_eq!((core.records_used(), core.bytes_used()), (0, 0));
    assert_eq!(core.memory_used(), [0; 3]);
}

#[test]
fn a_response_that_is_held_is_not_moved() {
    let (core, clock) = core(8);
    let before = store(&core, &[7; 100]);
    let held = find(&core);
    assert_eq!((held, core.clear_run(before, 3)), (before, None));
    assert_eq!(core.bytes_used(), 3 * 64, "nor copied for nothing");
    core.release(core.response(held), 1);
    clock.advance(Duration::from_millis(10));
    tick(&core);
    assert_eq!((core.bytes_used(), core.memory_used()), (0, [0; 3]));
}
