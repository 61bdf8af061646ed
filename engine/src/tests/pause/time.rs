//! What time ends: ticks; and the reports.

use super::Scenario;
use super::found::{Found, Operation, Sight, body, operation};
use super::gate::Stop;
use super::world::{BODY, KEY, LEASE, RETENTION, YEAR, collide, millis, small};
use crate::geometry::Geometry;
use crate::wheel::Shape;
use crate::{Claim, OnEnd};

use Sight::{Execute, Halted, InFlight, Replay};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new("nothing due", &[Execute], |_| ticks()),
    Scenario::new("a response due", &[Execute], |world| {
        world.store(KEY);
        world.pass_millis(RETENTION);
        ticks()
    }),
    Scenario::new("three responses due", &[Execute], |world| {
        [KEY, 100, 101].into_iter().for_each(|key| world.store(key));
        world.pass_millis(RETENTION);
        ticks()
    }),
    Scenario::new("a response due that is held", &[Execute], |world| {
        world.store(KEY);
        world.keep(world.ask(KEY).1);
        world.pass_millis(RETENTION);
        ticks()
    }),
    Scenario::new("an overflow's last due", &[Execute], |world| {
        for other in 100..106 {
            let claim = Claim::new(world.numbered(other)).lease(YEAR);
            world.keep(Found::Lease(world.own_on(other, claim)));
        }
        world.store(KEY);
        world.pass_millis(RETENTION);
        ticks()
    }),
    Scenario::new("reminders that come early", &[Replay], |world| {
        // Beyond the wheel's span of four.
        (0..2).for_each(|other| world.store(100 + other));
        world.store(KEY);
        world.pass_millis(5);
        ticks()
    }),
    Scenario::new("reminders to move down", &[Replay], |world| {
        world.store(KEY);
        world.pass_millis(17);
        world.store(KEY);
        world.pass_millis(5);
        ticks()
    })
    .built(|| small().shape(deep)),
    Scenario::new("a reminder of a record that was replaced", &[InFlight], |world| {
        world.store(KEY);
        world.pass_millis(RETENTION);
        let lease = world.own(KEY);
        operation(move |world| {
            world.lab().settle();
            Found::Lease(lease)
        })
    }),
    Scenario::new("a lease due", &[Execute], |world| {
        let _lost = world.own(KEY).into_token();
        world.pass_millis(LEASE);
        ticks()
    }),
    Scenario::new("a lease due that halts", &[Halted], |world| {
        let claim = Claim::new(world.numbered(KEY)).on_expiry(OnEnd::Halt);
        let _lost = world.own_on(KEY, claim).into_token();
        world.pass_millis(LEASE);
        ticks()
    }),
    Scenario::new("a lease due, two wait", &[InFlight], |world| {
        let _lost = world.own(KEY).into_token();
        let waiters = [world.queue(KEY), world.queue(KEY)];
        world.pass_millis(LEASE);
        world.keep_all(waiters);
        ticks()
    }),
    Scenario::new("a lease due that was renewed", &[InFlight], |world| {
        let lease = world.own(KEY);
        lease.renew(millis(2 * LEASE)).expect("ours");
        world.pass_millis(LEASE);
        operation(move |world| {
            world.lab().settle();
            Found::Lease(lease)
        })
    }),
    Scenario::new("a completion whose owner was stopped", &[Replay], |world| {
        let lease = world.own(KEY);
        world.stopped_beside(Stop::After("record/flight.rs", "self.fate.compare_exchange"), |_| {
            let _ = lease.complete(&body(KEY, BODY));
            Found::Nothing
        });
        ticks()
    }),
    Scenario::new("a draft whose claim was stopped", &[Execute], |world| {
        let number = KEY;
        world.stopped_beside(Stop::After("record/flight.rs", "self.fate.store"), move |world| {
            world.lab().ask(world.numbered(number)).into()
        });
        world.pass_millis(LEASE);
        ticks()
    }),
    Scenario::new("stats", &[Replay], |world| {
        world.store(KEY);
        operation(|world| {
            let stats = world.engine.stats();
            assert!(stats.executes > 0);
            Found::Nothing
        })
    })
    .stopped_every(97),
];

fn ticks() -> Operation {
    operation(|world| {
        world.lab().settle();
        Found::Nothing
    })
}

/// A wheel with a level between its first and its last.
fn deep(built: Geometry) -> Geometry {
    Geometry { wheel: Shape { slot_bits: 2, level_count: 3 }, ..collide(built) }
}
