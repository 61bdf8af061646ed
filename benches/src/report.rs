//! From samples to tables, and to the CSV that keeps the samples.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::adapters::{self, ENGINES};
use crate::runner::Sample;
use crate::stats;
use crate::workload::{Row, Workload};

const COLUMNS: &str =
    "workload,keys,threads,payload,engine,round,operations,nanos,live,fulls,resident";

/// Between these lines of a Markdown file the tables are put.
const MARKERS: [&str; 2] = ["<!-- tables: made by idem-benches -->", "<!-- end of tables -->"];

/// A sample with what it is a sample of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taken {
    /// The row.
    pub(crate) row: Row,
    /// The engine's name.
    pub(crate) engine: String,
    /// The round.
    pub(crate) round: usize,
    /// What was measured.
    pub(crate) sample: Sample,
}

/// All samples of a run.
#[derive(Debug)]
pub(crate) struct Run<Name = &'static str> {
    /// What machine, which command.
    pub(crate) facts: Vec<(Name, String)>,
    /// The samples, in the order in which they were taken.
    pub(crate) taken: Vec<Taken>,
}

/// What `report` is to do.
pub(crate) struct Options {
    csv: PathBuf,
    update: Option<PathBuf>,
}

impl Options {
    /// Tables of the run kept in `csv`, put into `update` if given.
    pub(crate) fn new(csv: &str, update: Option<&String>) -> Self {
        Self { csv: PathBuf::from(csv), update: update.map(PathBuf::from) }
    }
}

/// Makes the tables of an earlier run again.
pub(crate) fn again(options: &Options) -> Result<(), String> {
    let text = std::fs::read_to_string(&options.csv)
        .map_err(|error| format!("{}: {error}", options.csv.display()))?;
    let tables = tables(&from_csv(&text)?);
    print!("{tables}");
    match &options.update {
        Some(path) => update(path, &tables),
        None => Ok(()),
    }
}

/// Puts `tables` between the markers of the Markdown file at `path`.
pub(crate) fn update(path: &Path, tables: &str) -> Result<(), String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    let [begin, end] = MARKERS;
    let (before, rest) = text.split_once(begin).ok_or_else(|| named(&"has no markers"))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| named(&"has no end marker"))?;
    std::fs::write(path, format!("{before}{begin}\n\n{tables}\n{end}{after}"))
        .map_err(|error| named(&error))
}

/// Every sample, one a line, under the facts.
pub(crate) fn csv<Name: AsRef<str>>(run: &Run<Name>) -> String {
    let mut text = String::new();
    for (name, value) in &run.facts {
        let _ = writeln!(text, "# {}: {value}", name.as_ref());
    }
    let _ = writeln!(text, "{COLUMNS}");
    for taken in &run.taken {
        let Row { workload, keys, threads, payload } = taken.row;
        let Taken { engine, round, sample, .. } = taken;
        let Sample { operations, nanos, live, fulls, resident } = sample;
        let _ = writeln!(
            text,
            "{},{keys},{threads},{payload},{engine},{round},{operations},{nanos},{live},{fulls},{resident}",
            workload.name(),
        );
    }
    text
}

fn from_csv(text: &str) -> Result<Run<String>, String> {
    let mut run = Run { facts: Vec::new(), taken: Vec::new() };
    for line in text.lines() {
        if let Some(fact) = line.strip_prefix("# ") {
            let (name, value) = fact.split_once(": ").unwrap_or((fact, ""));
            run.facts.push((name.to_owned(), value.to_owned()));
        } else if line != COLUMNS {
            run.taken.push(taken_from(line).ok_or_else(|| format!("not a sample: {line}"))?);
        }
    }
    Ok(run)
}

fn taken_from(line: &str) -> Option<Taken> {
    let fields: Vec<&str> = line.split(',').collect();
    let [workload, keys, threads, payload, engine, round, rest @ ..] = &fields[..] else {
        return None;
    };
    Some(Taken {
        row: Row {
            workload: Workload::named(workload)?,
            keys: keys.parse().ok()?,
            threads: threads.parse().ok()?,
            payload: payload.parse().ok()?,
        },
        engine: (*engine).to_owned(),
        round: round.parse().ok()?,
        sample: Sample::from_line(&format!("sample {}", rest.join(" ")))?,
    })
}

impl Row {
    /// The figure of the row's table: millions of operations a second, or bytes a record.
    #[expect(clippy::cast_precision_loss, reason = "counts of one sample are below 2^52")]
    pub(crate) fn figure(&self, sample: &Sample) -> f64 {
        if self.workload == Workload::Bytes {
            sample.resident as f64 / self.keys as f64
        } else {
            sample.operations as f64 / sample.nanos as f64 * 1e3
        }
    }

    /// Whether figure `a` is better than figure `b`.
    fn is_better(&self, a: f64, b: f64) -> bool {
        if self.workload == Workload::Bytes { a < b } else { a > b }
    }
}

/// The figures of one engine in one row, round by round.
struct Figures {
    engine: String,
    ours: bool,
    rounds: Vec<(usize, f64)>,
    live: u64,
    fulls: u64,
}

impl Figures {
    fn values(&self) -> Vec<f64> {
        self.rounds.iter().map(|&(_, figure)| figure).collect()
    }

    fn median(&self) -> f64 {
        stats::median(&self.values())
    }

    /// This engine's figure by the other's, in each round that both have.
    fn ratios(&self, other: &Self) -> Vec<f64> {
        let pairs = self.rounds.iter().filter_map(|&(round, figure)| {
            let paired = other.rounds.iter().find(|&&(of, _)| of == round)?;
            Some(figure / paired.1)
        });
        pairs.collect()
    }
}

/// All engines of one row.
struct RowFigures {
    row: Row,
    engines: Vec<Figures>,
}

impl RowFigures {
    fn of(&self, engine: &str) -> Option<&Figures> {
        self.engines.iter().find(|figures| figures.engine == engine)
    }

    /// The peer with the best median.
    fn best_peer(&self) -> Option<&Figures> {
        self.engines.iter().filter(|figures| !figures.ours).reduce(|best, figures| {
            if self.row.is_better(figures.median(), best.median()) { figures } else { best }
        })
    }
}

fn by_row(taken: &[Taken]) -> Vec<RowFigures> {
    let mut rows: Vec<RowFigures> = Vec::new();
    for Taken { row, engine, round, sample } in taken {
        if rows.last().is_none_or(|last| last.row != *row) {
            rows.push(RowFigures { row: *row, engines: Vec::new() });
        }
        let engines = &mut rows.last_mut().expect("just pushed").engines;
        let figure = (*round, row.figure(sample));
        match engines.iter_mut().find(|figures| figures.engine == *engine) {
            Some(figures) => {
                figures.rounds.push(figure);
                figures.live += sample.live;
                figures.fulls += sample.fulls;
            }
            None => engines.push(Figures {
                engine: engine.clone(),
                ours: adapters::named(engine).is_some_and(|engine| engine.ours),
                rounds: vec![figure],
                live: sample.live,
                fulls: sample.fulls,
            }),
        }
    }
    // In the order of the list, whoever was measured first.
    let place = |name: &str| ENGINES.iter().position(|engine| engine.name == name);
    for row in &mut rows {
        row.engines.sort_by_key(|figures| place(&figures.engine));
    }
    rows
}

/// The facts and all tables, as Markdown.
pub(crate) fn tables<Name: AsRef<str>>(run: &Run<Name>) -> String {
    let (bytes, speeds): (Vec<_>, Vec<_>) =
        by_row(&run.taken).into_iter().partition(|row| row.row.workload == Workload::Bytes);
    let mut text = String::new();
    for (name, value) in &run.facts {
        let _ = writeln!(text, "- {}: `{value}`", name.as_ref());
    }
    let mut put = |title: &str, rows: &[RowFigures]| {
        if !rows.is_empty() {
            let _ = writeln!(text, "\n{title}\n");
            medians(&mut text, rows);
        }
    };
    put("Millions of operations a second (medians; more is better):", &speeds);
    put("Bytes of resident memory a record, payload included (medians; less is better):", &bytes);
    let _ = writeln!(
        text,
        "\nAll rounds. Ratios are paired by round with the row's best peer; the bounds hold the\n\
         median ratio with 95 % confidence (none for fewer than six rounds).\n",
    );
    details(&mut text, speeds.iter().chain(&bytes));
    text
}

/// One line a row, one column an engine.
fn medians(text: &mut String, rows: &[RowFigures]) {
    let columns: Vec<_> = ENGINES
        .iter()
        .filter(|engine| rows.iter().any(|row| row.of(engine.name).is_some()))
        .collect();
    let mut header = String::from("| workload | keys | threads | payload |");
    for engine in &columns {
        let _ = write!(header, " {} |", engine.name);
    }
    header.push_str(" best peer |");
    for engine in columns.iter().filter(|engine| engine.ours) {
        let _ = write!(header, " {} / best |", engine.name);
    }
    let _ = writeln!(text, "{header}");
    let _ = writeln!(text, "|---|{}", "--:|".repeat(header.matches('|').count() - 2));
    for row in rows {
        let Row { workload, keys, threads, payload } = row.row;
        let _ = write!(text, "| {} | {keys} | {threads} | {payload} |", workload.name());
        for engine in &columns {
            let median = row.of(engine.name).map(|figures| format!("{:.2}", figures.median()));
            let _ = write!(text, " {} |", median.as_deref().unwrap_or("-"));
        }
        let best = row.best_peer();
        let _ = write!(text, " {} |", best.map_or("-", |best| &best.engine));
        for engine in columns.iter().filter(|engine| engine.ours) {
            let ours = row.of(engine.name);
            let ratio = ours.zip(best).map(|(ours, best)| ours.median() / best.median());
            let ratio = ratio.map(|ratio| format!("**{ratio:.2}**"));
            let _ = write!(text, " {} |", ratio.as_deref().unwrap_or("-"));
        }
        text.push('\n');
    }
}

/// One line an engine and row.
fn details<'a>(text: &mut String, rows: impl Iterator<Item = &'a RowFigures>) {
    text.push_str(
        "| workload | keys | threads | payload | engine | rounds | min | median | max \
         | by best peer | bounds | live | full |\n",
    );
    let _ = writeln!(text, "|---|--:|--:|--:|---|{}", "--:|".repeat(8));
    for row in rows {
        let Row { workload, keys, threads, payload } = row.row;
        for figures in &row.engines {
            let (least, greatest) = stats::range(&figures.values());
            let ratios = row.best_peer().map(|best| figures.ratios(best)).unwrap_or_default();
            let (ratio, bounds) = if ratios.is_empty() {
                (String::from("-"), None)
            } else {
                (format!("{:.2}", stats::median(&ratios)), stats::median_bounds(&ratios))
            };
            let bounds = bounds
                .map_or_else(|| String::from("-"), |(low, high)| format!("{low:.2} to {high:.2}"));
            let _ = writeln!(
                text,
                "| {} | {keys} | {threads} | {payload} | {} | {} | {least:.2} | {:.2} \
                 | {greatest:.2} | {ratio} | {bounds} | {} | {} |",
                workload.name(),
                figures.engine,
                figures.rounds.len(),
                figures.median(),
                figures.live / figures.rounds.len() as u64,
                figures.fulls,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(engine: &str, round: usize, operations: u64) -> Taken {
        Taken {
            row: Row { workload: Workload::Churn, keys: 10, threads: 2, payload: 256 },
            engine: engine.to_owned(),
            round,
            sample: Sample { operations, nanos: 1_000_000, live: 10, fulls: 0, resident: 0 },
        }
    }

    fn run() -> Run {
        Run {
            facts: vec![("date", String::from("today: now"))],
            taken: vec![
                taken("papaya", 0, 1000),
                taken("idem", 0, 3000),
                taken("moka", 0, 100),
                taken("idem", 1, 5000),
                taken("moka", 1, 100),
                taken("papaya", 1, 3000),
            ],
        }
    }

    #[test]
    fn a_run_survives_its_csv() {
        let text = csv(&run());
        let again = from_csv(&text).unwrap();
        assert_eq!(again.taken, run().taken);
        assert_eq!(csv(&again), text);
        assert_eq!(tables(&again), tables(&run()));
        assert!(from_csv("churn,1").is_err());
    }

    #[test]
    fn the_ratio_is_to_the_best_peer() {
        let tables = tables(&run());
        let line = "| churn | 10 | 2 | 256 | 4.00 | 2.00 | 0.10 | papaya | **2.00** |";
        assert!(tables.lines().any(|found| found == line), "{tables}");
        let paired = stats::median(&[3.0, 5.0 / 3.0]);
        assert!(tables.contains(&format!("| 5.00 | {paired:.2} | - | 10 | 0 |")), "{tables}");
    }
}
