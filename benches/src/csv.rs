//! The CSV that keeps every sample of a run, under the facts.

use std::fmt::Write as _;

use crate::payload::Payload;
use crate::sample::Sample;
use crate::workload::{Hashing, Row, Workload};

/// The columns before those of the sample.
const COLUMNS: [&str; 7] = ["workload", "hashing", "keys", "threads", "payload", "engine", "round"];

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

/// Every sample, one a line, under the facts.
pub(crate) fn write<Name: AsRef<str>>(run: &Run<Name>) -> String {
    let mut text = String::new();
    for (name, value) in &run.facts {
        let _ = writeln!(text, "# {}: {value}", name.as_ref());
    }
    let _ = writeln!(text, "{},{}", COLUMNS.join(","), Sample::FIELDS.join(","));
    for Taken { row, engine, round, sample } in &run.taken {
        let Row { workload, hashing, keys, threads, payload } = row;
        let _ = write!(
            text,
            "{},{},{keys},{threads},{payload},{engine},{round}",
            workload.name(),
            hashing.name(),
        );
        for value in sample.values() {
            let _ = write!(text, ",{value}");
        }
        text.push('\n');
    }
    text
}

/// Reads what `write` wrote, now or when there were fewer columns.
pub(crate) fn read(text: &str) -> Result<Run<String>, String> {
    let mut run = Run { facts: Vec::new(), taken: Vec::new() };
    let mut columns: Option<Vec<&str>> = None;
    for line in text.lines() {
        if let Some(fact) = line.strip_prefix("# ") {
            let (name, value) = fact.split_once(": ").unwrap_or((fact, ""));
            run.facts.push((name.to_owned(), value.to_owned()));
        } else if let Some(columns) = &columns {
            let taken = taken_from(columns, line);
            run.taken.push(taken.ok_or_else(|| format!("not a sample: {line}"))?);
        } else {
            columns = Some(line.split(',').collect());
        }
    }
    Ok(run)
}

fn taken_from(columns: &[&str], line: &str) -> Option<Taken> {
    let fields: Vec<&str> = line.split(',').collect();
    if fields.len() != columns.len() {
        return None;
    }
    let field = |name: &str| {
        let at = columns.iter().position(|column| *column == name)?;
        Some(fields[at])
    };
    // Earlier runs had ready keys alone, and lack what was not measured then.
    let hashing = field("hashing").map_or(Some(Hashing::Ready), Hashing::named)?;
    let mut values = [0; Sample::FIELDS.len()];
    for (value, name) in values.iter_mut().zip(Sample::FIELDS) {
        *value = field(name).map_or(Ok(0), str::parse).ok()?;
    }
    Some(Taken {
        row: Row {
            workload: Workload::named(field("workload")?)?,
            hashing,
            keys: field("keys")?.parse().ok()?,
            threads: field("threads")?.parse().ok()?,
            payload: Payload::named(field("payload")?)?,
        },
        engine: field("engine")?.to_owned(),
        round: field("round")?.parse().ok()?,
        sample: Sample::from_values(values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_survives() {
        let row = Row {
            workload: Workload::Bytes,
            hashing: Hashing::Default,
            keys: 10,
            threads: 2,
            payload: Payload::Mix,
        };
        let sample = Sample::from_values([1, 2, 3, 4, 5, 6, 7, 8]);
        let run = Run {
            facts: vec![("date", String::from("today: now"))],
            taken: vec![Taken { row, engine: String::from("idem"), round: 3, sample }],
        };
        let text = write(&run);
        let again = read(&text).unwrap();
        assert_eq!(again.taken, run.taken);
        assert_eq!(write(&again), text);
    }

    #[test]
    fn earlier_runs_are_read() {
        const EARLIER: &str = "\
# date: then
workload,keys,threads,payload,engine,round,operations,nanos,live,fulls,resident
churn,1000,2,256,idem,0,1,2,3,4,5
";
        let run = read(EARLIER).unwrap();
        let [Taken { row, sample, .. }] = &run.taken[..] else {
            panic!("one sample");
        };
        assert_eq!((row.hashing, row.payload), (Hashing::Ready, Payload::Bytes(256)));
        assert_eq!(*sample, Sample::from_values([1, 2, 3, 4, 5, 0, 0, 0]));
        for wrong in ["churn,1", "churn,1000,2,256,idem,0,1,2,3,4,many"] {
            assert!(read(&EARLIER.replace("churn,1000,2,256,idem,0,1,2,3,4,5", wrong)).is_err());
        }
    }
}
