//! An engine in which everything collides, who owns what in it, and what they find.

use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Wake;
use std::thread::JoinHandle;

use super::Scenario;
use super::found::{Bell, Found, Operation, Sight, body};
use super::gate::{Gate, Stop};
use crate::geometry::Geometry;
use crate::memory::arena::Granule;
use crate::tests::Lab;
use crate::wheel::Shape;
use crate::{Builder, Callback, Claim, Completion, Engine, Key, Lease, Outcome, Token, Waiter};

/// The key that the stopped operation is about.
pub(super) const KEY: u128 = 1;

// In milliseconds.
pub(super) const LEASE: u64 = 6;
pub(super) const RETENTION: u64 = 8;
pub(super) const ACCEPT: u64 = 2;
pub(super) const HALTED: u64 = 10;
/// Longer than any of them.
pub(super) const LONG: u64 = 20;

/// Not over before somebody looks at it, however much time passes meanwhile.
pub(super) const YEAR: Duration = Duration::from_secs(365 * 86_400);

pub(super) const RECORDS: usize = 12;
pub(super) const WAITERS: usize = 6;
const GRANULES: usize = RECORDS * BODY_GRANULES;
/// A body, and what it takes: so many that they fill all bytes.
pub(super) const BODY: usize = (BODY_GRANULES - 1) * Granule::BYTES;
const BODY_GRANULES: usize = 8;

/// Reminders that a thread may have in its hands (DESIGN.md, "Stopped threads").
const CHUNK: usize = 63;

/// The engine of most scenarios.
pub(super) fn small() -> Builder {
    Engine::builder()
        .records(RECORDS)
        .bytes((GRANULES * Granule::BYTES) as u64)
        .max_response(BODY)
        .waiters(WAITERS)
        .waiters_per_key(WAITERS)
        .lease(millis(LEASE))
        .retention(millis(RETENTION))
        .accept_timeout(millis(ACCEPT))
        .max_run(millis(LEASE))
        .halted_retention(millis(HALTED))
        .secret([7; 16])
        .shape(collide)
}

/// One shard, one line, four buckets.
pub(super) fn collide(built: Geometry) -> Geometry {
    Geometry { shards: 1, lines_for: 1, wheel: Shape { slot_bits: 1, level_count: 2 }, ..built }
}

pub(super) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// An engine, its clock, and what is known of it from outside.
#[derive(Clone)]
pub(super) struct World(Arc<Inside>);

struct Inside {
    lab: Lab,
    /// Every lease that anybody got, and its key.
    leases: Mutex<Vec<(u128, Token)>>,
    /// Threads of the scenario besides the operation's, and where they were stopped.
    beside: Mutex<Vec<(Arc<Gate>, JoinHandle<()>)>>,
    /// What nobody lets go of before the operation is through; a lease: or whoever rouses its
    /// thread.
    kept: Mutex<Vec<Found>>,
    /// Those who are told without a thread of their own, futures and callbacks: whether they were.
    bells: [Mutex<Vec<Arc<Bell>>>; 2],
    /// Records, granules and waiters in use when the operation began.
    before: OnceLock<[usize; 3]>,
    scenario: Scenario,
}

impl core::ops::Deref for World {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.0.lab
    }
}

impl World {
    /// The world of a scenario, and its operation.
    pub(super) fn of(scenario: &Scenario) -> (Self, Operation) {
        let world = Self(Arc::new(Inside {
            lab: Lab::new((scenario.build)()),
            leases: Mutex::default(),
            beside: Mutex::default(),
            kept: Mutex::default(),
            bells: Default::default(),
            before: OnceLock::new(),
            scenario: *scenario,
        }));
        let operation = (scenario.prepare)(&world);
        let stats = world.engine.stats();
        let granules = stats.bytes / Granule::BYTES as u64;
        let before = [stats.records, granules, stats.waiters].map(|count| count as usize);
        world.0.before.set(before).expect("set once");
        (world, operation)
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.0.lab
    }

    /// The key with this number.
    pub(super) fn numbered(&self, number: u128) -> Key {
        (self.0.scenario.keys)(&self.engine, number)
    }

    /// Two more keys with the tag of `KEY`, so that a scan of the line comes to all of them: one
    /// that others use, and one for scenarios.
    pub(super) fn neighbours(&self) -> [u128; 2] {
        static NUMBERS: Mutex<BTreeMap<&str, [u128; 2]>> = Mutex::new(BTreeMap::new());
        // The secret, and with it the tags of a scenario's keys, are always the same.
        let mut known = NUMBERS.lock().expect("no panic");
        *known.entry(self.0.scenario.name).or_insert_with(|| {
            let place = |number| self.engine.core().place(self.numbered(number).id);
            let mut numbers = (1 << 64..).filter(|number| place(*number) == place(KEY));
            core::array::from_fn(|_| numbers.next().expect("4096 tags"))
        })
    }

    /// Whether a lease that is given up goes to a waiter, or, without one, leaves the key free.
    pub(super) fn hands_over(&self) -> bool {
        self.engine.core().rules.cancelled_retention == 0
    }

    pub(super) fn pass_millis(&self, count: u64) {
        self.clock.advance(millis(count));
    }

    /// Somebody got a lease: nobody else may have one of that key (K3). `None` if it has been taken
    /// over since.
    #[track_caller]
    pub(super) fn began(&self, key: u128, lease: Lease) -> Option<Lease> {
        let token = lease.into_token();
        // A copy: nobody is to be stopped with the lock.
        let leases = {
            let mut leases = self.0.leases.lock().expect("no panic");
            if !leases.contains(&(key, token)) {
                leases.push((key, token));
            }
            leases.clone()
        };
        let core = self.engine.core();
        let now = core.clock.now();
        let is_live = |other: &Token| core.deadline(&other.held).is_ok_and(|until| until > now);
        let live = leases.iter().filter(|(of, other)| *of == key && is_live(other)).count();
        let is_one = live <= 1 || self.0.scenario.takes;
        assert!(is_one, "K3: {live} live leases of key {key}");
        self.engine.lease(token).ok()
    }

    /// A claim that must get the lease.
    #[track_caller]
    pub(super) fn own(&self, key: u128) -> Lease {
        self.own_on(key, Claim::new(self.numbered(key)))
    }

    /// The same on terms of its own.
    #[track_caller]
    pub(super) fn own_on(&self, key: u128, claim: Claim) -> Lease {
        let lease = self.0.lab.own(claim);
        self.began(key, lease).expect("no time has passed")
    }

    /// Keeps it until the operation is through.
    pub(super) fn keep(&self, found: Found) {
        self.0.kept.lock().expect("no panic").push(found);
    }

    pub(super) fn keep_all(&self, waiters: impl IntoIterator<Item = Waiter>) {
        waiters.into_iter().for_each(|waiter| self.keep(Found::Waiter(waiter)));
    }

    /// What was kept last.
    pub(super) fn kept(&self) -> Found {
        self.0.kept.lock().expect("no panic").pop().unwrap_or(Found::Nothing)
    }

    /// A claim that must find an owner at work, and gets a place in the queue.
    #[track_caller]
    pub(super) fn queue(&self, key: u128) -> Waiter {
        self.0.lab.queue(self.numbered(key))
    }

    /// The same of one that may not execute.
    #[track_caller]
    pub(super) fn watcher(&self, key: u128) -> Waiter {
        self.0.lab.queue(Claim::new(self.numbered(key)).may_execute(false))
    }

    /// Stores a response.
    #[track_caller]
    pub(super) fn store(&self, key: u128) {
        let stored = self.own(key).complete(&body(key, BODY));
        assert_eq!(stored, Ok(Completion::Stored));
    }

    /// The same, but a small one.
    pub(super) fn store_some(&self, key: u128) {
        assert_eq!(self.own(key).complete(&body(key, 1)), Ok(Completion::Stored));
    }

    /// A claim that takes no place, whatever it comes to.
    pub(super) fn ask(&self, key: u128) -> (Sight, Found) {
        self.told(key, self.0.lab.ask(Claim::new(self.numbered(key)).wait(false)))
    }

    /// What a claim came to; what it says must be true.
    #[track_caller]
    pub(super) fn told(&self, key: u128, outcome: Outcome) -> (Sight, Found) {
        let sight = match &outcome {
            Outcome::Execute(_) => Sight::Execute,
            Outcome::InFlight(_) => Sight::InFlight,
            Outcome::Replay(_) => Sight::Replay,
            Outcome::Done(_) => Sight::Done,
            Outcome::Mismatch(_) => Sight::Mismatch,
            Outcome::Cancelled(_) => Sight::Cancelled,
            Outcome::Halted(_) => Sight::Halted,
            Outcome::Full(_) => Sight::Full,
            Outcome::Closed if self.engine.core().is_closed() => Sight::Closed,
            other => panic!("nobody has closed it, but {other:?}"),
        };
        (sight, self.checked(key, outcome.into()))
    }

    /// A lease must be the only one of its key, a response must be its key's, and whole.
    #[track_caller]
    pub(super) fn checked(&self, key: u128, found: Found) -> Found {
        match found {
            Found::Lease(lease) => self.began(key, lease).map_or(Found::Nothing, Found::Lease),
            Found::Replay(response) => {
                assert!(!response.is_empty(), "a response without its bytes");
                assert_eq!(&*response, body(key, response.len()), "half a response of {key}");
                Found::Replay(response)
            }
            found => found,
        }
    }

    /// Waits in a thread of its own, asleep when this returns. It stops as soon as it is woken, so
    /// that what the others come to does not depend on when that is.
    pub(super) fn sleeper(&self, waiter: Waiter) {
        let asleep = self.clock.sleepers();
        let woken = Stop::Again("wait/node.rs", "self.event.swap(QUIET");
        self.beside(woken, move |_| waiter.wait().into());
        while self.clock.sleepers() == asleep {
            std::thread::yield_now();
        }
    }

    /// Polls a waiter once, which is pending, and keeps it; a bell says when it is woken.
    pub(super) fn awaiting(&self, mut waiter: Waiter) {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let polled = Pin::new(&mut waiter).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        self.0.bells[0].lock().expect("no panic").push(bell);
        self.keep(Found::Waiter(waiter));
    }

    /// Has the waiter called back; a bell says when it was.
    pub(super) fn called(&self, waiter: Waiter) -> Callback {
        let bell = Arc::new(Bell::default());
        let (its, world) = (bell.clone(), self.clone());
        let callback = waiter.on_end(move |outcome| {
            its.wake_by_ref();
            world.put_away(KEY, outcome.into());
        });
        self.0.bells[1].lock().expect("no panic").push(bell);
        callback
    }

    /// How many futures, and how many callbacks, have not been told yet.
    pub(super) fn untold(&self) -> [usize; 2] {
        self.0.bells.each_ref().map(|bells| {
            let bells = bells.lock().expect("no panic");
            bells.iter().filter(|bell| !bell.has_rung()).count()
        })
    }

    /// Does something in a thread of its own, up to where it stops. It stays there until the end.
    pub(super) fn stopped_beside(
        &self,
        stop: Stop,
        work: impl FnOnce(&World) -> Found + Send + 'static,
    ) {
        let gate = self.beside(stop, work);
        assert!(gate.until_stopped(None).is_some(), "it does not come to {stop:?}");
    }

    fn beside(&self, stop: Stop, work: impl FnOnce(&World) -> Found + Send + 'static) -> Arc<Gate> {
        let gate = Gate::new(stop);
        let (its_gate, its_world) = (gate.clone(), self.clone());
        let thread = std::thread::spawn(move || {
            let found = its_gate.pass(|| work(&its_world));
            its_world.put_away(KEY, found);
        });
        self.0.beside.lock().expect("no panic").push((gate.clone(), thread));
        gate
    }

    /// Lets the scenario's other threads go on, and sees them end; and lets go of what was kept.
    pub(super) fn join_beside(&self) {
        drop(core::mem::take(&mut *self.0.kept.lock().expect("no panic")));
        let beside = core::mem::take(&mut *self.0.beside.lock().expect("no panic"));
        for (gate, thread) in beside {
            gate.open();
            while !thread.is_finished() {
                // If it sleeps it is until some time.
                if self.clock.sleepers() > 0 {
                    self.pass_millis(1);
                }
                std::thread::yield_now();
            }
            thread.join().expect("no panic");
        }
    }

    /// Ends what a thread has found.
    pub(super) fn put_away(&self, key: u128, found: Found) {
        if let Found::Lease(lease) = self.checked(key, found) {
            // Stale: others may have taken it over.
            let _ = lease.complete(&body(key, BODY));
        }
    }

    /// New keys that there is room for at least, beside what there was when the operation began and
    /// `besides`: the operation may have a draft, or a key, of its own and a lump of the budget.
    pub(super) fn sure_keys(&self, besides: usize) -> usize {
        let [records, ..] = self.before();
        self.sure_keys_beside(records + besides)
    }

    /// The same when what there was is over: of that the operation may have the reminders of one
    /// chunk, and with each a record that it has removed and not yet given back.
    pub(super) fn sure_keys_later(&self, besides: usize) -> usize {
        let [records, ..] = self.before();
        self.sure_keys_beside(records.min(CHUNK) + besides)
    }

    fn sure_keys_beside(&self, records: usize) -> usize {
        // As `Budget` has it where there is one shard.
        let lump = (self.room() / 8).min(64);
        self.room().saturating_sub(records + 1 + lump)
    }

    /// Bodies that there is room for at least: the operation may besides have a response in the
    /// making.
    pub(super) fn sure_bodies(&self, besides: usize) -> usize {
        let [_, granules, _] = self.before();
        let limit = self.engine.core().geometry.granules as usize;
        let held = granules + (besides + 1) * BODY_GRANULES + (limit / 8).min(1024);
        (limit.saturating_sub(held) / BODY_GRANULES).min(self.sure_keys(besides))
    }

    /// Bodies that there is room for in the empty engine, with all its keys in flight: each has a
    /// granule as it is.
    pub(super) fn bodies(&self) -> usize {
        let limit = self.engine.core().geometry.granules as usize;
        (limit.saturating_sub(self.room()) / (BODY_GRANULES - 1)).min(self.room())
    }

    /// Keys that there is room for in the empty engine.
    pub(super) fn room(&self) -> usize {
        self.0.scenario.room
    }

    /// Waiters that there is room for at least: the operation may be joining.
    pub(super) fn sure_waiters(&self) -> usize {
        let [.., waiters] = self.before();
        WAITERS.saturating_sub(waiters + 1).min(self.waiters())
    }

    /// Waiters that there is room for in the empty engine, of one key.
    pub(super) fn waiters(&self) -> usize {
        WAITERS.min(self.engine.core().rules.waiters_per_key as usize)
    }

    fn before(&self) -> [usize; 3] {
        self.0.before.get().copied().unwrap_or_default()
    }
}
