//! One of the threads: it claims, waits, ends leases, and does things to keys from outside, at random.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use idem::{
    Claim, InFlight, Lease, OnEnd, Outcome, Reason, Replay, Resolution, ResolveError, Resolved,
    Status, WaitOutcome,
};

use super::world::{Asked, Handed, KEYS, Owned, World};
use crate::random::Random;

/// A future that is not woken for so long, while the clock runs and somebody ticks, never will be.
const HANGS: Duration = Duration::from_secs(60);

/// One worker; what it holds on to is dropped at the end.
pub(crate) struct Worker {
    world: Arc<World>,
    random: Random,
    leases: Vec<Owned>,
    replays: Vec<Replay>,
    futures: Vec<Parked>,
}

/// Is set by its call.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A future that was polled and is pending.
struct Parked {
    future: Pin<Box<InFlight>>,
    bell: Arc<Bell>,
    asked: Asked,
}

impl Parked {
    fn new(other: InFlight, asked: Asked) -> Self {
        let bell = Arc::new(Bell(AtomicBool::new(true)));
        Self { future: Box::pin(other), bell, asked }
    }

    /// Polls, if it was woken.
    fn poll(&mut self) -> Option<WaitOutcome> {
        if !self.bell.0.swap(false, Ordering::AcqRel) {
            return None;
        }
        let waker = Waker::from(self.bell.clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }
}

fn millis(random: &mut Random, bound: u64) -> Duration {
    Duration::from_millis(random.below(bound) + 1)
}

impl Worker {
    pub(crate) fn new(world: Arc<World>, random: Random) -> Self {
        let (leases, replays, futures) = (Vec::new(), Vec::new(), Vec::new());
        Self { world, random, leases, replays, futures }
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.random.below(bound) == 0
    }

    pub(crate) fn step(&mut self) {
        if self.one_in(24) {
            self.act_from_outside();
        } else if self.leases.len() > 2 || (!self.leases.is_empty() && self.one_in(2)) {
            let at = self.random.below(self.leases.len() as u64) as usize;
            let owned = self.leases.swap_remove(at);
            self.use_lease(owned);
        } else if self.one_in(16) {
            self.claim_batch();
        } else {
            self.claim();
        }
        self.look_around();
        // Time passes by what is done, so that most claims do not just meet the same response.
        if self.one_in(4) {
            self.world.clock.advance(Duration::from_micros(self.random.below(2000)));
            std::thread::yield_now();
        }
        if self.replays.len() > 4 || self.one_in(8) {
            self.replays.clear();
        }
    }

    /// W2: what it waits for ends; and its leases are ended one by one, so that each is seen to end.
    pub(crate) fn finish(&mut self) {
        let begin = Instant::now();
        while !(self.futures.is_empty() && self.leases.is_empty()) {
            self.look_around();
            for owned in core::mem::take(&mut self.leases) {
                self.world.end(owned, |lease| lease.cancel(Reason::Owner));
            }
            assert!(begin.elapsed() < HANGS, "a future that nobody wakes");
            std::thread::yield_now();
        }
    }

    /// Futures that were woken, and what callbacks were called with.
    fn look_around(&mut self) {
        let handed = self.world.handed.lock().expect("no panic").pop();
        if let Some(Handed { asked, outcome }) = handed {
            self.ended(asked, outcome);
        }
        for mut parked in core::mem::take(&mut self.futures) {
            match parked.poll() {
                Some(outcome) => self.ended(parked.asked, outcome),
                // W1: dropped at any moment, also as it is being woken.
                None if self.one_in(64) => {}
                None => self.futures.push(parked),
            }
        }
    }

    fn ask(&mut self) -> (Asked, Claim) {
        let key = self.random.below(KEYS as u64) as usize;
        let fingerprint = if self.one_in(4) { 2 } else { 1 };
        let asked = self.world.ask(key, fingerprint);
        let time = millis(&mut self.random, 40);
        let policy = if self.one_in(4) { OnEnd::FailWaiters } else { OnEnd::HandOver };
        let mut claim = Claim::new(self.world.key(key))
            .lease(time)
            .retention(Duration::from_millis(self.random.below(30)))
            .on_expiry(policy)
            .wait(self.random.below(8) > 0)
            .may_execute(self.random.below(8) > 0);
        if let Some(fingerprint) = self.world.fingerprint(asked) {
            claim = claim.fingerprint(fingerprint);
        }
        (asked, claim)
    }

    fn claim(&mut self) {
        let (asked, claim) = self.ask();
        let outcome = self.world.engine.claim(claim).expect("a good claim");
        self.claimed(asked, outcome);
    }

    /// K9: the same key may be in it twice; a claim that waits is not for its own batch.
    fn claim_batch(&mut self) {
        let asked: Vec<_> = (0..2 + self.random.below(2)).map(|_| self.ask()).collect();
        let claims: Vec<_> = asked.iter().map(|(_, claim)| claim.wait(false)).collect();
        let outcomes = self.world.engine.claim_batch(&claims).expect("good claims");
        for (outcome, (asked, _)) in outcomes.into_iter().zip(asked) {
            self.claimed(asked, outcome);
        }
    }

    fn claimed(&mut self, asked: Asked, outcome: Outcome) {
        match outcome {
            Outcome::Execute(lease) => self.leases.push(self.world.register(asked, lease)),
            Outcome::Replay(response) => self.replayed(asked, response),
            Outcome::InFlight(other) => self.wait(asked, other),
            _ => {}
        }
    }

    /// W1: one of the ways to wait, or none.
    fn wait(&mut self, asked: Asked, other: InFlight) {
        let limit = millis(&mut self.random, 60);
        let outcome = match self.random.below(10) {
            0 => return drop(other),
            // Not while a future of its own may be the only one to be offered the key: nobody would poll that.
            1 if self.futures.is_empty() => other.wait(),
            2 | 3 => return self.futures.push(Parked::new(other, asked)),
            4 | 5 => return self.call_back(asked, other),
            _ => other.wait_for(limit),
        };
        self.ended(asked, outcome);
    }

    fn call_back(&mut self, asked: Asked, other: InFlight) {
        let Some(waiter) = other.into_waiter() else { return };
        self.world.callbacks.fetch_add(1, Ordering::Relaxed);
        let world = self.world.clone();
        let callback = waiter.on_end(move |outcome| {
            world.callbacks.fetch_sub(1, Ordering::Relaxed);
            world.handed.lock().expect("no panic").push(Handed { asked, outcome });
        });
        if self.one_in(8) && callback.cancel() {
            self.world.callbacks.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What a wait came to.
    fn ended(&mut self, asked: Asked, outcome: WaitOutcome) {
        match outcome {
            WaitOutcome::Execute(lease) => self.leases.push(self.world.register(asked, lease)),
            WaitOutcome::Replay(response) => self.replayed(asked, response),
            _ => {}
        }
    }

    fn replayed(&mut self, asked: Asked, response: Replay) {
        self.world.check(asked, &response);
        self.replays.push(response);
    }

    fn use_lease(&mut self, mut owned: Owned) {
        let world = self.world.clone();
        match self.random.below(17) {
            0 => world.end(owned, |lease| lease.cancel(Reason::Owner)),
            1 => world.end(owned, |lease| lease.cancel_all(Reason::Code(1))),
            2 if self.one_in(8) => world.end(owned, |lease| lease.halt(Reason::Owner)),
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
                let error = [owned.asked.key as u8, owned.asked.fingerprint];
                world.end(owned, |lease| lease.fail(&error, Duration::ZERO));
            }
            9 => {
                self.leases.push(owned);
                self.complete_batch();
            }
            _ => {
                let response = self.response(&owned);
                world.end(owned, |lease| lease.complete(&response));
            }
        }
    }

    /// L2: each of them as if alone.
    fn complete_batch(&mut self) {
        let owned = core::mem::take(&mut self.leases);
        let responses: Vec<_> = owned.iter().map(|owned| self.response(owned)).collect();
        let endings: Vec<_> = owned.iter().map(|owned| self.world.begin_end(owned)).collect();
        let leases = owned.into_iter().map(|owned| owned.lease);
        let ended = Lease::complete_batch(leases.zip(responses.iter().map(|bytes| &bytes[..])));
        assert_eq!(ended.len(), endings.len());
        for (ending, ended) in endings.iter().zip(&ended) {
            self.world.judge_end(ending, ended);
        }
    }

    fn response(&mut self, owned: &Owned) -> Vec<u8> {
        let most = if self.one_in(4) { 5000 } else { 300 };
        let length = self.random.below(most) as usize;
        let mut response = vec![owned.number() as u8; length + 2];
        response[0] = owned.asked.key as u8;
        response[1] = owned.asked.fingerprint;
        response
    }

    /// K8, L8, O2, R4.
    fn act_from_outside(&mut self) {
        let (world, engine) = (self.world.clone(), &self.world.engine);
        let key = self.random.below(KEYS as u64) as usize;
        let name = world.key(key);
        let good = "a good key";
        match self.random.below(8) {
            0 => {
                world.by_outsider(key, |key| engine.forget_forced(key)).expect(good);
            }
            1 => {
                world.by_outsider(key, |key| engine.detach(key)).expect(good);
            }
            choice @ 2..5 => {
                let rarely = if self.random.below(4) == 0 { OnEnd::Halt } else { OnEnd::HandOver };
                let policies = [OnEnd::HandOver, OnEnd::FailWaiters, rarely];
                let policy = policies[choice as usize - 2];
                world.by_outsider(key, |key| engine.force_end(key, policy)).expect(good);
            }
            5 => world.by_outsider(2, |_| world.other.clear()),
            // What is finished or halted has no lease that could end.
            6 => {
                engine.forget(name).expect(good);
            }
            _ => self.peek(key),
        }
    }

    fn peek(&self, key: usize) {
        let (engine, name, mut body) = (&self.world.engine, self.world.key(key), Vec::new());
        match engine.peek_into(name, &mut body).expect("a good key") {
            Status::Halted(_, _, token) => {
                // Stale: it is over, or somebody else was first.
                let resolved = engine.resolve(name, token, Resolution::Release);
                assert!(matches!(resolved, Ok(Resolved::Released) | Err(ResolveError::Stale)));
            }
            Status::Completed { length: Some(length), .. } => {
                assert_eq!(length, body.len());
                World::check_whole(key, &body);
            }
            _ => assert!(body.is_empty(), "bytes of nothing"),
        }
    }
}
