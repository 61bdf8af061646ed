//! The job that is measured, as every engine has to do it.
//!
//! A key and a ready fingerprint are claimed. A new key is to be executed, and completed
//! with bytes. A key in flight is said to be so until its lease ends, and a completed one replays
//! its bytes, shared and not copied, until its retention ends. Another fingerprint is a mismatch.
//! The bytes stored never exceed a bound; over it a tombstone says that the work is done.
//! `conformance.rs` holds every engine to this before anything is measured.

use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::keys::{Fingerprint, Name};
use crate::workload::Workload;

/// What a claim says.
pub(crate) enum Claim<Ticket, Handle> {
    /// The caller owns the key and is to complete it.
    Execute(Ticket),
    /// Somebody else does.
    InFlight,
    /// Completed: the stored bytes.
    Replay(Handle),
    /// Completed; the bytes were not kept.
    Done,
    /// The key is known with another fingerprint.
    Mismatch,
    /// No room for a new key.
    Full,
}

/// What `complete` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completed {
    /// The bytes are replayed from now on.
    Stored,
    /// Over the byte bound: the key is done, its bytes are not kept.
    Tombstone,
    /// The lease had ended and somebody else owns the key.
    Stale,
}

/// What an engine is built for.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Keys to have room for, preallocated where the engine can.
    pub(crate) records: usize,
    /// Bytes of responses that may be stored.
    pub(crate) bytes: u64,
    /// Keys that live at once in steady state; 0 where nothing leaves.
    pub(crate) live: usize,
    /// Worker threads.
    pub(crate) lanes: usize,
    /// How long an owner has.
    pub(crate) lease: Duration,
    /// How long a response is replayed.
    pub(crate) retention: Duration,
    /// Whether time moves by `advance` alone.
    pub(crate) manual_time: bool,
}

/// One engine, doing the job.
pub(crate) trait Adapter: Sync + Sized {
    /// The name in tables and on the command line.
    const NAME: &'static str;
    /// One line on how the job is done.
    const HOW: &'static str;
    /// Whether this is libidem.
    const OURS: bool = false;
    /// Whether a key leaves exactly when `leave` is told of the one that follows it.
    const LEAVES_EXACTLY: bool = true;
    /// Whether keys leave as real time passes, so that the retention decides how many live.
    const LEAVES_BY_TIME: bool = false;
    /// The workloads that this engine is for, if not for all that are the job.
    const ONLY: Option<&'static [Workload]> = None;
    /// Whether a key in flight has its fingerprint checked and its lease ended in time.
    const KNOWS_LEASES: bool = true;

    /// What it is given as a key.
    type Name: Name;
    /// What a worker thread keeps to itself.
    type Lane: Send;
    /// What its owner completes a key with.
    type Ticket<'a>
    where
        Self: 'a;
    /// Stored bytes, shared.
    type Handle: Deref<Target = [u8]>;

    /// A new engine, empty.
    fn new(setup: &Setup) -> Self;

    /// What worker `index` keeps to itself.
    fn lane(&self, index: usize) -> Self::Lane;

    /// Claims the key that `name` names.
    fn claim(
        &self,
        lane: &mut Self::Lane,
        name: Self::Name,
        fingerprint: Fingerprint,
    ) -> Claim<Self::Ticket<'_>, Self::Handle>;

    /// Looks at a completed key without claiming it, and copies its bytes to the end of `into`; false if
    /// there are none.
    fn peek(&self, name: Self::Name, into: &mut Vec<u8>) -> bool;

    /// Claims completed keys, and hands the bytes of each to `see`, in turn. Peers claim one by one.
    fn replay_batch(
        &self,
        lane: &mut Self::Lane,
        names: &[(Self::Name, Fingerprint)],
        mut see: impl FnMut(&[u8]),
    ) {
        for (name, fingerprint) in names {
            if let Claim::Replay(bytes) = self.claim(lane, *name, *fingerprint) {
                see(&bytes);
            }
        }
    }

    /// Completes what `ticket` owns with `response`, which is copied.
    fn complete(
        &self,
        lane: &mut Self::Lane,
        ticket: Self::Ticket<'_>,
        response: &[u8],
    ) -> Completed;

    /// Tells that this worker has completed `name`, and makes what is due leave: steady state.
    fn leave(&self, lane: &mut Self::Lane, name: Self::Name);

    /// Moves time on, where `Setup::manual_time` holds.
    fn advance(&self, by: Duration);

    /// Lets housekeeping that was put off be done, before memory is measured.
    fn settle(&self) {}

    /// Keys with a record.
    fn live(&self) -> usize;

    /// Compares the engine's own counts with what the workers saw.
    fn audit(&self, tally: &Tally) -> Result<(), String>;
}

/// What the workers of one sample saw, in all phases.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Claims that said `Execute`; each was completed with the response of its key.
    pub(crate) executes: u64,
    /// Claims that said `Replay`.
    pub(crate) replays: u64,
    /// Keys executed once more after they had left, when the time was over: their records stay.
    pub(crate) extras: u64,
    /// Claims that said `Full` and were tried again.
    pub(crate) fulls: u64,
    /// When the last of them was.
    pub(crate) last_full: Option<Instant>,
    /// Bytes of the responses that were stored and have not left, where keys leave exactly.
    pub(crate) stored: u64,
    /// Bytes of the shortest response.
    pub(crate) shortest: u64,
}

impl Tally {
    /// Adds what another worker saw.
    pub(crate) fn add(&mut self, other: &Self) {
        self.executes += other.executes;
        self.replays += other.replays;
        self.extras += other.extras;
        self.fulls += other.fulls;
        self.last_full = self.last_full.max(other.last_full);
        self.stored += other.stored;
        self.shortest = other.shortest;
    }
}
