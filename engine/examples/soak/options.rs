//! The command line: every option, its default and its limits in one place.

use std::ops::RangeInclusive;

#[derive(Clone, Copy)]
pub(crate) struct Options {
    pub(crate) seconds: u64,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    pub(crate) sabotage: Option<Sabotage>,
}

/// A defect that is planted on purpose, and that the verdict must name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sabotage {
    /// Now and then the engine is bypassed: who finds an owner at work executes as well.
    Double,
    /// Now and then a bit of a response is changed on its way into the engine.
    Corrupt,
    /// Replays are held for ever.
    Leak,
    /// Memory of the process is lost.
    Grow,
    /// Workers forget to count now and then.
    Miscount,
    /// Now and then what was stored is taken for refused.
    Refused,
}

pub(crate) const SABOTAGE: [(&str, Sabotage); 6] = [
    ("double", Sabotage::Double),
    ("corrupt", Sabotage::Corrupt),
    ("leak", Sabotage::Leak),
    ("grow", Sabotage::Grow),
    ("miscount", Sabotage::Miscount),
    ("refused", Sabotage::Refused),
];

const SECONDS: RangeInclusive<u64> = 1..=30 * 24 * 3600;
const THREADS: RangeInclusive<u64> = 1..=64;

/// `None`: help was asked for.
pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { seconds: 60, threads: 8, seed: 1, sabotage: None };
    let mut args = args;
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (arg, None),
        };
        if name == "-h" || name == "--help" {
            return Ok(None);
        }
        let mut value =
            || inline.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--seconds" => options.seconds = number(&SECONDS, &name, &value()?)?,
            "--threads" => options.threads = number(&THREADS, &name, &value()?)? as usize,
            "--seed" => options.seed = number(&(0..=u64::MAX), &name, &value()?)?,
            "--sabotage" => options.sabotage = Some(sabotage(&value()?)?),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(Some(options))
}

fn number(range: &RangeInclusive<u64>, name: &str, value: &str) -> Result<u64, String> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        format!("{name} takes a number from {least} to {most}, not {value:?}")
    })
}

fn sabotage(value: &str) -> Result<Sabotage, String> {
    SABOTAGE
        .iter()
        .find(|(name, _)| *name == value)
        .map(|(_, sabotage)| *sabotage)
        .ok_or_else(|| format!("--sabotage does not know {value:?}"))
}

pub(crate) fn help() -> String {
    let names: Vec<_> = SABOTAGE.iter().map(|(name, _)| *name).collect();
    format!(
        "\
Runs everything the engine has at full load, and judges what comes of it.

usage: soak [--seconds N] [--threads N] [--seed N] [--sabotage WHAT]

  --seconds N      how long (60)
  --threads N      workers (8)
  --seed N         seed of everything random (1)
  --sabotage WHAT  plant a defect, which must make the verdict fail: {}

The last line is the verdict. Exit: 0 all is well; 1 the verdict names what is not; 2 bad usage.
",
        names.join(", ")
    )
}
