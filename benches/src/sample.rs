//! What one sample comes to, and the form in which it is handed on and kept.

use std::time::Duration;

use crate::steady::Timed;
use crate::times::{Quantiles, Times, nanos};

/// What the process of a sample prints instead of it, before the reason.
pub(crate) const NONE: &str = "no sample: ";

/// What was measured. What a workload does not measure is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Operations in the measured time.
    pub(crate) operations: u64,
    /// The measured time.
    pub(crate) nanos: u64,
    /// Keys that had a record: churn's mean, elsewhere the count at the end.
    pub(crate) live: u64,
    /// Claims that said `Full` and were tried again.
    pub(crate) fulls: u64,
    /// By how much the fill made resident memory grow.
    pub(crate) resident: u64,
    /// How long single operations took.
    pub(crate) times: Quantiles,
}

impl Sample {
    /// The columns of the CSV.
    pub(crate) const FIELDS: [&'static str; 8] =
        ["operations", "nanos", "live", "fulls", "resident", "p50", "p99", "p999"];

    /// The sample of workers that took turns at counting and being timed.
    pub(crate) fn of(timed: &Timed) -> Self {
        Self {
            operations: timed.steps,
            nanos: nanos(timed.time),
            live: timed.probed as u64,
            fulls: timed.tally.fulls,
            ..Self::default()
        }
    }

    /// The sample of operations that were timed one by one, within `time`.
    pub(crate) fn of_times(times: &Times, time: Duration, live: u64) -> Self {
        Self {
            operations: times.count(),
            nanos: nanos(time),
            live,
            times: times.quantiles(),
            ..Self::default()
        }
    }

    /// The values of `FIELDS`.
    pub(crate) fn values(&self) -> [u64; Self::FIELDS.len()] {
        let Self { operations, nanos, live, fulls, resident, times } = *self;
        let Quantiles { p50, p99, p999 } = times;
        [operations, nanos, live, fulls, resident, p50, p99, p999]
    }

    /// The sample with these values of `FIELDS`.
    pub(crate) fn from_values(values: [u64; Self::FIELDS.len()]) -> Self {
        let [operations, nanos, live, fulls, resident, p50, p99, p999] = values;
        let times = Quantiles { p50, p99, p999 };
        Self { operations, nanos, live, fulls, resident, times }
    }

    /// The line in which a sample's process hands its figures on.
    pub(crate) fn line(&self) -> String {
        format!("sample {}", self.values().map(|value| value.to_string()).join(" "))
    }

    /// Reads what `line` wrote.
    pub(crate) fn from_line(text: &str) -> Option<Self> {
        let fields = text.trim().strip_prefix("sample ")?.split(' ').map(str::parse);
        let values: Vec<u64> = fields.collect::<Result<_, _>>().ok()?;
        values.try_into().ok().map(Self::from_values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_survives_its_line() {
        let sample = Sample::from_values([1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Sample::from_line(&sample.line()), Some(sample));
        assert_eq!(Sample::from_line("sample 1 2"), None);
    }
}
