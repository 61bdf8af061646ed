//! How long single operations took: a histogram for each worker, added up at the end.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What is longer counts as this.
const LONGEST: Duration = Duration::from_mins(1);

/// Three significant digits: a bucket is at most 0.1 % wide.
const DIGITS: u8 = 3;

/// Durations, of which only their distribution is kept.
#[derive(Clone)]
pub(crate) struct Times(Histogram<u64>);

/// What a table tells of them, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quantiles {
    /// Half took no longer.
    pub(crate) p50: u64,
    /// 99 of 100 took no longer.
    pub(crate) p99: u64,
    /// 999 of 1000 took no longer.
    pub(crate) p999: u64,
}

impl Times {
    /// None yet.
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, nanos(LONGEST), DIGITS);
        Self(histogram.expect("the bounds are in order"))
    }

    /// Adds one.
    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(nanos(time));
    }

    /// Adds those of another worker.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the bounds are the same");
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// What a table tells.
    pub(crate) fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.0.value_at_quantile(quantile);
        Quantiles { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }
}

/// Whole nanoseconds.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("less than 584 years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_workers() {
        let (mut times, mut other) = (Times::new(), Times::new());
        for nanos in 1..=500 {
            times.record(Duration::from_nanos(nanos));
            other.record(Duration::from_nanos(nanos + 500));
        }
        times.add(&other);
        assert_eq!(times.quantiles(), Quantiles { p50: 500, p99: 990, p999: 999 });
        assert_eq!(times.count(), 1000);
        times.record(LONGEST * 2);
        times.clear();
        assert_eq!(times.count(), 0);
    }
}
