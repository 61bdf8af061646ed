//! A waiter's own sleep: on one 32-bit word, until woken or until a point in engine time.
//!
//! Linux has the futex for this: no table, no lock that a stopped thread could hold (P1).
//! Elsewhere, and with `--cfg idem_portable_park`, parking_lot_core's parking lot does the same.
//! On a manual clock the sleeper waits for the clock to be moved instead of for real time (P3).

use crate::clock::Clock;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Sleeps and wakes, and counts the calls that go to the system.
pub(crate) struct Parker {
    clock: Clock,
    wakes: AtomicU64,
}

impl Parker {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, wakes: AtomicU64::new(0) }
    }

    /// Sleeps while `word` is `asleep`, at most until `deadline`. May return early.
    pub(crate) fn sleep(&self, word: &AtomicU32, asleep: u32, deadline: u64) {
        match self.clock.until(deadline) {
            Wait::Over => {}
            #[cfg(not(idem_loom))]
            Wait::Real(time) => system::sleep(word, asleep, time),
            #[cfg(not(idem_loom))]
            Wait::Manual(manual) => {
                // Acquire: pairs with `notify`.
                manual.sleep(deadline, || word.load(Ordering::Acquire) == asleep);
            }
            #[cfg(idem_loom)]
            Wait::Model(_) => {
                while word.load(Ordering::Acquire) == asleep {
                    crate::sync::yield_now();
                }
            }
        }
    }

    /// Wakes whoever sleeps on `word`, which no longer says asleep.
    pub(crate) fn wake(&self, word: &AtomicU32) {
        // Relaxed: a count (W4 is tested with it).
        self.wakes.fetch_add(1, Ordering::Relaxed);
        #[cfg(not(idem_loom))]
        match self.clock.manual_clock() {
            Some(manual) => manual.wake(),
            None => system::wake(word),
        }
        #[cfg(idem_loom)]
        let _ = word;
    }

    /// Calls that went to the system to wake somebody.
    pub(crate) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }
}

/// How to wait for a deadline.
pub(crate) enum Wait<'a> {
    /// It has passed.
    Over,
    #[cfg(not(idem_loom))]
    Real(core::time::Duration),
    #[cfg(not(idem_loom))]
    Manual(&'a crate::clock::ManualClock),
    /// Models have no time of their own: until woken.
    #[cfg(idem_loom)]
    Model(core::marker::PhantomData<&'a ()>),
}

#[cfg(all(not(idem_loom), target_os = "linux", not(idem_portable_park)))]
mod system {
    use core::time::Duration;

    use rustix::thread::futex::{self, Flags};

    use crate::sync::AtomicU32;

    pub(super) fn sleep(word: &AtomicU32, asleep: u32, time: Duration) {
        let timeout = rustix::time::Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        // Any result will do: woken, word changed, timed out, interrupted - the caller looks again.
        let _ = futex::wait(word, Flags::PRIVATE, asleep, Some(&timeout));
    }

    pub(super) fn wake(word: &AtomicU32) {
        let _ = futex::wake(word, Flags::PRIVATE, 1);
    }
}

#[cfg(all(not(idem_loom), any(not(target_os = "linux"), idem_portable_park)))]
mod system {
    use core::time::Duration;
    use std::time::Instant;

    use parking_lot_core::{DEFAULT_PARK_TOKEN, DEFAULT_UNPARK_TOKEN, park, unpark_one};

    use crate::sync::{AtomicU32, Ordering};

    pub(super) fn sleep(word: &AtomicU32, asleep: u32, time: Duration) {
        let key = core::ptr::from_ref(word).addr();
        // Acquire: pairs with the swap in `notify`.
        let still = || word.load(Ordering::Acquire) == asleep;
        let until = Instant::now().checked_add(time);
        // SAFETY: what `park` asks for (the key is the address of a word that the engine owns; the
        // closures neither panic nor call into the parking lot).
        unsafe {
            park(key, still, || {}, |_, _| {}, DEFAULT_PARK_TOKEN, until);
        }
    }

    pub(super) fn wake(word: &AtomicU32) {
        let key = core::ptr::from_ref(word).addr();
        // SAFETY: as in `sleep`.
        unsafe {
            unpark_one(key, |_| DEFAULT_UNPARK_TOKEN);
        }
    }
}
