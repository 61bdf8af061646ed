//! Latencies by powers of two, each in eight parts: for reports, never for the verdict.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What is timed.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Timed {
    Executes,
    Replays,
    Refusals,
    Batch,
    Complete,
    Peek,
    Wait,
    Run,
}

const NAMES: [&str; 8] = [
    "claim: execute",
    "claim: replay",
    "claim: other",
    "claim_batch",
    "complete",
    "peek",
    "wait",
    "run",
];

const PARTS: u32 = 3;
const BUCKETS: usize = (64 << PARTS) as usize;

pub(crate) struct Latencies([Box<[AtomicU64]>; NAMES.len()]);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| (0..BUCKETS).map(|_| AtomicU64::new(0)).collect()))
    }

    pub(crate) fn add(&self, what: Timed, begin: Instant) {
        let nanos = begin.elapsed().as_nanos() as u64 | 1 << PARTS;
        let power = nanos.ilog2();
        let part = nanos >> (power - PARTS) & ((1 << PARTS) - 1);
        let bucket = (power << PARTS) as usize + part as usize;
        // Relaxed: counts.
        self.0[what as usize][bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// A table of what several have counted.
    pub(crate) fn table<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> String {
        let mut table = format!(
            "{:<16}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
            "latency, us", "count", "50 %", "99 %", "99.9 %", "most"
        );
        for (what, name) in NAMES.iter().enumerate() {
            let count = |bucket: usize| -> u64 {
                all.clone().map(|one| one.0[what][bucket].load(Ordering::Relaxed)).sum()
            };
            let counts: Vec<u64> = (0..BUCKETS).map(count).collect();
            let total: u64 = counts.iter().sum();
            let at = |part: f64| {
                let wanted = ((total as f64 * part).ceil() as u64).max(1);
                let mut so_far = 0;
                let found = counts.iter().position(|count| {
                    so_far += count;
                    so_far >= wanted
                });
                found.map_or(0.0, upper_end_us)
            };
            let [half, most, nearly, all] = [0.5, 0.99, 0.999, 1.0].map(at);
            let _ = writeln!(
                table,
                "{name:<16}{total:>12}{half:>12.1}{most:>12.1}{nearly:>12.1}{all:>12.1}"
            );
        }
        table
    }
}

fn upper_end_us(bucket: usize) -> f64 {
    let (power, part) = (bucket >> PARTS, bucket & ((1 << PARTS) - 1));
    let parts = (1 << PARTS) as f64;
    2_f64.powi(power as i32) * (1.0 + (part + 1) as f64 / parts) / 1000.0
}
