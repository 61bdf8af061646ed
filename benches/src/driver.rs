//! A whole run: which samples are taken, in which order, and where they go.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::adapters::{ENGINES, Engine};
use crate::cli;
use crate::machine;
use crate::report::{self, Run, Taken};
use crate::runner::Sample;
use crate::workload::{Row, Spec, Workload};

/// Rounds of the bytes workload: it varies by some pages only.
const BYTES_ROUNDS_MAX: usize = 3;

/// What a run is made of.
pub(crate) struct Options {
    /// The command line, for the record.
    pub(crate) command: String,
    /// The workloads, in order.
    pub(crate) workloads: Vec<Workload>,
    /// The engines, in order.
    pub(crate) engines: Vec<&'static Engine>,
    /// Numbers of worker threads.
    pub(crate) threads: Vec<usize>,
    /// Samples of each figure.
    pub(crate) rounds: usize,
    /// How long a sample without an end of its own is measured.
    pub(crate) time: Duration,
    /// Numbers of keys, instead of each workload's own.
    pub(crate) keys: Option<Vec<usize>>,
    /// Bytes of a response, instead of each workload's own.
    pub(crate) payloads: Option<Vec<usize>>,
    /// Whether millions of keys are wanted too.
    pub(crate) large: bool,
    /// Whether workers are bound to processors.
    pub(crate) pin: bool,
    /// Where the CSV goes, instead of the place made for it.
    pub(crate) csv: Option<PathBuf>,
    /// The Markdown file that gets the tables.
    pub(crate) update: Option<PathBuf>,
    smoke: bool,
}

impl Options {
    /// A run for figures.
    pub(crate) fn full() -> Self {
        Self {
            command: String::new(),
            workloads: Workload::ALL.to_vec(),
            engines: ENGINES.iter().collect(),
            threads: vec![1, 2, 8],
            rounds: 5,
            time: Duration::from_millis(500),
            keys: None,
            payloads: None,
            large: false,
            pin: true,
            csv: None,
            update: None,
            smoke: false,
        }
    }

    /// A run that only shows that the answers hold.
    pub(crate) fn smoke() -> Self {
        Self {
            threads: vec![1, 2],
            rounds: 1,
            time: Duration::from_millis(10),
            smoke: true,
            ..Self::full()
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for &workload in &self.workloads {
            let threads = match workload {
                Workload::Bytes => &[2][..],
                _ => &self.threads,
            };
            for keys in self.keys_of(workload) {
                for payload in self.payloads_of(workload) {
                    rows.extend(threads.iter().map(|&threads| Row {
                        workload,
                        keys,
                        threads,
                        payload,
                    }));
                }
            }
        }
        rows
    }

    fn keys_of(&self, workload: Workload) -> Vec<usize> {
        match (workload, &self.keys) {
            (Workload::Hot, _) => vec![1],
            (_, Some(keys)) => keys.clone(),
            (Workload::Churn, None) if self.smoke => vec![50_000],
            (_, None) if self.smoke => vec![20_000],
            (Workload::Fill, None) if self.large => vec![1_000_000, 4_000_000],
            (Workload::Replay, None) if self.large => vec![100_000, 1_000_000, 4_000_000],
            (Workload::Replay, None) => vec![100_000, 1_000_000],
            (_, None) => vec![1_000_000],
        }
    }

    fn payloads_of(&self, workload: Workload) -> Vec<usize> {
        match (workload, &self.payloads) {
            (_, Some(payloads)) => payloads.clone(),
            (Workload::Bytes, None) => vec![0, 256],
            (_, None) => vec![256],
        }
    }

    fn rounds_of(&self, workload: Workload) -> usize {
        if workload == Workload::Bytes { self.rounds.min(BYTES_ROUNDS_MAX) } else { self.rounds }
    }

    /// Where the CSV goes, if anywhere.
    fn csv_path(&self) -> Option<PathBuf> {
        let made = || {
            let name = format!("{}.csv", machine::utc_now().replace([':', '-'], ""));
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results").join(name)
        };
        self.csv.clone().or_else(|| (!self.smoke).then(made))
    }
}

/// Measures, prints the tables and keeps the samples.
pub(crate) fn measure(options: &Options) -> Result<(), String> {
    for engine in &options.engines {
        eprintln!("checking {}", engine.name);
        (engine.conform)();
    }
    let mut run = Run { facts: machine::facts(&options.command), taken: Vec::new() };
    let start = Instant::now();
    for row in options.rows() {
        for round in 0..options.rounds_of(row.workload) {
            take_round(options, row, round, &mut run.taken)?;
        }
    }
    eprintln!("{} samples in {:.0?}", run.taken.len(), start.elapsed());
    let tables = report::tables(&run);
    print!("{tables}");
    if let Some(path) = options.csv_path() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        std::fs::write(&path, report::csv(&run))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    match &options.update {
        Some(path) => report::update(path, &tables),
        None => Ok(()),
    }
}

/// One sample of every engine. Who begins changes from round to round, so that nobody always
/// follows the same other.
fn take_round(
    options: &Options,
    row: Row,
    round: usize,
    taken: &mut Vec<Taken>,
) -> Result<(), String> {
    let mut engines = options.engines.clone();
    engines.retain(|engine| engine.takes(row.workload));
    if engines.is_empty() {
        return Ok(());
    }
    let first = round % engines.len();
    engines.rotate_left(first);
    let Row { workload, keys, threads, payload } = row;
    eprint!("{} {keys} keys, {threads} threads, {payload} B, {round}:", workload.name());
    for engine in engines {
        let spec =
            Spec { engine: engine.name.to_owned(), row, time: options.time, pin: options.pin };
        let sample = sample(&spec)?;
        eprint!(" {} {:.2}", engine.name, row.figure(&sample));
        let _ = std::io::stderr().flush();
        taken.push(Taken { row, engine: engine.name.to_owned(), round, sample });
    }
    eprintln!();
    Ok(())
}

/// Takes one sample in a process of its own, whose heap no other sample has touched.
fn sample(spec: &Spec) -> Result<Sample, String> {
    let failed = |why: String| format!("\n{} {:?}: {why}", spec.engine, spec.row);
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let output = Command::new(program)
        .args(cli::sample_arguments(spec))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("the sample ended with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Sample::from_line(&text).ok_or_else(|| failed(format!("the sample printed {text:?}")))
}
