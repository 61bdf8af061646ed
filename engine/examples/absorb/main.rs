//! A day of duplicates, absorbed: plays an access log at a slow upstream through libidem.
//!
//! Every line of the log becomes a request of one of many concurrent clients, time compressed,
//! with retries and double clicks on top. Who gets the lease asks the upstream, which takes 5 to
//! 50 ms; everyone else waits for that response or gets it replayed. At the end stands a table,
//! and a non-zero exit if anything was executed twice.
//!
//! - **Identity**: client address + method + target. A double click has all three in common.
//! - **Window**: a record lives for the window (60 s of log time) from its completion. Replays do
//!   not extend it; at exactly the window it has ended.
//! - **Double execution**: one that starts while another of its identity runs, or less than the
//!   window after one ended. The upstream counts them (`upstream.rs`), never the engine.
//!   `--sabotage` bypasses the engine and shows that the count works.
//! - **Bytes**: a response follows from its request, so every replay is checked to be the right
//!   one.
//!
//! `--exact` counts first and repeated requests by the clock of the log instead, without clients
//! and upstream; `count.py`, which shares no code with this, must get the same numbers.
//!
//! ```text
//! cargo run --release --example absorb                       # a synthetic log
//! cargo run --release --example absorb -- --log access.log
//! cargo run --release --example absorb -- --help
//! ```

mod clients;
mod exact;
mod log;
mod measure;
mod options;
mod plan;
mod random;
mod report;
mod synthetic;
mod upstream;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use idem::Engine;

use crate::log::Log;
use crate::options::{Command, Mode, Options};
use crate::plan::Plan;
use crate::report::Report;
use crate::upstream::Upstream;

const EXIT_FAULT: u8 = 1;
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => return print(&options::help(), ExitCode::SUCCESS),
        Ok(Command::Run(options)) => options,
        Err(problem) => return fail(EXIT_USAGE, &format!("{problem} (see --help)")),
    };
    let bytes = match read(&options) {
        Ok(bytes) => bytes,
        Err(problem) => return fail(EXIT_USAGE, &problem),
    };
    let log = Log::parse(&bytes);
    match options.mode {
        Mode::Exact => count_exactly(&log, &options),
        Mode::Absorb | Mode::Sabotage if log.lines.is_empty() => {
            fail(EXIT_USAGE, "the log has no well-formed line (is it in combined format?)")
        }
        Mode::Absorb | Mode::Sabotage => play(&log, &options),
    }
}

fn read(options: &Options) -> Result<Vec<u8>, String> {
    match &options.log {
        Some(path) => {
            std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        }
        None => Ok(synthetic::log(options.seed)),
    }
}

fn count_exactly(log: &Log<'_>, options: &Options) -> ExitCode {
    let window = Duration::from_secs(options.window_s.into());
    match exact::count(log, window) {
        Ok(exact::Counts { first, repeated }) => {
            let Log { line_count, malformed_count, .. } = log;
            let counts = format!(
                "lines={line_count} malformed={malformed_count} first={first} repeated={repeated}\n"
            );
            print(&counts, ExitCode::SUCCESS)
        }
        Err(problem) => fail(EXIT_FAULT, &problem),
    }
}

fn play(log: &Log<'_>, options: &Options) -> ExitCode {
    let plan = Plan::new(log, options);
    let upstream = Upstream::new(plan.window, options.seed);
    // One engine for the play, its helper thread ticking; sabotage goes without.
    let engine = match options.mode {
        Mode::Sabotage => None,
        _ => match Engine::builder().retention(plan.window).build() {
            Ok(engine) => Some(engine),
            Err(error) => return fail(EXIT_FAULT, &error.to_string()),
        },
    };
    let tally = clients::play(&plan, &upstream, engine.as_ref(), options.clients);

    let measured = match engine.map(|_| measure::measure(&log.lines, options.seed)).transpose() {
        Ok(measured) => measured,
        Err(error) => return fail(EXIT_FAULT, &error.to_string()),
    };
    let report = Report {
        log,
        plan: &plan,
        tally: &tally,
        upstream: upstream.counts(),
        measured: measured.as_ref(),
    };
    let faults = report.faults();
    let code = if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAULT) };
    let code = print(&report.table(), code);
    for fault in faults {
        fail(EXIT_FAULT, &fault);
    }
    code
}

/// Prints, and returns `code` unless printing failed.
fn print(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::from(EXIT_FAULT),
    }
}

fn fail(code: u8, problem: &str) -> ExitCode {
    // Where even this cannot be written the exit code still says it.
    let _ = writeln!(io::stderr(), "absorb: {problem}");
    ExitCode::from(code)
}
