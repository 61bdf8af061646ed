//! A whole run: which samples are taken, in which order, and where they go.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::adapters::{ENGINES, Engine};
use crate::cli;
use crate::csv::{Run, Taken};
use crate::figures::Line;
use crate::machine;
use crate::plan::{self, Instead};
use crate::report;
use crate::sample::{NONE, Sample};
use crate::targets;
use crate::workload::{Hashing, Row, Spec, Workload};

/// Rounds of the bytes workload: it varies by some pages only.
const BYTES_ROUNDS_MAX: usize = 3;

/// How long a sample of the hooks workload is at most: its differences are small, and show in many
/// short pairs rather than in few long ones.
const HOOKS_TIME_MAX: Duration = Duration::from_millis(50);

/// What a run is made of.
pub(crate) struct Options {
    /// The command line, for the record.
    pub(crate) command: String,
    /// The workloads, in order.
    pub(crate) workloads: Vec<Workload>,
    /// The engines, in order.
    pub(crate) engines: Vec<&'static Engine>,
    /// What keys are.
    pub(crate) hashings: Vec<Hashing>,
    /// Numbers of keys and threads, and payloads, in place of the plan's.
    pub(crate) instead: Instead,
    /// Samples of each figure.
    pub(crate) rounds: usize,
    /// How long a sample without an end of its own is measured.
    pub(crate) time: Duration,
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
            hashings: Hashing::ALL.to_vec(),
            instead: Instead::default(),
            rounds: 5,
            time: Duration::from_millis(500),
            pin: true,
            csv: None,
            update: None,
            smoke: false,
        }
    }

    /// A run that only shows that the answers hold.
    pub(crate) fn smoke() -> Self {
        Self {
            instead: Instead { threads: Some(vec![2]), ..Instead::default() },
            rounds: 1,
            time: Duration::from_millis(10),
            smoke: true,
            ..Self::full()
        }
    }

    fn rows(&self) -> Vec<Row> {
        plan::rows(&self.workloads, &self.hashings, &self.instead, self.smoke)
    }

    fn rounds_of(&self, workload: Workload) -> usize {
        match workload {
            Workload::Bytes => self.rounds.min(BYTES_ROUNDS_MAX),
            Workload::Hooks if !self.smoke => self.rounds.max(targets::PAIRS_LEAST),
            _ => self.rounds,
        }
    }

    fn time_of(&self, workload: Workload) -> Duration {
        if workload == Workload::Hooks { self.time.min(HOOKS_TIME_MAX) } else { self.time }
    }

    /// Whether `engine` takes part. Baselines do without being named, where there is one.
    fn takes(&self, engine: &Engine) -> bool {
        engine.is_baseline() || self.engines.iter().any(|named| named.name == engine.name)
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
        engine.conform();
    }
    let mut run = Run { facts: machine::facts(&options.command), taken: Vec::new() };
    let start = Instant::now();
    let rows = options.rows();
    if rows.is_empty() {
        return Err(String::from("no such workload is planned with such keys"));
    }
    let path = options.csv_path();
    for row in rows {
        for round in 0..options.rounds_of(row.workload) {
            take_round(options, row, round, &mut run)?;
        }
        // As it goes: a run that is stopped has lost one row.
        if let Some(path) = &path {
            report::keep(&run, path)?;
        }
    }
    eprintln!("{} samples in {:.0?}", run.taken.len(), start.elapsed());
    let tables = report::tables(&run);
    print!("{tables}");
    match &options.update {
        Some(path) => report::update(path, &tables),
        None => Ok(()),
    }
}

/// One sample of every engine. Who begins changes from round to round, so that nobody always
/// follows the same other.
fn take_round(options: &Options, row: Row, round: usize, run: &mut Run) -> Result<(), String> {
    let mut engines: Vec<&Engine> = ENGINES.iter().filter(|engine| options.takes(engine)).collect();
    engines.retain(|engine| engine.sampler(&row).is_some());
    if engines.iter().all(|engine| engine.is_baseline()) {
        return Ok(());
    }
    let first = round % engines.len();
    engines.rotate_left(first);
    let Row { workload, hashing, keys, threads, payload } = row;
    let (name, hashing) = (workload.name(), hashing.name());
    eprint!("{name} {keys} {hashing} keys, {threads} threads, {payload} B, {round}:");
    let time = options.time_of(workload);
    let measures = workload.measures();
    let line = Line { row, measure: measures[measures.len() - 1] };
    for engine in engines {
        let spec = Spec { engine: engine.name.to_owned(), row, time, pin: options.pin };
        match sample(&spec)? {
            Ok(sample) => {
                eprint!(" {} {:.*}", engine.name, line.measure.decimals(), line.figure(&sample));
                run.taken.push(Taken { row, engine: engine.name.to_owned(), round, sample });
            }
            Err(why) => {
                eprint!(" {} no sample", engine.name);
                let row = format!("{name} {keys} {hashing} keys, {threads} threads, {payload} B");
                let what = format!("{row}, round {round}, {}: {why}", engine.name);
                run.facts.push(("no sample", what));
            }
        }
        let _ = std::io::stderr().flush();
    }
    eprintln!();
    Ok(())
}

/// Takes one sample in a process of its own, whose heap no other sample has touched; or is told why
/// there is none.
fn sample(spec: &Spec) -> Result<Result<Sample, String>, String> {
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
    if let Some(why) = text.trim().strip_prefix(NONE) {
        return Ok(Err(why.to_owned()));
    }
    Sample::from_line(&text).map(Ok).ok_or_else(|| failed(format!("the sample printed {text:?}")))
}
