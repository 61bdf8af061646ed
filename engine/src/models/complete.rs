//! Claims against completions, and against the reuse of what they look at.

use super::*;

/// One thread completes, the other claims the key and waits. It gets the response, whole: from the
/// table, or as a waiter; it never executes.
#[test]
fn a_claim_gets_the_response_of_a_completion() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let complete = move |world: &World| world.complete(&held, SHORT, RETENTION);
        let (completed, ()) = race(&world, complete, |world| {
            let loc = match world.claim(ask(1).waiting()) {
                Claimed::Finished(loc) => loc,
                Claimed::InFlight(Some(waiting), ..) => match world.wait(&waiting) {
                    Verdict::Finished(loc) => loc,
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            };
            world.check_and_release(loc, &ask(1), SHORT);
        });
        assert_eq!(completed, Ok(Completion::Stored));
        assert_eq!(world.core.records_used(), 1);
        assert_eq!(world.core.memory_used(), [2, 0, 1]);
        world.settle();
    });
}

/// One thread completes without retention, the other claims and waits. It gets the response as a
/// waiter, or executes after the owner; the flight is given back once.
#[test]
fn a_response_that_is_not_kept_goes_to_those_who_wait() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        world.work[0].set(true);
        let complete = move |world: &World| {
            world.work[0].set(false);
            world.complete(&held, SHORT, 0).unwrap();
        };
        race(&world, complete, |world| match world.claim(ask(1).waiting()) {
            Claimed::Execute(_) => world.work[0].set(true),
            Claimed::InFlight(Some(waiting), ..) => match world.wait(&waiting) {
                Verdict::Finished(loc) => world.check_and_release(loc, &ask(1), SHORT),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        world.settle();
    });
}

/// Two threads complete with copies of one token. One succeeds; the record is the winner's, and the
/// other's memory is given back.
#[test]
fn of_two_completions_one_counts() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let (a, b) = race(
            &world,
            move |world| world.complete(&held, SHORT, RETENTION),
            |world| world.complete(&held, LONG, RETENTION),
        );
        assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
        world.check_and_release(world.find(ask(1)), &ask(1), if a.is_ok() { SHORT } else { LONG });
        assert_eq!(world.core.memory_used()[0], if a.is_ok() { 2 } else { 3 });
        world.settle();
    });
}

/// One thread completes and claims another key of another line, which takes over the flight; the
/// other is looking at it for the first key. It is told that the key is in flight, or gets its
/// response: never that the key has no record, and nothing of the other key's.
#[test]
fn a_claim_is_not_misled_by_a_flight_that_is_used_again() {
    explore(|| {
        let world = World::new(Geometry { flights: 1, lines_for: 6, ..geometry() });
        let line = |key: u64| world.core.place([key, 0]).line;
        let other = (2..).find(|key| line(*key) != line(1)).unwrap();
        let held = world.own(ask(1));
        let recycle = move |world: &World| {
            world.complete(&held, 0, RETENTION).unwrap();
            world.claim(ask(other))
        };
        let (again, ()) = race(&world, recycle, |world| match world.claim(ask(1)) {
            Claimed::InFlight(None, facts, _) => assert_eq!(facts.owner, 1),
            Claimed::Finished(loc) => world.check_and_release(loc, &ask(1), 0),
            other => panic!("{other:?}"),
        });
        // Refused if the other thread is helping, and has the flight in its hands.
        assert!(matches!(again, Claimed::Execute(_) | Claimed::Refused(_)), "{again:?}");
        world.settle();
    });
}

/// As above, in one line and with one tag: the other key's flight comes to stand in the very slot.
/// The claim of the first key executes only after its owner is done.
#[test]
fn a_claim_is_not_misled_by_a_slot_that_is_used_again() {
    explore_less(|| {
        let world = World::new(Geometry { flights: 1, ..geometry() });
        let other = twin(&world.core, 1);
        let held = world.own(ask(1));
        world.work[0].set(true);
        let recycle = move |world: &World| {
            world.work[0].set(false);
            world.complete(&held, 0, 0).unwrap();
            let _ = world.claim(ask(other));
        };
        race(&world, recycle, |world| match world.claim(ask(1)) {
            Claimed::InFlight(None, facts, _) => assert_eq!(facts.owner, 1),
            Claimed::Execute(_) => world.work[0].set(true),
            Claimed::Refused(_) => {}
            other => panic!("{other:?}"),
        });
        world.settle();
    });
}
