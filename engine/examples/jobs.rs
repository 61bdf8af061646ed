//! A job runner: every worker sees every job, one at a time works on it, and what is done is not done
//! again. One worker dies in the middle of a job, another one hangs longer than its lease.
//!
//! ```text
//! cargo run -p idem --example jobs
//! ```
//!
//! Fails if a job is not completed exactly once, or if the worker that hung is not told.
//!
//! What is exact is the completion. A job that was begun and not completed is begun again, so its work
//! must bear that; where it cannot, claim with `on_abandon` and `on_expiry` at `OnEnd::Halt`.

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use idem::{Claim, Clock, Engine, Key, Lease, ManualClock, Outcome, Scope, Stale, Status};

const LEASE: Duration = Duration::from_secs(30);
const JOBS: usize = 200;
const WORKERS: u64 = 4;

type Failure = Box<dyn Error + Send + Sync>;

struct Runner {
    engine: Engine,
    jobs: Vec<Key>,
    /// How often each job was completed, as its result would be.
    completed: Vec<AtomicU32>,
}

impl Runner {
    /// The lease of a job, if it is free; `worker` is what operators see in the listing.
    fn take(&self, job: usize, worker: u64) -> Result<Option<Lease>, Failure> {
        // `wait(false)`: there are other jobs to do meanwhile.
        let claim = Claim::new(self.jobs[job]).lease(LEASE).wait(false).owner(worker);
        match self.engine.claim(claim)? {
            Outcome::Execute(lease) => Ok(Some(lease)),
            Outcome::InFlight(_) | Outcome::Replay(_) => Ok(None),
            other => Err(format!("job {job}: {other:?}").into()),
        }
    }

    /// Works in steps, and says after each that it is still there. `Stale`: somebody else is at it.
    fn work(&self, job: usize, lease: Lease) -> Result<(), Stale> {
        for _step in 0..3 {
            lease.renew(LEASE)?;
        }
        lease.complete(format!("result of {job}").as_bytes())?;
        self.completed[job].fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn is_done(&self, job: usize) -> bool {
        matches!(self.engine.peek(self.jobs[job]), Ok(Status::Completed { .. }))
    }

    /// Goes round until all jobs are done. Worker 0 dies on its first one, if `is_mortal`.
    fn run_worker(&self, worker: u64, is_mortal: bool) -> Result<(), Failure> {
        // Each begins elsewhere, so that they seldom meet.
        let first = JOBS / WORKERS as usize * worker as usize;
        let mut open: Vec<usize> = (0..JOBS).map(|at| (first + at) % JOBS).collect();
        while !open.is_empty() {
            for job in &open {
                let Some(lease) = self.take(*job, worker)? else { continue };
                if is_mortal && worker == 0 {
                    // The lease is dropped here, as by a panic: the job is free at once.
                    return Ok(());
                }
                self.work(*job, lease)?;
            }
            open.retain(|job| !self.is_done(*job));
            thread::yield_now();
        }
        Ok(())
    }

    fn run(&self, is_mortal: bool) -> Result<(), Failure> {
        thread::scope(|scope| {
            let start = |worker| scope.spawn(move || self.run_worker(worker, is_mortal));
            let workers: Vec<_> = (0..WORKERS).map(start).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
        })
    }
}

fn main() -> Result<(), Failure> {
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(Clock::manual(&clock)).build()?;
    let job = |number: usize| engine.key(Scope::None, &number.to_le_bytes());
    let jobs = (0..JOBS).map(job).collect::<Result<Vec<_>, _>>()?;
    let completed = (0..JOBS).map(|_| AtomicU32::new(0)).collect();
    let runner = Runner { engine, jobs, completed };

    // A worker of before has job 7, and hangs: nobody does it while its lease holds.
    let hung = runner.take(7, 99)?.ok_or("job 7 is free")?;
    assert!(runner.take(7, 1)?.is_none());
    // Then the lease runs out, and the others do it as well.
    clock.advance(LEASE);
    runner.run(true)?;

    // It wakes up, and learns that its result is not wanted.
    assert_eq!(runner.work(7, hung), Err(Stale));
    let twice = runner.completed.iter().filter(|times| times.load(Ordering::Relaxed) != 1).count();
    if twice > 0 {
        return Err(format!("{twice} jobs were not completed exactly once").into());
    }
    let stats = runner.engine.stats();
    assert_eq!((stats.completes, stats.lease_expiries), (JOBS as u64, 1));
    println!("{JOBS} jobs, {} begun, each completed once", stats.executes);
    Ok(())
}
