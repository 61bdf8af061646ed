//! Holding a response against freeing it (response.1, response.2). That nobody looks at a
//! response before it is written or after it is freed is checked in all models, by its `Watch`.

use super::*;

/// The record of key 1, finished, and the clock where it has expired.
fn expire(world: &World) {
    world.pass_time(RETENTION);
    world.core.tick();
}

fn replay(world: &World) {
    match world.claim(ask(1)) {
        Claimed::Finished(loc) => world.check_and_release(loc, &ask(1), SHORT),
        Claimed::Execute(_) => {}
        Claimed::InFlight(None, ..) => {}
        other => panic!("{other:?}"),
    }
}

/// Two threads let go of the response while the third removes it. It is freed once, by the last of
/// them.
#[test]
fn a_held_response_outlives_its_record() {
    explore(|| {
        let world = World::new(geometry());
        world.finished(ask(1), SHORT);
        let threads = [0, 1].map(|_| {
            let loc = world.find(ask(1));
            spawn(&world, move |world| world.check_and_release(loc, &ask(1), SHORT))
        });
        expire(&world);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// One thread holds a response, as a replay does, and lets go of it while the other removes the
/// record and stores another, which may take the same memory only after that.
#[test]
fn memory_is_used_again_only_when_nobody_holds_it() {
    explore(|| {
        // Room for one response of two granules.
        let world = World::new(Geometry { arena_granules: 4, granules: 4, ..geometry() });
        world.finished(ask(1), SHORT);
        let loc = world.find(ask(1));
        world.pass_time(RETENTION);
        let replace = |world: &World| {
            let held = world.own(ask(1));
            world.complete(&held, SHORT, RETENTION).unwrap()
        };
        race(&world, replace, |world| world.check_and_release(loc, &ask(1), SHORT));
        world.settle();
    });
}

/// So many pins that they are moved over to the response, while the other thread removes the
/// record. The response is freed once, by the last of them.
#[test]
fn pins_are_moved_while_the_record_is_removed() {
    explore(|| {
        let world = World::new(Geometry { pins_high: 1, ..geometry() });
        world.finished(ask(1), SHORT);
        race(&world, replay, expire);
        world.settle();
    });
}

/// Two threads pin at once, and both move pins over. None is counted twice or lost.
#[test]
fn pins_are_moved_by_two_at_once() {
    explore(|| {
        let world = World::new(Geometry { pins_high: 1, ..geometry() });
        world.finished(ask(1), SHORT);
        race(&world, replay, replay);
        expire(&world);
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// A claim of a key with the same tag looks at the response, and puts its pin back, while the other
/// thread removes the record.
#[test]
fn a_pin_is_put_back_while_the_record_is_removed() {
    explore(|| {
        let world = World::new(geometry());
        let other = twin(&world.core, 1);
        world.finished(ask(1), SHORT);
        let (claimed, ()) = race(&world, move |world| world.claim(ask(other)), expire);
        assert!(executes(&claimed));
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}
