//! The workloads, by name, and the one row of the table that a sample is taken of.
//!
//! A workload that every engine can do is a variant here, with what it measures; a function in
//! `runner/` and its arm in `runner::run`; the operation in `adapter.rs`, where it has a new one
//! (with a body there, if the peers do it by what they have); and its rows in `plan.rs`. One for
//! libidem alone, or with a baseline of its own, is a function of a row that is put on the list
//! of `adapters/mod.rs`. What is to be reached goes into `targets.rs`.

use std::time::Duration;

use crate::adapter::Setup;
use crate::payload::Payload;

/// What the worker threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Steady state: each new key pushes the oldest out.
    Churn,
    /// New keys into an empty table.
    Fill,
    /// Duplicates of keys drawn uniformly.
    Replay,
    /// Duplicates of one key.
    Hot,
    /// Looks at one completed key, which copy its bytes.
    Peek,
    /// Duplicates of keys drawn uniformly, sixteen at a time.
    Batch,
    /// Resident memory for each record.
    Bytes,
    /// How long one claim takes.
    Latency,
    /// How long one claim takes while very many records expire.
    Expiry,
    /// How long it takes until all waiters of a key are released.
    Wake,
    /// Churn with a hook that counts every event, and without.
    Hooks,
}

/// What is told of a workload's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Millions of operations a second.
    Speed,
    /// Bytes of resident memory a record, beyond its payload.
    Beyond,
    /// Nanoseconds that half of the operations did not exceed.
    P50,
    /// Nanoseconds that 99 of 100 did not exceed.
    P99,
    /// Nanoseconds that 999 of 1000 did not exceed.
    P999,
}

impl Measure {
    /// What is put behind the workload's name.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Speed | Self::Beyond => "",
            Self::P50 => " p50",
            Self::P99 => " p99",
            Self::P999 => " p99.9",
        }
    }

    /// Digits behind the point.
    pub(crate) const fn decimals(self) -> usize {
        match self {
            Self::Speed | Self::Beyond => 2,
            Self::P50 | Self::P99 | Self::P999 => 0,
        }
    }

    /// Whether more is better.
    pub(crate) const fn more_is_better(self) -> bool {
        matches!(self, Self::Speed)
    }
}

impl Workload {
    /// All of them, in the order of the tables.
    pub(crate) const ALL: [Self; 11] = [
        Self::Churn,
        Self::Fill,
        Self::Replay,
        Self::Hot,
        Self::Peek,
        Self::Batch,
        Self::Latency,
        Self::Expiry,
        Self::Wake,
        Self::Hooks,
        Self::Bytes,
    ];

    /// Its name on the command line, in tables and in the CSV.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Churn => "churn",
            Self::Fill => "fill",
            Self::Replay => "replay",
            Self::Hot => "hot",
            Self::Peek => "peek",
            Self::Batch => "batch",
            Self::Bytes => "bytes",
            Self::Latency => "latency",
            Self::Expiry => "expiry",
            Self::Wake => "wake",
            Self::Hooks => "hooks",
        }
    }

    /// What it measures.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Churn => "steps/s: claim and complete a new key, the oldest leaves; N live",
            Self::Fill => "keys/s: claim and complete N new keys in an empty, preallocated table",
            Self::Replay => "claims/s of completed keys, uniform over N",
            Self::Hot => "claims/s of one completed key",
            Self::Peek => "looks/s at one completed key, its bytes copied out",
            Self::Batch => "claims/s of completed keys in batches of 16, uniform over N",
            Self::Bytes => "growth of resident memory by a fill of N keys, less payload, by N",
            Self::Latency => "time of one claim: 10 % new keys, 90 % duplicates, uniform over N",
            Self::Expiry => "time of one claim while N records of equal deadline expire",
            Self::Hooks => "steps/s of churn with a hook that counts every event, and without",
            Self::Wake => "time from complete until the last of the blocked waiters is released",
        }
    }

    /// What is told of it, the figure that counts most last.
    pub(crate) const fn measures(self) -> &'static [Measure] {
        match self {
            Self::Churn
            | Self::Fill
            | Self::Replay
            | Self::Hot
            | Self::Peek
            | Self::Batch
            | Self::Hooks => &[Measure::Speed],
            Self::Bytes => &[Measure::Beyond],
            Self::Latency => &[Measure::P50, Measure::P99, Measure::P999],
            Self::Expiry => &[Measure::P99],
            Self::Wake => &[Measure::P50],
        }
    }

    /// Whether it is the job of `adapter.rs`, which every engine can do.
    pub(crate) const fn is_the_job(self) -> bool {
        !matches!(self, Self::Expiry | Self::Wake | Self::Hooks)
    }

    /// Whether each new key pushes the oldest out.
    pub(crate) const fn is_churn(self) -> bool {
        matches!(self, Self::Churn | Self::Hooks)
    }

    /// The workload called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }
}

/// What engines are given as keys, and who hashes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hashing {
    /// 128 random bits, which need no hash.
    Ready,
    /// 36 bytes of text, and whatever each engine hashes them with unless told otherwise.
    Default,
}

impl Hashing {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Ready, Self::Default];

    /// Its name on the command line and in the CSV.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Default => "default",
        }
    }

    /// The one called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hashing| hashing.name() == name)
    }
}

/// One row of the table: everything but the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What the workers do.
    pub(crate) workload: Workload,
    /// What keys are.
    pub(crate) hashing: Hashing,
    /// Keys that live at once: N.
    pub(crate) keys: usize,
    /// Worker threads; in `wake`, waiters.
    pub(crate) threads: usize,
    /// Bytes of each response.
    pub(crate) payload: Payload,
}

/// One sample to take.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// The engine's name.
    pub(crate) engine: String,
    /// The row.
    pub(crate) row: Row,
    /// How long a workload without an end of its own is measured.
    pub(crate) time: Duration,
    /// Whether worker t is bound to processor t modulo their number.
    pub(crate) pin: bool,
}

impl Spec {
    /// What every engine is built for in this row.
    ///
    /// In churn the headroom is for engines whose keys leave a little after they are due; it is
    /// the same for all, and too small to change the size that tables of powers of two round up
    /// to. In the latency row it is for the new keys, which stay.
    pub(crate) fn setup(&self) -> Setup {
        let Row { workload, keys, threads, payload, .. } = self.row;
        let headroom = match workload {
            _ if workload.is_churn() => keys / 16 + (16 << 10),
            Workload::Latency => new_keys_max(threads, self.time),
            _ => 0,
        };
        let records = keys + headroom;
        Setup {
            records,
            bytes: bytes_for(records, payload),
            live: if workload.is_churn() { keys } else { 0 },
            lanes: threads,
            lease: Duration::from_secs(30),
            retention: Duration::from_hours(24),
            manual_time: false,
        }
    }
}

/// A byte bound for `records` responses, with room for headers and rounding, which count where an
/// engine counts them.
pub(crate) fn bytes_for(records: usize, payload: Payload) -> u64 {
    records as u64 * (payload.of_a_hundred() / 100 + 128) * 3 / 2 + (16 << 20)
}

/// One claim in so many is of a new key, in the workloads that time claims one by one.
pub(crate) const NEW_EVERY: usize = 10;

/// More keys than can be new in a warm-up and `time`: no processor gets through ten million claims
/// a second with two looks at the clock around each.
pub(crate) fn new_keys_max(threads: usize, time: Duration) -> usize {
    const CLAIMS_PER_MS: usize = 10_000;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let millis = usize::try_from(time.as_millis()).expect("less than 584 million years");
    processors.min(threads) * CLAIMS_PER_MS / NEW_EVERY * (millis * 3 / 2 + 20)
}
