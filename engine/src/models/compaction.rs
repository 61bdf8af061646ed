//! Moving responses out of the way, against those who use them.

use super::*;

/// Where the first response of a fresh engine lies.
const FIRST: u32 = 1;
const SHORT_SIZE: u32 = 2;

/// Clears the run of the first response; what was in the way has been moved, or the run is given up.
fn clear(world: &World) -> bool {
    let cleared = world.core.clear_run(FIRST, SHORT_SIZE);
    if let Some(loc) = cleared {
        world.core.give_back_run(loc, SHORT_SIZE);
    }
    cleared.is_some()
}

/// A claim gets the response while it is moved: the original or the copy, whole.
#[test]
fn a_response_is_claimed_while_it_is_moved() {
    explore(|| {
        let world = World::new(geometry());
        world.finished(ask(1), SHORT);
        let (claimed, _) = race(&world, |world| world.claim(ask(1)), clear);
        let Claimed::Finished(loc) = claimed else { panic!("{claimed:?}") };
        world.check_and_release(loc, &ask(1), SHORT);
        world.settle();
    });
}

/// A response is held while it is moved, and let go of afterwards: it stays as it is until then.
#[test]
fn a_held_response_stays_where_it_is() {
    explore(|| {
        let world = World::new(geometry());
        world.finished(ask(1), SHORT);
        let loc = world.find(ask(1));
        let release = move |world: &World| world.check_and_release(loc, &ask(1), SHORT);
        race(&world, release, clear);
        world.check_and_release(world.find(ask(1)), &ask(1), SHORT);
        world.settle();
    });
}

/// A response expires while it is moved. It is removed, or its reminder stays.
#[test]
fn a_response_expires_while_it_is_moved() {
    explore(|| {
        let world = World::new(geometry());
        world.finished(ask(1), SHORT);
        world.pass_time(RETENTION);
        race(&world, |world| world.core.tick(), clear);
        // Nobody claims and no time passes: ticks alone find it (R3).
        while world.core.tick() {}
        world.pass_time(1);
        while world.core.tick() {}
        assert_eq!(world.core.records_used(), 0);
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// An owner completes while what may be its response is moved: the flight still holds the original.
#[test]
fn a_response_is_moved_as_it_is_completed() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let complete = move |world: &World| world.complete(&held, SHORT, RETENTION).unwrap();
        race(&world, complete, clear);
        world.check_and_release(world.find(ask(1)), &ask(1), SHORT);
        world.settle();
    });
}

/// Two clear the same run. It goes to one of them at a time, and nothing is lost.
#[test]
fn a_run_is_cleared_by_two_at_once() {
    explore(|| {
        let world = World::new(geometry());
        world.finished(ask(1), SHORT);
        race(&world, clear, clear);
        world.check_and_release(world.find(ask(1)), &ask(1), SHORT);
        world.settle();
    });
}
