//! Completion queues: for event loops.

use std::sync::Arc;

use idem::Completions;

use crate::boundary::{call, give};
use crate::claim::write_ended;
use crate::signal::Signal;
use crate::status::idem_status_t::{self, IDEM_ERR_SYSTEM};
use crate::types::idem_ended_t;
use crate::value::Evictions;

/// A queue in which waits end, for an event loop to take out: one for each loop, any number of them. A wait
/// names its queue, and its end is in no other.
pub struct idem_queue_t {
    completions: Completions<u64>,
    evictions: Arc<Evictions>,
    signal: Arc<Signal>,
}

impl idem_queue_t {
    pub(crate) fn completions(&self) -> &Completions<u64> {
        &self.completions
    }

    pub(crate) fn evictions(&self) -> &Arc<Evictions> {
        &self.evictions
    }
}

/// Makes a completion queue. Waits of any engine may end in it.
///
/// Ownership: `*queue` is the caller's, free it with idem_queue_free.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_SYSTEM: the system has no descriptor to give; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_queue_new(queue: *mut *mut idem_queue_t) -> idem_status_t {
    call(|c| {
        let out = c.out(queue)?;
        let signal = Arc::new(Signal::new().map_err(|_| IDEM_ERR_SYSTEM)?);
        let bell = signal.clone();
        let completions = Completions::new(move || bell.set());
        let evictions = Arc::new(Evictions::new(signal.clone()));
        out.write(give(idem_queue_t { completions, evictions, signal }));
        Ok(())
    })
}

/// A descriptor that can be read from when there is something to poll for: for poll, epoll, kqueue, libuv
/// and their like, level or edge triggered. Only to be watched: idem_poll reads from it. It may be readable
/// and nothing be handed out: after idem_wait_in, for a first look; after a cancelled wait. It is
/// non-blocking, and closed on exec.
///
/// Ownership: the descriptor is the queue's, and closed with it.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_queue_fd(queue: *const idem_queue_t, fd: *mut i32) -> idem_status_t {
    call(|c| {
        let (queue, out) = (c.object(queue)?, c.out(fd)?);
        out.write(queue.signal.descriptor());
        Ok(())
    })
}

/// Takes what has ended out of the queue, at most `count` waits and values: waits first. If it leaves something
/// behind the descriptor stays readable. Call it when the descriptor is; where there is nothing it costs next to
/// nothing, so also after idem_complete, to wake others of the same loop at once.
///
/// A value that is over comes as IDEM_EVICTED, with a tag of 0.
///
/// Ownership: what the outcomes in `events` have is the caller's, as with idem_claim.
/// Threads: any; several may, and share what there is.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK, and how many in `*taken`; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_poll(
    queue: *const idem_queue_t,
    events: *mut idem_ended_t,
    count: usize,
    taken: *mut usize,
) -> idem_status_t {
    call(|c| {
        let (queue, outs) = (c.object(queue)?, c.change_array(events, count)?);
        let taken = c.out(taken)?;
        // First: what comes from here on is told again.
        queue.signal.clear();
        let mut outs = outs.iter_mut();
        let polled = queue.completions.poll(count, |tag, outcome| {
            if let Some(out) = outs.next() {
                out.tag = tag;
                write_ended(&mut out.outcome, outcome);
            }
        });
        let evicted = queue.evictions.take(outs.map(|out| {
            out.tag = 0;
            &mut out.outcome
        }));
        taken.write(polled + evicted);
        Ok(())
    })
}

/// Frees the queue. Waits that have not been handed out are given up, as idem_waiter_free would, and nobody is
/// told any more of values that end; nobody may be inside a call with the queue.
///
/// Ownership: `queue` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_queue_free(queue: *mut idem_queue_t) -> idem_status_t {
    call(|c| c.take_optional(queue).map(drop))
}
