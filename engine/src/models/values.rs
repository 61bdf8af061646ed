//! Values that responses have handles to: who lets go of one last drops it, once, and after all that
//! others did with it (value.1, value.2).

use super::*;
use crate::record::body::ByHandle;
use crate::record::value::Handle;

/// Used by its holders, and dropped once, after that: loom fails the model if the two are not ordered.
struct Tracked {
    used: loom::cell::UnsafeCell<()>,
    drops: Arc<loom::sync::atomic::AtomicU32>,
}

// SAFETY: the cell holds nothing; loom makes of it a check of who is ordered after whom.
unsafe impl Sync for Tracked {}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.used.with_mut(|_| ());
        self.drops.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }
}

/// A world with a value in it, under key 1, and how often that was dropped.
struct Valued {
    world: Arc<World>,
    drops: Arc<loom::sync::atomic::AtomicU32>,
}

impl Valued {
    /// The maker's handle is `kept`, or let go of.
    fn new(geometry: Geometry) -> (Self, Handle) {
        let world = World::new(geometry);
        world.core.expect_values();
        let drops = Arc::new(loom::sync::atomic::AtomicU32::new(0));
        let value =
            Handle::new(Tracked { used: loom::cell::UnsafeCell::new(()), drops: drops.clone() });
        let held = world.own(ask(1));
        let body = ByHandle { value, weight: 1, bytes: core::ptr::null() };
        let (kind, retention) = (Kind::Value, Some(RETENTION));
        let ending = Ending { kind, reason: Reason::Owner, body, retention };
        world.core.complete(&held, ending).unwrap();
        (Self { world, drops }, value)
    }

    fn stored(geometry: Geometry) -> Self {
        let (this, value) = Self::new(geometry);
        this.world.core.end_own(value);
        this
    }

    fn settle(&self) {
        self.world.settle();
        assert_eq!(self.drops.load(loom::sync::atomic::Ordering::Relaxed), 1, "dropped once");
    }
}

/// Uses the value of a response that this thread holds, and lets go of it.
fn use_and_release(world: &World, loc: u32) {
    let value = world.core.response(loc).value().unwrap();
    value.get::<Tracked>().unwrap().used.with(|_| ());
    world.core.end_replay(loc);
}

fn expire(world: &World) {
    world.pass_time(RETENTION);
    world.core.tick();
}

fn clear(world: &World) {
    if let Some(loc) = world.core.clear_run(1, ByHandle::SIZE) {
        world.core.give_back_run(loc, ByHandle::SIZE);
    }
    crate::record::value::drop_pending();
}

/// A replay lets go of a value while the record expires.
#[test]
fn a_value_is_let_go_of_as_its_record_expires() {
    explore(|| {
        let valued = Valued::stored(geometry());
        let loc = valued.world.find(ask(1));
        race(&valued.world, move |world| use_and_release(world, loc), expire);
        valued.settle();
    });
}

/// Whoever made a value lets go of it while the record expires: two counts, and one value.
#[test]
fn a_maker_lets_go_as_the_record_expires() {
    explore(|| {
        let (valued, value) = Valued::new(geometry());
        let let_go = move |world: &World| {
            value.get::<Tracked>().unwrap().used.with(|_| ());
            world.core.end_own(value);
        };
        race(&valued.world, let_go, expire);
        valued.settle();
    });
}

/// A claim gets the value, uses it and lets go, while its response is moved.
#[test]
fn a_value_is_used_while_its_response_is_moved() {
    explore(|| {
        let valued = Valued::stored(geometry());
        let replay = |world: &World| use_and_release(world, world.find(ask(1)));
        race(&valued.world, replay, clear);
        valued.settle();
    });
}

/// A response expires while it is moved: the original and the copy have one value.
#[test]
fn a_value_expires_while_its_response_is_moved() {
    explore(|| {
        let valued = Valued::stored(geometry());
        valued.world.pass_time(RETENTION);
        race(&valued.world, |world| world.core.tick(), clear);
        valued.settle();
    });
}

/// Pins are moved over to a response while it is moved: it stays where it is, held, beside its copy. The
/// value is dropped with the last of the two.
#[test]
fn a_value_is_in_two_responses_if_the_original_is_held_after_all() {
    explore_less(|| {
        let valued = Valued::stored(Geometry { pins_high: 1, ..geometry() });
        let replay = |world: &World| match world.claim(ask(1)) {
            Claimed::Finished(loc) => use_and_release(world, loc),
            Claimed::Execute(held) => world.cancel(&held, OnEnd::HandOver).unwrap(),
            other => panic!("{other:?}"),
        };
        race(&valued.world, replay, |world| {
            clear(world);
            expire(world);
        });
        valued.settle();
    });
}

/// A completion is stale as the lease is taken over: its value goes with its maker.
#[test]
fn a_value_of_a_stale_lease_goes_with_its_maker() {
    explore(|| {
        let world = World::new(geometry());
        world.core.expect_values();
        let drops = Arc::new(loom::sync::atomic::AtomicU32::new(0));
        let value =
            Handle::new(Tracked { used: loom::cell::UnsafeCell::new(()), drops: drops.clone() });
        let held = world.own(ask(1));
        world.pass_time(LEASE);
        let complete = move |world: &World| {
            let body = ByHandle { value, weight: 1, bytes: core::ptr::null() };
            let (kind, retention) = (Kind::Value, Some(RETENTION));
            let ending = Ending { kind, reason: Reason::Owner, body, retention };
            let ended = world.core.complete(&held, ending);
            world.core.end_own(value);
            ended
        };
        let (_, claimed) = race(&world, complete, |world| world.claim(ask(1)));
        match claimed {
            Claimed::Finished(loc) => use_and_release(&world, loc),
            Claimed::Execute(held) => world.cancel(&held, OnEnd::HandOver).unwrap(),
            other => panic!("{other:?}"),
        }
        Valued { world, drops }.settle();
    });
}
