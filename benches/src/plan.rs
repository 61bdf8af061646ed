//! Which rows a run has, unless the command line says otherwise: those that the targets need, and
//! what explains them.

use crate::payload::Payload;
use crate::workload::{Hashing, Row, Workload};

/// Some rows of one workload: each number of keys with each payload and each number of threads.
pub(crate) struct Rows {
    /// The workload.
    pub(crate) workload: Workload,
    /// What keys are.
    pub(crate) hashing: Hashing,
    keys: &'static [usize],
    threads: &'static [usize],
    payloads: &'static [Payload],
}

/// Lists that the command line gives in place of the plan's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Instead {
    /// Numbers of keys.
    pub(crate) keys: Option<Vec<usize>>,
    /// Numbers of worker threads.
    pub(crate) threads: Option<Vec<usize>>,
    /// Payloads.
    pub(crate) payloads: Option<Vec<Payload>>,
}

const SIZED: &[Payload] = &[Payload::Bytes(256)];
const EACH: &[usize] = &[1, 2, 8];
const MILLION: &[usize] = &[1_000_000];

const fn ready(
    workload: Workload,
    keys: &'static [usize],
    threads: &'static [usize],
    payloads: &'static [Payload],
) -> Rows {
    Rows { workload, hashing: Hashing::Ready, keys, threads, payloads }
}

const fn default(workload: Workload) -> Rows {
    Rows { workload, hashing: Hashing::Default, keys: MILLION, threads: &[2], payloads: SIZED }
}

/// The plan.
pub(crate) const PLAN: [Rows; 15] = [
    ready(Workload::Churn, MILLION, EACH, SIZED),
    ready(Workload::Fill, &[4_000_000], &[2], SIZED),
    ready(Workload::Replay, &[100_000, 4_000_000], EACH, SIZED),
    ready(Workload::Hot, &[1], EACH, SIZED),
    ready(Workload::Peek, &[1], EACH, SIZED),
    ready(Workload::Batch, &[100_000, 4_000_000], &[2], SIZED),
    ready(Workload::Latency, MILLION, &[8], SIZED),
    ready(Workload::Expiry, MILLION, &[1], SIZED),
    ready(Workload::Wake, &[1], &[8], SIZED),
    ready(Workload::Hooks, MILLION, &[1], SIZED),
    ready(Workload::Bytes, MILLION, &[2], &[Payload::Bytes(0), Payload::Bytes(256)]),
    // A million keys of the mix would be four gigabytes.
    ready(Workload::Bytes, &[250_000], &[2], &[Payload::Mix]),
    default(Workload::Churn),
    default(Workload::Fill),
    default(Workload::Replay),
];

impl Rows {
    /// The rows, with what is given `instead`, and small ones for a `smoke` test.
    pub(crate) fn rows(&self, instead: &Instead, smoke: bool) -> Vec<Row> {
        let Self { workload, hashing, .. } = *self;
        let small = |keys: usize, payload: Payload| match (workload, payload) {
            (churn, _) if churn.is_churn() => keys.min(50_000),
            (_, Payload::Mix) => keys.min(2000),
            _ => keys.min(20_000),
        };
        // One key is what `hot` and `wake` are about; who claims in `expiry`, and that two fill
        // for `bytes`, is no question either.
        let given_keys = (!matches!(workload, Workload::Hot | Workload::Peek | Workload::Wake))
            .then_some(instead.keys.as_deref())
            .flatten();
        let given_threads = (!matches!(workload, Workload::Bytes | Workload::Expiry))
            .then_some(instead.threads.as_deref())
            .flatten();
        let mut rows = Vec::new();
        for &keys in given_keys.unwrap_or(self.keys) {
            for &payload in instead.payloads.as_deref().unwrap_or(self.payloads) {
                let keys = if smoke { small(keys, payload) } else { keys };
                for &threads in given_threads.unwrap_or(self.threads) {
                    rows.push(Row { workload, hashing, keys, threads, payload });
                }
            }
        }
        rows
    }
}

/// Every row of a run of `workloads` and `hashings`, each once.
pub(crate) fn rows(
    workloads: &[Workload],
    hashings: &[Hashing],
    instead: &Instead,
    smoke: bool,
) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    // In the order in which the workloads were asked for.
    for &workload in workloads {
        for planned in PLAN.iter().filter(|planned| planned.workload == workload) {
            if hashings.contains(&planned.hashing) {
                rows.extend(planned.rows(instead, smoke));
            }
        }
    }
    let mut seen: Vec<Row> = Vec::new();
    rows.retain(|row| {
        let is_new = !seen.contains(row);
        seen.push(*row);
        is_new
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_rows() {
        let all = rows(&Workload::ALL, &Hashing::ALL, &Instead::default(), false);
        for workload in Workload::ALL {
            assert!(all.iter().any(|row| row.workload == workload), "{}", workload.name());
        }
    }

    #[test]
    fn what_is_given_stands_in_for_the_plan() {
        let instead = Instead {
            keys: Some(vec![10]),
            threads: Some(vec![3]),
            payloads: Some(vec![Payload::Mix]),
        };
        let rows = rows(&[Workload::Bytes, Workload::Hot], &Hashing::ALL, &instead, false);
        let row = |workload, keys, threads| Row {
            workload,
            hashing: Hashing::Ready,
            keys,
            threads,
            payload: Payload::Mix,
        };
        assert_eq!(rows, [row(Workload::Bytes, 10, 2), row(Workload::Hot, 1, 3)]);
    }
}
