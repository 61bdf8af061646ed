//! The engine's only source of time (P3).
//!
//! Inside, time is a count of milliseconds. Points to compare with are rounded down and points to
//! start a duration from are rounded up, so rounding never makes anything end early (K7).
#![cfg_attr(
    not(idem_loom),
    expect(clippy::disallowed_types, reason = "a manual clock blocks, and nothing else is for it")
)]

use std::sync::Arc;
use std::time::Duration;

use crate::record::TIME_MAX;
use crate::sync::{AtomicU64, Ordering};
use crate::wait::park::Wait;

/// Where an engine gets its time from.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Real, monotonic; does not run while the machine is suspended (as the system's clock).
    Monotonic(Monotonic),
    Manual(ManualClock),
}

impl Clock {
    /// The system's monotonic clock.
    ///
    /// On Linux its coarse form (1 to 10 ms, by the kernel's tick; about a quarter of the price).
    /// Leases and retentions get its resolution on top, so nothing ends early.
    #[must_use]
    pub fn monotonic() -> Self {
        Self(Source::Monotonic(Monotonic::start(1)))
    }

    /// The system's monotonic clock, running `factor` times as fast: for tests of hours in seconds. At
    /// least 1; its resolution is that many times coarser.
    #[must_use]
    pub fn accelerated(factor: u32) -> Self {
        Self(Source::Monotonic(Monotonic::start(factor.max(1))))
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn manual(clock: &ManualClock) -> Self {
        Self(Source::Manual(clock.clone()))
    }

    /// Now, for comparing with deadlines.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match &self.0 {
            Source::Monotonic(clock) => clock.millis(),
            Source::Manual(clock) => (clock.nanos() / NANOS_PER_MILLI).min(TIME_MAX),
        }
    }

    /// The deadline `millis` after `now`, which the caller has just read from this clock.
    #[inline]
    pub(crate) fn deadline(&self, now: u64, millis: u64) -> u64 {
        let slack = match &self.0 {
            Source::Monotonic(clock) => clock.slack,
            Source::Manual(clock) => u64::from(clock.nanos() % NANOS_PER_MILLI != 0),
        };
        now.saturating_add(millis).saturating_add(slack).min(TIME_MAX)
    }

    /// Microseconds, for reports: precise, where deadlines need only be never early.
    pub(crate) fn micros(&self) -> u64 {
        match &self.0 {
            Source::Monotonic(clock) => precise::micros().saturating_mul(clock.factor.into()),
            Source::Manual(clock) => clock.nanos() / 1000,
        }
    }

    /// How to wait until `deadline`.
    pub(crate) fn until(&self, deadline: u64) -> Wait<'_> {
        let now = self.now();
        if now >= deadline {
            return Wait::Over;
        }
        match &self.0 {
            // The coarse clock may lag by its slack; sleeping that much longer saves a second look.
            #[cfg(not(idem_loom))]
            Source::Monotonic(clock) => {
                let millis = deadline - now + clock.slack;
                Wait::Real(Duration::from_millis(millis.div_ceil(clock.factor.into())))
            }
            #[cfg(not(idem_loom))]
            Source::Manual(clock) => Wait::Manual(clock),
            #[cfg(idem_loom)]
            _ => Wait::Model(core::marker::PhantomData),
        }
    }

    pub(crate) fn manual_clock(&self) -> Option<&ManualClock> {
        match &self.0 {
            Source::Manual(clock) => Some(clock),
            Source::Monotonic(_) => None,
        }
    }
}

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The longest lease, retention or wait: ten years.
pub(crate) const DURATION_MAX: Duration = Duration::from_secs(3650 * 86_400);

/// Whole milliseconds, rounded up; `None` beyond [`DURATION_MAX`].
pub(crate) fn duration_millis(time: Duration) -> Option<u64> {
    (time <= DURATION_MAX).then(|| millis_up(time))
}

/// The same of a time that cannot be refused any more: cut to the longest there is.
pub(crate) fn bounded_millis(time: Duration) -> u64 {
    millis_up(time.min(DURATION_MAX))
}

/// Whole milliseconds of `time`, rounded up (K7).
fn millis_up(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(NANOS_PER_MILLI.into())).unwrap_or(u64::MAX)
}

#[derive(Clone, Debug)]
struct Monotonic {
    /// What the clock showed at the start in whole milliseconds, less one: no point in time is 0.
    start: u64,
    /// What `millis` may lag behind, rounded up.
    slack: u64,
    factor: u32,
}

impl Monotonic {
    fn start(factor: u32) -> Self {
        Self {
            start: coarse::now().millis().saturating_sub(1),
            slack: 1 + millis_up(coarse::resolution().saturating_mul(factor)),
            factor,
        }
    }

    #[inline]
    fn millis(&self) -> u64 {
        let now = coarse::now();
        let millis = now.millis().saturating_sub(self.start);
        let millis = if self.factor == 1 { millis } else { self.accelerate(now, millis) };
        millis.min(TIME_MAX)
    }

    #[cold]
    fn accelerate(&self, now: Moment, millis: u64) -> u64 {
        let nanos = u128::from(millis * NANOS_PER_MILLI + now.nanos % NANOS_PER_MILLI);
        let millis = nanos * u128::from(self.factor) / u128::from(NANOS_PER_MILLI);
        millis.min(TIME_MAX.into()) as u64
    }
}

/// What the system's clock shows. A `Duration` would check and divide what is right already, and this
/// is in every claim.
#[derive(Clone, Copy)]
struct Moment {
    secs: u64,
    /// Less than a second.
    nanos: u64,
}

impl Moment {
    /// Whole milliseconds, rounded down.
    #[inline]
    fn millis(self) -> u64 {
        self.secs * 1000 + self.nanos / NANOS_PER_MILLI
    }
}

mod precise {
    use std::sync::OnceLock;
    use std::time::Instant;

    /// Since the first call.
    #[expect(clippy::disallowed_methods, reason = "this file is the clock the rules point to")]
    pub(super) fn micros() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(target_os = "linux")]
mod coarse {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_getres, clock_gettime};

    use super::Moment;

    #[inline]
    pub(super) fn now() -> Moment {
        // Neither is ever negative.
        let now = clock_gettime(ClockId::MonotonicCoarse);
        Moment { secs: now.tv_sec as u64, nanos: now.tv_nsec as u64 }
    }

    pub(super) fn resolution() -> Duration {
        Duration::try_from(clock_getres(ClockId::MonotonicCoarse)).unwrap_or(Duration::ZERO)
    }
}

#[cfg(not(target_os = "linux"))]
mod coarse {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    use super::Moment;

    pub(super) fn now() -> Moment {
        static START: OnceLock<Instant> = OnceLock::new();
        let since = START.get_or_init(Instant::now).elapsed();
        Moment { secs: since.as_secs(), nanos: since.subsec_nanos().into() }
    }

    pub(super) fn resolution() -> Duration {
        Duration::ZERO
    }
}

/// A clock for tests: it moves when it is told to, and wakes whoever sleeps until a time it passes.
///
/// Clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<Manual>);

#[derive(Debug)]
struct Manual {
    /// Nanoseconds; starts at one millisecond.
    now: AtomicU64,
    #[cfg(not(idem_loom))]
    sleepers: parking_lot::Mutex<u64>,
    #[cfg(not(idem_loom))]
    moved: parking_lot::Condvar,
}

impl Default for Manual {
    fn default() -> Self {
        Self {
            now: AtomicU64::new(NANOS_PER_MILLI),
            #[cfg(not(idem_loom))]
            sleepers: parking_lot::Mutex::new(0),
            #[cfg(not(idem_loom))]
            moved: parking_lot::Condvar::new(),
        }
    }
}

impl ManualClock {
    /// A clock at its beginning.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward and wakes sleepers whose time has come.
    pub fn advance(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // AcqRel: what the test did before moving the clock is seen by whoever reads the new time.
        let _ = self.0.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            Some(now.saturating_add(nanos))
        });
        #[cfg(not(idem_loom))]
        self.wake();
    }

    /// Time since the clock's beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanos() - NANOS_PER_MILLI)
    }

    /// Threads asleep on this clock now: lets a test wait until a waiter really sleeps.
    #[cfg(not(idem_loom))]
    #[must_use]
    pub fn sleepers(&self) -> u64 {
        *self.0.sleepers.lock()
    }

    fn nanos(&self) -> u64 {
        // Acquire: see `advance`.
        self.0.now.load(Ordering::Acquire)
    }

    /// Sleeps while `asleep` holds and the clock is before `deadline`.
    #[cfg(not(idem_loom))]
    pub(crate) fn sleep(&self, deadline: u64, asleep: impl Fn() -> bool) {
        let mut sleepers = self.0.sleepers.lock();
        *sleepers += 1;
        while asleep() && self.nanos() / NANOS_PER_MILLI < deadline {
            self.0.moved.wait(&mut sleepers);
        }
        *sleepers -= 1;
    }

    /// Makes every sleeper look again.
    #[cfg(not(idem_loom))]
    pub(crate) fn wake(&self) {
        // Taking the lock orders us after a sleeper that has looked but does not wait yet.
        drop(self.0.sleepers.lock());
        self.0.moved.notify_all();
    }
}
