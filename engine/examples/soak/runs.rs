//! `run` and its like, with functions that return, fail, panic, take too long, or are dropped
//! halfway.

use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use idem::{OnDrop, Ran};

use crate::actor::{Actor, Asked, Rights};
use crate::book::Count;
use crate::ends::Planned;
use crate::latency::Timed;
use crate::rig::MAX_RUN;
use crate::time;

type Result = std::result::Result<Vec<u8>, Vec<u8>>;

/// One call of a function that is run.
struct Running {
    actor: Actor,
    rights: Rights,
    call: Arc<Call>,
    is_left: bool,
}

/// What its caller is to know of it.
#[derive(Default)]
struct Call {
    serial: AtomicU64,
    length: AtomicU64,
    ended_us: AtomicU64,
}

/// Tasks at a time.
const TASKS: usize = 48;

impl Running {
    /// The function is called: its caller has the lease.
    fn begin(mut actor: Actor, asked: Asked, from_us: u64, call: Arc<Call>) -> Self {
        actor.executes(asked.rig);
        if actor.is_still_taken(&asked) {
            actor.fault("double", &format!("key {} runs, though it has a record", asked.index));
        }
        // Its lease began after the call of `run`.
        let until_us = (from_us + MAX_RUN * 1000).saturating_sub(time::ROUNDING_US);
        let rights = actor.begin(asked, false, until_us);
        Self { actor, rights, call, is_left: false }
    }

    /// The future that the function returns; it may never be polled.
    async fn work(self, steps: u64, panics: bool) -> Result {
        pause(steps).await;
        if panics {
            panic::resume_unwind(Box::new(Planned));
        }
        self.end()
    }

    /// What it all comes to.
    fn end(mut self) -> Result {
        let is_error = self.actor.one_in(8);
        let (serial, bytes) = self.actor.write(&self.rights, is_error);
        // Relaxed: read by the caller, after the function has returned.
        self.call.serial.store(serial, Ordering::Relaxed);
        self.call.length.store(bytes.len() as u64, Ordering::Relaxed);
        self.call.ended_us.store(time::micros(), Ordering::Relaxed);
        self.leave();
        if is_error { Err(bytes) } else { Ok(bytes) }
    }

    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_left, true) {
            self.actor.leave(&self.rights);
        }
    }
}

/// Returned, unwound or dropped: from now on the lease may end.
impl Drop for Running {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Actor {
    pub(crate) fn run(&mut self) {
        let rig = self.pick_rig();
        let index = self.pick_key(rig);
        let mut asked = self.ask(rig, index);
        asked.claim = asked.claim.wait(!self.one_in(4));
        match self.random.below(3) {
            0 => self.run_blocking(asked),
            _ if self.soak.pool.left() >= TASKS => self.run_blocking(asked),
            1 => self.run_async(asked),
            _ => self.run_shared(asked),
        }
    }

    fn run_blocking(&mut self, asked: Asked) {
        let call = Arc::new(Call::default());
        let (its_call, mut deputy) = (call.clone(), self.deputy());
        let engine = self.rig(asked.rig).engine.clone();
        let (panics, is_slow) = (self.one_in(20), self.one_in(400));
        let (from_us, begin) = (time::micros(), Instant::now());
        let ran = panic::catch_unwind(AssertUnwindSafe(|| {
            engine.run(asked.claim, || {
                if deputy.one_in(10) {
                    deputy.work(3);
                }
                let mut running = Running::begin(deputy, asked, from_us, its_call);
                if is_slow {
                    running.actor.work(2 * MAX_RUN);
                }
                if panics {
                    panic::resume_unwind(Box::new(Planned));
                }
                running.end()
            })
        }));
        self.latencies().add(Timed::Run, begin);
        match ran {
            Ok(Ok(ran)) => self.ran(asked, from_us, &call, ran),
            Ok(Err(error)) => self.fault("error", &format!("run: {error}")),
            Err(_) => self.book(asked.rig).maybe(&[Count::InFlight, Count::Cancels, Count::Stale]),
        }
    }

    fn run_async(&mut self, asked: Asked) {
        let call = Arc::new(Call::default());
        let (its_call, its_deputy, mut deputy) = (call.clone(), self.deputy(), self.deputy());
        let engine = self.rig(asked.rig).engine.clone();
        let steps = self.random.below(4);
        let (panics, patience) = (self.one_in(20), self.patience());
        self.unseen(asked.rig);
        let job = Box::pin(async move {
            let from_us = time::micros();
            let work = || Running::begin(its_deputy, asked, from_us, its_call).work(steps, panics);
            match engine.run_async(asked.claim, work).await {
                Ok(ran) => deputy.ran(asked, from_us, &call, ran),
                Err(error) => deputy.fault("error", &format!("run_async: {error}")),
            }
        });
        self.soak.pool.spawn(job, patience);
    }

    fn run_shared(&mut self, asked: Asked) {
        let call = Arc::new(Call::default());
        let (its_call, its_deputy, mut deputy) = (call.clone(), self.deputy(), self.deputy());
        let soak = self.soak.clone();
        let engine = self.rig(asked.rig).engine.clone();
        let steps = self.random.below(4);
        let (panics, patience) = (self.one_in(20), self.patience());
        let work_patience = self.patience();
        let on_drop = if self.one_in(2) { OnDrop::Finish } else { OnDrop::WhileAwaited };
        self.unseen(asked.rig);
        let job = Box::pin(async move {
            let from_us = time::micros();
            let work = || Running::begin(its_deputy, asked, from_us, its_call).work(steps, panics);
            let spawn = |work| soak.pool.spawn(work, work_patience);
            match engine.run_shared(asked.claim, on_drop, spawn, work).await {
                Ok(ran) => deputy.ran(asked, from_us, &call, ran),
                Err(error) => deputy.fault("error", &format!("run_shared: {error}")),
            }
        });
        self.soak.pool.spawn(job, patience);
    }

    fn patience(&mut self) -> u32 {
        if self.one_in(6) { 1 + self.random.below(3) as u32 } else { u32::MAX }
    }

    /// A run that may be dropped halfway, or end without its caller.
    fn unseen(&self, rig: usize) {
        use Count::{Cancels, Completes, Detached, InFlight, Stale, Tombstones};
        self.book(rig).maybe(&[InFlight, Cancels, Stale, Completes, Tombstones, Detached]);
    }

    /// What a run came to.
    fn ran(&mut self, asked: Asked, from_us: u64, call: &Call, ran: Ran<Vec<u8>, Vec<u8>>) {
        use Count::{Cancelled, Cancels, Closed, Completes, Detached, Done, Halted, InFlight};
        use Count::{Mismatches, Replays, Stale, Tombstones};
        let book = &self.soak.clone().books[usize::from(self.worker)][asked.rig];
        match ran {
            Ran::Executed(_, stored) => {
                book.maybe(&[InFlight]);
                let until_us = (from_us + MAX_RUN * 1000).saturating_sub(time::ROUNDING_US);
                let number = self.random.next() as u16;
                let rights = Rights { asked, is_fresh: false, until_us, mark: None, number };
                let serial = call.serial.load(Ordering::Relaxed);
                let length = call.length.load(Ordering::Relaxed) as usize;
                let ended_us = call.ended_us.load(Ordering::Relaxed);
                self.completed(&rights, (serial, length), (ended_us, asked.retention), stored);
            }
            Ran::Failed(_) => {
                book.maybe(&[InFlight, Completes, Tombstones, Detached, Stale, Cancels]);
            }
            Ran::Replayed(replay) => {
                book.maybe(&[InFlight, Replays]);
                self.received(&asked, &replay, replay.is_error());
            }
            Ran::Done(_) => book.maybe(&[InFlight, Done]),
            Ran::Mismatch(_) => book.sure(Mismatches),
            Ran::Cancelled(_) => book.maybe(&[InFlight, Cancelled]),
            Ran::Halted(_) => book.maybe(&[InFlight, Halted]),
            Ran::Full(limit) => book.full(limit),
            Ran::InFlight(_) => book.sure(InFlight),
            Ran::Closed => book.maybe(&[InFlight, Closed]),
            other => self.fault("answer", &format!("not known: {other:?}")),
        }
    }
}

/// Gives way to others so many times.
async fn pause(mut steps: u64) {
    poll_fn(|context| {
        if steps == 0 {
            return Poll::Ready(());
        }
        steps -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
