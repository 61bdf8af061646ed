//! One sample: one engine, one row, a process of its own.

use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::adapter::{Adapter, Claim, Completed, Setup, Tally};
use crate::adapters;
use crate::keys::{self, Key, Random};
use crate::machine;
use crate::steady::{self, Timed, Worker};
use crate::workload::{Row, Spec, Workload};

/// Steps between two looks at whether time is up.
const BATCH: u64 = 64;

/// One step in so many has its whole response compared, and in churn its key claimed once more.
const CHECK_EVERY: u64 = 1024;

/// How long a worker waits for room before the sample is given up.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Where worker `t` begins to count: no two workers' keys meet.
const COUNTERS_PER_LANE: u64 = 1 << 40;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Operations in the measured time.
    pub(crate) operations: u64,
    /// The measured time.
    pub(crate) nanos: u64,
    /// Keys that had a record: churn's mean, elsewhere the count at the end.
    pub(crate) live: u64,
    /// Claims that said `Full` and were tried again.
    pub(crate) fulls: u64,
    /// By how much the fill made resident memory grow (bytes workload only).
    pub(crate) resident: u64,
}

impl Sample {
    /// The line in which a sample's process hands its figures on.
    fn line(&self) -> String {
        let Self { operations, nanos, live, fulls, resident } = self;
        format!("sample {operations} {nanos} {live} {fulls} {resident}")
    }

    /// Reads what `line` wrote.
    pub(crate) fn from_line(text: &str) -> Option<Self> {
        let mut fields = text.trim().strip_prefix("sample ")?.split(' ').map(str::parse);
        let mut next = || fields.next()?.ok();
        Some(Self {
            operations: next()?,
            nanos: next()?,
            live: next()?,
            fulls: next()?,
            resident: next()?,
        })
    }

    fn of(timed: &Timed) -> Self {
        Self {
            operations: timed.steps,
            nanos: nanos(timed.time),
            live: timed.probed as u64,
            fulls: timed.tally.fulls,
            resident: 0,
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("less than 584 years")
}

/// Takes the sample that the command line asks for and prints it.
pub(crate) fn sample(spec: &Spec) -> ExitCode {
    let Some(engine) = adapters::named(&spec.engine) else {
        eprintln!("no engine is called {}", spec.engine);
        return ExitCode::from(2);
    };
    println!("{}", (engine.run)(spec).line());
    // The process ends here: nothing waits for millions of records to be freed one by one.
    std::process::exit(0)
}

/// Takes one sample of `A`.
pub(crate) fn run<A: Adapter>(spec: &Spec) -> Sample {
    match spec.row.workload {
        Workload::Churn if A::LEAVES_BY_TIME => churn_by_time::<A>(spec),
        Workload::Churn => churn_once::<A>(spec, &spec.setup(), spec.time / 4),
        Workload::Fill => fill::<A>(spec),
        Workload::Bytes => bytes::<A>(spec),
        // The hot row is a replay row with one key.
        Workload::Replay | Workload::Hot => replay::<A>(spec),
    }
}

/// What all workers share: an engine, and the claims and completions with their checks.
struct Hand<'a, A: Adapter> {
    adapter: &'a A,
    lane: A::Lane,
    response: Vec<u8>,
    tally: Tally,
}

impl<'a, A: Adapter> Hand<'a, A> {
    fn new(adapter: &'a A, index: usize, payload: usize) -> Self {
        Self {
            adapter,
            lane: adapter.lane(index),
            response: vec![0; payload],
            tally: Tally { payload: payload as u64, ..Tally::default() },
        }
    }

    /// Claims a key that nobody has claimed, and completes it.
    fn execute(&mut self, key: Key) {
        let fingerprint = keys::fingerprint(key);
        let mut claim = self.adapter.claim(&mut self.lane, key, fingerprint);
        if matches!(claim, Claim::Full) {
            claim = self.wait_for_room(key);
        }
        let Claim::Execute(ticket) = claim else {
            panic!("{}: a new key is to be executed", A::NAME);
        };
        self.complete(key, ticket);
    }

    fn complete(&mut self, key: Key, ticket: A::Ticket<'_>) {
        self.tally.executes += 1;
        keys::write_response(key, &mut self.response);
        let completed = self.adapter.complete(&mut self.lane, ticket, &self.response);
        assert_eq!(completed, Completed::Stored, "{}", A::NAME);
    }

    #[cold]
    fn wait_for_room(&mut self, key: Key) -> Claim<A::Ticket<'a>, A::Handle> {
        let adapter = self.adapter;
        let since = Instant::now();
        loop {
            self.tally.fulls += 1;
            assert!(since.elapsed() < STUCK_AFTER, "{}: no room in the table", A::NAME);
            std::thread::yield_now();
            let claim = adapter.claim(&mut self.lane, key, keys::fingerprint(key));
            if !matches!(claim, Claim::Full) {
                return claim;
            }
        }
    }

    /// Claims a key that is completed; compares the whole response if `fully`.
    fn replay(&mut self, key: Key, fully: bool) {
        let claim = self.adapter.claim(&mut self.lane, key, keys::fingerprint(key));
        let Claim::Replay(handle) = claim else {
            panic!("{}: a completed key is to be replayed", A::NAME);
        };
        self.see(key, &handle, fully);
    }

    /// Claims a key that is completed or has expired; whether it was executed, and so completed,
    /// anew.
    fn replay_or_execute(&mut self, key: Key) -> bool {
        let adapter = self.adapter;
        match adapter.claim(&mut self.lane, key, keys::fingerprint(key)) {
            Claim::Replay(handle) => {
                self.see(key, &handle, true);
                false
            }
            Claim::Execute(ticket) => {
                self.complete(key, ticket);
                true
            }
            _ => panic!("{}: a key is to be replayed or executed", A::NAME),
        }
    }

    fn see(&mut self, key: Key, handle: &[u8], fully: bool) {
        self.tally.replays += 1;
        let length = self.response.len();
        let right = if fully {
            keys::is_response(key, handle, length)
        } else {
            keys::begins_like(key, handle, length)
        };
        assert!(right, "{}: a replay is not the key's own response", A::NAME);
    }
}

/// Claims and completes new keys; each pushes out the oldest.
struct Churner<'a, A: Adapter> {
    hand: Hand<'a, A>,
    first: u64,
    steps: u64,
    /// How many keys of this worker, and of all workers, live at once.
    live: (u64, u64),
    retention: Duration,
    begun: Instant,
}

impl<A: Adapter> Churner<'_, A> {
    fn key(&self, step: u64) -> Key {
        keys::key(self.first + step)
    }

    fn step(&mut self) {
        let key = self.key(self.steps);
        if self.steps.is_multiple_of(CHECK_EVERY) {
            let since = Instant::now();
            self.hand.execute(key);
            self.claim_again(key, since);
        } else {
            self.hand.execute(key);
        }
        self.hand.adapter.leave(&mut self.hand.lane, key);
        self.steps += 1;
    }

    /// A key just completed is replayed, unless the thread was stopped until it had expired.
    fn claim_again(&mut self, key: Key, since: Instant) {
        if A::LEAVES_EXACTLY {
            return self.hand.replay(key, true);
        }
        let anew = self.hand.replay_or_execute(key);
        assert!(
            !anew || !A::LEAVES_BY_TIME || since.elapsed() >= self.retention,
            "{}: a key was new again before its retention had ended",
            A::NAME
        );
    }

    /// A key of this worker whose time is surely over.
    fn long_due(&self) -> Option<u64> {
        if A::LEAVES_EXACTLY {
            return (self.steps > self.live.0).then(|| self.steps - self.live.0 - 1);
        }
        let over = if A::LEAVES_BY_TIME {
            self.begun.elapsed() >= 2 * self.retention
        } else {
            // The clock has advanced at least as far as this worker has moved it.
            self.steps >= 2 * self.live.1
        };
        over.then_some(0)
    }
}

impl<A: Adapter> Worker for Churner<'_, A> {
    fn prepare(&mut self) {
        // Where keys leave by time, the warm-up fills the table.
        if !A::LEAVES_BY_TIME {
            for _ in 0..self.live.0 {
                self.step();
            }
        }
    }

    fn batch(&mut self) -> u64 {
        for _ in 0..BATCH {
            self.step();
        }
        BATCH
    }

    fn finish(&mut self) -> Tally {
        if A::LEAVES_EXACTLY {
            for step in self.steps.saturating_sub(self.live.0.min(256))..self.steps {
                self.hand.replay(self.key(step), true);
            }
        }
        if let Some(step) = self.long_due() {
            self.hand.execute(self.key(step));
            self.hand.tally.extras += 1;
        }
        self.hand.tally
    }
}

fn churn_once<A: Adapter>(spec: &Spec, setup: &Setup, warm: Duration) -> Sample {
    let row = spec.row;
    let adapter = A::new(setup);
    let each = row.keys / row.threads;
    let live = each * row.threads;
    let timed = steady::steady(
        row.threads,
        spec.pin,
        (warm, spec.time),
        |index| Churner {
            hand: Hand::new(&adapter, index, row.payload),
            first: index as u64 * COUNTERS_PER_LANE,
            steps: 0,
            live: (each as u64, live as u64),
            retention: setup.retention,
            begun: Instant::now(),
        },
        // Counting may take locks; where the count is known it is not asked for while time runs.
        || if A::LEAVES_EXACTLY { live } else { adapter.live() },
    );
    if A::LEAVES_EXACTLY {
        let extras = usize::try_from(timed.tally.extras).expect("one for each worker");
        assert_eq!(adapter.live(), live + extras, "{}: the oldest keys have left", A::NAME);
    }
    audit(&adapter, &timed.tally);
    if !A::LEAVES_BY_TIME {
        // The process is about to end. The others may try again and must not leave a thread.
        std::mem::forget(adapter);
    }
    Sample::of(&timed)
}

/// Churn in which keys leave as real time passes: finds the retention at which the wanted number
/// lives, beginning with one that is too short for any engine.
fn churn_by_time<A: Adapter>(spec: &Spec) -> Sample {
    const ATTEMPTS_MAX: u32 = 10;
    let wanted = real(spec.row.keys as u64);
    let mut setup = spec.setup();
    setup.retention = Duration::from_secs_f64(wanted / 10e6);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let sample = churn_once::<A>(spec, &setup, setup.retention * 3 / 2);
        let share = real(sample.live) / wanted;
        if (share - 1.0).abs() <= 0.1 || attempts == ATTEMPTS_MAX {
            return sample;
        }
        setup.retention = setup.retention.div_f64(share.clamp(0.1, 10.0));
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one sample are below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

/// The keys that worker `index` fills in.
fn share(spec: &Spec, index: usize) -> Range<u64> {
    let Row { keys, threads, .. } = spec.row;
    let cut = |index: usize| (keys * index / threads) as u64;
    cut(index)..cut(index + 1)
}

/// Fills `adapter`, and says how long that took.
fn fill_up<'a, A: Adapter>(adapter: &'a A, spec: &Spec) -> (Vec<Hand<'a, A>>, Duration) {
    let row = spec.row;
    steady::together(row.threads, spec.pin, |index| {
        let mut hand = Hand::new(adapter, index, row.payload);
        for counter in share(spec, index) {
            hand.execute(keys::key(counter));
        }
        hand
    })
}

/// Replays every key in full.
fn check_fill<A: Adapter>(adapter: &A, spec: &Spec, hands: Vec<Hand<'_, A>>) {
    assert_eq!(adapter.live(), spec.row.keys, "{}: every key has a record", A::NAME);
    let mut tally = Tally::default();
    for (index, mut hand) in hands.into_iter().enumerate() {
        for counter in share(spec, index) {
            hand.replay(keys::key(counter), true);
        }
        tally.add(&hand.tally);
    }
    audit(adapter, &tally);
}

fn fill<A: Adapter>(spec: &Spec) -> Sample {
    let adapter = A::new(&spec.setup());
    let (hands, time) = fill_up(&adapter, spec);
    let fulls = hands.iter().map(|hand| hand.tally.fulls).sum();
    check_fill(&adapter, spec, hands);
    std::mem::forget(adapter);
    Sample {
        operations: spec.row.keys as u64,
        nanos: nanos(time),
        live: spec.row.keys as u64,
        fulls,
        resident: 0,
    }
}

fn bytes<A: Adapter>(spec: &Spec) -> Sample {
    let before = machine::resident_bytes();
    let adapter = A::new(&spec.setup());
    let (hands, time) = fill_up(&adapter, spec);
    adapter.settle();
    let after = machine::resident_bytes();
    check_fill(&adapter, spec, hands);
    std::mem::forget(adapter);
    Sample {
        operations: spec.row.keys as u64,
        nanos: nanos(time),
        live: spec.row.keys as u64,
        fulls: 0,
        resident: after.saturating_sub(before),
    }
}

/// Claims keys that are all completed.
struct Replayer<'a, A: Adapter> {
    hand: Hand<'a, A>,
    keys: usize,
    share: Range<u64>,
    random: Random,
    steps: u64,
}

impl<A: Adapter> Worker for Replayer<'_, A> {
    fn prepare(&mut self) {
        for counter in self.share.clone() {
            self.hand.execute(keys::key(counter));
        }
    }

    fn batch(&mut self) -> u64 {
        for _ in 0..BATCH {
            let key = keys::key(self.random.below(self.keys));
            self.hand.replay(key, self.steps.is_multiple_of(CHECK_EVERY));
            self.steps += 1;
        }
        BATCH
    }

    fn finish(&mut self) -> Tally {
        self.hand.tally
    }
}

fn replay<A: Adapter>(spec: &Spec) -> Sample {
    let row = spec.row;
    let adapter = A::new(&spec.setup());
    let timed = steady::steady(
        row.threads,
        spec.pin,
        (spec.time / 4, spec.time),
        |index| Replayer {
            hand: Hand::new(&adapter, index, row.payload),
            keys: row.keys,
            share: share(spec, index),
            random: Random::new(index as u64),
            steps: 0,
        },
        || row.keys,
    );
    assert_eq!(adapter.live(), row.keys, "{}: every key still has a record", A::NAME);
    audit(&adapter, &timed.tally);
    std::mem::forget(adapter);
    Sample::of(&timed)
}

fn audit<A: Adapter>(adapter: &A, tally: &Tally) {
    if let Err(difference) = adapter.audit(tally) {
        panic!("{}: {difference}", A::NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_survives_its_line() {
        let sample = Sample { operations: 1, nanos: 2, live: 3, fulls: 4, resident: 5 };
        assert_eq!(Sample::from_line(&sample.line()), Some(sample));
        assert_eq!(Sample::from_line("sample 1 2"), None);
    }
}
