//! A clock for tests.

use core::time::Duration;

use idem::{Clock, ManualClock};

use crate::boundary::{call, give};
use crate::convert::millis;
use crate::status::idem_status_t;

/// A clock that stands still until it is moved: for tests, which then need not sleep.
pub struct idem_clock_t(ManualClock);

impl idem_clock_t {
    pub(crate) fn clock(&self) -> Clock {
        Clock::manual(&self.0)
    }
}

/// Makes a manual clock, for the `clock` of any number of engines.
///
/// Ownership: `*clock` is the caller's, free it with idem_clock_free, at any time after the engines were
///   opened.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_clock_new(clock: *mut *mut idem_clock_t) -> idem_status_t {
    call(|c| {
        c.out(clock)?.write(give(idem_clock_t(ManualClock::new())));
        Ok(())
    })
}

/// Moves the clock forward, and wakes who sleeps until a time that it passes.
///
/// Ownership: `clock` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_clock_advance(clock: *const idem_clock_t, ms: u64) -> idem_status_t {
    call(|c| {
        c.object(clock)?.0.advance(Duration::from_millis(ms));
        Ok(())
    })
}

/// What the clock shows: milliseconds since it was made.
///
/// Ownership: `clock` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_clock_now(clock: *const idem_clock_t, ms: *mut u64) -> idem_status_t {
    call(|c| {
        let (clock, out) = (c.object(clock)?, c.out(ms)?);
        out.write(millis(clock.0.elapsed()));
        Ok(())
    })
}

/// How many threads sleep on the clock now: a test waits for that before it moves it.
///
/// Ownership: `clock` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_clock_sleepers(
    clock: *const idem_clock_t,
    count: *mut u64,
) -> idem_status_t {
    call(|c| {
        let (clock, out) = (c.object(clock)?, c.out(count)?);
        out.write(clock.0.sleepers());
        Ok(())
    })
}

/// Frees the clock. Engines that were opened with it go on with it.
///
/// Ownership: `clock` is consumed; null is nothing.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_clock_free(clock: *mut idem_clock_t) -> idem_status_t {
    call(|c| c.take_optional(clock).map(drop))
}
