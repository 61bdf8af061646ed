//! Everything the engine has, at full load, on real threads and a real clock; and a verdict.
//!
//! Workers claim, complete, cancel, wait, run, force, clear and so on, at random, with two engines
//! at a time. What must hold is judged without asking the engine:
//!
//! - **double**: no key has two owners whose leases are surely live, nor is executed while it
//!   surely has a record (`marks.rs`). `fencing`: what an owner of a live lease does counts.
//!   `drill`: what an owner does whose lease was ended from outside, or whose key was taken away,
//!   does not.
//! - **bytes**: a response is, byte for byte, what its owner wrote for that key (`body.rs`).
//!   `refused`: and never one that the engine refused.
//! - **answer, mismatch, closed**: a key that surely has a record is never vacant or refused for
//!   room, another fingerprint never gets a response, and a closed engine executes nothing new.
//! - **counts, hooks**: the engine's counts are those of the workers, and of its hook (`book.rs`).
//! - **limits, memory**: no limit is passed, and resident memory does not grow (`monitor.rs`).
//! - **drain, hang**: at the end nothing is left, and nobody has waited for ever (`verdict.rs`).
//! - **coverage**: in a run of some length, all of it has happened.
//!
//! `--sabotage` plants a defect, and the verdict must name it; `make test` sees that it does.
//! Latencies are told, and judged by nobody.

mod actor;
mod body;
mod book;
mod claims;
mod ends;
mod faults;
mod latency;
mod marks;
mod monitor;
mod operators;
mod options;
mod pool;
#[path = "../absorb/random.rs"]
mod random;
mod rig;
mod runs;
mod time;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::actor::{Actor, Soak};
use crate::body::Desk;
use crate::book::Book;
use crate::faults::Faults;
use crate::latency::Latencies;
use crate::options::Options;
use crate::pool::Pool;
use crate::rig::Rig;

const EXIT_FAULT: u8 = 1;
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::help());
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("soak: {problem} (see --help)");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let Options { seconds, threads, seed, .. } = options;
    println!("soak: {seconds} s, {threads} threads, seed {seed}");
    let soak = match start(options) {
        Ok(soak) => Arc::new(soak),
        Err(problem) => {
            println!("verdict: not begun: {problem}");
            return ExitCode::from(EXIT_FAULT);
        }
    };
    soak_all(&soak);
    let Some(faults) = soak.faults.summary() else {
        println!("verdict: all is well");
        return ExitCode::SUCCESS;
    };
    println!("verdict: failed: {faults}");
    ExitCode::from(EXIT_FAULT)
}

fn start(options: Options) -> Result<Soak, String> {
    let threads = options.threads;
    Ok(Soak {
        options,
        rigs: [Rig::new(0, threads)?, Rig::new(1, threads)?],
        faults: Faults::default(),
        desks: (0..threads).map(|_| Desk::new()).collect(),
        books: (0..threads).map(|_| [Book::new(), Book::new()]).collect(),
        latencies: (0..threads).map(|_| Latencies::new()).collect(),
        rounds: (0..threads).map(|_| AtomicU64::new(0)).collect(),
        pool: Pool::default(),
        begin: Instant::now(),
        is_over: AtomicBool::new(false),
        fresh: AtomicU64::new(0),
    })
}

fn soak_all(soak: &Arc<Soak>) {
    let workers: Vec<_> = (0..soak.options.threads as u8)
        .map(|worker| {
            let actor = Actor::new(soak.clone(), worker);
            std::thread::spawn(move || work(actor))
        })
        .collect();
    let watched = monitor::watch(soak);
    // Release: pairs with the Acquire in `work`.
    soak.is_over.store(true, Ordering::Release);
    let Ok(resident) = watched else {
        // Who hangs is not waited for.
        return;
    };
    for worker in workers {
        if worker.join().is_err() {
            soak.faults.add("panic", "a worker panicked");
        }
    }
    verdict::drain(soak);
    verdict::compare(soak);
    print!("{}", verdict::report(soak, resident));
}

/// The life of a worker.
fn work(mut actor: Actor) {
    let soak = actor.soak.clone();
    // Acquire: pairs with the Release in `soak_all`.
    while !soak.is_over.load(Ordering::Acquire) {
        soak.rounds[usize::from(actor.worker)].fetch_add(1, Ordering::Relaxed);
        match actor.random.below(1000) {
            0..500 => actor.claim(),
            500..560 => actor.claim_batch(),
            560..680 => actor.run(),
            680..760 => actor.peek(),
            760..800 => actor.once(),
            800..830 => actor.operate(),
            830..850 => actor.drill(),
            850..851 => actor.clear(),
            851..853 => actor.list(),
            853..860 => actor.settle_any(),
            860..861 => actor.stray(),
            861..960 => actor.let_go(),
            _ => actor.rest(),
        }
        soak.pool.poll_one();
    }
    // Abandoned, dropped and called back: all that is still in the hand.
    if let Some(mut hand) = actor.hand.take() {
        for owned in hand.leases.drain(..) {
            actor.end(owned);
        }
        hand.leaked.drain(..).for_each(std::mem::forget);
    }
}
