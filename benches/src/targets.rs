//! What is to be reached, and whether a run has reached it.
//!
//! A ratio is libidem's median by that of the best peer of its line, or of the best among those a
//! target names. What a run has no figures for is on the list too, and said not to be measured.

use std::fmt::Write as _;

use crate::figures::{Line, LineFigures};
use crate::payload::Payload;
use crate::stats;
use crate::workload::{Hashing, Row, Workload};

/// The engine that is judged.
const OURS: &str = "idem";

/// Something to be reached.
struct Target {
    what: String,
    need: Need,
    judge: Judge,
}

/// How far.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    AtLeast(f64),
    AtMost(f64),
}

/// By which figures.
enum Judge {
    /// Ours by the best peer, or the best of those named.
    Ratio(Line, &'static [&'static str]),
    /// The geometric mean of the ratios to each line's best peer.
    Mean(Vec<Line>),
    /// The least of these ratios.
    Least(Vec<Line>),
    /// Ours, by nothing.
    Alone(Line),
    /// The first engine by the second, paired by round, in `PAIRS_LEAST` rounds at least. Such differences
    /// are smaller than those from one round to the next, so the bounds decide, not the median.
    Pairs(Line, [&'static str; 2]),
}

/// What the figures say.
#[derive(Debug, PartialEq)]
struct Found {
    measured: f64,
    /// By whose figure the ratio is.
    beside: String,
    bounds: Option<(f64, f64)>,
    /// Whether these decide.
    by_bounds: bool,
}

/// Pairs from which on a difference of less than 10 % is judged.
pub(crate) const PAIRS_LEAST: usize = 200;

impl Need {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(least) => measured >= least,
            Self::AtMost(most) => measured <= most,
        }
    }
}

const fn line(workload: Workload, keys: usize, threads: usize, payload: Payload) -> Line {
    let measures = workload.measures();
    Line {
        row: Row { workload, hashing: Hashing::Ready, keys, threads, payload },
        measure: measures[measures.len() - 1],
    }
}

const SIZED: Payload = Payload::Bytes(256);
const MILLION: usize = 1_000_000;

fn replays(keys: usize) -> Vec<Line> {
    [1, 2, 8].map(|threads| line(Workload::Replay, keys, threads, SIZED)).to_vec()
}

/// The list.
fn targets() -> Vec<Target> {
    use Judge::{Least, Mean, Pairs, Ratio};
    use Need::{AtLeast, AtMost};

    let mut list = Vec::new();
    let mut add = |what: &str, need, judge| {
        list.push(Target { what: what.to_owned(), need, judge });
    };
    for threads in [1, 2, 8] {
        let churn = line(Workload::Churn, MILLION, threads, SIZED);
        add(&format!("churn, threads: {threads}"), AtLeast(2.0), Ratio(churn, &[]));
    }
    let fill = line(Workload::Fill, 4_000_000, 2, SIZED);
    add("fill of 4 million, 2 threads", AtLeast(1.5), Ratio(fill, &[]));
    for (keys, named, mean, least) in
        [(4_000_000, "4 million", 1.3, 0.9), (100_000, "100 thousand", 1.0, 0.8)]
    {
        add(&format!("replay of {named}, mean"), AtLeast(mean), Mean(replays(keys)));
        add(&format!("replay of {named}, least"), AtLeast(least), Least(replays(keys)));
    }
    let peek = line(Workload::Peek, 1, 2, SIZED);
    add("peek of a hot key, 2 threads", AtLeast(1.5), Ratio(peek, &[]));
    for (keys, named) in [(4_000_000, "4 million"), (100_000, "100 thousand")] {
        let batch = line(Workload::Batch, keys, 2, SIZED);
        add(&format!("batches of 16, {named}"), AtLeast(3.2), Ratio(batch, PEERS));
        add(&format!("batches of 16, {named}, of the floor"), AtLeast(0.6), Ratio(batch, FLOOR));
    }
    latencies(&mut add);
    for bytes in [0, 256] {
        let bytes = line(Workload::Bytes, MILLION, 2, Payload::Bytes(bytes));
        let what = format!("bytes beyond a payload of {}", bytes.row.payload);
        add(&what, AtMost(100.0), Judge::Alone(bytes));
    }
    let mix = line(Workload::Bytes, 250_000, 2, Payload::Mix);
    add("bytes beyond the mix", AtMost(100.0 + 0.15 * mean_bytes(&mix)), Judge::Alone(mix));
    let wake = line(Workload::Wake, 1, 8, SIZED);
    add("wake of 8 waiters", AtMost(1.5), Ratio(wake, &[]));
    let expiry = line(Workload::Expiry, MILLION, 1, SIZED);
    add("claims under mass expiry, p99", AtMost(2.0), Ratio(expiry, &[]));
    // Counters and the histogram cannot be switched off, so that they are in both figures.
    let hooks = line(Workload::Hooks, MILLION, 1, SIZED);
    let engines = ["idem-hooked", "idem-ticked"];
    add("churn with a hook, by that without", AtLeast(0.95), Pairs(hooks, engines));
    list
}

/// All but the baselines.
const PEERS: &[&str] =
    &["dashmap", "dashmap-read", "moka", "mutex64", "papaya", "quick_cache", "scc", "scc-read"];

/// What cannot be beaten by what decides.
const FLOOR: &[&str] = &["floor"];

/// The slowest claims of eight threads, beside each peer.
fn latencies(add: &mut impl FnMut(&str, Need, Judge)) {
    const PEERS: [(&[&str], f64); 6] = [
        (&["dashmap", "dashmap-read"], 0.1),
        (&["quick_cache"], 0.1),
        (&["mutex64"], 0.1),
        (&["moka"], 0.1),
        (&["scc", "scc-read"], 1.0),
        (&["papaya"], 2.0),
    ];
    for (peers, most) in PEERS {
        let latency = line(Workload::Latency, MILLION, 8, SIZED);
        let what = format!("p99.9 of a claim, beside {}", peers[0]);
        add(&what, Need::AtMost(most), Judge::Ratio(latency, peers));
    }
}

/// The mean payload of a line.
#[expect(clippy::cast_precision_loss, reason = "bytes of one table are below 2^52")]
fn mean_bytes(line: &Line) -> f64 {
    let Row { keys, payload, .. } = line.row;
    payload.total(0..keys as u64) as f64 / keys as f64
}

impl Judge {
    fn find(&self, lines: &[LineFigures]) -> Option<Found> {
        match self {
            Self::Ratio(line, peers) => ratio(lines, line, peers),
            Self::Mean(of) => {
                let ratios = ratios(lines, of)?;
                Some(Found { measured: stats::geometric_mean(&ratios), ..Found::of(of) })
            }
            Self::Least(of) => {
                let (least, _) = stats::range(&ratios(lines, of)?);
                Some(Found { measured: least, ..Found::of(of) })
            }
            Self::Alone(line) => {
                let measured = figures_of(lines, line)?.of(OURS)?.median();
                Some(Found { measured, beside: String::from("-"), bounds: None, by_bounds: false })
            }
            Self::Pairs(line, engines) => pairs(lines, line, engines),
        }
    }
}

impl Found {
    fn of(lines: &[Line]) -> Self {
        let beside = format!("best peers of {} rows", lines.len());
        Self { measured: f64::NAN, beside, bounds: None, by_bounds: false }
    }

    fn verdict(&self, need: Need) -> &'static str {
        let (low, high) = match self.bounds {
            Some(bounds) if self.by_bounds => bounds,
            _ => (self.measured, self.measured),
        };
        match (need.is_met(low), need.is_met(high)) {
            (true, true) => "met",
            (false, false) => "**lost**",
            _ => "undecided",
        }
    }
}

fn figures_of<'a>(lines: &'a [LineFigures], line: &Line) -> Option<&'a LineFigures> {
    lines.iter().find(|figures| figures.line == *line)
}

fn ratio(lines: &[LineFigures], line: &Line, peers: &[&str]) -> Option<Found> {
    let figures = figures_of(lines, line)?;
    let ours = figures.of(OURS)?;
    let best = figures.best(|figures| {
        !figures.ours && (peers.is_empty() || peers.contains(&figures.engine.as_str()))
    })?;
    Some(Found {
        measured: ours.median() / best.median(),
        beside: best.engine.clone(),
        bounds: stats::median_bounds(&ours.ratios(best)),
        by_bounds: false,
    })
}

fn pairs(lines: &[LineFigures], line: &Line, [one, other]: &[&str; 2]) -> Option<Found> {
    let figures = figures_of(lines, line)?;
    let ratios = figures.of(one)?.ratios(figures.of(other)?);
    (ratios.len() >= PAIRS_LEAST).then(|| Found {
        measured: stats::median(&ratios),
        beside: (*other).to_owned(),
        bounds: stats::median_bounds(&ratios),
        by_bounds: true,
    })
}

/// The ratios of all `of` these lines, or nothing if one of them is missing.
fn ratios(lines: &[LineFigures], of: &[Line]) -> Option<Vec<f64>> {
    of.iter().map(|line| ratio(lines, line, &[]).map(|found| found.measured)).collect()
}

/// The ratio to the best peer that a line is to reach, if there is one for it.
pub(crate) fn needed(line: &Line) -> Option<f64> {
    targets().iter().find_map(|target| {
        let is_about = match &target.judge {
            Judge::Ratio(of, peers) => peers.is_empty() && of == line,
            Judge::Least(of) => of.contains(line),
            _ => false,
        };
        let (Need::AtLeast(ratio) | Need::AtMost(ratio)) = target.need;
        is_about.then_some(ratio)
    })
}

/// The table of targets: met, lost, or not measured.
pub(crate) fn table(lines: &[LineFigures]) -> String {
    let mut text = String::from(
        "| target | needed | measured | by that of | bounds | verdict |\n\
         |---|--:|--:|---|--:|---|\n",
    );
    for Target { what, need, judge } in targets() {
        let needed = match need {
            Need::AtLeast(least) => format!("at least {least:.2}"),
            Need::AtMost(most) => format!("at most {most:.2}"),
        };
        let _ = match judge.find(lines) {
            Some(found) => {
                let verdict = found.verdict(need);
                let Found { measured, beside, bounds, .. } = found;
                let bounds = stats::bounds_text(bounds);
                writeln!(
                    text,
                    "| {what} | {needed} | {measured:.3} | {beside} | {bounds} | {verdict} |"
                )
            }
            None => writeln!(text, "| {what} | {needed} | - | - | - | not measured |"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::Taken;
    use crate::figures;
    use crate::plan::{self, Instead};
    use crate::sample::Sample;
    use crate::workload::Measure;

    /// Figures of `engines` in a line, as if they had been measured once.
    fn measured(line: Line, engines: &[(&str, u64)]) -> Vec<Taken> {
        let take = |&(engine, figure): &(&str, u64)| {
            let mut sample =
                Sample { operations: figure, nanos: 1000, resident: figure, ..Sample::default() };
            sample.times.p50 = figure;
            sample.times.p99 = figure;
            sample.times.p999 = figure;
            Taken { row: line.row, engine: engine.to_owned(), round: 0, sample }
        };
        engines.iter().map(take).collect()
    }

    fn verdict(taken: &[Taken], what: &str) -> String {
        let table = table(&figures::by_line(taken));
        let found = table.lines().find(|line| line.starts_with(&format!("| {what} |")));
        found.unwrap_or_else(|| panic!("no target: {what}")).to_owned()
    }

    #[test]
    fn the_plan_measures_every_target() {
        let rows = plan::rows(&Workload::ALL, &Hashing::ALL, &Instead::default(), false);
        for Target { what, judge, .. } in targets() {
            let of = match judge {
                Judge::Ratio(line, _) | Judge::Alone(line) | Judge::Pairs(line, _) => vec![line],
                Judge::Mean(lines) | Judge::Least(lines) => lines,
            };
            for line in of {
                assert!(rows.contains(&line.row), "{what}");
                assert!(line.row.workload.measures().contains(&line.measure), "{what}");
            }
        }
    }

    #[test]
    fn ratios_are_judged_by_the_best_peer() {
        let churn = line(Workload::Churn, MILLION, 2, SIZED);
        let what = "churn, threads: 2";
        assert_eq!(
            verdict(&[], what),
            format!("| {what} | at least 2.00 | - | - | - | not measured |")
        );
        let met = measured(churn, &[("idem", 400), ("moka", 100), ("papaya", 200)]);
        let text = format!("| {what} | at least 2.00 | 2.000 | papaya | - | met |");
        assert_eq!(verdict(&met, what), text);
        let lost = measured(churn, &[("idem", 399), ("idem-ticked", 900), ("papaya", 200)]);
        assert!(verdict(&lost, what).ends_with("| 1.995 | papaya | - | **lost** |"));
    }

    #[test]
    fn slowest_claims_are_judged_by_each_peer() {
        let latency = line(Workload::Latency, MILLION, 8, SIZED);
        assert_eq!(latency.measure, Measure::P999);
        let engines =
            [("idem", 100), ("dashmap", 2000), ("dashmap-read", 900), ("papaya", 50), ("scc", 99)];
        let taken = measured(latency, &engines);
        for (peer, end) in [
            ("dashmap", "| 0.111 | dashmap-read | - | **lost** |"),
            ("papaya", "| 2.000 | papaya | - | met |"),
            ("scc", "| 1.010 | scc | - | **lost** |"),
            ("moka", "| - | - | - | not measured |"),
        ] {
            let verdict = verdict(&taken, &format!("p99.9 of a claim, beside {peer}"));
            assert!(verdict.ends_with(end), "{verdict}");
        }
    }

    #[test]
    fn means_need_every_row() {
        let mut taken = Vec::new();
        for (of, ours) in replays(4_000_000).into_iter().zip([80, 100, 200]) {
            assert!(verdict(&taken, "replay of 4 million, mean").ends_with("not measured |"));
            taken.extend(measured(of, &[("idem", ours), ("scc", 100)]));
        }
        let mean = verdict(&taken, "replay of 4 million, mean");
        assert!(mean.contains("| 1.170 | best peers of 3 rows |"), "{mean}");
        let least = verdict(&taken, "replay of 4 million, least");
        assert!(least.contains("| 0.800 |") && least.contains("lost"), "{least}");
    }

    #[test]
    fn bytes_are_judged_beyond_the_payload() {
        let bytes = line(Workload::Bytes, MILLION, 2, Payload::Bytes(256));
        for (beyond, end) in [(100, "| 100.000 | - | - | met |"), (101, "**lost** |")] {
            let taken = measured(bytes, &[("idem", (256 + beyond) * MILLION as u64)]);
            let verdict = verdict(&taken, "bytes beyond a payload of 256");
            assert!(verdict.ends_with(end), "{verdict}");
        }
        let mix = line(Workload::Bytes, 250_000, 2, Payload::Mix);
        let expected = 40.768 * 100.0;
        assert!((mean_bytes(&mix) / expected - 1.0).abs() < 0.02);
    }

    /// So many rounds in which the hook's figure is one of these in turn, and the other's 1000.
    fn hooked(rounds: usize, figures: &[u64]) -> Vec<Taken> {
        let hooks = line(Workload::Hooks, MILLION, 1, SIZED);
        let round = |round| {
            let hooked = figures[round % figures.len()];
            let taken = measured(hooks, &[("idem-hooked", hooked), ("idem-ticked", 1000)]);
            taken.into_iter().map(move |taken| Taken { round, ..taken })
        };
        (0..rounds).flat_map(round).collect()
    }

    #[test]
    fn small_differences_are_judged_by_the_bounds_of_many_pairs() {
        let what = "churn with a hook, by that without";
        for (rounds, figures, end) in [
            (PAIRS_LEAST - 1, &[960][..], "| - | - | - | not measured |"),
            (PAIRS_LEAST, &[960], "| 0.960 | idem-ticked | 0.96 to 0.96 | met |"),
            (PAIRS_LEAST, &[940], "| 0.940 | idem-ticked | 0.94 to 0.94 | **lost** |"),
            (PAIRS_LEAST, &[930, 970], "| 0.950 | idem-ticked | 0.93 to 0.97 | undecided |"),
        ] {
            let verdict = verdict(&hooked(rounds, figures), what);
            assert!(verdict.ends_with(end), "{verdict}");
        }
    }

    #[test]
    fn lines_know_what_they_are_to_reach() {
        let fill = line(Workload::Fill, 4_000_000, 2, SIZED);
        assert_eq!(needed(&fill), Some(1.5));
        assert_eq!(needed(&replays(100_000)[2]), Some(0.8));
        assert_eq!(needed(&line(Workload::Latency, MILLION, 8, SIZED)), None);
    }
}
