//! Models of the races, checked by loom: every interleaving of two or three threads, with up to
//! `LOOM_MAX_PREEMPTIONS` interruptions, and every value that the memory orders let a load return.
//!
//! They drive the shipped modules, through the facade in `sync`; only sizes are smaller (`geometry`
//! below, and the two `cfg!(idem_loom)` constants in `table::overflow` and `wheel`). One file for
//! each subject, one test for each race. `engine/TESTING.md` has their bounds and run times.

mod alarms;
mod claims;
mod compaction;
mod complete;
mod completions;
mod expiry;
mod hand_over;
mod leases;
mod memory;
mod overflow;
mod queue;
mod removal;
mod replay;
mod values;
mod waiters;
mod wheel;

use core::cell::Cell;
use core::time::Duration;
use std::sync::{Arc, OnceLock};

use crate::clock::{Clock, ManualClock};
use crate::geometry::Geometry;
use crate::outcome::{Completion, OnEnd, Origin, Reason, Stale};
use crate::protocol::{Ask, Claimed, Core, Ending, Held, Refusal, Rules, Terms, Verdict, Waiting};
use crate::realms::Home;
use crate::record::fate::Fate;
use crate::record::flight::Identity;
use crate::record::response::{Kind, granules_for};
use crate::wheel::Shape;

// Within the wheel's span, so that no reminder comes early.
const LEASE: u64 = 1;
const RETENTION: u64 = 2;
const ACCEPT_TIMEOUT: u64 = 1;

/// Responses of two and of three granules, with their headers.
const SHORT: usize = 9;
const LONG: usize = 70;

/// Explores `model`, with as many preemptions as the environment says.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    explore_by(0, model);
}

/// As `explore`, with one preemption less: for models that are large.
fn explore_less(model: impl Fn() + Send + Sync + 'static) {
    explore_by(-1, model);
}

/// As `explore`, with two preemptions more: for models of one module, which are small.
fn explore_further(model: impl Fn() + Send + Sync + 'static) {
    explore_by(2, model);
}

#[expect(clippy::disallowed_types, reason = "counts executions, outside of them")]
fn explore_by(more: isize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 20_000;
    builder.preemption_bound =
        Some(builder.preemption_bound.unwrap_or(2).saturating_add_signed(more));
    let executions = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = executions.clone();
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{executions:?} executions");
}

/// Runs `other` in a thread of its own beside `here`.
fn race<A: 'static, B>(
    world: &Arc<World>,
    other: impl FnOnce(&World) -> A + 'static,
    here: impl FnOnce(&World) -> B,
) -> (A, B) {
    let there = spawn(world, other);
    let b = here(world);
    (there.join().unwrap(), b)
}

fn spawn<A: 'static>(
    world: &Arc<World>,
    work: impl FnOnce(&World) -> A + 'static,
) -> loom::thread::JoinHandle<A> {
    let world = world.clone();
    loom::thread::spawn(move || work(&world))
}

/// Tiny: everything is shared, and one more is too many.
fn geometry() -> Geometry {
    Geometry {
        shards: 1,
        records: 4,
        lines_for: 1,
        flights: 3,
        waiters: 3,
        granules: 8,
        arena_granules: 12,
        realms: 4,
        wheel: Shape { slot_bits: 1, level_count: 3 },
        generation_mask: Fate::GENERATION_MAX,
        pins_high: 100,
    }
}

/// An engine's core under test, its clock, and who executes.
struct World {
    core: Core,
    clock: ManualClock,
    work: [Work; 3],
}

/// What the owners of one key do: fails if two of them do it at once, or if one is not ordered
/// after the one before.
#[derive(Default)]
struct Work {
    running: loom::cell::UnsafeCell<Cell<bool>>,
}

// SAFETY: loom fails the model when two threads are in `set` without an order between them.
unsafe impl Sync for Work {}

impl Work {
    fn set(&self, running: bool) {
        self.running.with_mut(|cell| {
            // SAFETY: loom has checked that nobody else is here.
            let before = unsafe { &*cell }.replace(running);
            assert_ne!(before, running, "two owners at a time");
        });
    }
}

impl World {
    fn new(geometry: Geometry) -> Arc<Self> {
        let clock = ManualClock::new();
        let rules = Rules {
            max_response: 128,
            waiters_per_key: 8,
            cancelled_retention: 0,
            halted_retention: RETENTION,
            accept_timeout: ACCEPT_TIMEOUT,
        };
        let core = Core::new(geometry, rules, Clock::manual(&clock), 1, None).unwrap();
        Arc::new(Self { core, clock, work: Default::default() })
    }

    fn claim(&self, ask: Ask) -> Claimed {
        let mut claimed = Claimed::Refused(Refusal::Closed);
        self.core.claim(&ask, &mut claimed);
        claimed
    }

    /// Claims a key that must be free.
    fn own(&self, ask: Ask) -> Held {
        match self.claim(ask) {
            Claimed::Execute(held) => held,
            other => panic!("the key is free: {other:?}"),
        }
    }

    /// Claims a key that somebody owns, and joins its queue.
    fn join(&self, ask: Ask) -> Waiting {
        match self.claim(ask.waiting()) {
            Claimed::InFlight(Some(waiting), ..) => waiting,
            other => panic!("somebody executes: {other:?}"),
        }
    }

    /// What `Waiter::wait` does.
    fn wait(&self, waiting: &Waiting) -> Verdict {
        loop {
            self.core.prepare(waiting);
            match self.core.poll(waiting) {
                Verdict::Wait(until) => self.core.sleep(waiting, until),
                verdict => return verdict,
            }
        }
    }

    /// What `Waiter::wait_for` does when its time is up at once: `None`.
    fn look_once(&self, waiting: &Waiting) -> Option<Verdict> {
        self.core.prepare(waiting);
        match self.core.poll(waiting) {
            Verdict::Wait(_) => {
                self.core.leave(waiting);
                None
            }
            verdict => Some(verdict),
        }
    }

    fn complete(&self, held: &Held, length: usize, retention: u64) -> Result<Completion, Stale> {
        let (bytes, retention) = (&[7; LONG][..length], Some(retention));
        let ending = Ending { kind: Kind::Response, reason: Reason::Owner, body: bytes, retention };
        self.core.complete(held, ending)
    }

    fn cancel(&self, held: &Held, policy: OnEnd) -> Result<(), Stale> {
        self.core.give_up(held, policy, Reason::Owner)
    }

    /// A finished record of `ask`'s key, whose retention ends in `RETENTION`.
    fn finished(&self, ask: Ask, length: usize) {
        let held = self.own(ask);
        self.complete(&held, length, RETENTION).unwrap();
    }

    /// The same with these bytes.
    fn finish_with(&self, ask: Ask, bytes: &[u8]) {
        let held = self.own(ask);
        let (kind, retention) = (Kind::Response, Some(RETENTION));
        let ending = Ending { kind, reason: Reason::Owner, body: bytes, retention };
        self.core.complete(&held, ending).unwrap();
    }

    /// Claims a key that must be finished; the caller holds the response.
    #[track_caller]
    fn find(&self, ask: Ask) -> u32 {
        match self.claim(ask) {
            Claimed::Finished(loc) => loc,
            other => panic!("finished: {other:?}"),
        }
    }

    /// Checks a response that this thread holds, and lets go of it.
    fn check_and_release(&self, loc: u32, ask: &Ask, length: usize) {
        let response = self.core.response(loc);
        assert_eq!(response.identity(), ask.identity);
        assert_eq!(u64::from(response.size()), granules_for(length));
        self.core.release(response, 1);
    }

    fn pass_time(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Lets everything run out, and sees that nothing is left: no record, no waiter, no memory.
    fn settle(&self) {
        for _ in 0..3 {
            self.pass_time(10_000);
            while self.core.tick() {}
        }
        assert_eq!(self.core.records_used(), 0, "records");
        assert_eq!(self.core.waiters_used(), 0, "waiters");
        assert_eq!(self.core.bytes_used(), 0, "bytes");
        assert_eq!(self.core.memory_used(), [0; 3], "granules, overflow pairs, timer chunks");
        assert_eq!(self.core.flights_used(), 0, "flights");
    }
}

/// A claim of key number `key`, that does not wait.
fn ask(key: u64) -> Ask {
    Ask {
        identity: Identity { id: [key, 0], fingerprint: Some([key, 1]) },
        terms: Terms {
            lease: LEASE,
            retention: RETENTION,
            on_abandon: OnEnd::HandOver,
            on_expiry: OnEnd::HandOver,
        },
        home: Home::default(),
        owner: key,
        wait: false,
        may_execute: true,
    }
}

impl Ask {
    fn waiting(self) -> Self {
        Self { wait: true, ..self }
    }

    fn on_expiry(self, on_expiry: OnEnd) -> Self {
        Self { terms: Terms { on_expiry, ..self.terms }, ..self }
    }
}

/// Another key whose tag is that of `key`: only the id tells them apart.
fn twin(core: &Core, key: u64) -> u64 {
    static TWIN: OnceLock<u64> = OnceLock::new();
    assert_eq!(key, 1, "one is enough");
    let tag = |key| core.place([key, 0]).tag;
    let found = *TWIN.get_or_init(|| (2..).find(|other| tag(*other) == tag(key)).unwrap());
    assert_eq!(tag(found), tag(key));
    found
}

fn executes(claimed: &Claimed) -> bool {
    matches!(claimed, Claimed::Execute(_))
}
