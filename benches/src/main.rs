//! Measures libidem against the maps and caches one would otherwise build the same thing from.
//!
//! ```text
//! cargo run --release -p idem-benches -- --help
//! ```
//!
//! Every engine does the same job (`adapter.rs`) on the same workloads (`workload.rs`), of which
//! `plan.rs` has the rows. One sample is one engine on one row of the table, set up afresh in a
//! process of its own (`runner/`; `expiry.rs` and `wake.rs` for what libidem alone does); the
//! engines take turns round by round (`driver.rs`), so that what else the machine does meets all
//! of them. A wrong answer ends the run: no figure comes from an engine that does less than the
//! others. `report.rs` makes the tables out of the CSV, which keeps every sample; `targets.rs`
//! says what was to be reached, and `plot.rs` draws the ratios.

#![forbid(unsafe_code)]

mod adapter;
mod adapters;
mod cli;
mod conformance;
mod csv;
mod driver;
mod expiry;
mod figures;
mod keys;
mod machine;
mod payload;
mod plan;
mod plot;
mod report;
mod runner;
mod sample;
mod stats;
mod steady;
mod targets;
mod times;
mod wake;
mod workload;

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match cli::parse(&arguments) {
        Ok(cli::Command::Help) => {
            print!("{}", cli::HELP);
            ExitCode::SUCCESS
        }
        Ok(cli::Command::List) => {
            print!("{}", adapters::list());
            ExitCode::SUCCESS
        }
        Ok(cli::Command::Sample(spec)) => runner::sample(&spec),
        Ok(cli::Command::Report(options)) => finish(report::again(&options)),
        Ok(cli::Command::Measure(options)) => finish(driver::measure(&options)),
        Err(message) => {
            eprintln!("{message}\nTry --help.");
            ExitCode::from(2)
        }
    }
}

fn finish(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
