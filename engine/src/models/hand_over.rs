//! Handing over: owners that give up, against waiters that come, take over and leave.

use super::*;

/// An owner gives up while its only waiter waits. The waiter is woken and executes.
#[test]
fn a_waiter_takes_over() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        world.work[0].set(true);
        let waiting = world.join(ask(1));
        let cancel = move |world: &World| {
            world.work[0].set(false);
            world.cancel(&held, OnEnd::HandOver).unwrap();
        };
        let ((), verdict) = race(&world, cancel, |world| world.wait(&waiting));
        let Verdict::Execute(next) = verdict else { panic!("{verdict:?}") };
        world.work[0].set(true);
        assert_eq!((next.origin, next.attempt), (Origin::AfterCancel, 2));
        world.complete(&next, SHORT, 0).unwrap();
        world.settle();
    });
}

/// An owner gives up while another claims the key and waits. It executes: as a waiter that joined
/// in time, or because the key is free; it is not forgotten in a queue that nobody serves.
#[test]
fn a_claim_joins_or_finds_the_key_free() {
    explore_further(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        world.work[0].set(true);
        let cancel = move |world: &World| {
            world.work[0].set(false);
            world.cancel(&held, OnEnd::HandOver).unwrap();
        };
        race(&world, cancel, |world| {
            let _next = match world.claim(ask(1).waiting()) {
                Claimed::Execute(next) => next,
                Claimed::InFlight(Some(waiting), ..) => match world.wait(&waiting) {
                    Verdict::Execute(next) => next,
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            };
            world.work[0].set(true);
        });
        assert_eq!(world.core.records_used(), 1);
        world.settle();
    });
}

/// As above, with the policy that waiters fail: the claim is told so, or executes.
#[test]
fn a_claim_fails_with_the_owner_or_finds_the_key_free() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        world.work[0].set(true);
        let cancel = move |world: &World| {
            world.work[0].set(false);
            world.cancel(&held, OnEnd::FailWaiters).unwrap();
        };
        race(&world, cancel, |world| match world.claim(ask(1).waiting()) {
            Claimed::Execute(_) => world.work[0].set(true),
            Claimed::InFlight(Some(waiting), ..) => match world.wait(&waiting) {
                Verdict::Cancelled(Reason::Owner) => {}
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
        world.settle();
    });
}

/// An owner gives up at the very moment at which the older of two waiters leaves. The younger one
/// executes, whether or not the older was offered the record before.
#[test]
fn the_record_passes_on_when_the_waiter_leaves() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let older = world.join(ask(1));
        let younger = world.join(ask(1));
        let cancel = move |world: &World| world.cancel(&held, OnEnd::HandOver).unwrap();
        race(&world, cancel, |world| world.core.leave(&older));
        let verdict = world.wait(&younger);
        assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
        assert_eq!(world.core.waiters_used(), 0);
        world.settle();
    });
}

/// An owner gives up while one waiter is leaving and the other waits. The one who waits is woken
/// and executes.
#[test]
fn the_next_waiter_is_woken_when_the_first_leaves() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let older = world.join(ask(1));
        let younger = world.join(ask(1));
        let cancel = spawn(&world, move |world| world.cancel(&held, OnEnd::HandOver).unwrap());
        let leave = spawn(&world, move |world| world.core.leave(&older));
        let verdict = world.wait(&younger);
        assert!(matches!(verdict, Verdict::Execute(_)), "{verdict:?}");
        cancel.join().unwrap();
        leave.join().unwrap();
        world.settle();
    });
}

/// An owner gives up while its two waiters look once and go if there is nothing. At most one
/// executes; if none does, the key is free.
#[test]
fn at_most_one_of_two_waiters_executes() {
    explore_less(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let older = world.join(ask(1));
        let younger = world.join(ask(1));
        let older = spawn(&world, move |world| world.look_once(&older));
        let younger = spawn(&world, move |world| world.look_once(&younger));
        world.cancel(&held, OnEnd::HandOver).unwrap();
        let verdicts = [older.join().unwrap(), younger.join().unwrap()];
        let executing = verdicts
            .iter()
            .filter(|verdict| match verdict {
                Some(Verdict::Execute(_)) => true,
                None => false,
                other => panic!("{other:?}"),
            })
            .count();
        assert!(executing <= 1);
        assert_eq!(executes(&world.claim(ask(1))), executing == 0);
        assert_eq!(world.core.waiters_used(), 0);
        world.settle();
    });
}

/// An owner gives up at the very moment at which its only waiter leaves. The key is free then, and
/// has no record.
#[test]
fn the_key_is_free_when_the_only_waiter_leaves() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let waiting = world.join(ask(1));
        let cancel = move |world: &World| world.cancel(&held, OnEnd::HandOver).unwrap();
        race(&world, cancel, |world| world.core.leave(&waiting));
        assert_eq!(world.core.records_used(), 0);
        assert_eq!(world.core.bytes_used(), 0);
        assert!(executes(&world.claim(ask(1))));
        world.settle();
    });
}

/// A waiter has been offered the record and has not accepted in time. It looks at the very moment
/// at which the next one does: one of them executes, the other goes on waiting.
#[test]
fn an_offer_is_accepted_or_passes_on() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let older = world.join(ask(1));
        let younger = world.join(ask(1));
        world.cancel(&held, OnEnd::HandOver).unwrap();
        world.pass_time(ACCEPT_TIMEOUT);
        let poll = |world: &World, waiting: &Waiting| match world.core.poll(waiting) {
            Verdict::Execute(_) => true,
            Verdict::Wait(_) => {
                world.core.leave(waiting);
                false
            }
            other => panic!("{other:?}"),
        };
        let (a, b) = race(&world, move |world| poll(world, &younger), |world| poll(world, &older));
        assert!(!(a && b));
        assert_eq!(executes(&world.claim(ask(1))), !a && !b);
        world.settle();
    });
}

/// The engine is closed while the record is handed over to a waiter: it executes or is told that
/// the engine is closed, and its place is given back.
#[test]
fn a_hand_over_meets_the_close() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let waiting = world.join(ask(1));
        world.cancel(&held, OnEnd::HandOver).unwrap();
        let ((), verdict) =
            race(&world, |world| world.core.close(None), |world| world.wait(&waiting));
        assert!(matches!(verdict, Verdict::Execute(_) | Verdict::Closed), "{verdict:?}");
        assert_eq!(world.core.waiters_used(), 0);
        world.settle();
    });
}
