//! Races on purpose, one for each kind that ThreadSanitizer is to find here. None of them needs
//! luck: the threads agree on who comes first, but in a way that orders nothing. The first stays
//! until the second is done: whoever takes the number of a thread that has ended comes after it.

use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use idem::{Clock, Engine, Key, Lease, ManualClock, Outcome, Reason};

use crate::ledger::Ledger;
use crate::threads::run_all;

const RETENTION: Duration = Duration::from_secs(1);

pub(crate) fn run(race: &str) -> Result<(), Box<dyn Error>> {
    match race {
        "weak-order" => weak_order(),
        "owner-goes-on" => owner_goes_on(&engine(&ManualClock::new())?),
        "reader-goes-on" => {
            let clock = ManualClock::new();
            reader_goes_on(&engine(&clock)?, &clock);
        }
        _ => return Err("--plant weak-order|owner-goes-on|reader-goes-on".into()),
    }
    Ok(())
}

fn engine(clock: &ManualClock) -> Result<Engine, Box<dyn Error>> {
    Ok(Engine::builder()
        .records(16)
        .bytes(4096)
        .retention(RETENTION)
        .clock(Clock::manual(clock))
        .build()?)
}

fn lease(engine: &Engine, key: Key) -> Lease {
    match engine.claim(key) {
        Ok(Outcome::Execute(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

/// Tells another thread that it may go on, and nothing else.
#[derive(Default)]
struct Signal(AtomicBool);

impl Signal {
    fn give(&self) {
        // Relaxed: this is the defect.
        self.0.store(true, Ordering::Relaxed);
    }

    fn wait(&self) {
        while !self.0.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    }
}

/// A plain word, handed over by a flag that is too weak for it.
fn weak_order() {
    let (word, is_written) = (Ledger::new(1), Signal::default());
    run_all(vec![
        Box::new(|| {
            word.add_one(0);
            is_written.give();
        }),
        Box::new(|| {
            is_written.wait();
            word.add_one(0);
        }),
    ]);
}

/// An owner that goes on writing what its lease guarded, after it has ended it.
fn owner_goes_on(engine: &Engine) {
    let (word, key, is_over) = (Ledger::new(1), engine.raw_key(1), Signal::default());
    let is_done = Signal::default();
    run_all(vec![
        Box::new(|| {
            lease(engine, key).cancel(Reason::Owner).expect("the lease holds");
            word.add_one(0);
            is_over.give();
            is_done.wait();
        }),
        Box::new(|| {
            is_over.wait();
            let lease = lease(engine, key);
            word.add_one(0);
            lease.complete(b"done").expect("the lease holds");
            is_done.give();
        }),
    ]);
}

/// A reader that goes on reading a response after it has let go of it.
fn reader_goes_on(engine: &Engine, clock: &ManualClock) {
    let (key, is_read, is_done) = (engine.raw_key(1), Signal::default(), Signal::default());
    lease(engine, key).complete(&[7; 100]).expect("the lease holds");
    run_all(vec![
        Box::new(|| {
            let Ok(Outcome::Replay(replay)) = engine.claim(key) else { panic!("no replay") };
            let bytes = replay.as_ptr();
            drop(replay);
            // SAFETY: none, this is the defect: nobody keeps the response for us any more.
            black_box(unsafe { bytes.read_volatile() });
            is_read.give();
            is_done.wait();
        }),
        Box::new(|| {
            is_read.wait();
            clock.advance(RETENTION);
            lease(engine, key).complete(&[8; 100]).expect("the lease holds");
            is_done.give();
        }),
    ]);
}
