//! Closing by a deadline; and what comes to it in an engine that was closed (P4).

use super::Scenario;
use super::found::{Found, Operation, Sight, body, operation};
use super::world::{BODY, KEY, World, millis};
use crate::{Claim, Lease, OnEnd, Reason, Waiter};

use Sight::{Closed, Execute, Halted, InFlight, Replay};

/// Until when owners may finish, in milliseconds: less than a lease.
const GRACE: u64 = 4;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new("closing, the key vacant", &[Execute, Closed], |_| closes()).taking(),
    Scenario::new("closing, a response", &[Replay], |world| {
        world.store(KEY);
        closes()
    })
    .taking(),
    Scenario::new("closing, two wait", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        world.keep_all([world.queue(KEY), world.queue(KEY)]);
        closes()
    })
    .taking(),
    Scenario::new("closing, two sleep", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        [world.queue(KEY), world.queue(KEY)].into_iter().for_each(|waiter| world.sleeper(waiter));
        closes()
    })
    .taking(),
    Scenario::new("closing, two are awaiting", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        (0..2).for_each(|_| world.awaiting(world.queue(KEY)));
        closes()
    })
    .taking(),
    Scenario::new("closing, once more and earlier", &[Closed], |world| {
        world.engine.close_within(millis(2 * GRACE));
        closes()
    }),
    Scenario::new("claim, closed", &[Closed], |world| {
        world.engine.close();
        operation(|world| world.lab().ask(world.numbered(KEY)).into())
    }),
    Scenario::new("complete, closed, two wait", &[InFlight, Replay], |world| {
        let (lease, waiters) = closed(world, OnEnd::HandOver);
        world.keep_all(waiters);
        completes(lease)
    }),
    Scenario::new("cancel, closed, two wait", &[InFlight], |world| {
        let (lease, waiters) = closed(world, OnEnd::HandOver);
        world.keep_all(waiters);
        operation(move |_| {
            let _ = lease.cancel(Reason::Owner);
            Found::Nothing
        })
    }),
    Scenario::new("a look at an offer, closed", &[InFlight], |world| {
        let lease = world.own(KEY);
        let (first, second) = (world.queue(KEY), world.queue(KEY));
        lease.cancel(Reason::Owner).expect("ours");
        world.engine.close_within(millis(GRACE));
        world.keep_all([second]);
        looks(first)
    }),
    Scenario::new("complete at the deadline, two wait", &[InFlight, Closed], |world| {
        let (lease, waiters) = over(world, OnEnd::HandOver);
        world.keep_all(waiters);
        completes(lease)
    }),
    Scenario::new("a look at the deadline, another waits", &[InFlight, Closed], |world| {
        let (lease, [first, second]) = over(world, OnEnd::HandOver);
        world.keep(Found::Lease(lease));
        world.keep_all([second]);
        looks(first)
    }),
    Scenario::new("tick at the deadline, two wait", &[InFlight, Closed], |world| {
        let (lease, waiters) = over(world, OnEnd::HandOver);
        world.keep(Found::Lease(lease));
        world.keep_all(waiters);
        ticks()
    }),
    Scenario::new("tick at the deadline, a lease that halts", &[InFlight, Halted], |world| {
        let (lease, waiters) = over(world, OnEnd::Halt);
        world.keep(Found::Lease(lease));
        world.keep_all(waiters);
        ticks()
    }),
    Scenario::new("tick at the deadline, a lease that was detached", &[Closed], |world| {
        let (lease, waiters) = closed(world, OnEnd::HandOver);
        assert_eq!(world.engine.detach(world.numbered(KEY)), Ok(true));
        world.pass_millis(GRACE);
        world.keep(Found::Lease(lease));
        world.keep_all(waiters);
        ticks()
    }),
];

/// A lease with two who wait, in an engine that has closed since.
fn closed(world: &World, on_expiry: OnEnd) -> (Lease, [Waiter; 2]) {
    let lease = world.own_on(KEY, Claim::new(world.numbered(KEY)).on_expiry(on_expiry));
    let waiters = [world.queue(KEY), world.queue(KEY)];
    world.engine.close_within(millis(GRACE));
    (lease, waiters)
}

/// The same at the deadline, which nobody has noticed yet.
fn over(world: &World, on_expiry: OnEnd) -> (Lease, [Waiter; 2]) {
    let before = closed(world, on_expiry);
    world.pass_millis(GRACE);
    before
}

fn closes() -> Operation {
    operation(|world| {
        world.engine.close_within(millis(GRACE));
        Found::Nothing
    })
}

fn completes(lease: Lease) -> Operation {
    operation(move |_| {
        let _ = lease.complete(&body(KEY, BODY));
        Found::Nothing
    })
}

fn looks(waiter: Waiter) -> Operation {
    operation(move |_| waiter.wait_for(millis(0)).into())
}

fn ticks() -> Operation {
    operation(|world| {
        world.lab().settle();
        Found::Nothing
    })
}
