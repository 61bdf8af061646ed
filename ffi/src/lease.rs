//! What an owner does with its lease.

use core::ffi::c_void;

use idem::{Engine, Lease, Reason, Stale, Token};

use crate::boundary::{Called, Lent, call, tell};
use crate::convert::{bounded, millis, of_completion, reason as reason_of};
use crate::engine::idem_engine_t;
use crate::status::idem_status_t::{self, *};
use crate::types::*;

impl From<Stale> for idem_status_t {
    fn from(_: Stale) -> Self {
        IDEM_STALE
    }
}

pub(crate) fn of_token(token: Token) -> idem_lease_t {
    let mut opaque = [0; 8];
    // The rest is for what stores will need.
    opaque[..Token::WORDS].copy_from_slice(&token.to_words());
    idem_lease_t { opaque }
}

/// The lease that C has, of this engine; what is done with it says whether it is over.
fn lease_of(engine: &Engine, lease: &idem_lease_t) -> Called<Lease> {
    Ok(engine.lease_raw(token_of(lease)?)?)
}

pub(crate) fn token_of(lease: &idem_lease_t) -> Called<Token> {
    let [engine, place, generation, policies, rest @ ..] = lease.opaque;
    let token = Token::from_words([engine, place, generation, policies]);
    // Whatever it is, nobody was given it. Word by word: as arrays they would be compared by more bytes at a time
    // than were just stored.
    let is_changed = token.to_words()[Token::WORDS - 1] != policies;
    if is_changed || rest.into_iter().fold(0, |all, word| all | word) != 0 {
        return Err(IDEM_STALE);
    }
    Ok(token)
}

/// Stores the response, gives it to everybody who waits, and ends the lease. Never fails for room or size:
/// then a tombstone is stored, which says that it was done and keeps it from being done again.
///
/// `retention_ms` is how long it is kept: 0 as the claim said, `IDEM_ZERO` only for those who wait.
///
/// Ownership: `engine` and `response` are borrowed; the bytes are copied.
/// Threads: any.
/// Blocks: no; calls the callbacks of those who wait.
/// Returns: IDEM_OK, and how it was stored in `*completion` (an idem_completion_t, unless that is null);
///   IDEM_STALE: the lease was over, and nothing was stored; IDEM_ERR_RANGE: a retention of more than ten
///   years; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_TOO_LONG, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_complete(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    response: idem_bytes_t,
    retention_ms: u64,
    completion: *mut u32,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(completion)?);
        let response = c.bytes(response)?;
        let retention = bounded(retention_ms)?;
        let ended = engine.complete_raw(token_of(&lease)?, response, retention);
        tell(out, of_completion(ended?));
        Ok(())
    })
}

/// As idem_complete, without copying: the bytes stay where they are until `destroy` is called with `user`,
/// once, when the record is over and nobody has the response any more; or before this returns, if they are
/// not stored, or fewer than 1024 and copied nevertheless. With any other error than IDEM_ERR_WRONG_ENGINE
/// nothing was consumed, and `destroy` is not called.
///
/// Ownership: `response` is consumed, also with IDEM_STALE; `destroy` gives it back, on any thread.
/// Threads: any.
/// Blocks: no; calls callbacks.
/// Returns: as idem_complete.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_complete_owned(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    response: idem_bytes_t,
    destroy: idem_destroy_fn,
    user: *mut c_void,
    retention_ms: u64,
    completion: *mut u32,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(completion)?);
        c.bytes(response)?;
        let retention = bounded(retention_ms)?;
        let lent = Lent::new(response, user, destroy);
        let lease = lease_of(engine, &lease)?;
        let ended = match retention {
            None => lease.complete_owned(lent),
            Some(time) => lease.complete_owned_for(lent, time),
        };
        tell(out, of_completion(ended?));
        Ok(())
    })
}

/// Completes many leases in one call, each as idem_complete does with a `retention_ms` of 0: faster than
/// one by one, since their cache misses overlap.
///
/// Ownership: `endings` and the responses are borrowed.
/// Threads: any.
/// Blocks: no; calls callbacks.
/// Returns: IDEM_OK, and in each of `endings` its status, as idem_complete would return it, and its
///   completion; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_complete_batch(
    engine: *const idem_engine_t,
    endings: *mut idem_ending_t,
    count: usize,
) -> idem_status_t {
    call(|c| {
        let engine = c.object(engine)?.engine();
        let endings = c.change_array(endings, count)?;
        let (mut places, mut leases) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (index, ending) in endings.iter_mut().enumerate() {
            let found = c
                .bytes(ending.response)
                .and_then(|response| Ok((lease_of(engine, &ending.lease)?, response)));
            match found {
                Ok(found) => {
                    places.push(index);
                    leases.push(found);
                }
                Err(status) => ending.status = status as i32,
            }
        }
        for (place, ended) in places.into_iter().zip(Lease::complete_batch(leases)) {
            let ending = &mut endings[place];
            match ended {
                Ok(completion) => {
                    ending.status = IDEM_OK as i32;
                    ending.completion = of_completion(completion);
                }
                Err(Stale) => ending.status = IDEM_STALE as i32,
            }
        }
        Ok(())
    })
}

/// Shares an error with everybody who waits, and keeps it for `retention_ms` (0: it is only shared). They
/// get it as a response that is an error.
///
/// Ownership: `engine` and `error` are borrowed; the bytes are copied.
/// Threads: any.
/// Blocks: no; calls callbacks.
/// Returns: as idem_complete.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_fail(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    error: idem_bytes_t,
    retention_ms: u64,
    completion: *mut u32,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(completion)?);
        let (error, retention) = (c.bytes(error)?, bounded(retention_ms)?);
        let lease = lease_of(engine, &lease)?;
        let ended = lease.fail(error, retention.unwrap_or_default());
        tell(out, of_completion(ended?));
        Ok(())
    })
}

/// Gives up. `on_end` says what becomes of the key: by default, or with IDEM_ON_END_HAND_OVER, whoever has
/// waited longest executes next, and without a waiter the key is free; see idem_on_end_t. `reason` is 0 or
/// IDEM_REASON_OWNER, or a code of the caller's own.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no; calls callbacks.
/// Returns: IDEM_OK; IDEM_STALE: the lease was over already; IDEM_ERR_VALUE, IDEM_ERR_WRONG_ENGINE,
///   IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_cancel(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    on_end: u32,
    reason: u32,
) -> idem_status_t {
    call(|c| {
        let engine = c.object(engine)?.engine();
        let (policy, reason) = (crate::convert::on_end(on_end)?, reason_of(reason)?);
        let lease = lease_of(engine, &lease)?;
        give_up(lease, policy.unwrap_or_default(), reason)
    })
}

fn give_up(lease: Lease, policy: idem::OnEnd, reason: Reason) -> Called {
    match policy {
        idem::OnEnd::HandOver => lease.cancel(reason)?,
        idem::OnEnd::FailWaiters => lease.cancel_all(reason)?,
        idem::OnEnd::Halt => lease.halt(reason)?,
    }
    Ok(())
}

/// The outcome is unknown: nobody executes the key until the halted retention is over, or an operator
/// settles it. As idem_cancel with IDEM_ON_END_HALT.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no; calls callbacks.
/// Returns: as idem_cancel.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_halt(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    reason: u32,
) -> idem_status_t {
    call(|c| {
        let (engine, reason) = (c.object(engine)?.engine(), reason_of(reason)?);
        give_up(lease_of(engine, &lease)?, idem::OnEnd::Halt, reason)
    })
}

/// Lets go of the lease as one who cannot say what became of the work: what happens is the claim's
/// `on_abandon`, and the reason IDEM_REASON_DROPPED.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no; calls callbacks.
/// Returns: IDEM_OK; IDEM_STALE: the lease was over already; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_abandon(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
) -> idem_status_t {
    call(|c| Ok(c.object(engine)?.engine().abandon_raw(token_of(&lease)?)?))
}

/// Moves the deadline to `ms` milliseconds from now, never earlier.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_STALE: the lease is over, or is being ended for its age; IDEM_ERR_RANGE: more
///   than ten years; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_renew(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    ms: u64,
) -> idem_status_t {
    call(|c| {
        let (engine, time) = (c.object(engine)?.engine(), bounded(ms)?);
        let lease = lease_of(engine, &lease)?;
        let renewed = lease.renew(time.unwrap_or_default());
        // It goes on: what C has is a value, and not dropped here.
        let _ = lease.into_token();
        Ok(renewed?)
    })
}

/// Which record the lease is of, and how long it has left.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_STALE: the lease is over; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_lease_info(
    engine: *const idem_engine_t,
    lease: idem_lease_t,
    info: *mut idem_lease_info_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(info)?);
        let lease = lease_of(engine, &lease)?;
        let (left, key_hash) = (lease.time_left(), lease.key_hash());
        // As above.
        let _ = lease.into_token();
        let (left, key_hash) = left.zip(key_hash).ok_or(IDEM_STALE)?;
        let key_hash = key_hash.to_le_bytes();
        out.write(idem_lease_info_t { left_ms: millis(left), key_hash, more: [0; 4] });
        Ok(())
    })
}
