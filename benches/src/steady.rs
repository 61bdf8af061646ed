//! Worker threads, and how long they are timed.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::adapter::Tally;
use crate::machine;

/// What one worker thread does.
pub(crate) trait Worker: Send {
    /// What is not measured: fills the table. All workers are through before any is timed.
    fn prepare(&mut self);

    /// Some steps, few enough that the end of the time is not missed by much. Returns how many.
    fn batch(&mut self) -> u64;

    /// The measured time begins.
    fn begin(&mut self) {}

    /// Checks that could not be made while time ran, and says what was seen.
    fn finish(&mut self) -> Tally;
}

/// What the workers did in the measured time.
pub(crate) struct Timed {
    /// Steps of all workers.
    pub(crate) steps: u64,
    /// The measured time.
    pub(crate) time: Duration,
    /// When it began.
    pub(crate) start: Instant,
    /// The mean of what `probe` said when the time began and when it ended.
    pub(crate) probed: usize,
    /// What the workers saw, in and out of the measured time.
    pub(crate) tally: Tally,
}

const WARMING: u8 = 0;
const RUNNING: u8 = 1;
const STOPPED: u8 = 2;

/// Runs one worker on each of `threads` threads for `warm` and then for `time`.
pub(crate) fn steady<W: Worker>(
    threads: usize,
    pin: bool,
    (warm, time): (Duration, Duration),
    make: impl Fn(usize) -> W + Sync,
    probe: impl Fn() -> usize,
) -> Timed {
    warmed(threads, pin, (|| thread::sleep(warm), time), make, probe)
}

/// Runs one worker on each of `threads` threads until `warm_up` returns and then for `time`.
///
/// A batch counts if the time ran when it began, so the one that is under way when the time ends
/// makes up for the one that was when it began.
pub(crate) fn warmed<W: Worker>(
    threads: usize,
    pin: bool,
    (warm_up, time): (impl FnOnce(), Duration),
    make: impl Fn(usize) -> W + Sync,
    probe: impl Fn() -> usize,
) -> Timed {
    let phase = AtomicU8::new(WARMING);
    let ready = Barrier::new(threads + 1);
    let work = |index: usize| {
        if pin {
            machine::pin(index);
        }
        let mut worker = make(index);
        worker.prepare();
        ready.wait();
        while phase.load(Ordering::Relaxed) == WARMING {
            worker.batch();
        }
        worker.begin();
        let mut steps = 0;
        while phase.load(Ordering::Relaxed) == RUNNING {
            steps += worker.batch();
        }
        (steps, worker)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|index| scope.spawn(move || work(index))).collect();
        ready.wait();
        warm_up();
        let at_start = probe();
        let start = Instant::now();
        phase.store(RUNNING, Ordering::Relaxed);
        thread::sleep(time);
        phase.store(STOPPED, Ordering::Relaxed);
        let time = start.elapsed();
        let at_end = probe();
        let probed = at_start.midpoint(at_end);
        let mut timed = Timed { steps: 0, time, start, probed, tally: Tally::default() };
        for worker in workers {
            let (steps, mut worker) = worker.join().expect("a worker found a wrong answer");
            timed.steps += steps;
            timed.tally.add(&worker.finish());
        }
        timed
    })
}

/// Runs `body` on each of `threads` threads, from one instant on, and returns what each returned
/// with the time from that instant until the last was done.
pub(crate) fn together<T: Send>(
    threads: usize,
    pin: bool,
    body: impl Fn(usize) -> T + Sync,
) -> (Vec<T>, Duration) {
    let ready = Barrier::new(threads + 1);
    let work = |index: usize| {
        if pin {
            machine::pin(index);
        }
        ready.wait();
        let start = Instant::now();
        let made = body(index);
        (made, start, Instant::now())
    };
    let mut made = Vec::with_capacity(threads);
    let mut span: Option<(Instant, Instant)> = None;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|index| scope.spawn(move || work(index))).collect();
        ready.wait();
        for worker in workers {
            let (one, start, end) = worker.join().expect("a worker found a wrong answer");
            made.push(one);
            span =
                Some(span.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
        }
    });
    let time = span.map_or(Duration::ZERO, |(start, end)| end - start);
    (made, time)
}
