//! The workloads, by name, and the one row of the table that a sample is taken of.

use std::time::Duration;

use crate::adapter::Setup;

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
    /// Resident memory for each record.
    Bytes,
}

impl Workload {
    /// All of them, in the order of the tables.
    pub(crate) const ALL: [Self; 5] =
        [Self::Churn, Self::Fill, Self::Replay, Self::Hot, Self::Bytes];

    /// Its name on the command line, in tables and in the CSV.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Churn => "churn",
            Self::Fill => "fill",
            Self::Replay => "replay",
            Self::Hot => "hot",
            Self::Bytes => "bytes",
        }
    }

    /// What it measures.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Churn => "steps/s: claim and complete a new key, the oldest leaves; N live",
            Self::Fill => "keys/s: claim and complete N new keys in an empty, preallocated table",
            Self::Replay => "claims/s of completed keys, uniform over N",
            Self::Hot => "claims/s of one completed key",
            Self::Bytes => "growth of resident memory by a fill of N keys, divided by N",
        }
    }

    /// The workload called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }
}

/// One row of the table: everything but the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What the workers do.
    pub(crate) workload: Workload,
    /// Keys that live at once: N.
    pub(crate) keys: usize,
    /// Worker threads.
    pub(crate) threads: usize,
    /// Bytes of each response.
    pub(crate) payload: usize,
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
    /// The headroom is for engines whose keys leave a little after they are due; it is the same
    /// for all, and too small to change the size that tables of powers of two round up to.
    pub(crate) fn setup(&self) -> Setup {
        let Row { workload, keys, threads, payload } = self.row;
        let headroom = if workload == Workload::Churn { keys / 16 + (16 << 10) } else { 0 };
        let records = keys + headroom;
        Setup {
            records,
            // Room for headers and rounding, which count where an engine counts them.
            bytes: records as u64 * (payload as u64 + 128) * 3 / 2 + (16 << 20),
            live: if workload == Workload::Churn { keys } else { 0 },
            lanes: threads,
            lease: Duration::from_secs(30),
            retention: Duration::from_hours(24),
            manual_time: false,
        }
    }
}
