//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters;
use crate::driver::Options;
use crate::report;
use crate::workload::{Row, Spec, Workload};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Measures libidem against other concurrent maps and caches doing the same job.

  idem-benches [OPTIONS]                  measure, print the tables, keep every sample as CSV
  idem-benches report CSV [--update MD]   make the tables of an earlier run again

  --workloads A,B    churn, fill, replay, hot, bytes                      all
  --engines A,B      see --list                                           all
  --threads 1,2,8    worker threads (bytes always takes 2)                1,2,8
  --rounds R         samples of each figure; engines take turns           5
  --millis M         measured time of a sample of churn, replay, hot      500
  --keys N,N         instead of each workload's own numbers of keys
  --payload B,B      bytes of a response                     256; for bytes 0,256
  --large            also fill and replay 4 million keys
  --no-pin           let the scheduler place the workers
  --csv FILE         instead of results/DATE.csv beside the program's manifest
  --update MD        also put the tables between the markers of a Markdown file
  --smoke            one short round of everything: do the answers hold? No CSV by itself
  --list             engines and workloads, with what they do
";

/// What is asked for.
pub(crate) enum Command {
    /// Measure.
    Measure(Options),
    /// Take one sample, in this process.
    Sample(Spec),
    /// Make tables of an earlier run.
    Report(report::Options),
    /// Print the engines and workloads.
    List,
    /// Print `HELP`.
    Help,
}

/// Reads the command line, without the program's name.
pub(crate) fn parse(arguments: &[String]) -> Result<Command, String> {
    match arguments.first().map(String::as_str) {
        Some("sample") => sample_from(&arguments[1..]).map(Command::Sample),
        Some("report") => report_options(&arguments[1..]).map(Command::Report),
        _ => measure(arguments),
    }
}

fn measure(arguments: &[String]) -> Result<Command, String> {
    let mut options = if arguments.iter().any(|argument| argument == "--smoke") {
        Options::smoke()
    } else {
        Options::full()
    };
    options.command = worth_repeating(arguments);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => return Ok(Command::List),
            "--smoke" => {}
            "--large" => options.large = true,
            "--no-pin" => options.pin = false,
            "--workloads" => {
                options.workloads = list(value()?, |name| {
                    Workload::named(name).ok_or_else(|| format!("no workload is called {name}"))
                })?;
            }
            "--engines" => {
                options.engines = list(value()?, |name| {
                    adapters::named(name).ok_or_else(|| format!("no engine is called {name}"))
                })?;
            }
            "--threads" => options.threads = list(value()?, positive)?,
            "--rounds" => options.rounds = positive(value()?)?,
            "--millis" => options.time = Duration::from_millis(positive(value()?)? as u64),
            "--keys" => options.keys = Some(list(value()?, positive)?),
            "--payload" => options.payloads = Some(list(value()?, number)?),
            "--csv" => options.csv = Some(PathBuf::from(value()?)),
            "--update" => options.update = Some(PathBuf::from(value()?)),
            other => return Err(format!("{other} is not an option")),
        }
    }
    Ok(Command::Measure(options))
}

/// The command line without what only says where results go.
fn worth_repeating(arguments: &[String]) -> String {
    let mut words = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--csv" || argument == "--update" {
            arguments.next();
        } else {
            words.push(argument.as_str());
        }
    }
    words.join(" ")
}

fn report_options(arguments: &[String]) -> Result<report::Options, String> {
    match arguments {
        [csv] => Ok(report::Options::new(csv, None)),
        [csv, flag, markdown] if flag == "--update" => {
            Ok(report::Options::new(csv, Some(markdown)))
        }
        _ => Err(String::from("report takes a CSV and perhaps --update and a Markdown file")),
    }
}

/// How `sample_from` is to be called for `spec`.
pub(crate) fn sample_arguments(spec: &Spec) -> Vec<String> {
    let Row { workload, keys, threads, payload } = spec.row;
    vec![
        String::from("sample"),
        spec.engine.clone(),
        workload.name().to_owned(),
        keys.to_string(),
        threads.to_string(),
        payload.to_string(),
        spec.time.as_millis().to_string(),
        spec.pin.to_string(),
    ]
}

fn sample_from(arguments: &[String]) -> Result<Spec, String> {
    let [engine, workload, keys, threads, payload, millis, pin] = arguments else {
        return Err(String::from("sample takes seven arguments"));
    };
    let workload = Workload::named(workload);
    Ok(Spec {
        engine: engine.clone(),
        row: Row {
            workload: workload.ok_or_else(|| String::from("no such workload"))?,
            keys: positive(keys)?,
            threads: positive(threads)?,
            payload: number(payload)?,
        },
        time: Duration::from_millis(positive(millis)? as u64),
        pin: pin == "true",
    })
}

fn list<T>(text: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(item).collect()
}

fn number(text: &str) -> Result<usize, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is not a number"))
}

fn positive(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err(format!("{text} is too small")),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(String::from).collect()
    }

    #[test]
    fn a_sample_survives_its_arguments() {
        let spec = Spec {
            engine: String::from("papaya"),
            row: Row { workload: Workload::Fill, keys: 1_000_000, threads: 8, payload: 0 },
            time: Duration::from_millis(50),
            pin: true,
        };
        let Ok(Command::Sample(again)) = parse(&sample_arguments(&spec)) else {
            panic!("not a sample");
        };
        assert_eq!(
            (again.engine, again.row, again.time, again.pin),
            (spec.engine, spec.row, spec.time, spec.pin)
        );
    }

    #[test]
    fn the_command_is_kept_without_places() {
        let Ok(Command::Measure(options)) = parse(&words("--rounds 2 --csv a --smoke")) else {
            panic!("not a measurement");
        };
        assert_eq!(options.command, "--rounds 2 --smoke");
        assert_eq!(options.rounds, 2);
    }

    #[test]
    fn mistakes_are_named() {
        for line in [
            "--rounds 0",
            "--rounds many",
            "--rounds",
            "--threads 1,,2",
            "--engines none",
            "--workloads none",
            "--unknown",
            "report",
            "sample papaya",
        ] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }
}
