//! The end of a lease against its owner.

use super::*;
use crate::stats::Count;

fn overdue(policy: OnEnd) -> (Arc<World>, Held) {
    let world = World::new(geometry());
    let held = world.own(ask(1).on_expiry(policy));
    world.pass_time(LEASE);
    (world, held)
}

/// An owner completes after its deadline while another claims the key. Either the completion counts
/// and the claim does not execute; or the claim executes, the owner gets `Stale` and has changed
/// nothing.
#[test]
fn a_late_completion_or_a_takeover_counts() {
    explore(|| {
        let (world, held) = overdue(OnEnd::HandOver);
        let complete = move |world: &World| world.complete(&held, SHORT, RETENTION);
        let (completed, claimed) = race(&world, complete, |world| world.claim(ask(1)));
        let length = match claimed {
            Claimed::Execute(next) => {
                assert_eq!(completed, Err(Stale));
                assert_eq!((next.origin, next.attempt), (Origin::AfterExpiry, 2));
                world.complete(&next, LONG, RETENTION).unwrap();
                LONG
            }
            Claimed::Finished(loc) => {
                world.check_and_release(loc, &ask(1), SHORT);
                SHORT
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(completed.is_ok(), length == SHORT);
        world.check_and_release(world.find(ask(1)), &ask(1), length);
        assert_eq!(world.core.records_used(), 1);
        world.settle();
    });
}

/// As above, where the owner's policy is that nobody may execute then.
#[test]
fn a_late_completion_or_a_halt_counts() {
    explore(|| {
        let (world, held) = overdue(OnEnd::Halt);
        let complete = move |world: &World| world.complete(&held, SHORT, RETENTION);
        let (completed, claimed) = race(&world, complete, |world| world.claim(ask(1)));
        let Claimed::Finished(loc) = claimed else { panic!("{claimed:?}") };
        let (kind, length) = match completed {
            Ok(_) => (Kind::Response, SHORT),
            Err(Stale) => (Kind::Halted, 0),
        };
        assert_eq!(world.core.response(loc).kind(), kind);
        world.check_and_release(loc, &ask(1), length);
        world.settle();
    });
}

/// An owner renews after its deadline while another claims the key. Either the lease goes on, or it
/// is taken over.
#[test]
fn a_late_renewal_or_a_takeover_counts() {
    explore(|| {
        let (world, held) = overdue(OnEnd::HandOver);
        let renew = move |world: &World| world.core.renew(&held, LEASE);
        let (renewed, claimed) = race(&world, renew, |world| world.claim(ask(1)));
        match claimed {
            Claimed::Execute(next) => {
                assert_eq!(renewed, Err(Stale));
                assert_eq!(world.complete(&held, SHORT, RETENTION), Err(Stale));
                world.complete(&next, LONG, RETENTION).unwrap();
            }
            Claimed::InFlight(None, ..) => {
                assert_eq!(renewed, Ok(()));
                world.complete(&held, SHORT, RETENTION).unwrap();
            }
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

/// Two threads claim a key whose lease has run out. One takes over, the other is told so.
#[test]
fn of_two_takeovers_one_executes() {
    explore_less(|| {
        let (world, held) = overdue(OnEnd::HandOver);
        let (a, b) = race(&world, |world| world.claim(ask(1)), |world| world.claim(ask(1)));
        assert!(executes(&a) != executes(&b), "{a:?} {b:?}");
        assert_eq!(world.cancel(&held, OnEnd::HandOver), Err(Stale));
        assert_eq!(world.core.records_used(), 1);
        world.settle();
    });
}

/// An owner completes after its deadline while the tick ends the lease, with a waiter there. The
/// waiter gets the response, or executes; the owner is told which.
#[test]
fn a_late_completion_or_the_tick_counts() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let waiting = world.join(ask(1));
        world.pass_time(LEASE);
        let (_, completed) = race(
            &world,
            |world| world.core.tick(),
            |world| world.complete(&held, SHORT, RETENTION),
        );
        match world.wait(&waiting) {
            Verdict::Finished(loc) => {
                assert!(completed.is_ok());
                world.check_and_release(loc, &ask(1), SHORT);
            }
            Verdict::Execute(next) => {
                assert_eq!(completed, Err(Stale));
                world.complete(&next, LONG, 0).unwrap();
            }
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

/// A tick ends leases that ran out while a claim, that read the clock before, begins one that has
/// already. Whether or not the tick finds it, nothing is left behind.
#[test]
fn a_lease_is_ended_as_it_begins() {
    explore(|| {
        let world = World::new(geometry());
        let end = |world: &World| {
            world.pass_time(LEASE);
            world.core.tick();
        };
        let ((), claimed) = race(&world, end, |world| world.claim(ask(1)));
        assert!(executes(&claimed), "{claimed:?}");
        world.settle();
    });
}

/// Two threads claim a key, one of them once leases have run out and it has ticked. Each lease that
/// somebody had is ended for its age once, and no draft that nobody had.
#[test]
fn no_draft_is_ended_for_its_age() {
    explore(|| {
        let world = World::new(geometry());
        let claim = |world: &World| world.claim(ask(1));
        let late = move |world: &World| {
            world.pass_time(LEASE);
            world.core.tick();
            claim(world)
        };
        let (other, here) = race(&world, late, claim);
        world.settle();
        let leases = [other, here].iter().filter(|claimed| executes(claimed)).count();
        assert_eq!(world.core.counters.sum(Count::LeaseExpiries), leases as u64);
    });
}
