//! Claims, and what lets go of what they found.

use super::Scenario;
use super::found::{Found, Operation, Sight, body, operation};
use super::gate::Stop;
use super::world::{BODY, HALTED, KEY, LEASE, RECORDS, RETENTION, World, collide, millis, small};
use crate::geometry::Geometry;
use crate::{Builder, Claim, OnEnd, Reason};

use Sight::{Cancelled, Done, Execute, Full, Halted, InFlight, Replay};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new("a new key", &[Execute, InFlight], |_| claims()),
    Scenario::new("a new key, an overflow put on", &[Execute, InFlight], |world| {
        (0..6).for_each(|other| world.store(100 + other));
        claims()
    }),
    Scenario::new("a new key, while an overflow is taken off", &[Execute, InFlight], |world| {
        (0..6).for_each(|other| world.store(100 + other));
        let last = world.own(200);
        world.stopped_beside(Stop::After("table/overflow.rs", "line.header.compare_exchange"), {
            |_| drop_it(Found::Lease(last))
        });
        claims()
    }),
    Scenario::new("a response", &[Replay], |world| {
        world.store(KEY);
        claims()
    }),
    Scenario::new("a response, its pins moved", &[Replay], |world| {
        world.store(KEY);
        claims()
    })
    .built(|| small().shape(|built| Geometry { pins_high: 1, ..collide(built) })),
    Scenario::new("a response, behind one with its tag", &[Replay], |world| {
        world.store(world.neighbours()[1]);
        world.store(KEY);
        claims()
    }),
    Scenario::new("a tombstone", &[Done], |world| {
        world.own(KEY).complete(&body(KEY, BODY + 1)).expect("ours");
        claims()
    }),
    Scenario::new("a kept cancellation", &[Cancelled], |world| {
        world.own(KEY).cancel(Reason::Owner).expect("ours");
        claims()
    })
    .built(keeping_cancellations),
    Scenario::new("a halted record", &[Halted], |world| {
        world.own(KEY).halt(Reason::Owner).expect("ours");
        claims()
    }),
    Scenario::new("another request's response", &[Replay], |world| {
        let claim = saying(world, b"this");
        let stored = world.own_on(KEY, claim).complete(&body(KEY, BODY));
        stored.expect("ours");
        operation(|world| world.lab().ask(saying(world, b"that")).into())
    }),
    Scenario::new("another request's flight", &[InFlight], |world| {
        let claim = saying(world, b"this");
        let lease = world.own_on(KEY, claim);
        operation(move |world| {
            let outcome = world.lab().ask(saying(world, b"that"));
            drop(outcome);
            Found::Lease(lease)
        })
    }),
    Scenario::new("a flight, told to wait not", &[InFlight], |world| {
        let lease = world.own(KEY);
        operation(move |world| {
            drop(world.ask(KEY));
            Found::Lease(lease)
        })
    }),
    Scenario::new("a flight, joined first", &[InFlight], |world| joins(world, 0)),
    Scenario::new("a flight, joined third", &[InFlight], |world| joins(world, 2)),
    Scenario::new("an expired lease", &[Execute, InFlight], |world| {
        let _lost = world.own(KEY).into_token();
        world.pass_millis(LEASE);
        claims()
    }),
    Scenario::new("an expired lease with a waiter", &[InFlight], |world| {
        let _lost = world.own(KEY).into_token();
        let waiter = world.queue(KEY);
        world.pass_millis(LEASE);
        claims_beside(Found::Waiter(waiter))
    }),
    Scenario::new("an expired lease that halts", &[Halted], |world| {
        let claim = Claim::new(world.numbered(KEY)).on_expiry(OnEnd::Halt);
        let _lost = world.own_on(KEY, claim).into_token();
        world.pass_millis(LEASE);
        claims()
    }),
    Scenario::new("a flight given up, its owner stopped", &[Execute, InFlight], |world| {
        let lease = world.own(KEY);
        stop_after_end(world, move |_| drop_it(Found::Lease(lease)));
        claims()
    }),
    Scenario::new("a flight completed, its owner stopped", &[Replay], |world| {
        let lease = world.own(KEY);
        stop_after_end(world, move |_| {
            lease.complete(&body(KEY, BODY)).expect("ours");
            Found::Nothing
        });
        claims()
    }),
    Scenario::new("a flight vacated, its owner stopped", &[InFlight], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        stop_after_end(world, move |_| drop_it(Found::Lease(lease)));
        claims_beside(Found::Waiter(waiter))
    }),
    Scenario::new("a hand-over, the waiter stopped", &[InFlight], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.cancel(Reason::Owner).expect("ours");
        world.stopped_beside(Stop::After("record/flight.rs", "self.generation.fetch_add"), |_| {
            waiter.wait().into()
        });
        claims()
    }),
    Scenario::new("an expired response", &[Execute, InFlight], |world| {
        world.store(KEY);
        world.pass_millis(RETENTION);
        claims()
    }),
    Scenario::new("an expired response that is held", &[Execute, InFlight], |world| {
        world.store(KEY);
        let (_, held) = world.ask(KEY);
        world.pass_millis(RETENTION);
        claims_beside(held)
    }),
    Scenario::new("a full engine, all over", &[Execute, InFlight], |world| {
        (0..MANY as u128).for_each(|other| world.store_some(100 + other));
        world.pass_millis(RETENTION);
        claims()
    })
    .built(|| small().records(MANY).bytes(1 << 16).shape(with_more_lines))
    .with_room_for(MANY)
    .stopped_every(17),
    Scenario::new("a full engine, leases over", &[Execute, InFlight], |world| {
        for other in 0..RECORDS as u128 {
            let _lost = world.own(100 + other).into_token();
        }
        world.pass_millis(LEASE);
        claims()
    }),
    Scenario::new("a full engine", &[Full], |world| {
        (0..RECORDS as u128).for_each(|other| world.store(100 + other));
        claims()
    }),
    Scenario::new("a queue that is full, of another key", &[Execute], |world| {
        let full = world.neighbours()[1];
        world.keep(Found::Lease(world.own(full)));
        world.keep_all([world.queue(full), world.queue(full)]);
        operation(move |world| {
            let outcome = world.lab().ask(world.numbered(full));
            world.put_away(full, outcome.into());
            Found::Nothing
        })
    })
    .built(|| small().waiters_per_key(2)),
    Scenario::new("run, to its end", &[Execute, InFlight, Replay], |_| {
        operation(|world| {
            let work = || Ok::<_, Vec<u8>>(body(KEY, BODY));
            drop(world.engine.run(world.numbered(KEY), work));
            Found::Nothing
        })
    })
    .roused(|world| world.pass_millis(LEASE)),
    Scenario::new("a replay dropped", &[Replay], |world| {
        world.store(KEY);
        let (_, held) = world.ask(KEY);
        operation(|_| drop_it(held))
    }),
    Scenario::new("a replay dropped that was the last", &[Execute], |world| {
        world.store(KEY);
        let (_, held) = world.ask(KEY);
        world.pass_millis(RETENTION);
        world.lab().settle();
        operation(|_| drop_it(held))
    }),
    Scenario::new("a replay cloned", &[Replay], |world| {
        world.store(KEY);
        let (_, held) = world.ask(KEY);
        operation(|_| match held {
            Found::Replay(held) => drop_it(Found::Replay(held.clone())),
            _ => Found::Nothing,
        })
    }),
];

/// So many records that the reminders of one chunk are not all of them.
const MANY: usize = 96;

fn with_more_lines(built: Geometry) -> Geometry {
    Geometry { lines_for: MANY as u64 / 4, ..collide(built) }
}

fn claims() -> Operation {
    operation(|world| world.lab().ask(world.numbered(KEY)).into())
}

/// The same, while the operation's thread holds something.
fn claims_beside(held: Found) -> Operation {
    operation(move |world| {
        let outcome = world.lab().ask(world.numbered(KEY));
        drop_it(held);
        outcome.into()
    })
}

fn drop_it(found: Found) -> Found {
    drop(found);
    Found::Nothing
}

fn joins(world: &World, before: usize) -> Operation {
    let lease = world.own(KEY);
    let waiters: Vec<_> = (0..before).map(|_| world.queue(KEY)).collect();
    operation(move |world| {
        let joined = world.lab().ask(world.numbered(KEY));
        drop((joined, waiters));
        Found::Lease(lease)
    })
}

/// A thread that ends a lease, and stops right after the step that does.
fn stop_after_end(world: &World, end: impl FnOnce(&World) -> Found + Send + 'static) {
    world.stopped_beside(Stop::After("record/flight.rs", "self.fate.compare_exchange"), end);
}

fn saying(world: &World, what: &[u8]) -> Claim {
    let mut fingerprint = world.engine.fingerprint();
    fingerprint.field(what);
    Claim::new(world.numbered(KEY)).fingerprint(fingerprint.finish())
}

fn keeping_cancellations() -> Builder {
    small().cancelled_retention(millis(HALTED))
}
