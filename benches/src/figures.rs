//! From samples to figures: one line of a table for each row and each thing told of it.

use crate::adapters::{self, ENGINES};
use crate::csv::Taken;
use crate::sample::Sample;
use crate::stats;
use crate::workload::{Measure, Row};

/// What a table has a line of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The row.
    pub(crate) row: Row,
    /// What is told of it.
    pub(crate) measure: Measure,
}

impl Line {
    /// The figure of `sample`, in the unit of the measure.
    #[expect(clippy::cast_precision_loss, reason = "counts of one sample are below 2^52")]
    pub(crate) fn figure(&self, sample: &Sample) -> f64 {
        match self.measure {
            Measure::Speed => sample.operations as f64 / sample.nanos as f64 * 1e3,
            Measure::Beyond => {
                let Row { keys, payload, .. } = self.row;
                let stored = payload.total(0..keys as u64) as f64;
                (sample.resident as f64 - stored) / keys as f64
            }
            Measure::P50 => sample.times.p50 as f64,
            Measure::P99 => sample.times.p99 as f64,
            Measure::P999 => sample.times.p999 as f64,
        }
    }

    /// The name of the workload, and of what is told of it.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.row.workload.name(), self.measure.suffix())
    }

    /// Whether figure `a` is better than figure `b`.
    fn is_better(&self, a: f64, b: f64) -> bool {
        if self.measure.more_is_better() { a > b } else { a < b }
    }
}

/// The figures of one engine in one line, round by round.
pub(crate) struct Figures {
    /// The engine's name.
    pub(crate) engine: String,
    /// Whether it is libidem.
    pub(crate) ours: bool,
    /// Each round's number and figure.
    pub(crate) rounds: Vec<(usize, f64)>,
    /// The keys that lived, added up over the rounds.
    pub(crate) live: u64,
    /// The claims that said `Full`.
    pub(crate) fulls: u64,
}

impl Figures {
    /// The figures of all rounds.
    pub(crate) fn values(&self) -> Vec<f64> {
        self.rounds.iter().map(|&(_, figure)| figure).collect()
    }

    /// What is in the tables.
    pub(crate) fn median(&self) -> f64 {
        stats::median(&self.values())
    }

    /// This engine's figure by the other's, in each round that both have.
    pub(crate) fn ratios(&self, other: &Self) -> Vec<f64> {
        let pairs = self.rounds.iter().filter_map(|&(round, figure)| {
            let paired = other.rounds.iter().find(|&&(of, _)| of == round)?;
            Some(figure / paired.1)
        });
        pairs.collect()
    }
}

/// All engines of one line.
pub(crate) struct LineFigures {
    /// The line.
    pub(crate) line: Line,
    /// Who was measured, in the order of the tables' columns.
    pub(crate) engines: Vec<Figures>,
}

impl LineFigures {
    /// The figures of `engine`.
    pub(crate) fn of(&self, engine: &str) -> Option<&Figures> {
        self.engines.iter().find(|figures| figures.engine == engine)
    }

    /// The peer with the best median.
    pub(crate) fn best_peer(&self) -> Option<&Figures> {
        self.best(|figures| !figures.ours)
    }

    /// The one with the best median among those that `may_be`.
    pub(crate) fn best(&self, may_be: impl Fn(&Figures) -> bool) -> Option<&Figures> {
        self.engines.iter().filter(|figures| may_be(figures)).reduce(|best, figures| {
            if self.line.is_better(figures.median(), best.median()) { figures } else { best }
        })
    }
}

/// The figures of all samples, in the order in which their rows were first taken.
pub(crate) fn by_line(taken: &[Taken]) -> Vec<LineFigures> {
    let mut lines: Vec<LineFigures> = Vec::new();
    for taken in taken {
        for &measure in taken.row.workload.measures() {
            let line = Line { row: taken.row, measure };
            let at = lines.iter().position(|known| known.line == line);
            let at = at.unwrap_or_else(|| {
                lines.push(LineFigures { line, engines: Vec::new() });
                lines.len() - 1
            });
            put(&mut lines[at].engines, taken, line.figure(&taken.sample));
        }
    }
    // In the order of the list, whoever was measured first.
    let place = |name: &str| ENGINES.iter().position(|engine| engine.name == name);
    for line in &mut lines {
        line.engines.sort_by_key(|figures| place(&figures.engine));
    }
    lines
}

fn put(engines: &mut Vec<Figures>, taken: &Taken, figure: f64) {
    let Taken { engine, round, sample, .. } = taken;
    match engines.iter_mut().find(|figures| figures.engine == *engine) {
        Some(figures) => {
            figures.rounds.push((*round, figure));
            figures.live += sample.live;
            figures.fulls += sample.fulls;
        }
        None => engines.push(Figures {
            engine: engine.clone(),
            ours: adapters::named(engine).is_some_and(|engine| engine.ours),
            rounds: vec![(*round, figure)],
            live: sample.live,
            fulls: sample.fulls,
        }),
    }
}
