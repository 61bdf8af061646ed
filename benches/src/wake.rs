//! From complete to the last of the blocked waiters: of libidem, beside threads that sleep on bare
//! futexes and are woken the same way, one after the other.
//!
//! A round begins when the system says of every waiter that it sleeps. A waiter's first act is to
//! look at the clock; the last of them ends the round. Owner and waiters share the processors, so
//! a waiter that wakes may run before the owner has woken the next: for both alike.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use idem::{Completion, Engine, Outcome, WaitOutcome};
use parking_lot::Mutex;

use crate::keys;
use crate::machine;
use crate::payload::Payload;
use crate::sample::Sample;
use crate::times::Times;
use crate::workload::{Row, Spec};

/// Between two looks at whether all waiters sleep.
const LOOK_EVERY: Duration = Duration::from_micros(50);

/// Something that waiters sleep at until they are all woken, round after round.
trait Bed: Sync {
    /// What the owner of a round wakes its waiters with.
    type Bell;

    /// Makes round `round` one to sleep in.
    fn make(&self, round: u64) -> Self::Bell;

    /// Sleeps as waiter `index`, after telling that it will, and says when it woke.
    fn sleep(&self, index: usize, round: u64, tell: impl FnOnce()) -> Instant;

    /// Wakes all of them, one after the other.
    fn ring(&self, bell: Self::Bell);
}

/// Waiters of one key: libidem.
pub(crate) fn engine(spec: &Spec) -> Sample {
    sample(spec, &Queue::new(spec.row.payload))
}

/// Threads that sleep on a word each.
#[cfg(target_os = "linux")]
pub(crate) fn futexes(spec: &Spec) -> Sample {
    sample(spec, &bare::Words::new(spec.row.threads))
}

/// Futexes are Linux's.
#[cfg(not(target_os = "linux"))]
pub(crate) fn futexes(_: &Spec) -> Sample {
    panic!("bare futexes take Linux")
}

struct Queue {
    engine: Engine,
    payload: Payload,
}

impl Queue {
    fn new(payload: Payload) -> Self {
        let engine = Engine::builder()
            .records(1 << 18)
            .retention(Duration::from_secs(1))
            .build()
            .expect("the configuration is valid");
        Self { engine, payload }
    }

    fn claim(&self, round: u64) -> Outcome {
        let key = self.engine.raw_key(keys::key(round));
        self.engine.claim(key).expect("the key is this engine's")
    }
}

impl Bed for Queue {
    /// What ends the lease, and with which response.
    type Bell = (idem::Lease, Vec<u8>);

    fn make(&self, round: u64) -> Self::Bell {
        let key = keys::key(round);
        let mut response = vec![0; self.payload.length(key)];
        keys::write_response(key, &mut response);
        match self.claim(round) {
            Outcome::Execute(lease) => (lease, response),
            other => panic!("a new key is to be executed, not {other:?}"),
        }
    }

    fn sleep(&self, _: usize, round: u64, tell: impl FnOnce()) -> Instant {
        let Outcome::InFlight(flight) = self.claim(round) else {
            panic!("the key is in flight");
        };
        tell();
        let outcome = flight.wait();
        let woken = Instant::now();
        let key = keys::key(round);
        match outcome {
            WaitOutcome::Replay(replay)
                if keys::is_response(key, &replay, self.payload.length(key)) => {}
            other => panic!("a waiter is to get the response, not {other:?}"),
        }
        woken
    }

    fn ring(&self, (lease, response): Self::Bell) {
        assert_eq!(lease.complete(&response), Ok(Completion::Stored));
    }
}

#[cfg(target_os = "linux")]
mod bare {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    use crossbeam_utils::CachePadded;
    use rustix::thread::futex::{self, Flags};

    use super::Bed;

    const ASLEEP: u32 = 0;
    const AWAKE: u32 = 1;

    pub(super) struct Words(Box<[CachePadded<AtomicU32>]>);

    impl Words {
        pub(super) fn new(count: usize) -> Self {
            Self((0..count).map(|_| CachePadded::new(AtomicU32::new(AWAKE))).collect())
        }
    }

    impl Bed for Words {
        type Bell = ();

        fn make(&self, _: u64) {
            for word in &self.0 {
                word.store(ASLEEP, Ordering::Relaxed);
            }
        }

        fn sleep(&self, index: usize, _: u64, tell: impl FnOnce()) -> Instant {
            tell();
            let word = &self.0[index];
            while word.load(Ordering::Acquire) == ASLEEP {
                // Woken, or interrupted, or the word has changed: the loop looks again.
                let _ = futex::wait(word, Flags::PRIVATE, ASLEEP, None);
            }
            Instant::now()
        }

        fn ring(&self, (): ()) {
            for word in &self.0 {
                // Release: pairs with the Acquire in `sleep`.
                word.store(AWAKE, Ordering::Release);
                let _ = futex::wake(word, Flags::PRIVATE, 1);
            }
        }
    }
}

/// What the owner and the waiters of all rounds share.
struct Rounds {
    begin: Barrier,
    end: Barrier,
    over: AtomicBool,
    about_to_sleep: AtomicUsize,
    threads: Box<[AtomicI32]>,
    last: Mutex<Option<Instant>>,
}

impl Rounds {
    fn new(waiters: usize) -> Self {
        Self {
            begin: Barrier::new(waiters + 1),
            end: Barrier::new(waiters + 1),
            over: AtomicBool::new(false),
            about_to_sleep: AtomicUsize::new(0),
            threads: (0..waiters).map(|_| AtomicI32::new(0)).collect(),
            last: Mutex::new(None),
        }
    }

    /// Waiter `index`, until the rounds are over.
    fn wait(&self, bed: &impl Bed, index: usize) {
        self.threads[index].store(machine::thread_id(), Ordering::Relaxed);
        for round in 0.. {
            self.begin.wait();
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            // Release: pairs with the Acquire in `all_sleep`; the thread's id is there to be read.
            let tell = || {
                self.about_to_sleep.fetch_add(1, Ordering::Release);
            };
            let woken = bed.sleep(index, round, tell);
            let mut last = self.last.lock();
            *last = (*last).max(Some(woken));
            drop(last);
            self.end.wait();
        }
    }

    fn all_sleep(&self) -> bool {
        // Acquire: pairs with the Release in `wait`. Between telling and sleeping a waiter runs.
        self.about_to_sleep.load(Ordering::Acquire) == self.threads.len()
            && self.threads.iter().all(|id| machine::is_asleep(id.load(Ordering::Relaxed)))
    }

    /// The owner of round `round`: how long it took to wake all of them.
    fn own(&self, bed: &impl Bed, round: u64) -> Duration {
        let bell = bed.make(round);
        self.about_to_sleep.store(0, Ordering::Relaxed);
        self.begin.wait();
        while !self.all_sleep() {
            thread::sleep(LOOK_EVERY);
        }
        let start = Instant::now();
        bed.ring(bell);
        self.end.wait();
        let last = self.last.lock().take().expect("every waiter has woken");
        last.duration_since(start)
    }
}

fn sample(spec: &Spec, bed: &impl Bed) -> Sample {
    let Row { threads: waiters, .. } = spec.row;
    let rounds = Rounds::new(waiters);
    let mut times = Times::new();
    let pin = |index| {
        if spec.pin {
            machine::pin(index);
        }
    };
    thread::scope(|scope| {
        for index in 0..waiters {
            let rounds = &rounds;
            scope.spawn(move || {
                pin(index);
                rounds.wait(bed, index);
            });
        }
        pin(waiters);
        let start = Instant::now();
        for round in 0.. {
            let time = rounds.own(bed, round);
            let so_far = start.elapsed();
            if so_far >= spec.time / 4 {
                times.record(time);
            }
            if so_far >= spec.time * 5 / 4 {
                break;
            }
        }
        rounds.over.store(true, Ordering::Relaxed);
        rounds.begin.wait();
    });
    Sample::of_times(&times, spec.time, 0)
}
