//! A thread stopped at any point inside an operation does not stop another's (P1).
//!
//! Goal: between every two shared accesses of every operation there is a point where its thread may
//! stay for good; the others go on all the same, with the same key and what lies beside it, and
//! when the thread goes on, nothing is left behind. Method: under `--cfg idem_pause` each access of
//! an atomic first asks a watcher (`sync::pause`). Each scenario is run once for each of its
//! accesses, with a thread that stops before that one (`run::stop_at_each`); meanwhile others do
//! what `others` says, which must come to an end, with the outcomes it says. Then the thread goes
//! on and must finish, and ticks must leave nothing.
//!
//! The engine is one in which everything collides: one shard, one line, and in it two keys with one
//! tag; four buckets in the wheel; one size of responses. What a stopped thread may hold back is
//! what DESIGN.md, "Stopped threads", says, and no more: `World::sure_keys`, `sure_bodies`.
//!
//! To add a scenario: a `Scenario` in the list of its file. `sites` fails if there is an access
//! in the engine that no scenario comes to and that has no reason in its list.
#![expect(
    clippy::disallowed_types,
    reason = "threads are stopped and told by locks, which are no part of the engine"
)]

mod claims;
mod closing;
mod ends;
mod found;
mod gate;
mod others;
mod outside;
mod run;
mod sites;
mod time;
mod waits;
mod world;

use found::{Operation, Sight};
use world::World;

use crate::{Builder, Engine, Key};

/// One operation, in one state of the engine.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    /// What a claim of the key comes to as long as no time passes, as the operation goes on: the
    /// first before it takes effect, and the last from then on.
    sees: &'static [Sight],
    build: fn() -> Builder,
    /// Brings the engine to where the operation begins.
    prepare: fn(&World) -> Operation,
    /// The keys that numbers stand for.
    keys: fn(&Engine, u128) -> Key,
    /// Whether the operation takes the key from whoever has it: others may lose a lease by it, or
    /// go on beside the next.
    takes: bool,
    /// Keys that there is room for.
    room: usize,
    /// Stops at one in so many accesses, where there are thousands.
    every: usize,
    /// Set where the operation's thread may sleep: called when it does, once; then time passes.
    rouse: Option<fn(&World)>,
}

impl Scenario {
    const fn new(
        name: &'static str,
        sees: &'static [Sight],
        prepare: fn(&World) -> Operation,
    ) -> Self {
        Self {
            name,
            sees,
            build: world::small,
            prepare,
            keys: Engine::raw_key,
            takes: false,
            room: world::RECORDS,
            every: 1,
            rouse: None,
        }
    }

    const fn built(self, build: fn() -> Builder) -> Self {
        Self { build, ..self }
    }

    const fn keyed(self, keys: fn(&Engine, u128) -> Key) -> Self {
        Self { keys, ..self }
    }

    const fn taking(self) -> Self {
        Self { takes: true, ..self }
    }

    const fn with_room_for(self, room: usize) -> Self {
        Self { room, ..self }
    }

    const fn stopped_every(self, every: usize) -> Self {
        Self { every, ..self }
    }

    const fn roused(self, rouse: fn(&World)) -> Self {
        Self { rouse: Some(rouse), ..self }
    }
}

#[test]
fn p1_a_claim_that_is_stopped_holds_up_nobody() {
    run::stop_at_each("claim", claims::SCENARIOS);
}

#[test]
fn p1_an_end_that_is_stopped_holds_up_nobody() {
    run::stop_at_each("end", ends::SCENARIOS);
}

#[test]
fn p1_a_waiter_that_is_stopped_holds_up_nobody() {
    run::stop_at_each("wait", waits::SCENARIOS);
}

#[test]
fn p1_a_tick_that_is_stopped_holds_up_nobody() {
    run::stop_at_each("time", time::SCENARIOS);
}

#[test]
fn p1_what_acts_from_outside_and_is_stopped_holds_up_nobody() {
    run::stop_at_each("outside", outside::SCENARIOS);
}

#[test]
fn p1_closing_that_is_stopped_holds_up_nobody() {
    run::stop_at_each("closing", closing::SCENARIOS);
}

#[test]
fn p1_every_access_is_one_that_a_thread_was_stopped_at() {
    let scenarios = [
        claims::SCENARIOS,
        ends::SCENARIOS,
        waits::SCENARIOS,
        time::SCENARIOS,
        outside::SCENARIOS,
        closing::SCENARIOS,
    ];
    sites::check(&run::places(&scenarios));
}
