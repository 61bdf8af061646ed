//! Waiters against the end of their flight: who gives it back.

use super::*;

/// An owner completes without retention at the very moment at which the last waiter leaves. The
/// flight and the response are given back, once.
#[test]
fn the_last_waiter_leaves_as_the_flight_is_detached() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let waiting = world.join(ask(1));
        let complete = move |world: &World| world.complete(&held, SHORT, 0).unwrap();
        race(&world, complete, |world| world.core.leave(&waiting));
        assert_eq!(world.core.flights_used(), 0);
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// As above, where the waiter waits for the response, and it is kept.
#[test]
fn the_last_waiter_gets_the_response_as_the_flight_is_detached() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let waiting = world.join(ask(1));
        let complete = move |world: &World| world.complete(&held, SHORT, RETENTION).unwrap();
        let (_, verdict) = race(&world, complete, |world| world.wait(&waiting));
        let Verdict::Finished(loc) = verdict else { panic!("{verdict:?}") };
        world.check_and_release(loc, &ask(1), SHORT);
        assert_eq!(world.core.flights_used(), 0);
        assert_eq!(world.core.memory_used()[0], 2);
        world.settle();
    });
}

/// Two waiters, told of the response, give their places back at once. The last of them gives the
/// flight back, once; each has the response until it lets go of it.
#[test]
fn two_waiters_get_the_response_at_once() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let first = world.join(ask(1));
        let second = world.join(ask(1));
        world.complete(&held, SHORT, 0).unwrap();
        let take = |world: &World, waiting: &Waiting| match world.core.poll(waiting) {
            Verdict::Finished(loc) => world.check_and_release(loc, &ask(1), SHORT),
            other => panic!("{other:?}"),
        };
        race(&world, move |world| take(world, &first), |world| take(world, &second));
        assert_eq!(world.core.flights_used(), 0);
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// An owner ends its lease for all waiters while one of the two leaves and the other waits.
#[test]
fn waiters_fail_while_one_of_them_leaves() {
    explore_less(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let first = world.join(ask(1));
        let second = world.join(ask(1));
        let fail = spawn(&world, move |world| world.cancel(&held, OnEnd::FailWaiters).unwrap());
        let leave = spawn(&world, move |world| world.core.leave(&first));
        let verdict = world.wait(&second);
        assert!(matches!(verdict, Verdict::Cancelled(Reason::Owner)), "{verdict:?}");
        fail.join().unwrap();
        leave.join().unwrap();
        assert_eq!(world.core.flights_used(), 0);
        assert_eq!(world.core.records_used(), 0);
        world.settle();
    });
}
