//! Seeing inside: peek, the listing, the counters.

use core::ffi::c_void;

use idem::{Claim, Listed, Stats, Status};

use crate::boundary::{Plain, Versioned, call, give};
use crate::claim::key_of;
use crate::convert::{of_info, of_reason};
use crate::engine::idem_engine_t;
use crate::status::idem_status_t::{self, IDEM_ERR_BUFFER};
use crate::types::idem_state_t::*;
use crate::types::*;

/// What has become of a key, without claiming it: nobody is registered and nothing is counted. It says what
/// was; to act on it, claim.
///
/// Ownership: `key` and what it points to are borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; as idem_claim for what is wrong with the key.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_peek(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    peek: *mut idem_peek_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(peek)?);
        let key = key_of(c, engine, c.object(key)?)?;
        out.write(of_status(engine.peek(key)?));
        Ok(())
    })
}

/// As idem_peek, and copies the response, if there is one, to `buffer` of `capacity` bytes.
///
/// Ownership: all are borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_BUFFER: `buffer` is too short, and nothing was copied, but `*peek` was
///   written and has the length; as idem_peek.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_peek_copy(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    peek: *mut idem_peek_t,
    buffer: *mut c_void,
    capacity: usize,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(peek)?);
        let buffer = c.outs(buffer.cast::<u8>(), capacity)?;
        let key = key_of(c, engine, c.object(key)?)?;
        // First without the bytes: there may be more of them than anybody wants.
        let status = of_status(engine.peek(key)?);
        if status.has_response != 0 && status.len as usize > buffer.len() {
            out.write(status);
            return Err(IDEM_ERR_BUFFER);
        }
        let mut bytes = Vec::new();
        out.write(of_status(engine.peek_into(key, &mut bytes)?));
        crate::response::copy(&bytes, buffer, None)
    })
}

/// The hash that stands for a key in events and in the listing, until its namespace is cleared: to find it
/// there, and to log it instead of the key.
///
/// Ownership: `key` and what it points to are borrowed; `bits` is 16 bytes.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; as idem_claim for what is wrong with the key.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_key_hash(
    engine: *const idem_engine_t,
    key: *const idem_key_t,
    bits: *mut u8,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.outs(bits, 16)?);
        let key = key_of(c, engine, c.object(key)?)?;
        engine.check_claim(&Claim::new(key))?;
        out.write_copy_of_slice(&key.hash().to_le_bytes());
        Ok(())
    })
}

fn of_status(status: Status) -> idem_peek_t {
    let bare = idem_peek_t {
        state: IDEM_STATE_VACANT as u32,
        reason: 0,
        is_error: 0,
        has_response: 0,
        halt: 0,
        reserved: 0,
        len: 0,
        info: idem_info_t::default(),
        more: [0; 2],
    };
    match status {
        Status::InFlight(info) => {
            idem_peek_t { state: IDEM_STATE_IN_FLIGHT as u32, info: of_info(info), ..bare }
        }
        Status::Completed { info, length, is_error, .. } => idem_peek_t {
            state: IDEM_STATE_COMPLETED as u32,
            is_error: is_error.into(),
            has_response: length.is_some().into(),
            len: length.unwrap_or(0) as u64,
            info: of_info(info),
            ..bare
        },
        Status::Cancelled(reason, info) => idem_peek_t {
            state: IDEM_STATE_CANCELLED as u32,
            reason: of_reason(reason),
            info: of_info(info),
            ..bare
        },
        Status::Halted(reason, info, halt) => idem_peek_t {
            state: IDEM_STATE_HALTED as u32,
            reason: of_reason(reason),
            halt: halt.to_u32(),
            info: of_info(info),
            ..bare
        },
        _ => bare,
    }
}

/// What is in flight and what is halted, at one time.
pub struct idem_listing_t(std::vec::IntoIter<Listed>);

/// Lists what is in flight and what is halted, in no order. Looks through all flights and all of the table,
/// and takes memory for all that it finds: for operators, not for every request.
///
/// Ownership: `*listing` is the caller's, free it with idem_listing_free.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_list(
    engine: *const idem_engine_t,
    listing: *mut *mut idem_listing_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(listing)?);
        let listed: Vec<_> = engine.listing().collect();
        out.write(give(idem_listing_t(listed.into_iter())));
        Ok(())
    })
}

/// The next records of a listing, at most `count`. Fewer are the last ones.
///
/// Ownership: `listing` is borrowed.
/// Threads: one at a time.
/// Blocks: no.
/// Returns: IDEM_OK, and how many in `*taken`; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_listing_next(
    listing: *mut idem_listing_t,
    records: *mut idem_record_t,
    count: usize,
    taken: *mut usize,
) -> idem_status_t {
    call(|c| {
        let outs = c.outs(records, count)?;
        let taken = c.out(taken)?;
        let listing = c.object_mut(listing)?;
        let mut written = 0;
        for (out, listed) in outs.iter_mut().zip(listing.0.by_ref().take(count)) {
            out.write(of_listed(&listed));
            written += 1;
        }
        taken.write(written);
        Ok(())
    })
}

fn of_listed(listed: &Listed) -> idem_record_t {
    let idem_peek_t { state, reason, halt, info, .. } = of_status(listed.status);
    idem_record_t {
        state,
        reason,
        attempt: listed.attempt,
        waiters: listed.waiters,
        is_detached: listed.is_detached.into(),
        halt,
        info,
        key_hash: listed.key.hash().to_le_bytes(),
        r#ref: listed.key.to_words(),
        more: [0; 2],
    }
}

/// Frees a listing.
///
/// Ownership: `listing` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_listing_free(listing: *mut idem_listing_t) -> idem_status_t {
    call(|c| c.take_optional(listing).map(drop))
}

/// What an engine has done since it was opened, and holds now. Set `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_stats_t {
    /// `sizeof(idem_stats_t)`.
    pub struct_size: usize,
    /// Claims and waits that got a lease.
    pub executes: u64,
    /// Claims that got a stored response.
    pub replays: u64,
    /// Claims that were told that it is done, without a response.
    pub done: u64,
    /// Claims that met an owner at work.
    pub in_flight: u64,
    /// Claims of a key that was used with another fingerprint.
    pub mismatches: u64,
    /// Claims that met a kept cancellation.
    pub cancelled: u64,
    /// Claims that met a halted record.
    pub halted: u64,
    /// Claims refused for the limit of records.
    pub full_records: u64,
    /// Claims refused for the limit of bytes.
    pub full_bytes: u64,
    /// Claims refused for the limits of waiters.
    pub full_waiters: u64,
    /// Claims refused because their namespace was full.
    pub full_namespace: u64,
    /// Claims refused because their scope was full.
    pub full_scope: u64,
    /// Claims refused because the engine was closed.
    pub closed: u64,
    /// Leases that ended with a response.
    pub completes: u64,
    /// Of these, those whose bytes were not kept.
    pub tombstones: u64,
    /// Completions of owners that the key had been taken from.
    pub detached: u64,
    /// Ends by the owner that came after the deadline and still counted.
    pub late: u64,
    /// Calls of owners whose lease was over.
    pub stale: u64,
    /// Leases that their owners gave up, or abandoned.
    pub cancels: u64,
    /// Leases that ended halted.
    pub halts: u64,
    /// Deadlines moved.
    pub renews: u64,
    /// Leases that passed to a waiter.
    pub hand_overs: u64,
    /// Leases that ended for their age.
    pub lease_expiries: u64,
    /// Finished records removed because their retention was over.
    pub expired: u64,
    /// Waits that ended because their time was up.
    pub timed_out: u64,
    /// Leases that were ended by force, or with their key forgotten.
    pub forced: u64,
    /// Finished records that were removed before their time.
    pub forgotten: u64,
    /// Halted records that were settled.
    pub resolved: u64,
    /// Leases that were ended as the engine closed.
    pub shutdowns: u64,
    /// System calls made to wake a waiter that blocks.
    pub wakes: u64,
    /// Keys with a record, now.
    pub records: u64,
    /// The most there were, as seen at ticks and here.
    pub records_peak: u64,
    /// Bytes in use, now.
    pub bytes: u64,
    /// The most there were, as seen at ticks and here.
    pub bytes_peak: u64,
    /// Waiters, now.
    pub waiters: u64,
    /// The most there were, as seen at ticks and here.
    pub waiters_peak: u64,
    /// How long waits took: bucket 0 has those of less than a microsecond, bucket i those of at least
    /// 2^(i-1) and less than 2^i microseconds, the last all that are longer.
    pub waits: [u64; IDEM_WAIT_BUCKETS],
}

// SAFETY: ffi.1 (integers).
unsafe impl Plain for idem_stats_t {}
// SAFETY: the first field is its size.
unsafe impl Versioned for idem_stats_t {
    const LEAST: usize = 8;
}

/// Counters and gauges. Counts of different things are read one after the other.
///
/// Ownership: `stats` is borrowed; as much is written as its `struct_size` says.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_SIZE, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_stats(
    engine: *const idem_engine_t,
    stats: *mut idem_stats_t,
) -> idem_status_t {
    call(|c| c.fill_sized(stats, of_stats(&c.object(engine)?.engine().stats())))
}

fn of_stats(stats: &Stats) -> idem_stats_t {
    idem_stats_t {
        struct_size: size_of::<idem_stats_t>(),
        executes: stats.executes,
        replays: stats.replays,
        done: stats.done,
        in_flight: stats.in_flight,
        mismatches: stats.mismatches,
        cancelled: stats.cancelled,
        halted: stats.halted,
        full_records: stats.full_records,
        full_bytes: stats.full_bytes,
        full_waiters: stats.full_waiters,
        full_namespace: stats.full_namespace,
        full_scope: stats.full_scope,
        closed: stats.closed,
        completes: stats.completes,
        tombstones: stats.tombstones,
        detached: stats.detached,
        late: stats.late,
        stale: stats.stale,
        cancels: stats.cancels,
        halts: stats.halts,
        renews: stats.renews,
        hand_overs: stats.hand_overs,
        lease_expiries: stats.lease_expiries,
        expired: stats.expired,
        timed_out: stats.timed_out,
        forced: stats.forced,
        forgotten: stats.forgotten,
        resolved: stats.resolved,
        shutdowns: stats.shutdowns,
        wakes: stats.wakes,
        records: stats.records,
        records_peak: stats.records_peak,
        bytes: stats.bytes,
        bytes_peak: stats.bytes_peak,
        waiters: stats.waiters,
        waiters_peak: stats.waiters_peak,
        waits: *stats.wait_times.counts(),
    }
}
