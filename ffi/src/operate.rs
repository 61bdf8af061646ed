//! Acting on keys from outside, without their leases.

use core::time::Duration;

use idem::{Engine, HaltToken, Outcome, OutcomeVisitor, Replay, Resolution, Resolved, Token};

use crate::boundary::{Called, call, tell};
use crate::claim::{claim_of, key_of};
use crate::convert::{bounded, of_completion, of_removal};
use crate::engine::idem_engine_t;
use crate::status::idem_status_t::{self, *};
use crate::types::*;

/// Whether this is the first time that the key is seen within `retention_ms`: for webhooks and messages of
/// queues, where no response is stored. Of any number of calls at once one is the first. The key counts as
/// seen from then on, whatever becomes of the work; idem_forget releases it.
///
/// `retention_ms` 0 is as the claim says, or the namespace.
///
/// Ownership: `claim` and all it points to are borrowed.
/// Threads: any.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK, and whether it is the first in `*first`; IDEM_FULL: no room; IDEM_UNDECIDED;
///   IDEM_ERR_RANGE: a retention of no time, or of more than ten years; as idem_claim for what is wrong.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_once(
    engine: *const idem_engine_t,
    claim: *const idem_claim_t,
    retention_ms: u64,
    first: *mut bool,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(first)?);
        let claim = c.sized(claim)?;
        let claim = claim_of(c, engine, &claim)?;
        let retention = bounded(retention_ms)?;
        if retention.unwrap_or(claim.retention_time()).is_zero() {
            return Err(IDEM_ERR_RANGE);
        }
        let is_first = engine.claim_raw(&claim.wait(false), &mut First { engine, retention })?;
        out.write(is_first?);
        Ok(())
    })
}

/// Marks a key as seen by whoever claims it first.
struct First<'e> {
    engine: &'e Engine,
    retention: Option<Duration>,
}

impl OutcomeVisitor for First<'_> {
    type Output = Called<bool>;

    fn visit_execute(&mut self, token: Token) -> Called<bool> {
        // Stale: the lease ran out meanwhile, or was taken, and nobody may have seen the key.
        let marked = self.engine.complete_raw(token, &[], self.retention);
        marked.map(|_| true).map_err(|_| IDEM_UNDECIDED)
    }

    fn visit_replay(&mut self, _: Replay) -> Called<bool> {
        Ok(false)
    }

    fn visit_other(&mut self, outcome: Outcome) -> Called<bool> {
        match outcome {
            Outcome::InFlight(_) | Outcome::Done(_) | Outcome::Cancelled(_) => Ok(false),
            Outcome::Full(_) => Err(IDEM_FULL),
            _ => Err(IDEM_UNDECIDED),
        }
    }
}

/// Removes the record of a key: the next claim executes. A key in flight or halted is left alone, unless
/// `force`: then its lease ends, its owner's calls get IDEM_STALE, and everybody who waits IDEM_CANCELLED
/// with IDEM_REASON_FORGOTTEN.
///
/// Ownership: `key` and what it points to are borrowed.
/// Threads: any.
/// Blocks: no; may call callbacks.
/// Returns: IDEM_OK, and an idem_removal_t in `*removal` (unless that is null); as idem_claim for what is
///   wrong with the key.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_forget(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    force: bool,
    removal: *mut u32,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(removal)?);
        let key = key_of(c, engine, c.object(key)?)?;
        let removal = if force { engine.forget_forced(key) } else { engine.forget(key) };
        let removal = of_removal(removal?);
        tell(out, removal);
        Ok(())
    })
}

/// Makes a key that is in flight vacant, while its owner goes on for those who wait for it already: the
/// next claim executes beside it. What the owner completes is given to its waiters and not stored.
///
/// Ownership: `key` and what it points to are borrowed.
/// Threads: any.
/// Blocks: no; may call callbacks.
/// Returns: IDEM_OK, and in `*done` (unless that is null) whether it was in flight; as idem_claim for what
///   is wrong with the key.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_detach(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    done: *mut bool,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(done)?);
        let is_done = engine.detach(key_of(c, engine, c.object(key)?)?)?;
        tell(out, is_done);
        Ok(())
    })
}

/// Ends the lease of a key by force, as if its owner had given up with this policy (an idem_on_end_t; the
/// default is hand-over), for the reason IDEM_REASON_FORCED. The owner's calls get IDEM_STALE.
///
/// Ownership: `key` and what it points to are borrowed.
/// Threads: any.
/// Blocks: no; may call callbacks.
/// Returns: IDEM_OK, and in `*done` (unless that is null) whether anybody had a lease; IDEM_ERR_VALUE; as
///   idem_claim for what is wrong with the key.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_force_end(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    on_end: u32,
    done: *mut bool,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(done)?);
        let policy = crate::convert::on_end(on_end)?.unwrap_or_default();
        let is_done = engine.force_end(key_of(c, engine, c.object(key)?)?, policy)?;
        tell(out, is_done);
        Ok(())
    })
}

/// Settles a halted key, by an idem_resolution_t. `halt` says which halt is meant: it is in what idem_peek
/// and the listing say. `response` and `retention_ms` (0: a day) are for IDEM_RESOLVE_COMPLETE.
///
/// Ownership: all are borrowed; the bytes are copied.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK, and after IDEM_RESOLVE_COMPLETE an idem_completion_t in `*completion` (unless that is
///   null); IDEM_STALE: the key is not halted any more, or was halted once more; IDEM_FULL: no room beside
///   it; IDEM_ERR_RANGE; IDEM_ERR_VALUE; as idem_claim for what is wrong with the key.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_resolve(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    halt: u32,
    resolution: u32,
    response: idem_bytes_t,
    retention_ms: u64,
    completion: *mut u32,
) -> idem_status_t {
    const COMPLETE: u32 = idem_resolution_t::IDEM_RESOLVE_COMPLETE as u32;
    const RELEASE: u32 = idem_resolution_t::IDEM_RESOLVE_RELEASE as u32;
    const KEEP: u32 = idem_resolution_t::IDEM_RESOLVE_KEEP as u32;
    const DAY: core::time::Duration = core::time::Duration::from_secs(86_400);
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.optional_out(completion)?);
        let key = key_of(c, engine, c.object(key)?)?;
        let resolution = match resolution {
            COMPLETE => {
                let retention = bounded(retention_ms)?.unwrap_or(DAY);
                if retention.is_zero() {
                    return Err(IDEM_ERR_RANGE);
                }
                Resolution::Complete(c.bytes(response)?, retention)
            }
            RELEASE => Resolution::Release,
            KEEP => Resolution::Keep,
            _ => return Err(IDEM_ERR_VALUE),
        };
        let resolved = engine.resolve(key, HaltToken::from_u32(halt), resolution)?;
        if let Resolved::Completed(fit) = resolved {
            tell(out, of_completion(fit));
        }
        Ok(())
    })
}
