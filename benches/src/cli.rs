//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::adapters;
use crate::driver::Options;
use crate::payload::Payload;
use crate::report;
use crate::workload::{Hashing, Row, Spec, Workload};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Measures libidem against other concurrent maps and caches doing the same job.

  idem-benches [OPTIONS]                  measure, print the tables, keep every sample as CSV
  idem-benches report CSV [--update MD]   make the tables of an earlier run again

  --workloads A,B    see --list                                           all
  --engines A,B      see --list; baselines come along by themselves       all
  --hashing A,B      ready: 128 bits; default: 36 bytes of text           both
  --rounds R         samples of each figure; engines take turns           5
  --millis M         measured time of a sample that has no end            500
  --threads 1,2,8    instead of those of the plan (src/plan.rs)
  --keys N,N         instead of those of the plan
  --payload B,B      bytes of a response, or mix, instead of those of the plan
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
            "--hashing" => {
                options.hashings = list(value()?, |name| {
                    Hashing::named(name).ok_or_else(|| format!("{name} is not a hashing"))
                })?;
            }
            "--threads" => options.instead.threads = Some(list(value()?, positive)?),
            "--rounds" => options.rounds = positive(value()?)?,
            "--millis" => options.time = Duration::from_millis(positive(value()?)? as u64),
            "--keys" => options.instead.keys = Some(list(value()?, positive)?),
            "--payload" => options.instead.payloads = Some(list(value()?, payload)?),
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
    let Row { workload, hashing, keys, threads, payload } = spec.row;
    vec![
        String::from("sample"),
        spec.engine.clone(),
        workload.name().to_owned(),
        keys.to_string(),
        threads.to_string(),
        payload.to_string(),
        spec.time.as_millis().to_string(),
        spec.pin.to_string(),
        hashing.name().to_owned(),
    ]
}

fn sample_from(arguments: &[String]) -> Result<Spec, String> {
    // Keys are ready unless the last says otherwise.
    let [engine, workload, keys, threads, of, millis, pin, rest @ ..] = arguments else {
        return Err(String::from("sample takes seven or eight arguments"));
    };
    let workload = Workload::named(workload);
    let hashing = match rest {
        [] => Some(Hashing::Ready),
        [hashing] => Hashing::named(hashing),
        _ => None,
    };
    Ok(Spec {
        engine: engine.clone(),
        row: Row {
            workload: workload.ok_or_else(|| String::from("no such workload"))?,
            hashing: hashing.ok_or_else(|| String::from("no such hashing"))?,
            keys: positive(keys)?,
            threads: positive(threads)?,
            payload: payload(of)?,
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

fn payload(text: &str) -> Result<Payload, String> {
    Payload::named(text).ok_or_else(|| format!("{text} is neither a number nor the mix"))
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
            row: Row {
                workload: Workload::Fill,
                hashing: Hashing::Default,
                keys: 1_000_000,
                threads: 8,
                payload: Payload::Mix,
            },
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
    fn keys_of_a_sample_are_ready_unless_said_otherwise() {
        let Ok(Command::Sample(spec)) = parse(&words("sample idem churn 1_000 2 256 5 true"))
        else {
            panic!("not a sample");
        };
        assert_eq!(spec.row.hashing, Hashing::Ready);
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
            "--hashing none",
            "--payload some",
            "--unknown",
            "sample idem churn 1 1 1 1 true none",
            "report",
            "sample papaya",
        ] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }
}
