//! The tables of a run as Markdown, and where they go.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::adapters::ENGINES;
use crate::csv::{self, Run};
use crate::figures::{self, LineFigures};
use crate::plot;
use crate::stats;
use crate::targets;
use crate::workload::{Hashing, Row, Workload};

/// Between these lines of a Markdown file the tables are put.
const MARKERS: [&str; 2] = ["<!-- tables: made by idem-benches -->", "<!-- end of tables -->"];

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

/// Makes the tables and the plot of an earlier run again.
pub(crate) fn again(options: &Options) -> Result<(), String> {
    let path = &options.csv;
    let text = std::fs::read_to_string(path).map_err(|error| named(path, &error))?;
    let run = csv::read(&text)?;
    let tables = tables(&run);
    print!("{tables}");
    draw(&run, path)?;
    match &options.update {
        Some(path) => update(path, &tables),
        None => Ok(()),
    }
}

/// Keeps the samples in the CSV at `path`, and the plot beside it.
pub(crate) fn keep<Name: AsRef<str>>(run: &Run<Name>, path: &Path) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| named(folder, &error))?;
    }
    put(path, &csv::write(run))?;
    draw(run, path)
}

/// Puts the plot of a run beside its CSV.
fn draw<Name: AsRef<str>>(run: &Run<Name>, csv: &Path) -> Result<(), String> {
    let fact = |name: &str| {
        let fact = run.facts.iter().find(|(of, _)| of.as_ref() == name);
        fact.map_or("", |(_, value)| value)
    };
    let title = format!("{}, {}, {}", fact("date"), fact("commit"), fact("processor"));
    match plot::svg(&title, &figures::by_line(&run.taken)) {
        Some(svg) => put(&csv.with_extension("svg"), &svg),
        None => Ok(()),
    }
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| named(path, &error))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

/// Puts `tables` between the markers of the Markdown file at `path`.
pub(crate) fn update(path: &Path, tables: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|error| named(path, &error))?;
    let [begin, end] = MARKERS;
    let (before, rest) = text.split_once(begin).ok_or_else(|| named(path, &"has no markers"))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| named(path, &"has no end marker"))?;
    std::fs::write(path, format!("{before}{begin}\n\n{tables}\n{end}{after}"))
        .map_err(|error| named(path, &error))
}

/// The tables beside each other's, by what is in them.
const TABLES: [(&str, fn(&Row) -> bool); 6] = [
    ("Millions of operations a second (medians; more is better):", |row| {
        is_speed(row) && row.hashing == Hashing::Ready
    }),
    ("The same with keys of 36 bytes and everybody's default hashing:", |row| {
        is_speed(row) && row.hashing == Hashing::Default
    }),
    ("Millions of steps a second with a hook and without (medians; more is better):", |row| {
        row.workload == Workload::Hooks
    }),
    ("Nanoseconds of one claim (medians; less is better):", |row| {
        row.workload == Workload::Latency
    }),
    ("Nanoseconds of libidem beside a baseline (medians; less is better):", |row| {
        matches!(row.workload, Workload::Expiry | Workload::Wake)
    }),
    ("Bytes of resident memory a record, beyond its payload (medians; less is better):", |row| {
        row.workload == Workload::Bytes
    }),
];

fn is_speed(row: &Row) -> bool {
    row.workload != Workload::Hooks
        && row.workload.measures().iter().all(|measure| measure.more_is_better())
}

/// The facts and all tables, as Markdown.
pub(crate) fn tables<Name: AsRef<str>>(run: &Run<Name>) -> String {
    let lines = figures::by_line(&run.taken);
    let mut text = String::new();
    for (name, value) in &run.facts {
        let _ = writeln!(text, "- {}: `{value}`", name.as_ref());
    }
    let _ = writeln!(
        text,
        "\nTargets. Ratios are of the medians; the bounds hold the median ratio of a round with\n\
         95 % confidence (none for fewer than six rounds).\n\n{}",
        targets::table(&lines).trim_end(),
    );
    let in_tables = TABLES.iter().map(|(title, is_in)| {
        let of = lines.iter().filter(|figures| is_in(&figures.line.row));
        (title, of.collect::<Vec<_>>())
    });
    let in_tables: Vec<_> = in_tables.filter(|(_, lines)| !lines.is_empty()).collect();
    for (title, lines) in &in_tables {
        let _ = writeln!(text, "\n{title}\n");
        medians(&mut text, lines);
    }
    let _ = writeln!(
        text,
        "\nAll rounds. Ratios are paired by round with the row's best peer; the bounds hold the\n\
         median ratio with 95 % confidence (none for fewer than six rounds).\n",
    );
    details(&mut text, in_tables.iter().flat_map(|(_, lines)| lines));
    text
}

/// One line a row, one column an engine.
fn medians(text: &mut String, lines: &[&LineFigures]) {
    let columns: Vec<_> = ENGINES
        .iter()
        .filter(|engine| lines.iter().any(|line| line.of(engine.name).is_some()))
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
    for figures in lines {
        let Row { keys, threads, payload, .. } = figures.line.row;
        let decimals = figures.line.measure.decimals();
        let _ = write!(text, "| {} | {keys} | {threads} | {payload} |", figures.line.name());
        for engine in &columns {
            let of = figures.of(engine.name);
            let median = of.map(|of| format!("{:.decimals$}", of.median()));
            let _ = write!(text, " {} |", median.as_deref().unwrap_or("-"));
        }
        let best = figures.best_peer();
        let _ = write!(text, " {} |", best.map_or("-", |best| &best.engine));
        for engine in columns.iter().filter(|engine| engine.ours) {
            let ours = figures.of(engine.name);
            let ratio = ours.zip(best).map(|(ours, best)| ours.median() / best.median());
            let ratio = ratio.map(|ratio| format!("**{ratio:.2}**"));
            let _ = write!(text, " {} |", ratio.as_deref().unwrap_or("-"));
        }
        text.push('\n');
    }
}

/// One line an engine and row.
fn details<'a>(text: &mut String, lines: impl Iterator<Item = &'a &'a LineFigures>) {
    text.push_str(
        "| workload | hashing | keys | threads | payload | engine | rounds | min | median | max \
         | by best peer | bounds | live | full |\n",
    );
    let _ = writeln!(text, "|---|---|--:|--:|--:|---|{}", "--:|".repeat(8));
    for of_line in lines {
        let Row { hashing, keys, threads, payload, .. } = of_line.line.row;
        let decimals = of_line.line.measure.decimals();
        for figures in &of_line.engines {
            let (least, greatest) = stats::range(&figures.values());
            let ratios = of_line.best_peer().map(|best| figures.ratios(best)).unwrap_or_default();
            let (ratio, bounds) = if ratios.is_empty() {
                (String::from("-"), None)
            } else {
                (format!("{:.2}", stats::median(&ratios)), stats::median_bounds(&ratios))
            };
            let _ = writeln!(
                text,
                "| {} | {} | {keys} | {threads} | {payload} | {} | {} | {least:.decimals$} \
                 | {:.decimals$} | {greatest:.decimals$} | {ratio} | {} | {} | {} |",
                of_line.line.name(),
                hashing.name(),
                figures.engine,
                figures.rounds.len(),
                figures.median(),
                stats::bounds_text(bounds),
                figures.live / figures.rounds.len() as u64,
                figures.fulls,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::Taken;
    use crate::payload::Payload;
    use crate::sample::Sample;

    fn taken(hashing: Hashing, engine: &str, round: usize, operations: u64) -> Taken {
        let (workload, payload) = (Workload::Churn, Payload::Bytes(256));
        Taken {
            row: Row { workload, hashing, keys: 10, threads: 2, payload },
            engine: engine.to_owned(),
            round,
            sample: Sample { operations, nanos: 1_000_000, live: 10, ..Sample::default() },
        }
    }

    fn run() -> Run {
        let ready = |engine, round, operations| taken(Hashing::Ready, engine, round, operations);
        Run {
            facts: vec![("date", String::from("today: now"))],
            taken: vec![
                ready("papaya", 0, 1000),
                ready("idem", 0, 3000),
                ready("moka", 0, 100),
                ready("idem", 1, 5000),
                ready("moka", 1, 100),
                ready("papaya", 1, 3000),
                taken(Hashing::Default, "idem", 0, 700),
            ],
        }
    }

    #[test]
    fn tables_survive_the_csv() {
        let again = csv::read(&csv::write(&run())).unwrap();
        assert_eq!(tables(&again), tables(&run()));
    }

    #[test]
    fn the_ratio_is_to_the_best_peer() {
        let tables = tables(&run());
        let has = |line: &str| assert!(tables.lines().any(|found| found == line), "{tables}");
        has("| churn | 10 | 2 | 256 | 4.00 | 2.00 | 0.10 | papaya | **2.00** |");
        has("| churn | 10 | 2 | 256 | 0.70 | - | - |");
        let paired = stats::median(&[3.0, 5.0 / 3.0]);
        assert!(tables.contains(&format!("| 5.00 | {paired:.2} | - | 10 | 0 |")), "{tables}");
    }
}
