//! Claims, one by one and by the batch, what they come to, and the ways to wait.

use std::sync::atomic::Ordering;
use std::time::Instant;

use idem::{InFlight, Limit, OnceError, Outcome, Removal, WaitOutcome, Waiter};

use crate::actor::{Actor, Asked, HAND, Storm};
use crate::book::Count;
use crate::latency::Timed;
use crate::options::Sabotage;
use crate::rig::{FRESH, Group};
use crate::time::{self, millis};

impl Actor {
    pub(crate) fn claim(&mut self) {
        let rig = self.pick_rig();
        let index = self.pick_key(rig);
        let mut asked = self.ask(rig, index);
        asked.claim = asked.claim.wait(!self.one_in(4));
        let begin = Instant::now();
        let outcome = self.rig(rig).engine.claim(asked.claim);
        let timed = match &outcome {
            Ok(Outcome::Execute(_)) => Timed::Executes,
            Ok(Outcome::Replay(_)) => Timed::Replays,
            _ => Timed::Refusals,
        };
        self.latencies().add(timed, begin);
        match outcome {
            Ok(outcome) => self.meet(asked, outcome),
            Err(error) => self.fault("error", &format!("claim: {error}")),
        }
    }

    pub(crate) fn claim_batch(&mut self) {
        let rig = self.pick_rig();
        let count = 2 + self.random.below(30);
        let mut all: Vec<Asked> = Vec::new();
        for _ in 0..count {
            // Some keys are in the batch twice.
            let index = match all.last() {
                Some(last) if last.index < FRESH && self.one_in(8) => last.index,
                _ => self.pick_key(rig),
            };
            let mut asked = self.ask(rig, index);
            asked.claim = asked.claim.wait(false);
            all.push(asked);
        }
        let claims: Vec<_> = all.iter().map(|asked| asked.claim).collect();
        let begin = Instant::now();
        let outcomes = self.rig(rig).engine.claim_batch(&claims);
        self.latencies().add(Timed::Batch, begin);
        let Ok(outcomes) = outcomes else { return self.fault("error", "claim_batch") };
        if outcomes.len() != all.len() {
            self.fault("batch", "claim_batch returned another number of outcomes");
        }
        let mut owned = Vec::new();
        for (asked, outcome) in all.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Execute(lease) => owned.push(self.own(asked, lease)),
                other => self.meet(asked, other),
            }
        }
        if self.one_in(2) {
            self.complete_batch(owned);
        } else {
            owned.into_iter().for_each(|owned| self.end(owned));
        }
    }

    /// What a claim came to.
    fn meet(&mut self, asked: Asked, outcome: Outcome) {
        let rig = asked.rig;
        let is_new = matches!(outcome, Outcome::Execute(_) | Outcome::Full(_) | Outcome::Closed);
        if asked.index >= FRESH && !is_new {
            self.fault("answer", &format!("a key that nobody has used: {outcome:?}"));
        }
        match outcome {
            Outcome::Execute(lease) => {
                let owned = self.own(asked, lease);
                self.end(owned);
            }
            Outcome::InFlight(other) => {
                self.book(rig).sure(Count::InFlight);
                if self.soak.is_sabotage(Sabotage::Double) && self.one_in(10) {
                    // The planted defect: an owner without a lease.
                    let until_us = time::micros() + 50_000;
                    let rights = self.begin(asked, false, until_us);
                    self.leave(&rights);
                }
                self.wait(asked, other);
            }
            Outcome::Replay(replay) => {
                self.book(rig).sure(Count::Replays);
                self.replayed(asked, replay);
            }
            Outcome::Done(_) => self.book(rig).sure(Count::Done),
            Outcome::Mismatch(_) => {
                self.book(rig).sure(Count::Mismatches);
                if asked.variant == 0 {
                    self.fault("mismatch", "a claim without a fingerprint");
                }
            }
            Outcome::Cancelled(_) => self.book(rig).sure(Count::Cancelled),
            Outcome::Halted(_) => self.book(rig).sure(Count::Halted),
            Outcome::Full(limit) => {
                self.book(rig).full(limit);
                if limit != Limit::Waiters && self.is_still_taken(&asked) {
                    self.fault("answer", &format!("Full({limit:?}), though there is a record"));
                }
            }
            Outcome::Closed => {
                self.book(rig).sure(Count::Closed);
                self.check_closing(rig);
            }
            other => self.fault("answer", &format!("not known: {other:?}")),
        }
    }

    fn check_closing(&self, rig: usize) {
        // Acquire: pairs with `close_within`.
        if !self.rig(rig).is_closing.load(Ordering::Acquire) {
            self.fault("closed", "Closed by an engine that is open");
        }
    }

    fn replayed(&mut self, asked: Asked, replay: idem::Replay) {
        self.received(&asked, &replay, replay.is_error());
        let is_leak = self.soak.is_sabotage(Sabotage::Leak) && self.one_in(50);
        let room = self.random.below(HAND as u64) as usize;
        match &mut self.hand {
            Some(hand) if is_leak && hand.leaked.len() < 500 => hand.leaked.push(replay),
            Some(hand) if hand.replays.len() < room => hand.replays.push((asked, replay)),
            _ => {}
        }
    }

    /// What a wait came to.
    pub(crate) fn waited(&mut self, asked: Asked, outcome: WaitOutcome) {
        let rig = asked.rig;
        match outcome {
            WaitOutcome::Execute(lease) => {
                let owned = self.own(asked, lease);
                self.end(owned);
            }
            WaitOutcome::Replay(replay) => self.replayed(asked, replay),
            WaitOutcome::Closed => self.check_closing(rig),
            _ => {}
        }
    }

    /// Waits for somebody else's result, in every way there is.
    fn wait(&mut self, asked: Asked, other: InFlight) {
        let Some(waiter) = other.into_waiter() else { return };
        let draw = match self.soak.storm() {
            // So that places run out.
            Storm::Waiters => 40 + self.random.below(60),
            _ => self.random.below(100),
        };
        match draw {
            0..25 => {
                let time = self.random.below(20);
                self.wait_for(asked, waiter, time);
            }
            25..32 => {
                let begin = Instant::now();
                let outcome = waiter.wait();
                self.latencies().add(Timed::Wait, begin);
                if matches!(outcome, WaitOutcome::TimedOut) {
                    self.fault("answer", "a wait without an end timed out");
                }
                self.waited(asked, outcome);
            }
            32..45 => drop(waiter),
            45..65 => {
                // Without room: dropped, which gives the place back.
                if let Some(hand) = self.hand.as_mut().filter(|hand| hand.waiters.len() < HAND) {
                    hand.waiters.push((asked, waiter));
                }
            }
            65..80 => self.wait_async(asked, waiter),
            _ => self.wait_called(asked, waiter),
        }
    }

    pub(crate) fn wait_for(&mut self, asked: Asked, waiter: Waiter, time: u64) {
        let begin = Instant::now();
        let outcome = waiter.wait_for(self.rig(asked.rig).scaled(time));
        self.latencies().add(Timed::Wait, begin);
        if matches!(outcome, WaitOutcome::TimedOut) {
            self.book(asked.rig).sure(Count::TimedOut);
        }
        self.waited(asked, outcome);
    }

    fn wait_async(&mut self, asked: Asked, waiter: Waiter) {
        let mut deputy = self.deputy();
        let patience = if self.one_in(4) { 1 } else { u32::MAX };
        let job = Box::pin(async move {
            let outcome = waiter.await;
            deputy.waited(asked, outcome);
        });
        self.soak.pool.spawn(job, patience);
    }

    fn wait_called(&mut self, asked: Asked, waiter: Waiter) {
        let mut deputy = self.deputy();
        let panics = self.one_in(20);
        let callback = waiter.on_end(move |outcome| {
            deputy.waited(asked, outcome);
            if panics {
                std::panic::resume_unwind(Box::new(crate::ends::Planned));
            }
        });
        if self.one_in(3)
            && let Some(hand) = self.hand.as_mut().filter(|hand| hand.callbacks.len() < HAND)
        {
            hand.callbacks.push((asked.rig, callback));
        }
    }

    /// Lets go of something that was kept for a while.
    pub(crate) fn let_go(&mut self) {
        let place = self.random.next() as usize;
        let Some(hand) = &mut self.hand else { return };
        if !hand.leases.is_empty() {
            let owned = hand.leases.swap_remove(place % hand.leases.len());
            self.end(owned);
        } else if !hand.waiters.is_empty() {
            let (asked, waiter) = hand.waiters.swap_remove(place % hand.waiters.len());
            self.wait_for(asked, waiter, 0);
        } else if !hand.callbacks.is_empty() {
            let (rig, callback) = hand.callbacks.swap_remove(place % hand.callbacks.len());
            if callback.cancel() {
                // It may have been handed the lease just then, and passed it on.
                self.book(rig).maybe(&[Count::Executes, Count::Cancels, Count::Stale]);
            }
        } else if !hand.replays.is_empty() {
            let (asked, replay) = hand.replays.swap_remove(place % hand.replays.len());
            // It is what it was, though its record may be long gone.
            let copy = replay.clone();
            drop(replay);
            self.received(&asked, &copy, copy.is_error());
        }
    }

    /// Whether it is the first time; some are released again.
    pub(crate) fn once(&mut self) {
        let rig = self.pick_rig();
        let index = self.pick_of(rig, Group::Once);
        let rig_ = self.rig(rig);
        let since = rig_.slot(index).map_or(0, crate::marks::Slot::since);
        let taken = rig_.slot(index).and_then(crate::marks::Slot::taken);
        let retention = 100;
        let claim = idem::Claim::new(rig_.key(index)).lease(rig_.scaled(60_000));
        let from_us = time::micros();
        let result = rig_.engine.once(claim, rig_.scaled(retention));
        let is_still = rig_.slot(index).zip(taken).is_some_and(|(slot, mark)| slot.is_still(mark));
        match result {
            Ok(true) => {
                if is_still {
                    self.fault("double", &format!("key {index} is seen for the first time twice"));
                }
                self.book(rig).sure(Count::Completes);
                self.book(rig).maybe(&[Count::Tombstones]);
                self.executes(rig);
                let until_us = (from_us + retention * 1000).saturating_sub(time::ROUNDING_US);
                let number = self.random.next() as u16;
                let slot = self.rig(rig).slot(index);
                slot.into_iter().for_each(|slot| slot.keep(until_us, since, number));
            }
            Ok(false) => {
                use Count::{Cancelled, Done, Executes, InFlight, Replays, Stale};
                self.book(rig).maybe(&[Cancelled, Done, InFlight, Replays]);
                if self.is_closing(rig) {
                    // Its own lease may have been ended for that.
                    self.book(rig).maybe(&[Executes, Stale]);
                }
            }
            Err(OnceError::Full(limit)) => self.book(rig).full(limit),
            Err(OnceError::Closed) => self.book(rig).sure(Count::Closed),
            Err(error) => self.fault("answer", &format!("once: {error}")),
        }
        if self.one_in(10) {
            let rig_ = self.rig(rig);
            let removed = rig_.disturb(index, || rig_.engine.forget(rig_.key(index)));
            if matches!(removed, Ok(Removal::Removed)) {
                self.book(rig).maybe(&[Count::Forgotten]);
            }
        }
    }

    /// A moment in which nothing is done, or what is due.
    pub(crate) fn rest(&mut self) {
        if self.one_in(50) {
            std::thread::sleep(millis(1));
        }
        // The second engine has no thread of its own.
        self.rig(1).engine.tick();
    }
}
