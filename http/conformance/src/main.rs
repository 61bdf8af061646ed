//! `idem-conformance URL --profile ietf|stripe_v1|stripe_v2|coalesce`: a table, and exit status 1 if a rule is broken.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [base, option, profile] = &words[..] else { return usage() };
    if option != "--profile" {
        return usage();
    }
    let scenarios = match idem_conformance::scenarios() {
        Ok(scenarios) => scenarios,
        Err(error) => return failed(&error.to_string()),
    };
    let progress = |name: &str| eprintln!("        {name} ...");
    match idem_conformance::run(base, profile, &scenarios, progress).await {
        Ok(report) => {
            print!("{report}");
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => failed(&error),
    }
}

fn usage() -> ExitCode {
    eprintln!("idem-conformance URL --profile ietf|stripe_v1|stripe_v2|coalesce");
    ExitCode::from(2)
}

fn failed(error: &str) -> ExitCode {
    eprintln!("idem-conformance: {error}");
    ExitCode::from(2)
}
