//! The least that a batch of claims can take: the reads of what an engine needs to read, and the
//! worker's own share.

use std::hint::black_box;

use super::BATCH;
use super::replay::CLAIMS;
use crate::adapter::Tally;
use crate::keys::{self, Random};
use crate::sample::Sample;
use crate::steady::{self, Worker};
use crate::workload::{Row, Spec};

/// A cache line.
#[repr(align(64))]
struct Line([u64; 8]);

/// Reads what an engine could not do without: for each key of a batch a line of a table, and then the
/// first two lines of the record that it names. Makes keys and looks at responses as the workers of
/// engines do.
struct Reader<'a> {
    lines: &'a [Line],
    records: &'a [Line],
    record_lines: usize,
    random: Random,
    sum: u64,
}

impl Worker for Reader<'_> {
    fn prepare(&mut self) {}

    fn batch(&mut self) -> u64 {
        for _ in 0..BATCH as usize / CLAIMS {
            let at: [u64; CLAIMS] = std::array::from_fn(|_| self.random.below(self.lines.len()));
            let keys = at.map(keys::key);
            black_box(keys.map(keys::fingerprint));
            // Reads that do not depend on each other: the processor has them under way together.
            let firsts = at.map(|at| self.lines[index(at)].0[0]);
            for (key, first) in keys.into_iter().zip(firsts) {
                let first = index(first) * self.record_lines;
                self.sum += self.records[first].0[0];
                let word = self.records[first + 1].0[0].to_le_bytes();
                assert!(keys::begins_like(key, &word, word.len()), "the key's own record");
            }
        }
        BATCH
    }

    fn finish(&mut self) -> Tally {
        black_box(self.sum);
        Tally::default()
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("an index")
}

/// Takes one sample of the floor: memory of the size that the engine needs, and nothing decided.
pub(crate) fn sample(spec: &Spec) -> Sample {
    let Row { keys, threads, payload, .. } = spec.row;
    let (_, longest) = payload.range();
    let record_lines = 1 + longest.div_ceil(64).max(1);
    let mut order: Vec<u64> = (0..keys as u64).collect();
    let mut random = Random::new(7);
    for at in (1..keys).rev() {
        let other = random.below(at + 1);
        order.swap(at, index(other));
    }
    let lines: Vec<Line> = order.iter().map(|record| Line([*record; 8])).collect();
    let mut records: Vec<Line> =
        (0..keys * record_lines).map(|line| Line([line as u64; 8])).collect();
    for (at, record) in (0..).zip(&order) {
        let mut word = [0; 8];
        keys::write_response(keys::key(at), &mut word);
        records[index(*record) * record_lines + 1].0[0] = u64::from_le_bytes(word);
    }
    let timed = steady::steady(
        threads,
        spec.pin,
        (spec.time / 4, spec.time),
        |index| Reader {
            lines: &lines,
            records: &records,
            record_lines,
            random: Random::new(index as u64),
            sum: 0,
        },
        || keys,
    );
    Sample::of(&timed)
}
