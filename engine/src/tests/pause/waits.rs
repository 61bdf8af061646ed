//! Waiting: looking, sleeping, accepting, leaving.

use core::pin::Pin;
use core::task::{Context, Waker};

use super::Scenario;
use super::found::{Found, Operation, Sight, body, operation};
use super::gate::Stop;
use super::world::{ACCEPT, BODY, HALTED, KEY, LEASE, World, millis};
use crate::{Claim, Completions, OnEnd, Reason, Token, Waiter};

use Sight::{Execute, Halted, InFlight, Replay};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new("a look that finds the owner at work", &[InFlight], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        operation(move |_| {
            let found = waiter.wait_for(millis(0));
            drop(found);
            Found::Lease(lease)
        })
    }),
    Scenario::new("a look that finds a response", &[Replay], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.complete(&body(KEY, BODY)).expect("ours");
        looks(waiter)
    }),
    Scenario::new("a look that finds a response, the last of it", &[Execute], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.complete_for(&body(KEY, BODY), millis(0)).expect("ours");
        looks(waiter)
    }),
    Scenario::new("a look that finds a halt", &[Halted], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.halt(Reason::Owner).expect("ours");
        looks(waiter)
    }),
    Scenario::new("a look that finds a cancellation", &[Execute], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.cancel_all(Reason::Owner).expect("ours");
        looks(waiter)
    }),
    Scenario::new("accepting", &[InFlight], |world| looks(offered(world).0)),
    Scenario::new("accepting, two wait behind", &[InFlight], |world| {
        let (waiter, others) = offered(world);
        world.keep_all(others);
        looks(waiter)
    }),
    Scenario::new("a look that finds an offer to another", &[InFlight], |world| {
        let (first, mut others) = offered(world);
        let second = others.remove(0);
        world.keep_all([first].into_iter().chain(others));
        looks(second)
    }),
    Scenario::new("passing an offer on that was not accepted", &[InFlight], |world| {
        let (first, mut others) = offered(world);
        let second = others.remove(0);
        world.pass_millis(ACCEPT);
        world.keep_all([first].into_iter().chain(others));
        looks(second)
    }),
    Scenario::new("a look that finds the lease over", &[InFlight], |world| {
        let (_lost, mut waiters) = awaited(world);
        world.pass_millis(LEASE);
        let oldest = waiters.remove(0);
        world.keep_all(waiters);
        looks(oldest)
    }),
    Scenario::new("a look that finds its owner stopped", &[InFlight], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        world.stopped_beside(Stop::After("record/flight.rs", "self.fate.compare_exchange"), |_| {
            drop(lease);
            Found::Nothing
        });
        looks(waiter)
    }),
    Scenario::new("sleeping, woken by the result", &[InFlight, Replay], |world| waits(world))
        .roused(complete_for),
    Scenario::new("sleeping, woken by a hand-over", &[InFlight], |world| waits(world))
        .roused(cancel_for),
    Scenario::new("sleeping until the owner's deadline", &[InFlight], |world| waits(world))
        .roused(|world| world.pass_millis(LEASE)),
    Scenario::new("sleeping for a time", &[InFlight], |world| {
        let lease = world.own_on(KEY, Claim::new(world.numbered(KEY)).lease(millis(LEASE)));
        let waiter = world.queue(KEY);
        operation(move |_| {
            drop(waiter.wait_for(millis(2)));
            Found::Lease(lease)
        })
    })
    .roused(|world| world.pass_millis(2)),
    Scenario::new("a poll that finds the owner at work", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        let waiter = world.queue(KEY);
        operation(move |_| {
            polls(waiter);
            Found::Nothing
        })
    }),
    Scenario::new("a poll that finds a response", &[Replay], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.complete(&body(KEY, BODY)).expect("ours");
        operation(move |_| {
            polls(waiter);
            Found::Nothing
        })
    }),
    Scenario::new("a callback registered, and cancelled", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        let waiter = world.queue(KEY);
        operation(move |_| {
            let _ = waiter.on_end(drop).cancel();
            Found::Nothing
        })
    }),
    Scenario::new(
        "waits in a queue, polled for, cancelled, dropped with it",
        &[InFlight],
        |world| {
            world.keep(Found::Lease(world.own(KEY)));
            let (one, other) = (world.queue(KEY), world.queue(KEY));
            operation(move |_| {
                let queue = Completions::new(|| {});
                let pending = one.end_in(&queue, 1);
                other.end_in(&queue, 2);
                queue.poll(1, |_, _| {});
                let _ = pending.cancel();
                queue.poll(1, |_, _| {});
                Found::Nothing
            })
        },
    ),
    Scenario::new("completing, and polling for what it woke", &[InFlight, Replay], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        let queue = Completions::new(|| {});
        waiter.end_in(&queue, 1);
        queue.poll(1, |_, _| {});
        operation(move |_| {
            // Stale: its time was over while this stood still.
            let _ = lease.complete(&body(KEY, BODY));
            queue.poll(1, |_, outcome| drop(outcome));
            Found::Nothing
        })
    }),
    Scenario::new("the oldest leaves", &[InFlight], |world| leaves(world, 0)),
    Scenario::new("the middle leaves", &[InFlight], |world| leaves(world, 1)),
    Scenario::new("the youngest leaves", &[InFlight], |world| leaves(world, 2)),
    Scenario::new("the only one leaves", &[InFlight], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        operation(move |_| {
            drop(waiter);
            Found::Lease(lease)
        })
    }),
    Scenario::new("one leaves behind one that was stopped in it", &[InFlight], |world| {
        let (lost, mut waiters) = awaited(world);
        let (middle, youngest) = (waiters.remove(1), waiters.remove(1));
        world.stopped_beside(Stop::After("wait/node.rs", "self.link.fetch_or"), |_| {
            drop(middle);
            Found::Nothing
        });
        world.keep_all(waiters);
        operation(move |world| {
            drop(youngest);
            world.engine.lease(lost).map_or(Found::Nothing, Found::Lease)
        })
    }),
    Scenario::new("one leaves that was offered the lease", &[InFlight], |world| {
        let (first, others) = offered(world);
        world.keep_all(others);
        operation(move |_| {
            drop(first);
            Found::Nothing
        })
    }),
    Scenario::new("the last leaves that was offered the lease", &[InFlight, Execute], |world| {
        let lease = world.own(KEY);
        let waiter = world.queue(KEY);
        lease.cancel(Reason::Owner).expect("ours");
        operation(move |_| {
            drop(waiter);
            Found::Nothing
        })
    }),
    Scenario::new("the last leaves of a lease that halts", &[InFlight], |world| {
        let claim = Claim::new(world.numbered(KEY)).on_expiry(OnEnd::Halt).lease(millis(HALTED));
        let lease = world.own_on(KEY, claim);
        let waiter = world.queue(KEY);
        operation(move |_| {
            drop(waiter);
            Found::Lease(lease)
        })
    }),
];

/// Twice, if it is not ready at once.
fn polls(mut waiter: Waiter) {
    let mut context = Context::from_waker(Waker::noop());
    if Pin::new(&mut waiter).poll(&mut context).is_pending() {
        let _ = Pin::new(&mut waiter).poll(&mut context);
    }
}

fn looks(waiter: Waiter) -> Operation {
    operation(move |_| waiter.wait_for(millis(0)).into())
}

/// A lease whose owner says nothing more, and three who wait for it, the oldest first.
fn awaited(world: &World) -> (Token, Vec<Waiter>) {
    let lost = world.own(KEY).into_token();
    (lost, (0..3).map(|_| world.queue(KEY)).collect())
}

/// One who was offered the lease, and two who wait behind.
fn offered(world: &World) -> (Waiter, Vec<Waiter>) {
    let (lease, mut waiters) = awaited(world);
    world.engine.lease(lease).expect("no time has passed").cancel(Reason::Owner).expect("ours");
    (waiters.remove(0), waiters)
}

/// One of three leaves.
fn leaves(world: &World, number: usize) -> Operation {
    let (lease, mut waiters) = awaited(world);
    let leaver = waiters.remove(number);
    world.keep_all(waiters);
    operation(move |world| {
        drop(leaver);
        world.engine.lease(lease).map_or(Found::Nothing, Found::Lease)
    })
}

/// Blocks until there is a result; whoever rouses it has the lease.
fn waits(world: &World) -> Operation {
    world.keep(Found::Lease(world.own(KEY)));
    let waiter = world.queue(KEY);
    operation(move |_| waiter.wait().into())
}

fn complete_for(world: &World) {
    if let Found::Lease(lease) = world.kept() {
        let _ = lease.complete(&body(KEY, BODY));
    }
}

fn cancel_for(world: &World) {
    if let Found::Lease(lease) = world.kept() {
        let _ = lease.cancel(Reason::Owner);
    }
}
