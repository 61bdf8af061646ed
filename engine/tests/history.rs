//! Random histories of many threads on few keys, checked from outside.
//!
//! Goal: whatever threads do to a key at the same time, it has one owner at a time (K3), nobody
//! gets another key's response or half of one (L3), every waiter ends (W2), every lease ends once,
//! and in the end nothing is left (R3). Method: workers claim, wait, end, drop and lose leases at
//! random while the manual clock runs; a register per key, kept by the test, says whose lease
//! surely holds. Which thread comes first is not repeatable; the choices are (`IDEM_SEED`).

mod random;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use idem::{
    Claim, Clock, Engine, Lease, ManualClock, OnEnd, Outcome, Reason, Replay, Stale, WaitOutcome,
};
use random::Random;

const THREADS: u64 = 8;
const KEYS: usize = 3;

fn millis(random: &mut Random, bound: u64) -> Duration {
    Duration::from_millis(random.below(bound) + 1)
}

/// Whose lease on a key certainly holds, and until when: it was given, its owner has not begun to
/// end it, and the clock has not come to its deadline.
#[derive(Clone, Copy)]
struct Owner {
    number: u64,
    until: Duration,
}

struct World {
    engine: Engine,
    clock: ManualClock,
    owners: [Mutex<Option<Owner>>; KEYS],
    next_owner: AtomicU64,
}

/// A lease, as its owner keeps it.
struct Owned {
    lease: Lease,
    key: usize,
    owner: Owner,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        let engine = Engine::builder()
            .records(16)
            .bytes(64 * 1024)
            .max_response(4096)
            .waiters(64)
            .halted_retention(Duration::from_millis(20))
            .accept_timeout(Duration::from_millis(5))
            .clock(Clock::manual(&clock))
            .build()
            .expect("the options are in bounds");
        let owners = core::array::from_fn(|_| Mutex::new(None));
        Self { engine, clock, owners, next_owner: AtomicU64::new(1) }
    }

    /// Registers a lease that has just been given: K3.
    fn register(&self, key: usize, lease: Lease) -> Owned {
        let number = self.next_owner.fetch_add(1, Ordering::Relaxed);
        // Until then at least: what is left is told in whole milliseconds of the engine's time.
        let before = self.clock.elapsed();
        let left = lease.time_left().unwrap_or_default().saturating_sub(Duration::from_millis(1));
        let owner = Owner { number, until: before + left };
        let mut current = self.owners[key].lock().expect("no panic");
        let now = self.clock.elapsed();
        // Over already: others may have taken over, so nothing can be said.
        if owner.until > now {
            if let Some(other) = *current {
                assert!(other.until <= now, "two owners of key {key} at {now:?}");
            }
            *current = Some(owner);
        }
        Owned { lease, key, owner }
    }

    fn renew(&self, owned: &mut Owned, time: Duration) {
        let asked = self.clock.elapsed();
        let renewed = owned.lease.renew(time);
        let mut current = self.owners[owned.key].lock().expect("no panic");
        if let Some(owner) = current.as_mut().filter(|owner| owner.number == owned.owner.number) {
            let holds = owner.until > self.clock.elapsed();
            assert!(renewed.is_ok() || !holds, "a lease that holds can be renewed");
            if renewed.is_ok() && holds {
                owner.until = owner.until.max(asked + time);
                owned.owner = *owner;
            }
        }
    }

    /// Ends a lease; if it held all the while, that must succeed (L2).
    fn end<R>(&self, owned: Owned, end: impl FnOnce(Lease) -> Result<R, Stale>) {
        {
            let mut current = self.owners[owned.key].lock().expect("no panic");
            if current.is_some_and(|owner| owner.number == owned.owner.number) {
                *current = None;
            }
        }
        let ended = end(owned.lease);
        let held = self.clock.elapsed() < owned.owner.until;
        assert!(ended.is_ok() || !held, "a lease that holds can be ended");
    }

    fn check(&self, key: usize, response: &Replay) {
        let (head, body) = response.split_at(1);
        assert_eq!(head[0], key as u8, "another key's response");
        assert!(body.windows(2).all(|pair| pair[0] == pair[1]), "parts of two responses");
    }
}

/// One worker; what it holds on to is dropped at the end.
struct Worker<'a> {
    world: &'a World,
    random: Random,
    leases: Vec<Owned>,
    replays: Vec<Replay>,
}

impl Worker<'_> {
    fn step(&mut self) {
        if self.leases.len() > 2 || (!self.leases.is_empty() && self.random.below(2) == 0) {
            let at = self.random.below(self.leases.len() as u64) as usize;
            let owned = self.leases.swap_remove(at);
            self.use_lease(owned);
        } else {
            self.claim();
        }
        // Time passes by what is done, so that most claims do not just meet the same response.
        if self.random.below(4) == 0 {
            self.world.clock.advance(Duration::from_micros(self.random.below(2000)));
            std::thread::yield_now();
        }
        if self.replays.len() > 4 || self.random.below(8) == 0 {
            self.replays.clear();
        }
    }

    fn claim(&mut self) {
        let world = self.world;
        let key = self.random.below(KEYS as u64) as usize;
        let time = millis(&mut self.random, 40);
        let policy = if self.random.below(4) == 0 { OnEnd::FailWaiters } else { OnEnd::HandOver };
        let claim = Claim::new(world.engine.raw_key(key as u128))
            .lease(time)
            .retention(Duration::from_millis(self.random.below(30)))
            .on_expiry(policy)
            .wait(self.random.below(8) > 0)
            .may_execute(self.random.below(8) > 0);
        let lease = match world.engine.claim(claim).expect("a good claim") {
            Outcome::Execute(lease) => Some(lease),
            Outcome::Replay(response) => {
                world.check(key, &response);
                self.replays.push(response);
                None
            }
            Outcome::InFlight(other) => {
                let limit = millis(&mut self.random, 60);
                let outcome = match self.random.below(8) {
                    0 => return drop(other),
                    1 => other.wait(),
                    _ => other.wait_for(limit),
                };
                match outcome {
                    WaitOutcome::Execute(lease) => Some(lease),
                    WaitOutcome::Replay(response) => {
                        world.check(key, &response);
                        self.replays.push(response);
                        None
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(lease) = lease {
            self.leases.push(world.register(key, lease));
        }
    }

    fn use_lease(&mut self, mut owned: Owned) {
        let world = self.world;
        match self.random.below(16) {
            0 => world.end(owned, |lease| lease.cancel(Reason::Owner)),
            1 => world.end(owned, |lease| lease.cancel_all(Reason::Code(1))),
            2 if self.random.below(8) == 0 => world.end(owned, |lease| lease.halt(Reason::Owner)),
            3 => world.end(owned, |lease| {
                drop(lease);
                Ok(())
            }),
            4 => {
                let _lost = owned.lease.into_token();
            }
            5..8 => {
                let time = millis(&mut self.random, 40);
                world.renew(&mut owned, time);
                self.leases.push(owned);
            }
            8 => {
                let error = [owned.key as u8];
                world.end(owned, |lease| lease.fail(&error, Duration::ZERO));
            }
            _ => {
                let most = if self.random.below(4) == 0 { 5000 } else { 300 };
                let length = self.random.below(most);
                let mut response = vec![owned.owner.number as u8; length as usize + 1];
                response[0] = owned.key as u8;
                world.end(owned, |lease| lease.complete(&response));
            }
        }
    }
}

/// Time passes also when all workers wait, and somebody ticks, until they are done.
fn run_clock(world: &World, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        world.clock.advance(Duration::from_micros(500));
        world.engine.tick();
        std::thread::yield_now();
    }
}

fn history(time: Duration) {
    let given = std::env::var("IDEM_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| std::process::id().into());
    println!("IDEM_SEED={seed}");
    let world = World::new();
    let done = AtomicBool::new(false);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| run_clock(&world, &done));
        let workers: Vec<_> = (0..THREADS)
            .map(|number| {
                let random = Random(seed.wrapping_mul(1000).wrapping_add(number));
                let mut worker =
                    Worker { world: &world, random, leases: Vec::new(), replays: Vec::new() };
                scope.spawn(move || {
                    while begin.elapsed() < time {
                        worker.step();
                    }
                    // Ended one by one, so that each of them is seen to end.
                    for owned in core::mem::take(&mut worker.leases) {
                        worker.world.end(owned, |lease| lease.cancel(Reason::Owner));
                    }
                })
            })
            .collect();
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        done.store(true, Ordering::Release);
        // W2: all of them have come back from their waits.
        assert!(results.iter().all(Result::is_ok), "a worker failed; see above");
    });
    world.clock.advance(Duration::from_secs(1));
    while world.engine.tick() {}
    let stats = world.engine.stats();
    println!("{stats:?}");
    assert_eq!((stats.records, stats.bytes, stats.waiters), (0, 0, 0), "{stats:?}");
    let ends = stats.completes + stats.cancels + stats.halts + stats.lease_expiries;
    assert_eq!(stats.executes, ends, "every lease ends exactly once: {stats:?}");
    assert!(stats.hand_overs > 0 && stats.lease_expiries > 0 && stats.replays > 0, "{stats:?}");
}

#[test]
fn k3_l2_l3_w2_r3_random_histories_hold() {
    history(Duration::from_secs(4));
}

#[test]
#[ignore = "ten minutes"]
fn k3_l2_l3_w2_r3_random_histories_hold_for_long() {
    history(Duration::from_secs(600));
}
