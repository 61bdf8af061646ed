//! What is done to keys from outside: looking, listing, forgetting, detaching, forcing, settling,
//! clearing; and drills, in which one worker does it to its own lease and knows exactly what must
//! come of it.

use std::time::Instant;

use idem::{Claim, Completion, OnEnd, Outcome, Removal, Resolution, Resolved, Status};

use crate::actor::{Actor, Asked};
use crate::body::Author;
use crate::book::Count;
use crate::latency::Timed;
use crate::rig::Group;
use crate::time;

impl Actor {
    pub(crate) fn peek(&mut self) {
        let rig = self.pick_rig();
        let index = self.pick_key(rig);
        let mut asked = self.ask(rig, index);
        // Whoever looks says nothing about what the request says.
        asked.variant = 0;
        let key = self.rig(rig).key(index);
        let mut body = b"before".to_vec();
        let begin = Instant::now();
        let status = if self.one_in(2) {
            self.rig(rig).engine.peek(key)
        } else {
            self.rig(rig).engine.peek_into(key, &mut body)
        };
        self.latencies().add(Timed::Peek, begin);
        let Ok(status) = status else { return self.fault("error", "peek") };
        if status == Status::Vacant && self.is_still_taken(&asked) {
            self.fault("answer", &format!("key {index} is vacant, though it has a record"));
        }
        let copied = &body[6..];
        match status {
            Status::Completed { length: Some(length), is_error, .. } if !copied.is_empty() => {
                if length != copied.len() {
                    self.fault("bytes", &format!("{} bytes copied of {length}", copied.len()));
                }
                self.received(&asked, copied, is_error);
            }
            _ if !copied.is_empty() => self.fault("bytes", &format!("{status:?} has bytes")),
            _ => {}
        }
        if !body.starts_with(b"before") {
            self.fault("bytes", "peek_into changed what was there before");
        }
    }

    /// Does to a key what its owner has no say in.
    pub(crate) fn operate(&mut self) {
        let rig = self.pick_rig();
        let index = self.pick_of(rig, Group::Forced);
        let draw = self.random.below(6);
        let rig_ = self.rig(rig);
        let (engine, key) = (&rig_.engine, rig_.key(index));
        match draw {
            0 => {
                let removed = rig_.disturb(index, || engine.forget(key));
                if matches!(removed, Ok(Removal::Removed)) {
                    self.book(rig).maybe(&[Count::Forgotten]);
                }
            }
            1 => {
                let removed = rig_.disturb(index, || engine.forget_forced(key));
                match removed {
                    Ok(Removal::Removed) => {
                        self.book(rig).maybe(&[Count::Forgotten, Count::Forced]);
                    }
                    Ok(Removal::Vacant) => {}
                    other => self.fault("answer", &format!("forget_forced: {other:?}")),
                }
            }
            2 => {
                if rig_.disturb(index, || engine.detach(key)).is_err() {
                    self.fault("error", "detach");
                }
            }
            3 => self.settle(rig, index),
            _ => {
                let policy = [OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt];
                let policy = policy[(draw + self.random.below(3)) as usize % 3];
                let rig_ = self.rig(rig);
                let forced = rig_.disturb(index, || rig_.engine.force_end(key, policy));
                if forced == Ok(true) {
                    self.book(rig).sure(Count::Forced);
                }
            }
        }
    }

    /// Settles a key, if it is halted.
    pub(crate) fn settle(&mut self, rig: usize, index: u64) {
        let rig_ = &self.soak.clone().rigs[rig];
        let (engine, key) = (&rig_.engine, rig_.key(index));
        let Ok(Status::Halted(_, _, token)) = engine.peek(key) else { return };
        let serial = self.desk().serial();
        let author = Author {
            key: index,
            serial,
            rig: rig as u8,
            worker: self.worker,
            variant: 0,
            is_fresh: false,
            is_error: false,
        };
        let length = self.length(rig);
        let bytes = author.write(length);
        let resolution = match self.random.below(3) {
            0 => Resolution::Release,
            1 => Resolution::Keep,
            _ => Resolution::Complete(&bytes, rig_.scaled(50)),
        };
        match rig_.disturb(index, || engine.resolve(key, token, resolution)) {
            Ok(resolved) => {
                self.book(rig).sure(Count::Resolved);
                let is_right = match resolution {
                    Resolution::Release => resolved == Resolved::Released,
                    Resolution::Keep => resolved == Resolved::Kept,
                    _ => matches!(resolved, Resolved::Completed(_)),
                };
                if !is_right {
                    self.fault("answer", &format!("{resolution:?} came to {resolved:?}"));
                }
            }
            Err(_) if matches!(resolution, Resolution::Complete(..)) => self.desk().refuse(serial),
            Err(_) => {}
        }
    }

    /// Settles what is halted, wherever it comes upon it.
    pub(crate) fn settle_any(&mut self) {
        let rig = self.pick_rig();
        let group = if self.one_in(2) { Group::Plain } else { Group::Hot };
        let index = self.pick_of(rig, group);
        self.settle(rig, index);
    }

    /// Reads the listing, and settles or forces what it names.
    pub(crate) fn list(&mut self) {
        let rig = self.pick_rig();
        let soak = self.soak.clone();
        let rig_ = &soak.rigs[rig];
        let mut count = 0;
        for listed in rig_.engine.listing() {
            count += 1;
            match listed.status {
                Status::InFlight(info) => {
                    if info.owner > soak.options.threads as u64 {
                        self.fault("answer", &format!("an owner that is none: {}", info.owner));
                    }
                    if listed.attempt == 0 {
                        self.fault("answer", "a lease that is not even the first");
                    }
                }
                Status::Halted(..) => {}
                status => self.fault("answer", &format!("listed: {status:?}")),
            }
            if let Some(index) = rig_.index_of(listed.key)
                && self.one_in(4)
            {
                self.settle(rig, index);
            }
        }
        // Not more than twice what there may be: it changes while it is read.
        if count > 2 * rig_.limits.records {
            self.fault("limits", &format!("{count} listed"));
        }
    }

    pub(crate) fn clear(&mut self) {
        let rig = self.pick_rig();
        self.rig(rig).clear();
    }

    /// Takes a lease of a key of the worker's own, ends it from outside, and ends it as its owner.
    pub(crate) fn drill(&mut self) {
        let rig = self.pick_rig();
        let number = self.fresh_key();
        let soak = self.soak.clone();
        let rig_ = &soak.rigs[rig];
        let key = rig_.drill(self.worker).raw_key(number.into());
        let claim = Claim::new(key).lease(rig_.scaled(400)).retention(rig_.scaled(40));
        let Some(lease) = self.drilled(rig, claim) else { return };
        let until_us = self.sure_until(rig, &lease);
        let draw = self.random.below(5);
        let was_ended = match draw {
            0 => rig_.engine.forget_forced(key) == Ok(Removal::Removed),
            1 | 2 => {
                let policy = [OnEnd::HandOver, OnEnd::FailWaiters, OnEnd::Halt][draw as usize];
                rig_.engine.force_end(key, policy) == Ok(true)
            }
            3 => rig_.engine.detach(key) == Ok(true),
            _ => {
                rig_.drill(self.worker).clear();
                true
            }
        };
        let is_sure = || until_us > time::micros() && !self.is_closing(rig);
        if !was_ended {
            if is_sure() {
                self.fault("drill", &format!("{draw}: nothing was ended"));
            }
        } else if draw < 3 {
            self.book(rig).sure(Count::Forced);
        }
        // The key is another one's now, or nobody's.
        let second = if was_ended && draw != 2 { self.drilled(rig, claim) } else { None };
        let result = lease.complete(&number.to_le_bytes());
        let (wanted, is_wanted) = match draw {
            0..3 => ("Stale", result.is_err()),
            _ => ("Detached", result == Ok(Completion::Detached)),
        };
        self.count_drill(rig, result);
        // A key that was forced is Stale for good; one that was taken away counts while it is live.
        let is_sure = until_us > time::micros() && !self.is_closing(rig);
        if was_ended && !is_wanted && (draw < 3 || is_sure) {
            self.fault("drill", &format!("{draw}: {wanted} was wanted, not {result:?}"));
        }
        if let Some(second) = second {
            let result = second.complete(&number.to_le_bytes());
            self.count_drill(rig, result);
        }
    }

    fn drilled(&mut self, rig: usize, claim: Claim) -> Option<idem::Lease> {
        match self.rig(rig).engine.claim(claim) {
            Ok(Outcome::Execute(lease)) => {
                self.executes(rig);
                return Some(lease);
            }
            Ok(Outcome::Full(limit)) => self.book(rig).full(limit),
            Ok(Outcome::Closed) => self.book(rig).sure(Count::Closed),
            // Kept, by the engine that does so.
            Ok(Outcome::Cancelled(_)) => self.book(rig).sure(Count::Cancelled),
            other => self.fault("drill", &format!("a key of one's own: {other:?}")),
        }
        None
    }

    fn count_drill(&self, rig: usize, result: Result<Completion, idem::Stale>) {
        self.book(rig).sure(if result.is_ok() { Count::Completes } else { Count::Stale });
        match result {
            Ok(Completion::Detached) => self.book(rig).sure(Count::Detached),
            Ok(Completion::Tombstone(_)) => self.book(rig).sure(Count::Tombstones),
            _ => {}
        }
    }

    pub(crate) fn is_closing(&self, rig: usize) -> bool {
        // Acquire: pairs with `close_within`.
        self.rig(rig).is_closing.load(std::sync::atomic::Ordering::Acquire)
    }

    /// A key that another engine made is refused.
    pub(crate) fn stray(&mut self) {
        let index = self.pick_of(0, Group::Plain);
        let Asked { claim, .. } = self.ask(0, index);
        if self.rig(1).engine.claim(claim).is_ok() {
            self.fault("answer", "a key of another engine was taken");
        }
    }
}
