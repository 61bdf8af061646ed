//! The command line: every option, its default and its limits in one place.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::{fmt, ops::RangeInclusive};

use crate::synthetic;

pub(crate) enum Command {
    Help,
    Run(Options),
}

pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// Without one a synthetic log is played.
    pub(crate) log: Option<PathBuf>,
    pub(crate) window_s: u32,
    pub(crate) clients: usize,
    pub(crate) pace: Pace,
    pub(crate) retry_rate: f64,
    pub(crate) mismatch_rate: f64,
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Clients ask the engine, and only owners ask the upstream.
    Absorb,
    /// Clients ask the upstream: the double executions that the engine prevents must show.
    Sabotage,
    /// No clients and no upstream: first and repeated requests by the time of the log.
    Exact,
}

/// How log time becomes real time.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// So fast that the log takes this many seconds.
    Seconds(f64),
    /// This many log seconds in one second.
    Speed(f64),
}

const WINDOW_S: RangeInclusive<u32> = 0..=365 * 24 * 3600;
const CLIENTS: RangeInclusive<usize> = 1..=1024;
const SECONDS: RangeInclusive<f64> = 0.1..=24.0 * 3600.0;
const SPEED: RangeInclusive<f64> = 0.01..=1e6;
const RATE: RangeInclusive<f64> = 0.0..=1.0;

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Absorb,
            log: None,
            window_s: 60,
            clients: 64,
            pace: Pace::Seconds(12.0),
            retry_rate: 0.2,
            mismatch_rate: 0.0,
            seed: 1,
        }
    }
}

pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut pace = None;
    let mut args = args;
    while let Some(arg) = args.next() {
        let name = arg.to_str().ok_or_else(|| format!("unknown option {}", arg.display()))?;
        let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
        match name {
            "-h" | "--help" => return Ok(Command::Help),
            "--exact" => set_mode(&mut options.mode, Mode::Exact)?,
            "--sabotage" => set_mode(&mut options.mode, Mode::Sabotage)?,
            "--log" => options.log = Some(PathBuf::from(value()?)),
            "--window" => options.window_s = within(&WINDOW_S, name, &value()?)?,
            "--clients" => options.clients = within(&CLIENTS, name, &value()?)?,
            "--seconds" => {
                set_pace(&mut pace, Pace::Seconds(within(&SECONDS, name, &value()?)?))?;
            }
            "--speed" => set_pace(&mut pace, Pace::Speed(within(&SPEED, name, &value()?)?))?,
            "--retry-rate" => options.retry_rate = within(&RATE, name, &value()?)?,
            "--mismatch-rate" => options.mismatch_rate = within(&RATE, name, &value()?)?,
            "--seed" => options.seed = within(&(0..=u64::MAX), name, &value()?)?,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    options.pace = pace.unwrap_or(options.pace);
    Ok(Command::Run(options))
}

fn set_mode(mode: &mut Mode, wanted: Mode) -> Result<(), String> {
    if *mode != Mode::Absorb && *mode != wanted {
        return Err("--exact and --sabotage exclude each other".to_owned());
    }
    *mode = wanted;
    Ok(())
}

fn set_pace(pace: &mut Option<Pace>, wanted: Pace) -> Result<(), String> {
    match pace.replace(wanted) {
        Some(_) => Err("give one of --seconds and --speed, once".to_owned()),
        None => Ok(()),
    }
}

fn within<T>(range: &RangeInclusive<T>, name: &str, value: &OsString) -> Result<T, String>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let number = value.to_str().and_then(|text| text.parse::<T>().ok());
    // NaN lies in no range.
    number.filter(|number| range.contains(number)).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        format!("{name} takes a number from {least} to {most}, not {:?}", value.display())
    })
}

pub(crate) fn help() -> String {
    let synthetic = synthetic::stated();
    format!(
        "\
Plays an access log at a slow upstream through libidem and counts what was absorbed.

usage: absorb [--log FILE] [options]
       absorb [--log FILE] --exact [--window S]

  --log FILE         access log in combined format; without it a synthetic one
                     ({synthetic})
  --window S         retention in seconds of log time (60)
  --clients N        clients at a time (64)
  --seconds S        play the log in about S seconds (12)
  --speed X          play X seconds of the log in one second, instead of --seconds
  --retry-rate R     share of requests sent a second time (0.2): half of these are double
                     clicks, 1 to 30 ms later, half are retries, 50 to 80 ms later
  --mismatch-rate R  share of requests followed by one with the same key and another body (0)
  --seed N           seed of everything random (1)
  --sabotage         bypass the engine; the double executions must show, so this run fails
  --exact            only count first and repeated requests by the clock of the log
  -h, --help         this text

Identity: client address + method + target. A double click has all three in common.
Window:   a record lives S seconds from its completion; replays do not extend it; at exactly
          S seconds it has ended. A silence in the log longer than S is cut to S when played.
Double:   an execution that starts while another of its identity runs, or less than S after
          one ended. The upstream counts them; it knows nothing of the engine.
Exit:     0 all is well; 1 double executions, wrong bytes or unexpected outcomes; 2 bad usage.
"
    )
}
