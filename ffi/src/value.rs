//! Values that are elsewhere: 64 bits stand for them, and whoever keeps them is told when they are over.

use std::sync::Arc;

use crossbeam_queue::SegQueue;
use idem::Replay;

use crate::boundary::{call, tell};
use crate::claim::write_evicted;
use crate::convert::{bounded, of_completion};
use crate::engine::idem_engine_t;
use crate::lease::token_of;
use crate::queue::idem_queue_t;
use crate::signal::Signal;
use crate::status::idem_status_t;
use crate::types::{idem_lease_t, idem_outcome_t};

/// Values that are over, until somebody is told.
pub(crate) struct Evictions {
    values: SegQueue<u64>,
    signal: Arc<Signal>,
}

impl Evictions {
    pub(crate) fn new(signal: Arc<Signal>) -> Self {
        Self { values: SegQueue::new(), signal }
    }

    fn push(&self, value: u64) {
        self.values.push(value);
        self.signal.set();
    }

    /// Takes out as many as there is room for.
    pub(crate) fn take<'a>(&self, outs: impl Iterator<Item = &'a mut idem_outcome_t>) -> usize {
        let mut count = 0;
        for out in outs {
            let Some(value) = self.values.pop() else { return count };
            write_evicted(out, value);
            count += 1;
        }
        if !self.values.is_empty() {
            self.signal.set();
        }
        count
    }
}

/// What the engine stores in place of bytes.
struct Kept {
    value: u64,
    evictions: Arc<Evictions>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.evictions.push(self.value);
    }
}

/// The value of a replay that has one.
pub(crate) fn value_of(replay: &Replay) -> u64 {
    replay.with_value(|kept: &Kept| kept.value).unwrap_or_default()
}

/// As idem_complete, with a value in place of a response: 64 bits of the caller's, which stand for something
/// that it keeps elsewhere, an object of a language with a garbage collector, say. Replays have it in
/// `outcome.value`, and hold it until their `response` is released.
///
/// When the record is over and nobody holds it any more, `queue` hands out an IDEM_EVICTED with it: once for each
/// call, also where the value is not stored. It counts `weight` bytes against the engine's limits, besides 128
/// for its record.
///
/// Ownership: `engine` and `queue` are borrowed; the queue need not outlive the value. The value is consumed, also
///   with IDEM_STALE and IDEM_ERR_WRONG_ENGINE: its eviction comes at once then. With any other error nothing
///   was consumed.
/// Threads: any.
/// Blocks: no; calls the callbacks of those who wait. Allocates.
/// Returns: as idem_complete.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_complete_value(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    value: u64,
    weight: u64,
    queue: *const idem_queue_t,
    retention_ms: u64,
    completion: *mut u32,
) -> idem_status_t {
    call(|c| {
        let (engine, queue) = (c.object(engine)?.engine(), c.object(queue)?);
        let (out, retention) = (c.optional_out(completion)?, bounded(retention_ms)?);
        let kept = Kept { value, evictions: queue.evictions().clone() };
        // Heavier than any limit is as heavy as can be.
        let weight = usize::try_from(weight).unwrap_or(usize::MAX);
        let ended = engine.complete_value_raw(token_of(&lease)?, kept, weight, retention);
        tell(out, of_completion(ended?));
        Ok(())
    })
}
