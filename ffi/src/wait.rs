//! Waiting for somebody else's result: blocked, by callback, or in a completion queue.

use core::ffi::c_void;

use idem::{Callback, Pending, Waiter};

use crate::boundary::{Foreign, call, give};
use crate::claim::write_ended;
use crate::convert::timeout;
use crate::queue::idem_queue_t;
use crate::status::idem_status_t::{self, *};
use crate::types::{IDEM_FOREVER, idem_destroy_fn, idem_info_t, idem_lease_t, idem_outcome_t};

/// A place in the queue of those who wait for one owner's result, which a claim took. It is waited with, in
/// one of three ways, or freed; each of these consumes it.
pub struct idem_waiter_t(Waiter);

impl idem_waiter_t {
    pub(crate) fn new(waiter: Waiter) -> Self {
        Self(waiter)
    }
}

/// A wait that is under way without a thread, to cancel it by.
pub struct idem_pending_t(Way);

/// An outcome that is still to be filled in.
const NOTHING: idem_outcome_t = idem_outcome_t {
    kind: 0,
    origin: 0,
    attempt: 0,
    reason: 0,
    state: 0,
    limit: 0,
    is_error: 0,
    reserved: 0,
    info: idem_info_t { age_ms: 0, left_ms: 0, owner: 0 },
    lease: idem_lease_t { opaque: [0; 8] },
    response: crate::response::NO_RESPONSE,
    waiter: core::ptr::null_mut(),
    value: 0,
    more: [0; 3],
};

enum Way {
    Callback(Callback),
    Queue(Pending<u64>),
}

/// Called once with what a wait came to. What `*outcome` has is the callee's, as with idem_claim; the
/// structure itself is borrowed until it returns. On the thread that ends the owner's lease, ticks, or
/// otherwise brings it about, or on that which sets the callback, before it returns. No lock is held; it
/// may call libidem, should be short and must not block.
pub type idem_ended_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, outcome: *const idem_outcome_t)>;

/// Waits, blocking the thread, at most `timeout_ms` milliseconds: IDEM_FOREVER is until the owner's lease
/// ends, one way or another, which it always does; 0 looks once. The outcome of a wait, also of those
/// below, is IDEM_REPLAY, IDEM_DONE, IDEM_EXECUTE (a hand-over), IDEM_CANCELLED, IDEM_HALTED, IDEM_CLOSED,
/// or IDEM_WAIT_OVER.
///
/// Ownership: `waiter` is consumed, also when its time is up; `*outcome` as with idem_claim.
/// Threads: any.
/// Blocks: yes; may call callbacks of others.
/// Returns: IDEM_OK, and the outcome (IDEM_WAIT_OVER, if time is up); IDEM_ERR_NULL, and nothing is
///   consumed.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_wait(
    waiter: *mut idem_waiter_t,
    timeout_ms: u64,
    outcome: *mut idem_outcome_t,
) -> idem_status_t {
    call(|c| {
        let out = c.change(outcome)?;
        let waiter = c.take(waiter)?.0;
        let outcome = match timeout_ms {
            IDEM_FOREVER => waiter.wait(),
            millis => waiter.wait_for(timeout(millis)),
        };
        write_ended(out, outcome);
        Ok(())
    })
}

/// Has `ended` called with what the wait came to: once, unless it is cancelled. No thread is blocked. A
/// lease that it gets is accepted by that. If the owner's lease runs out somebody has to tick, as the
/// helper thread does.
///
/// Ownership: `waiter` is consumed. `user` is borrowed until `destroy` is called with it, which happens
///   once, after the last call of `ended`. `*wait`, unless that is null, is the caller's: cancel it with
///   idem_wait_cancel or free it with idem_wait_free.
/// Threads: any.
/// Blocks: no; may call `ended` before it returns, and before `*wait` is written.
/// Returns: IDEM_OK; IDEM_ERR_NULL, and nothing is consumed.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_wait_callback(
    waiter: *mut idem_waiter_t,
    ended: idem_ended_fn,
    user: *mut c_void,
    destroy: idem_destroy_fn,
    wait: *mut *mut idem_pending_t,
) -> idem_status_t {
    call(|c| {
        let function = ended.ok_or(IDEM_ERR_NULL)?;
        let out = c.optional_out(wait)?;
        let waiter = c.take(waiter)?.0;
        let function = Foreign::new(function, user, destroy);
        let callback = waiter.on_end(move |outcome| {
            let mut told = NOTHING;
            write_ended(&mut told, outcome);
            function.call(&told);
        });
        if let Some(out) = out {
            out.write(give(idem_pending_t(Way::Callback(callback))));
        }
        Ok(())
    })
}

/// Has the wait end in `queue`, where idem_poll hands its outcome out with `tag`. No thread is blocked. A
/// lease is accepted when it is handed out, and not before. If the owner's lease runs out somebody has to
/// tick, as the helper thread does. There is no time limit: a loop has timers of its own, and
/// idem_wait_cancel.
///
/// Ownership: `waiter` is consumed; `queue` is borrowed; `*wait` as with idem_wait_callback.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL, and nothing is consumed.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_wait_in(
    waiter: *mut idem_waiter_t,
    queue: *const idem_queue_t,
    tag: u64,
    wait: *mut *mut idem_pending_t,
) -> idem_status_t {
    call(|c| {
        let (queue, out) = (c.object(queue)?, c.optional_out(wait)?);
        let waiter = c.take(waiter)?.0;
        let pending = waiter.end_in(queue.completions(), tag);
        if let Some(out) = out {
            out.write(give(idem_pending_t(Way::Queue(pending))));
        }
        Ok(())
    })
}

/// Cancels a wait: its place is given back, and its callback is not called, or its end not handed out.
///
/// Ownership: `wait` is consumed.
/// Threads: any.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK; IDEM_TOO_LATE: the callback was or is being called, the end was handed out, or the queue
///   was freed; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_wait_cancel(wait: *mut idem_pending_t) -> idem_status_t {
    call(|c| {
        let is_cancelled = match c.take(wait)?.0 {
            Way::Callback(callback) => callback.cancel(),
            Way::Queue(pending) => pending.cancel(),
        };
        if is_cancelled { Ok(()) } else { Err(IDEM_TOO_LATE) }
    })
}

/// Frees what a wait could be cancelled by; the wait goes on.
///
/// Ownership: `wait` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_wait_free(wait: *mut idem_pending_t) -> idem_status_t {
    call(|c| c.take_optional(wait).map(drop))
}

/// Gives the place in the queue back, without waiting. If the key was being handed over to it, it passes on.
///
/// Ownership: `waiter` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_waiter_free(waiter: *mut idem_waiter_t) -> idem_status_t {
    call(|c| c.take_optional(waiter).map(drop))
}
