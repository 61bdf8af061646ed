//! Forget, detach, force and settlement beside owners, waiters and claims; and peek beside all that
//! takes away what it reads.

use super::*;
use crate::outcome::Removal;
use crate::protocol::{Peeked, Settled, Settlement};

/// A record between two owners: the first has handed over, and this waiter is the next.
fn handing_over(world: &World) -> Waiting {
    let held = world.own(ask(1));
    let waiting = world.join(ask(1));
    world.cancel(&held, OnEnd::HandOver).unwrap();
    waiting
}

/// Lets an owner end in its way while another thread takes the key from it.
fn detach_beside(end: fn(&World, &Held) -> Result<Completion, Stale>, is_awaited: bool) {
    explore(move || {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        let waiting = is_awaited.then(|| world.join(key));
        let (detached, ended) =
            race(&world, move |world| world.core.detach_key([1, 0]), |world| end(world, &held));
        let ended = ended.expect("its lease was the owner's until here");
        assert!(detached || ended != Completion::Detached, "detached by nobody");
        if let Some(waiting) = waiting {
            // Without a result and not detached it is the waiter's turn.
            match world.wait(&waiting) {
                Verdict::Finished(loc) => world.check_and_release(loc, &key, SHORT),
                Verdict::Execute(held) => world.complete(&held, SHORT, 0).map(drop).unwrap(),
                Verdict::Cancelled(Reason::Owner) => assert!(detached),
                other => panic!("{other:?}"),
            }
        }
        if ended == Completion::Detached {
            let held = world.own(key);
            world.complete(&held, SHORT, RETENTION).unwrap();
        }
        world.settle();
    });
}

#[test]
fn detach_beside_a_completion_that_somebody_awaits() {
    detach_beside(|world, held| world.complete(held, SHORT, RETENTION), true);
}

#[test]
fn detach_beside_a_completion_that_nobody_awaits() {
    detach_beside(|world, held| world.complete(held, SHORT, RETENTION), false);
}

#[test]
fn detach_beside_a_cancellation() {
    detach_beside(|w, held| w.cancel(held, OnEnd::HandOver).map(|()| Completion::Stored), true);
}

#[test]
fn detach_beside_a_hand_over() {
    explore(|| {
        let world = World::new(geometry());
        let waiting = handing_over(&world);
        let (_, verdict) =
            race(&world, |world| world.core.detach_key([1, 0]), |world| world.wait(&waiting));
        match verdict {
            // Detached or not, whoever executes is the owner.
            Verdict::Execute(held) => drop(world.complete(&held, SHORT, RETENTION).unwrap()),
            Verdict::Cancelled(Reason::Owner) => {}
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

#[test]
fn two_detach_one_owner() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        let detach = |world: &World| world.core.detach_key([1, 0]);
        let (a, b) = race(&world, detach, detach);
        assert!(a || b);
        assert_eq!(world.complete(&held, SHORT, RETENTION), Ok(Completion::Detached));
        world.settle();
    });
}

#[test]
fn a_claim_beside_a_detach_joins_the_old_owner_or_executes() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        let (detached, claimed) = race(
            &world,
            |world| world.core.detach_key([1, 0]),
            move |world| world.claim(key.waiting()),
        );
        assert!(detached);
        assert_eq!(world.complete(&held, SHORT, RETENTION), Ok(Completion::Detached));
        match claimed {
            Claimed::Execute(held) => drop(world.complete(&held, SHORT, 0).unwrap()),
            Claimed::InFlight(Some(waiting), ..) => match world.wait(&waiting) {
                Verdict::Finished(loc) => world.check_and_release(loc, &key, SHORT),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

#[test]
fn a_sweep_beside_a_detach() {
    explore(|| {
        let world = World::new(geometry());
        let held = world.own(ask(1));
        race(
            &world,
            |world| world.core.detach_key([1, 0]),
            |world| {
                world.pass_time(LEASE + 1);
                world.core.tick();
            },
        );
        let _ = world.complete(&held, SHORT, RETENTION);
        world.settle();
    });
}

#[test]
fn forgetting_by_force_beside_a_completion() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        let waiting = world.join(key);
        let (removal, ended) = race(
            &world,
            |world| world.core.forget([1, 0], true),
            |world| world.complete(&held, SHORT, RETENTION),
        );
        assert_eq!(removal, Removal::Removed);
        match world.wait(&waiting) {
            Verdict::Finished(loc) => {
                assert_eq!(ended, Ok(Completion::Stored));
                world.check_and_release(loc, &key, SHORT);
            }
            Verdict::Cancelled(Reason::Forgotten) => assert_eq!(ended, Err(Stale)),
            other => panic!("{other:?}"),
        }
        assert!(executes(&world.claim(key)), "it is vacant");
        world.settle();
    });
}

#[test]
fn forgetting_by_force_beside_a_hand_over() {
    explore(|| {
        let world = World::new(geometry());
        let waiting = handing_over(&world);
        let (removal, verdict) =
            race(&world, |world| world.core.forget([1, 0], true), |world| world.wait(&waiting));
        assert_eq!(removal, Removal::Removed);
        match verdict {
            Verdict::Execute(held) => {
                assert_eq!(world.complete(&held, SHORT, RETENTION), Err(Stale));
            }
            Verdict::Cancelled(Reason::Forgotten) => {}
            other => panic!("{other:?}"),
        }
        assert!(executes(&world.claim(ask(1))), "it is vacant");
        world.settle();
    });
}

#[test]
fn a_halt_by_force_beside_a_hand_over() {
    explore(|| {
        let world = World::new(geometry());
        let waiting = handing_over(&world);
        let (_, verdict) = race(
            &world,
            |world| world.core.force([1, 0], OnEnd::Halt),
            |world| world.wait(&waiting),
        );
        match verdict {
            Verdict::Execute(held) => {
                let ended = world.complete(&held, SHORT, RETENTION);
                assert_eq!(ended, Err(Stale), "it was halted as the waiter's lease");
            }
            Verdict::Finished(loc) => {
                assert_eq!(world.core.response(loc).kind(), Kind::Halted);
                world.core.release(world.core.response(loc), 1);
            }
            other => panic!("{other:?}"),
        }
        let loc = world.find(ask(1));
        world.core.release(world.core.response(loc), 1);
        world.settle();
    });
}

#[test]
fn forgetting_beside_a_replay() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        world.finished(key, SHORT);
        let (removal, claimed) =
            race(&world, |world| world.core.forget([1, 0], false), move |world| world.claim(key));
        assert!(matches!(removal, Removal::Removed | Removal::InFlight), "{removal:?}");
        match claimed {
            Claimed::Finished(loc) => world.check_and_release(loc, &key, SHORT),
            Claimed::Execute(held) => drop(world.complete(&held, SHORT, 0)),
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

#[test]
fn two_settle_one_halt() {
    explore(|| {
        let world = World::new(geometry());
        let key = ask(1);
        let held = world.own(key);
        world.cancel(&held, OnEnd::Halt).unwrap();
        let (a, b) = race(
            &world,
            |world| {
                let complete = Settlement::Complete(Kind::Response, &[7; SHORT][..], RETENTION);
                world.core.settle([1, 0], 0, complete)
            },
            |world| world.core.settle([1, 0], 0, Settlement::<&[u8]>::Release),
        );
        match (a, b) {
            (Settled::Done(_), Settled::Stale) => {
                let loc = world.find(key);
                world.check_and_release(loc, &key, SHORT);
            }
            (Settled::Stale, Settled::Done(_)) => assert!(executes(&world.claim(key))),
            other => panic!("{other:?}"),
        }
        world.settle();
    });
}

/// Peeks at a key while its response is forgotten and the key `next` says stores these bytes, for which
/// there is room in the same place alone. What is copied is one response of the key, whole, or nothing.
fn glance_beside(next: fn(&Core) -> u64, bytes: &'static [u8]) {
    explore_less(move || {
        let world = World::new(Geometry { arena_granules: 4, granules: 4, ..geometry() });
        let next = next(&world.core);
        world.finish_with(ask(1), &[1; SHORT]);
        let (_, (peeked, body)) = race(
            &world,
            move |world| {
                assert_eq!(world.core.forget([1, 0], false), Removal::Removed);
                world.finish_with(ask(next), bytes);
            },
            |world| {
                let mut body = Vec::new();
                let peeked = world.core.peek([1, 0], 0, Some(&mut body));
                (peeked, body)
            },
        );
        match peeked {
            Peeked::Finished(glance) => {
                assert_eq!(glance.length(), Some(body.len()));
                assert!(body == [1; SHORT] || next == 1 && body == bytes, "{body:?}");
            }
            Peeked::InFlight(..) if next != 1 => panic!("nobody executes it"),
            Peeked::Vacant | Peeked::InFlight(..) => assert_eq!(body, []),
        }
        world.settle();
    });
}

/// The place is used again by the same key, in the same slot at the same time.
#[test]
fn a_glance_never_mixes_two_responses_of_one_place() {
    glance_beside(|_| 1, &[2; LONG]);
}

/// The place becomes part of another key's response.
#[test]
fn a_glance_is_not_misled_by_another_keys_response() {
    glance_beside(|core| twin(core, 1), &[2; SHORT]);
}
