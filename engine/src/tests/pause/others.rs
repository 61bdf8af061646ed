//! What others do while a thread is stopped. All of it must come to an end, and to what is said
//! here.

use super::found::{Found, Sight, body};
use super::world::{ACCEPT, BODY, KEY, LEASE, LONG, World, YEAR, millis};
use crate::{Claim, Completion, Lease, Limit, Outcome, Reason, WaitOutcome, Waiter};

/// New keys, from this number on.
const NEW: u128 = 1000;
/// Another key that the scenarios leave alone.
const SECOND: u128 = 900;
/// Claims and waits of one key, each later than all that was before it, until one of them executes.
const ATTEMPTS: u32 = 8;

/// Wakers that a stopped thread may have said it would call and not called yet (DESIGN.md, "Not
/// proved, not promised"). Where it is a callback's, those that it wakes wait as well (alarm.1).
const IN_HAND: usize = 1;

/// What becomes of the key while a thread is stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// They take what they get at once, and keep it. No time passes.
    AtOnce,
    /// They take it over as time passes, and keep it.
    Keep,
    /// They take it over as time passes, and use it up.
    UseUp,
}

/// What they found first, and a lease of the key if they have kept one.
pub(super) fn go_on(world: &World, way: Way) -> (Sight, Option<Lease>) {
    // While no time passes.
    let mut kept = None;
    let (first, found) = world.ask(KEY);
    match found {
        Found::Lease(lease) if way == Way::AtOnce => kept = Some(lease),
        Found::Lease(lease) => use_up(world, lease, way == Way::Keep),
        found => drop(found),
    }
    join_and_leave(world);
    if is_closed(world) {
        if way != Way::AtOnce {
            see_it_close(world);
        }
        return (first, kept);
    }
    let is_room = world.sure_bodies(0) > 2;
    if is_room {
        beside_it(world, world.neighbours()[0]);
        fill(world, world.sure_keys(3), world.sure_waiters());
    }
    if way == Way::AtOnce {
        return (first, kept);
    }
    // And as time passes.
    let stored = take_over(world).complete(&body(KEY, BODY));
    let expected = if stored == Ok(Completion::Stored) { Sight::Replay } else { Sight::Done };
    assert_eq!(world.ask(KEY).0, expected);
    world.pass_millis(LONG);
    if is_room {
        beside_it(world, world.neighbours()[0]);
    }
    let kept = (way == Way::Keep).then(|| take_over(world));
    fill_with_bodies(world);
    see_futures_woken(world);
    (first, kept)
}

/// Whether the scenario has closed the engine.
fn is_closed(world: &World) -> bool {
    world.engine.core().is_closed()
}

fn see_futures_woken(world: &World) {
    let [futures, _] = world.untold();
    assert!(futures <= IN_HAND, "{futures} futures were not woken");
}

/// In an engine that was closed: every wait ends, nobody executes, and nothing stays in flight (P4).
fn see_it_close(world: &World) {
    assert_eq!(world.ask(NEW).0, Sight::Closed);
    assert!(!matches!(wait_for_it(world), Found::Lease(_)), "a lease in a closed engine");
    // The deadline, and then whatever is kept of those that it ended.
    for _ in 0..2 {
        world.pass_millis(LONG);
        world.lab().settle();
    }
    assert_eq!(world.ask(KEY).0, Sight::Closed);
    see_futures_woken(world);
}

/// Ends a lease of the key at once, one way or the other.
fn use_up(world: &World, lease: Lease, by_cancel: bool) {
    if by_cancel {
        lease.cancel(Reason::Owner).expect("the lease is ours");
        let (sight, found) = world.ask(KEY);
        let free = if world.hands_over() { Sight::Execute } else { Sight::Cancelled };
        assert_eq!(sight, free, "a key that was given up");
        drop(found);
    } else {
        lease.complete(&body(KEY, BODY)).expect("the lease is ours");
        let (sight, _) = world.ask(KEY);
        assert!(matches!(sight, Sight::Replay | Sight::Done), "{sight:?} of what is done");
    }
}

/// Whatever there is of the key: places in its queue, taken and given back.
fn join_and_leave(world: &World) {
    let claim = || world.told(KEY, world.lab().ask(world.numbered(KEY))).1;
    let places: Vec<_> = (0..3).map(|_| claim()).collect();
    for found in places {
        match found {
            Found::Waiter(waiter) => {
                let outcome = waiter.wait_for(millis(0));
                world.put_away(KEY, outcome.into());
            }
            found => world.put_away(KEY, found),
        }
    }
}

/// A life of another key in the same line, buckets and sizes. The stopped thread has nothing to do
/// with it, so each step comes to exactly what it always does.
fn beside_it(world: &World, key: u128) {
    let lease = world.own(key);
    let (first, second) = (world.queue(key), world.queue(key));
    assert_eq!(world.ask(key).0, Sight::InFlight);
    lease.renew(millis(LEASE)).expect("the lease is ours");
    lease.cancel(Reason::Owner).expect("the lease is ours");
    if !world.hands_over() {
        for waiter in [first, second] {
            assert!(matches!(waiter.wait_for(millis(0)), WaitOutcome::Cancelled(_)));
        }
        assert_eq!(world.ask(key).0, Sight::Cancelled);
        return;
    }
    let lease = handed(world, key, first);
    assert_eq!(lease.complete(&body(key, BODY)), Ok(Completion::Stored));
    shared(world, key, second.wait_for(millis(0)));
    assert_eq!(world.ask(key).0, Sight::Replay);
    // A waiter that sleeps.
    let lease = world.own(SECOND);
    let (waiter, its) = (world.queue(SECOND), world.clone());
    let asleep = world.clock.sleepers();
    let sleeper = std::thread::spawn(move || shared(&its, SECOND, waiter.wait()));
    // Where the scenario has others asleep, they may wake meanwhile.
    while asleep == 0 && world.clock.sleepers() == 0 {
        std::thread::yield_now();
    }
    let ended = lease.complete_for(&body(SECOND, BODY), millis(0));
    assert_eq!(ended, Ok(Completion::Stored));
    sleeper.join().expect("no panic");
    // Without retention it is gone; and a lease that is dropped leaves it free.
    drop(world.own(SECOND));
    world.own(SECOND).halt(Reason::Owner).expect("the lease is ours");
    assert_eq!(world.ask(SECOND).0, Sight::Halted);
}

#[track_caller]
fn handed(world: &World, key: u128, waiter: Waiter) -> Lease {
    match waiter.wait_for(millis(0)) {
        WaitOutcome::Execute(lease) => world.began(key, lease).expect("no time has passed"),
        other => panic!("not handed over, but {other:?}"),
    }
}

#[track_caller]
fn shared(world: &World, key: u128, outcome: WaitOutcome) {
    assert!(matches!(outcome, WaitOutcome::Replay(_)), "not shared, but {outcome:?}");
    world.checked(key, outcome.into());
}

/// As many new keys as there is room for, and waiters of one of them; then none of them any more.
fn fill(world: &World, sure_keys: usize, sure_waiters: usize) {
    let leases = claim_all(world);
    assert!(leases.len() >= sure_keys, "{} new keys, not {sure_keys}", leases.len());
    if leases.is_empty() {
        return;
    }
    assert_eq!(world.ask(NEW).0, Sight::InFlight, "an existing key in a full engine (K9)");
    let mut waiters = Vec::new();
    loop {
        match world.lab().ask(world.numbered(NEW)) {
            Outcome::InFlight(other) => waiters.push(other.into_waiter().expect("it waits")),
            Outcome::Full(Limit::Waiters) => break,
            other => panic!("neither a place nor none, but {other:?}"),
        }
    }
    assert!(
        (sure_waiters..=world.waiters()).contains(&waiters.len()),
        "{} waiters, not {sure_waiters}",
        waiters.len()
    );
    // The middle first, and the oldest last.
    while !waiters.is_empty() {
        drop(waiters.remove(waiters.len() / 2));
    }
    end_all(leases);
}

/// Leaves nothing, whatever becomes of leases that are given up.
fn end_all(leases: Vec<Lease>) {
    for lease in leases {
        lease.complete_for(&[], millis(0)).expect("the lease is ours");
    }
}

/// Claims new keys until there is no room for another.
fn claim_all(world: &World) -> Vec<Lease> {
    let mut leases = Vec::new();
    for key in (NEW..).take(world.room() + 1) {
        match world.lab().ask(world.numbered(key)) {
            Outcome::Execute(lease) => leases.push(world.began(key, lease).expect("no time")),
            Outcome::Full(_) => return leases,
            Outcome::Closed if is_closed(world) => return leases,
            other => panic!("neither executes nor full, but {other:?}"),
        }
    }
    panic!("more records than the limit allows (R1)");
}

/// Completes as many new keys as there is room for, with bodies that take all bytes. When they are
/// over, claims find the room by themselves (R2).
fn fill_with_bodies(world: &World) {
    let (sure_keys, sure_bodies) = (world.sure_keys_later(3), world.sure_bodies(3));
    let leases = claim_all(world);
    assert!(leases.len() >= sure_keys, "{} new keys, not {sure_keys}", leases.len());
    let mut stored = 0;
    for (key, lease) in (NEW..).zip(leases) {
        let fit = lease.complete(&body(key, BODY)).expect("the lease is ours");
        let is_stored = fit == Completion::Stored;
        stored += usize::from(is_stored);
        let expected = if is_stored { Sight::Replay } else { Sight::Done };
        assert_eq!(world.ask(key).0, expected);
    }
    assert!(stored >= sure_bodies, "{stored} bodies, not {sure_bodies}");
    world.pass_millis(LONG);
    fill(world, world.sure_keys_later(1), world.sure_waiters());
}

/// Waits, as time passes, until the key executes again: nobody can wedge it (L3). And then
/// everything goes its way.
fn take_over(world: &World) -> Lease {
    for _ in 0..ATTEMPTS {
        if let Found::Lease(lease) = wait_for_it(world) {
            lease.renew(YEAR).expect("the lease is ours");
            return lease;
        }
        world.pass_millis(LONG);
        world.engine.tick();
    }
    panic!("the key never executes again");
}

/// Claims the key in a thread of its own, and lets time pass whenever that sleeps.
fn wait_for_it(world: &World) -> Found {
    let its = world.clone();
    let waiter = std::thread::spawn(move || {
        let claim = Claim::new(its.numbered(KEY)).lease(YEAR);
        let found = match its.lab().ask(claim) {
            Outcome::InFlight(other) => other.wait().into(),
            outcome => its.told(KEY, outcome).1,
        };
        its.checked(KEY, found)
    });
    while !waiter.is_finished() {
        if world.clock.sleepers() > 0 {
            world.pass_millis(ACCEPT);
        }
        std::thread::yield_now();
    }
    waiter.join().expect("no panic")
}

/// Something short that changes what a thread in the middle of an operation has seen.
pub(super) fn interfere(world: &World, turn: usize) {
    match turn % 8 {
        0 => {
            let (_, found) = world.ask(KEY);
            world.put_away(KEY, found);
        }
        1 => end_all(claim_all(world)),
        2 => join_and_leave(world),
        3 => world.pass_millis(1),
        4 => drop(world.engine.tick()),
        5 => {
            let (_, found) = world.ask(world.neighbours()[0]);
            world.put_away(world.neighbours()[0], found);
        }
        6 => {
            if let Found::Lease(lease) = world.ask(KEY).1 {
                let _ = lease.cancel(Reason::Owner);
            }
        }
        _ => world.pass_millis(LONG),
    }
}

/// When nobody is stopped any more and everything is over, the limits are exact again: nothing has
/// been lost.
pub(super) fn find_it_whole(world: &World) {
    world.lab().assert_ticks_empty_it();
    if is_closed(world) {
        return;
    }
    fill(world, world.room(), world.waiters());
    let leases = claim_all(world);
    assert_eq!(leases.len(), world.room());
    let fits = (NEW..).zip(leases).map(|(key, lease)| lease.complete(&body(key, BODY)));
    let stored = fits.filter(|fit| *fit == Ok(Completion::Stored)).count();
    assert_eq!(stored, world.bodies(), "bodies");
    world.lab().assert_ticks_empty_it();
}
