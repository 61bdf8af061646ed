//! Threads on few keys for `tools/tsan.sh`: everything the engine can do, at the same time, while
//! ThreadSanitizer looks on, and the answers are checked.
//!
//! ```text
//! races [--seconds N] [--seed N]   rounds of an engine and its threads, for N seconds
//! races --plant RACE               a race that ThreadSanitizer must report (see `planted`)
//! ```
//!
//! The threads meet at nothing but the engine, so that nothing else orders them. Which comes first
//! is not repeatable; what they do is.

mod ledger;
mod planted;
#[path = "../../tests/random/mod.rs"]
mod random;
mod threads;
mod worker;
mod world;

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use idem::Stats;
use random::Random;
use threads::Job;
use worker::Worker;
use world::{Shape, World};

const WORKERS: usize = 4;
const STEPS: u64 = 1000;

/// What must have happened: quiet rounds in which it has not would say nothing of it.
const SEEN: [(&str, fn(&Stats) -> u64); 23] = [
    ("executes", |stats| stats.executes),
    ("replays", |stats| stats.replays),
    ("tombstones", |stats| stats.tombstones),
    ("mismatches", |stats| stats.mismatches),
    ("cancelled", |stats| stats.cancelled),
    ("halted", |stats| stats.halted),
    ("full of records", |stats| stats.full_records),
    ("full of bytes", |stats| stats.full_bytes),
    ("full of waiters", |stats| stats.full_waiters),
    ("closed", |stats| stats.closed),
    ("cancels", |stats| stats.cancels),
    ("halts", |stats| stats.halts),
    ("renews", |stats| stats.renews),
    ("late or stale", |stats| stats.late + stats.stale),
    ("hand-overs", |stats| stats.hand_overs),
    ("leases expired", |stats| stats.lease_expiries),
    ("records expired", |stats| stats.expired),
    ("waits timed out", |stats| stats.timed_out),
    ("wakes", |stats| stats.wakes),
    ("detached", |stats| stats.detached),
    ("forced", |stats| stats.forced),
    ("forgotten", |stats| stats.forgotten),
    ("resolved", |stats| stats.resolved),
];

struct Options {
    time: Duration,
    seed: u64,
    plant: Option<String>,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { time: Duration::from_secs(5), seed: 1, plant: None };
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--seconds" => options.time = Duration::from_secs(value.parse()?),
            "--seed" => options.seed = value.parse()?,
            "--plant" => options.plant = Some(value),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(options)
}

/// One engine from its beginning to its end.
fn round(seed: u64, number: u64) -> Stats {
    let mut random = Random(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let shape = Shape::new(number, &mut random);
    let world = World::new(&shape, WORKERS);
    let mut executes = vec![vec![0; shape.key_count]; WORKERS];
    let mut jobs: Vec<Job<'_>> =
        vec![Box::new(|| world.run_clock()), Box::new(|| world.run_ticks())];
    for (number, counts) in executes.iter_mut().enumerate() {
        let closes = shape.closes && number == 0;
        let worker = Worker::new(&world, &shape, counts, random.below(u64::MAX));
        jobs.push(Box::new(move || worker.run(STEPS, closes)));
    }
    threads::run_all(jobs);
    world.finish(&executes)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = options()?;
    if let Some(race) = &options.plant {
        planted::run(race)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("races: seed {}", options.seed);
    let (begin, mut rounds, mut seen) = (Instant::now(), 0, [0; SEEN.len()]);
    while rounds < 2 * Shape::COUNT || begin.elapsed() < options.time {
        let stats = round(options.seed, rounds);
        seen.iter_mut().zip(SEEN).for_each(|(sum, (_, count))| *sum += count(&stats));
        rounds += 1;
    }
    for (count, (what, _)) in seen.iter().zip(SEEN) {
        println!("{count:9} {what}");
    }
    let is_full = seen.iter().all(|count| *count > 0);
    let verdict = if is_full { "every answer right" } else { "some of this never happened" };
    println!("races: {rounds} rounds: {verdict}");
    Ok(ExitCode::from(u8::from(!is_full)))
}
