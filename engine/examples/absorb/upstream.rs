//! The service behind the engine: slow, in-process, and the only judge of double executions.
//!
//! An execution is *double* if it starts while another one of the same identity runs, or less
//! than the window after one ended. The judge keeps its own book by identity and clock and never
//! asks the engine, so an engine that loses a record or lets two owners in cannot hide it.
//!
//! The book notes the end of an execution before its response goes back, hence before the engine
//! can complete the record. A record that lives for the whole window from its completion thus
//! never ends inside the window as judged here: no tolerance is needed, and none is given.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::log::Identity;
use crate::random::Random;

const LATENCY_MIN_US: u64 = 5_000;
const LATENCY_MAX_US: u64 = 50_000;

pub(crate) struct Upstream<'a> {
    window: Duration,
    book: Mutex<Book<'a>>,
}

struct Book<'a> {
    seen: HashMap<Identity<'a>, Seen>,
    counts: Counts,
    latencies: Random,
}

#[derive(Default)]
struct Seen {
    running_count: u32,
    ended: Option<Instant>,
}

/// What the upstream has done so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) executions: u64,
    pub(crate) doubles: u64,
}

impl<'a> Upstream<'a> {
    pub(crate) fn new(window: Duration, seed: u64) -> Self {
        let book =
            Book { seen: HashMap::new(), counts: Counts::default(), latencies: Random::new(seed) };
        Self { window, book: Mutex::new(book) }
    }

    /// Does the work of one request. Takes 5 to 50 ms.
    pub(crate) fn execute(&self, identity: Identity<'a>, body: &[u8]) -> Vec<u8> {
        let latency = self.start(identity);
        thread::sleep(latency);
        self.end(identity);
        response(identity, body)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.book().counts
    }

    fn start(&self, identity: Identity<'a>) -> Duration {
        let mut book = self.book();
        let now = Instant::now();
        let seen = book.seen.entry(identity).or_default();
        let in_window = seen.ended.is_some_and(|ended| now < ended + self.window);
        let double = seen.running_count > 0 || in_window;
        seen.running_count += 1;

        book.counts.executions += 1;
        book.counts.doubles += u64::from(double);
        let spread_us = book.latencies.below(LATENCY_MAX_US - LATENCY_MIN_US + 1);
        Duration::from_micros(LATENCY_MIN_US + spread_us)
    }

    fn end(&self, identity: Identity<'a>) {
        let mut book = self.book();
        let seen = book.seen.entry(identity).or_default();
        seen.running_count -= 1;
        seen.ended = Some(Instant::now());
    }

    fn book(&self) -> MutexGuard<'_, Book<'a>> {
        // A client that panicked fails the run by itself; its book is still right.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one right response to a request: 32 to 287 bytes that follow from what was asked, so that
/// whoever gets a response can tell whether it is the one for this request.
pub(crate) fn response(identity: Identity<'_>, body: &[u8]) -> Vec<u8> {
    let parts = [identity.client, identity.method, identity.target, body];
    let mut bytes = Random::new(parts.iter().fold(FNV_OFFSET, |hash, part| fnv1a(hash, part)));
    let size = 32 + bytes.below(256) as usize;
    let mut response = Vec::with_capacity(size + 8);
    while response.len() < size {
        response.extend_from_slice(&bytes.next().to_le_bytes());
    }
    response.truncate(size);
    response
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn fnv1a(hash: u64, part: &[u8]) -> u64 {
    // The size goes in first: moving a byte from one part to the next changes the hash.
    let size = (part.len() as u64).to_le_bytes();
    size.iter().chain(part).fold(hash, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(FNV_PRIME))
}
