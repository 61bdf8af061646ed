//! The judge's clock: the one that the engine's deadlines are made of, so that what it says cannot
//! disagree with them, however long the machine holds a processor back.

use std::sync::OnceLock;
use std::time::Duration;

/// Microseconds since the first call; of the resolution of the engine's clock.
pub(crate) fn micros() -> u64 {
    static START: OnceLock<Duration> = OnceLock::new();
    let now = now();
    // Not from 0 on: a mark of 0 is none.
    now.saturating_sub(*START.get_or_init(|| now)).as_micros() as u64 + 1_000_000
}

#[cfg(target_os = "linux")]
fn now() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    Duration::try_from(clock_gettime(ClockId::MonotonicCoarse)).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// What is taken off where a point in time was rounded by whoever told it: each of engine and judge
/// may have rounded by a millisecond.
pub(crate) const ROUNDING_US: u64 = 2000;

pub(crate) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
