//! What a thread does: claims, waits, ends and replays at random, and checks what it is told.

use std::time::Duration;

use idem::{
    Claim, Fingerprint, Lease, OnEnd, Outcome, Ran, Reason, Replay, Resolution, Stale, Status,
    WaitOutcome, Waiter,
};

use crate::random::Random;
use crate::world::{Shape, World};

/// So long that it does not run out.
const LASTING: Duration = Duration::from_secs(3600);

fn millis(random: &mut Random, bound: u64) -> Duration {
    Duration::from_millis(random.below(bound) + 1)
}

/// One thread. What it holds on to it uses again later, or lets go of at the end.
pub(crate) struct Worker<'a> {
    world: &'a World,
    shape: &'a Shape,
    random: Random,
    leases: Vec<(usize, Lease)>,
    waiters: Vec<(usize, Waiter)>,
    replays: Vec<(usize, Replay)>,
    /// Executions of each key whose leases last.
    executes: &'a mut [u64],
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        world: &'a World,
        shape: &'a Shape,
        executes: &'a mut [u64],
        seed: u64,
    ) -> Self {
        Self {
            world,
            shape,
            random: Random(seed),
            leases: Vec::new(),
            waiters: Vec::new(),
            replays: Vec::new(),
            executes,
        }
    }

    pub(crate) fn run(mut self, steps: u64, closes: bool) {
        for step in 0..steps {
            if closes && step == steps / 10 * 9 {
                self.world.engine.close();
            }
            self.step();
        }
        while let Some((key, lease)) = self.leases.pop() {
            // Stale, or not, as anywhere else.
            let _ = self.end(key, lease);
        }
        self.check_replays();
        self.waiters.clear();
        self.world.worker_is_done();
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0 => drop(self.world.engine.tick()),
            1 => self.run_function(),
            2 => self.look_after_waiters(),
            3..5 => self.operate(),
            5 => self.claim_many(),
            6 => self.complete_many(),
            7..10 if !self.leases.is_empty() => {
                let at = self.random.below(self.leases.len() as u64) as usize;
                let (key, lease) = self.leases.swap_remove(at);
                self.use_lease(key, lease);
            }
            _ => self.claim(),
        }
        if self.replays.len() > 4 || self.random.below(8) == 0 {
            self.check_replays();
        }
    }

    fn any_key(&mut self) -> usize {
        let count = self.executes.len() as u64;
        self.random.below(count) as usize
    }

    fn make_claim(&mut self, key: usize) -> Claim {
        let random = &mut self.random;
        let lease = if World::lasts(key) { LASTING } else { millis(random, 10) };
        let policy = match random.below(8) {
            0 => OnEnd::Halt,
            1 => OnEnd::FailWaiters,
            _ => OnEnd::HandOver,
        };
        let claim = Claim::new(self.world.key(key))
            .lease(lease)
            .retention(Duration::from_millis(random.below(self.shape.retention)))
            .on_abandon(policy)
            .on_expiry(if policy == OnEnd::Halt { OnEnd::HandOver } else { policy })
            .owner(random.below(100))
            .wait(random.below(8) > 0)
            .may_execute(random.below(8) > 0);
        match random.below(8) {
            0..3 => claim.fingerprint(Fingerprint::from_u128(key as u128)),
            3 => claim.fingerprint(Fingerprint::from_u128(1 << 64)),
            _ => claim,
        }
    }

    fn claim(&mut self) {
        let key = self.any_key();
        let claim = self.make_claim(key);
        match self.world.engine.claim(claim).expect("a good claim") {
            Outcome::Execute(lease) => self.execute(key, lease),
            Outcome::Replay(replay) => self.replay(key, replay),
            Outcome::InFlight(other) => {
                if let Some(waiter) = other.into_waiter() {
                    self.wait(key, waiter);
                }
            }
            _ => {}
        }
    }

    /// Several claims in one call. Nobody waits before all leases that last are used.
    fn claim_many(&mut self) {
        let keys: Vec<usize> = (0..4).map(|_| self.any_key()).collect();
        let claims: Vec<Claim> = keys.iter().map(|key| self.make_claim(*key)).collect();
        let outcomes = self.world.engine.claim_batch(&claims).expect("good claims");
        assert_eq!(outcomes.len(), keys.len());
        let mut waiters = Vec::new();
        for (key, outcome) in keys.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Execute(lease) => self.execute(key, lease),
                Outcome::Replay(replay) => self.replay(key, replay),
                Outcome::InFlight(other) => waiters.push((key, other.into_waiter())),
                _ => {}
            }
        }
        for (key, waiter) in waiters {
            if let Some(waiter) = waiter {
                let outcome = waiter.wait_for(Duration::ZERO);
                self.waited(key, outcome);
            }
        }
    }

    /// All leases at hand, in one call.
    fn complete_many(&mut self) {
        let stamp = self.random.below(64) as u8 * 4 + 1;
        let response = |key| World::response(key, stamp, 100);
        let responses: Vec<_> = self.leases.iter().map(|(key, _)| response(*key)).collect();
        let leases = self.leases.drain(..).map(|(_, lease)| lease);
        // Stale, or not: the deadlines may have come first.
        drop(Lease::complete_batch(leases.zip(responses.iter().map(Vec::as_slice))));
    }

    fn wait(&mut self, key: usize, waiter: Waiter) {
        let outcome = match self.random.below(8) {
            0 => return drop(waiter),
            1 if self.waiters.len() < 4 => return self.waiters.push((key, waiter)),
            2 => waiter.wait_for(Duration::ZERO),
            3..6 if self.waits_alone() => waiter.wait(),
            _ => waiter.wait_for(millis(&mut self.random, 5)),
        };
        self.waited(key, outcome);
    }

    /// Whether it may wait for as long as it takes: nobody waits for a waiter that it has put
    /// aside, it least of all.
    fn waits_alone(&self) -> bool {
        self.waiters.is_empty()
    }

    fn waited(&mut self, key: usize, outcome: WaitOutcome) {
        match outcome {
            WaitOutcome::Execute(lease) => self.execute(key, lease),
            WaitOutcome::Replay(replay) => self.replay(key, replay),
            _ => {}
        }
    }

    /// Of those that were put aside one leaves, or looks again.
    fn look_after_waiters(&mut self) {
        let Some((key, waiter)) = self.waiters.pop() else { return };
        if self.random.below(2) == 0 {
            let outcome = waiter.wait_for(millis(&mut self.random, 2));
            self.waited(key, outcome);
        }
    }

    /// A lease that lasts is used at once: while it is there, others may wait for nothing else.
    fn execute(&mut self, key: usize, lease: Lease) {
        if World::lasts(key) {
            self.world.ledger.add_one(key);
            self.executes[key] += 1;
            self.use_lasting(key, lease);
        } else {
            self.leases.push((key, lease));
        }
    }

    fn use_lasting(&mut self, key: usize, lease: Lease) {
        if self.random.below(4) == 0 {
            lease.renew(2 * LASTING).expect("a lease that holds can be renewed");
        }
        if self.random.below(8) == 0 {
            // Its last words, too, come before the next owner's.
            return drop(lease);
        }
        assert!(self.end(key, lease).is_ok(), "a lease that holds can be ended");
    }

    fn use_lease(&mut self, key: usize, lease: Lease) {
        match self.random.below(16) {
            0 => drop(lease),
            // Nobody ends it but its deadline.
            1 => drop(lease.into_token()),
            2 => {
                let again = self.world.engine.lease(lease.into_token());
                self.leases.extend(again.ok().map(|lease| (key, lease)));
            }
            3..6 => {
                // Stale, or not: the deadline may have come first.
                let _ = lease.renew(millis(&mut self.random, 10));
                self.leases.push((key, lease));
            }
            _ => drop(self.end(key, lease)),
        }
    }

    fn end(&mut self, key: usize, lease: Lease) -> Result<(), Stale> {
        let random = &mut self.random;
        match random.below(16) {
            0 => lease.cancel(Reason::Owner),
            1 => lease.cancel(Reason::Code(1)),
            2 => lease.cancel_all(Reason::Owner),
            3 if random.below(4) == 0 => lease.halt(Reason::Owner),
            _ => {
                let most = self.shape.lengths[usize::from(random.below(4) == 0)];
                let (stamp, length) = (random.below(256) as u8, random.below(most) as usize);
                let response = World::response(key, stamp, length);
                let retention = Duration::from_millis(random.below(self.shape.retention));
                match (World::is_error(stamp), random.below(2)) {
                    (true, _) => lease.fail(&response, retention),
                    (_, 0) => lease.complete_for(&response, retention),
                    _ => lease.complete(&response),
                }
                .map(drop)
            }
        }
    }

    /// The same as claim, work and complete, by one call.
    fn run_function(&mut self) {
        let key = self.any_key();
        if !World::lasts(key) || !self.waits_alone() {
            return;
        }
        let claim = self.make_claim(key);
        let (stamp, length) = (self.random.below(256) as u8, self.random.below(300) as usize);
        let response = World::response(key, stamp, length);
        let (world, executes) = (self.world, &mut self.executes);
        let ran = world.engine.run(claim, || {
            world.ledger.add_one(key);
            executes[key] += 1;
            if World::is_error(stamp) { Err(response) } else { Ok(response) }
        });
        match ran.expect("a good claim") {
            Ran::Executed(_, stored) => assert!(stored.is_ok(), "a lease that holds can be ended"),
            Ran::Replayed(replay) => self.replay(key, replay),
            _ => {}
        }
    }

    /// What is done to keys from outside. Not by force where an owner would write its word beside
    /// the next one's.
    fn operate(&mut self) {
        let (key, engine) = (self.any_key(), &self.world.engine);
        let named = self.world.key(key);
        match self.random.below(12) {
            0 => drop(engine.forget(named).expect("a good key")),
            1 => self.list(),
            2..4 => self.resolve(key),
            4 if !World::lasts(key) => drop(engine.forget_forced(named).expect("a good key")),
            5..8 if !World::lasts(key) => drop(engine.detach(named).expect("a good key")),
            8 if !World::lasts(key) => {
                let policies = [OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt];
                let policy = policies[self.random.below(3) as usize];
                engine.force_end(named, policy).expect("a good key");
            }
            9 if !World::lasts(key) => {
                let _ = engine.once(named, Duration::from_millis(self.random.below(4)));
            }
            _ => self.peek(key),
        }
    }

    fn peek(&mut self, key: usize) {
        let mut body = Vec::new();
        let status = self.world.engine.peek_into(self.world.key(key), &mut body);
        if let Status::Completed { is_error, .. } = status.expect("a good key") {
            World::check(key, &body, is_error);
        }
    }

    fn list(&mut self) {
        for listed in self.world.engine.listing() {
            let is_listed = matches!(listed.status, Status::InFlight(..) | Status::Halted(..));
            assert!(is_listed, "listed: {listed:?}");
        }
    }

    /// Settles a key that is halted.
    fn resolve(&mut self, key: usize) {
        let (engine, named) = (&self.world.engine, self.world.key(key));
        let status = engine.peek(named).expect("a good key");
        let Status::Halted(_, _, token) = status else { return };
        let response = World::response(key, 1, 50);
        let resolution = match self.random.below(3) {
            0 => Resolution::Complete(&response, Duration::from_millis(2)),
            1 => Resolution::Release,
            _ => Resolution::Keep,
        };
        // Somebody else may have settled it, or there is no room.
        let _ = engine.resolve(named, token, resolution);
    }

    /// Reads a response, and maybe keeps it: it must still be the same when it is let go of.
    fn replay(&mut self, key: usize, replay: Replay) {
        World::check(key, &replay, replay.is_error());
        match self.random.below(4) {
            0 => {}
            1 => self.replays.push((key, replay.clone())),
            _ => self.replays.push((key, replay)),
        }
    }

    fn check_replays(&mut self) {
        for (key, replay) in self.replays.drain(..) {
            World::check(key, &replay, replay.is_error());
        }
    }
}
