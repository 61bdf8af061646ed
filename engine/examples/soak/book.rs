//! What workers count, to be compared with what the engine counts.

use std::sync::atomic::{AtomicU64, Ordering};

use idem::{Limit, Stats};

/// What is counted: a name, and what the engine has counted of it.
macro_rules! counts {
    ($($count:ident => $field:ident,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(usize)]
        pub(crate) enum Count { $($count,)* }

        pub(crate) const COUNTS: &[(Count, &str, fn(&Stats) -> u64)] =
            &[$((Count::$count, stringify!($field), |stats| stats.$field),)*];
    };
}

counts! {
    Executes => executes,
    Replays => replays,
    Done => done,
    InFlight => in_flight,
    Mismatches => mismatches,
    Cancelled => cancelled,
    Halted => halted,
    FullRecords => full_records,
    FullBytes => full_bytes,
    FullWaiters => full_waiters,
    FullNamespace => full_namespace,
    FullScope => full_scope,
    Closed => closed,
    Completes => completes,
    Tombstones => tombstones,
    Detached => detached,
    Stale => stale,
    Cancels => cancels,
    Renews => renews,
    TimedOut => timed_out,
    Forced => forced,
    Forgotten => forgotten,
    Resolved => resolved,
}

const KINDS: usize = Count::Resolved as usize + 1;

/// The counts of one worker with one engine.
///
/// Not everything shows: a `run` that is answered does not say whether it has waited. Such things
/// are counted as what *may* have happened; the engine's count must lie between what surely did and
/// that.
pub(crate) struct Book {
    sure: [AtomicU64; KINDS],
    maybe: [AtomicU64; KINDS],
}

impl Book {
    pub(crate) fn new() -> Self {
        let none = || std::array::from_fn(|_| AtomicU64::new(0));
        Self { sure: none(), maybe: none() }
    }

    // Relaxed throughout: counts, and their writers are joined before they are compared.
    pub(crate) fn sure(&self, what: Count) {
        self.sure[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn maybe(&self, all: &[Count]) {
        for &what in all {
            self.maybe[what as usize].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn full(&self, limit: Limit) {
        self.sure(match limit {
            Limit::Records => Count::FullRecords,
            Limit::Bytes => Count::FullBytes,
            Limit::Waiters => Count::FullWaiters,
            Limit::Namespace => Count::FullNamespace,
            Limit::Scope => Count::FullScope,
            // A limit that is new to this program: its count is compared with nothing.
            _ => return,
        });
    }

    /// The least and the most that can have happened, of all these books.
    pub(crate) fn range<'a>(books: impl Iterator<Item = &'a Self>, what: Count) -> (u64, u64) {
        books.fold((0, 0), |(least, most), book| {
            let sure = book.sure[what as usize].load(Ordering::Relaxed);
            let maybe = book.maybe[what as usize].load(Ordering::Relaxed);
            (least + sure, most + sure + maybe)
        })
    }
}
