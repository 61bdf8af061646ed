//! Ends of a lease, and its renewal.

use super::Scenario;
use super::found::{Found, Operation, Sight, body, operation};
use super::world::{BODY, HALTED, KEY, LEASE, RECORDS, RETENTION, World, collide, millis, small};
use crate::geometry::Geometry;
use crate::{Lease, OnEnd, Reason, Waiter};

use Sight::{Cancelled, Done, Execute, Halted, InFlight, Replay};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new("complete", &[InFlight, Replay], |world| ends(world, Vec::new(), complete)),
    Scenario::new("complete, three wait", &[InFlight, Replay], |world| {
        ends_awaited(world, complete)
    }),
    Scenario::new("complete, two sleep", &[InFlight, Replay], |world| {
        ends_with_sleepers(world, complete)
    }),
    Scenario::new("complete, two are awaiting", &[InFlight, Replay], |world| {
        let lease = world.own(KEY);
        (0..2).for_each(|_| world.awaiting(world.queue(KEY)));
        ended(world, lease, Vec::new(), complete)
    }),
    Scenario::new("complete, two are called back", &[InFlight, Replay], |world| {
        let lease = world.own(KEY);
        (0..2).for_each(|_| drop(world.called(world.queue(KEY))));
        ended(world, lease, Vec::new(), complete)
    }),
    // Others that come before it has rung for the first of them call that one themselves; from then
    // until it has, nobody else can.
    Scenario::new("cancel, two are called back", &[InFlight, Replay, InFlight, Replay], |world| {
        let lease = world.own(KEY);
        (0..2).for_each(|_| drop(world.called(world.queue(KEY))));
        ended(world, lease, Vec::new(), cancel)
    }),
    Scenario::new("complete, without retention", &[InFlight, Execute], |world| {
        ends(world, Vec::new(), complete_for_nothing)
    }),
    Scenario::new("complete, without retention, three wait", &[InFlight, Execute], |world| {
        ends_awaited(world, complete_for_nothing)
    }),
    Scenario::new("complete, too large", &[InFlight, Done], |world| {
        ends(world, Vec::new(), |lease| {
            let _ = lease.complete(&body(KEY, BODY + 1));
        })
    }),
    Scenario::new("complete, no room", &[InFlight, Done], |world| {
        (1..RECORDS as u128).for_each(|other| world.store(100 + other));
        ends(world, Vec::new(), complete)
    })
    .built(|| small().bytes(BYTES_SHORT)),
    Scenario::new("complete, what is over makes room", &[InFlight, Replay], |world| {
        (1..RECORDS as u128).for_each(|other| world.store(100 + other));
        world.pass_millis(RETENTION);
        ends(world, Vec::new(), complete)
    })
    .built(|| small().bytes(BYTES_SHORT))
    .stopped_every(3),
    Scenario::new(
        "complete, in a place that others are moved from",
        &[InFlight, Replay],
        scattered,
    )
    .built(|| small().shape(tight)),
    Scenario::new("complete, beside one that is held", &[InFlight, Done], |world| {
        let operation = scattered(world);
        (0..RECORDS as u128).for_each(|other| world.keep(world.ask(100 + other).1));
        operation
    })
    .built(|| small().shape(tight)),
    Scenario::new("complete, with a full chunk of reminders", &[InFlight, Replay], |world| {
        leave_reminders(world, 63, 8);
        ends(world, Vec::new(), complete)
    }),
    Scenario::new("complete, with a full wheel", &[InFlight, Replay], |world| {
        leave_reminders(world, FULL_WHEEL, 11);
        ends(world, Vec::new(), complete)
    })
    .stopped_every(7),
    Scenario::new("complete, with reminders that are late", &[InFlight, Replay], |world| {
        (0..4).for_each(|other| world.store(100 + other));
        world.pass_millis(RETENTION + 31);
        ends(world, Vec::new(), complete)
    })
    .stopped_every(7),
    Scenario::new("complete, after its deadline", &[Execute, Replay], |world| {
        let operation = ends(world, Vec::new(), complete);
        world.pass_millis(LEASE);
        operation
    }),
    Scenario::new("cancel", &[InFlight, Execute], |world| ends(world, Vec::new(), cancel)),
    Scenario::new("cancel of an overflow's last", &[InFlight, Execute], |world| {
        (0..6).for_each(|other| world.store(100 + other));
        ends(world, Vec::new(), cancel)
    }),
    Scenario::new("cancel, three wait", &[InFlight], |world| ends_awaited(world, cancel)),
    Scenario::new("cancel, two sleep", &[InFlight], |world| ends_with_sleepers(world, cancel)),
    Scenario::new("cancel, none that waits may execute", &[InFlight, Execute], |world| {
        let lease = world.own(KEY);
        let watchers = (0..2).map(|_| world.watcher(KEY)).collect();
        ended(world, lease, watchers, cancel)
    }),
    Scenario::new("cancel, the oldest may not execute", &[InFlight], |world| {
        let lease = world.own(KEY);
        let waiters = vec![world.watcher(KEY), world.queue(KEY)];
        ended(world, lease, waiters, cancel)
    }),
    Scenario::new("cancel of all, three wait", &[InFlight, Execute], |world| {
        ends_awaited(world, cancel_all)
    }),
    Scenario::new("cancel of all, two sleep", &[InFlight, Execute], |world| {
        ends_with_sleepers(world, cancel_all)
    }),
    Scenario::new("cancel, kept, three wait", &[InFlight, Cancelled], |world| {
        ends_awaited(world, cancel)
    })
    .built(|| small().cancelled_retention(millis(HALTED))),
    Scenario::new("halt", &[InFlight, Halted], |world| ends(world, Vec::new(), halt)),
    Scenario::new("halt, three wait", &[InFlight, Halted], |world| ends_awaited(world, halt)),
    Scenario::new("fail, not kept, three wait", &[InFlight, Execute], |world| {
        ends_awaited(world, fail)
    }),
    Scenario::new("a lease dropped, three wait", &[InFlight], |world| ends_awaited(world, drop)),
    Scenario::new("renew", &[InFlight], |world| {
        let lease = world.own(KEY);
        operation(move |_| {
            let _ = lease.renew(millis(2 * LEASE));
            Found::Lease(lease)
        })
    }),
    Scenario::new("renew, after its deadline", &[Execute, InFlight], |world| {
        let lease = world.own(KEY);
        world.pass_millis(LEASE);
        operation(move |_| {
            let _ = lease.renew(millis(2 * LEASE));
            Found::Lease(lease)
        })
    }),
    Scenario::new("a lease from its token", &[InFlight], |world| {
        let token = world.own(KEY).into_token();
        operation(move |world| world.engine.lease(token).map_or(Found::Nothing, Found::Lease))
    }),
    Scenario::new("each end of a lease that was taken over", &[InFlight], |world| {
        let claim = crate::Claim::new(world.numbered(KEY)).on_abandon(OnEnd::Halt);
        let token = world.own_on(KEY, claim).into_token();
        let stale = || world.engine.lease(token).expect("it is not over");
        let stale = [stale(), stale(), stale(), stale()];
        world.pass_millis(LEASE);
        let lease = world.own(KEY);
        operation(move |_| {
            let [renewed, completed, cancelled, dropped] = stale;
            assert!(renewed.renew(millis(LEASE)).is_err());
            assert!(completed.complete(b"late").is_err());
            assert!(cancelled.cancel(Reason::Owner).is_err());
            drop((renewed, dropped));
            Found::Lease(lease)
        })
    }),
];

/// Bytes for one body less than there can be records, and a little more.
const BYTES_SHORT: u64 = ((BODY + 64) * RECORDS - 256) as u64;

/// Reminders after which the next would take a chunk more than there is for new ones (wheel.4).
const FULL_WHEEL: usize = 263;

/// With an arena in which `scattered` leaves room, but not in one place.
fn tight(built: Geometry) -> Geometry {
    Geometry { granules: 24, arena_granules: 26, ..collide(built) }
}

type End = fn(Lease);

fn complete(lease: Lease) {
    // Stale if others took it over while this thread was stopped.
    let _ = lease.complete(&body(KEY, BODY));
}

fn complete_for_nothing(lease: Lease) {
    let _ = lease.complete_for(&body(KEY, BODY), millis(0));
}

fn cancel(lease: Lease) {
    let _ = lease.cancel(Reason::Owner);
}

fn cancel_all(lease: Lease) {
    let _ = lease.cancel_all(Reason::Owner);
}

fn halt(lease: Lease) {
    let _ = lease.halt(Reason::Owner);
}

fn fail(lease: Lease) {
    let _ = lease.fail(&body(KEY, 1), millis(0));
}

fn ends(world: &World, waiters: Vec<Waiter>, end: End) -> Operation {
    ended(world, world.own(KEY), waiters, end)
}

fn ended(world: &World, lease: Lease, waiters: Vec<Waiter>, end: End) -> Operation {
    world.keep_all(waiters);
    operation(move |_| {
        end(lease);
        Found::Nothing
    })
}

fn ends_awaited(world: &World, end: End) -> Operation {
    let lease = world.own(KEY);
    let waiters = (0..3).map(|_| world.queue(KEY)).collect();
    ended(world, lease, waiters, end)
}

fn ends_with_sleepers(world: &World, end: End) -> Operation {
    let lease = world.own(KEY);
    (0..2).for_each(|_| world.sleeper(world.queue(KEY)));
    ended(world, lease, Vec::new(), end)
}

/// Every second of many small responses is gone, so that a large one needs some of the others
/// moved.
fn scattered(world: &World) -> Operation {
    let lease = world.own(KEY);
    for other in 0..RECORDS as u128 - 1 {
        let kept = if other % 2 == 0 { RETENTION } else { 1 };
        let small = body(100 + other, BODY / 7);
        world.own(100 + other).complete_for(&small, millis(kept)).expect("ours");
    }
    world.pass_millis(1);
    world.lab().settle();
    ended(world, lease, Vec::new(), complete)
}

/// Leaves so many reminders of records that are replaced in place, of so many keys.
fn leave_reminders(world: &World, count: usize, keys: usize) {
    for number in 0..count {
        // Slowly enough that each is over when its turn comes again, and so early that nobody helps
        // out yet. Beyond the wheel's span: all in its last bucket.
        if number % keys == 0 {
            world.pass_millis(1);
        }
        let key = 100 + (number % keys) as u128;
        world.own(key).complete_for(&body(key, 1), millis(1)).expect("ours");
    }
}
