//! Claims against the end of a retention.

use super::*;

fn expired() -> Arc<World> {
    let world = World::new(geometry());
    world.finished(ask(1), SHORT);
    world.pass_time(RETENTION);
    world
}

/// Two threads claim a key whose record has expired. One takes its place and executes, the other is
/// told so; the old response is freed once.
#[test]
fn an_expired_record_is_replaced_by_one_claim() {
    explore(|| {
        let world = expired();
        let (a, b) = race(&world, |world| world.claim(ask(1)), |world| world.claim(ask(1)));
        assert!(executes(&a) != executes(&b), "{a:?} {b:?}");
        assert_eq!(world.core.records_used(), 1);
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// One thread ticks, the other claims a key whose record has expired. It executes, and its record
/// stays, whoever removed the old one.
#[test]
fn a_claim_beside_the_removal_of_what_expired_executes() {
    explore(|| {
        let world = expired();
        let (_, claimed) = race(&world, |world| world.core.tick(), |world| world.claim(ask(1)));
        assert!(executes(&claimed), "{claimed:?}");
        assert!(matches!(world.claim(ask(1)), Claimed::InFlight(None, ..)));
        assert_eq!(world.core.records_used(), 1);
        assert_eq!(world.core.memory_used()[0], 0);
        world.settle();
    });
}

/// One thread moves the clock past the retention and ticks, the other claims. It gets the response,
/// and has it as long as it holds it, or it executes.
#[test]
fn a_record_expires_while_it_is_claimed() {
    explore(|| {
        let world = World::new(geometry());
        world.finished(ask(1), SHORT);
        let expire = |world: &World| {
            world.pass_time(RETENTION);
            world.core.tick();
        };
        race(&world, expire, |world| match world.claim(ask(1)) {
            Claimed::Finished(loc) => world.check_and_release(loc, &ask(1), SHORT),
            Claimed::Execute(_) => {}
            other => panic!("{other:?}"),
        });
        world.settle();
    });
}

/// Room for one record, which has expired: one thread claims its key, the other another key. At
/// least one executes, at most one record is counted.
#[test]
fn the_place_of_an_expired_record_is_given_out_once() {
    explore_less(|| {
        let world = World::new(Geometry { records: 1, ..geometry() });
        world.finished(ask(1), 0);
        world.pass_time(RETENTION);
        let (a, b) = race(&world, |world| world.claim(ask(2)), |world| world.claim(ask(1)));
        assert!(executes(&a) != executes(&b), "{a:?} {b:?}");
        assert_eq!(world.core.records_used(), 1);
        world.settle();
    });
}

/// A record's retention ends while its completion is under way, and a tick passes: whether the
/// reminder comes before the slot names the response or after, ticks alone remove it (R3).
#[test]
fn a_record_is_over_as_it_is_finished() {
    explore(|| {
        let world = World::new(geometry());
        let terms = Terms { lease: 100, ..ask(1).terms };
        let held = world.own(Ask { terms, ..ask(1) });
        let complete = move |world: &World| world.complete(&held, SHORT, RETENTION).unwrap();
        race(&world, complete, |world| {
            world.pass_time(RETENTION);
            world.core.tick();
        });
        world.pass_time(RETENTION);
        while world.core.tick() {}
        assert_eq!(world.core.records_used(), 0);
        world.settle();
    });
}
