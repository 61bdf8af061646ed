//! First and repeated requests by the clock of the log, to be compared with `count.py`.
//!
//! One pass over the lines in order of time. The engine's clock is the log's: it is advanced to
//! the second of the line, the line's key is claimed, and whoever gets `Execute` completes in
//! that same second with the window as retention. So a record lives for the window from the
//! first request; replays do not extend it; at exactly the window it has ended and the next
//! request is a first one again.

use std::time::Duration;

use idem::{Clock, Completion, Engine, ManualClock, Outcome, Scope};

use crate::log::{Line, Log};

/// An engine's clock holds 34 years.
const SPAN_MAX: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

const RESPONSE: &[u8] = b"done";
/// One response takes at most three units of 64 bytes: itself, its header, the lease's reserve.
const BYTES_PER_RECORD: u64 = 3 * 64;
/// The least an engine takes.
const BYTES_MIN: u64 = 4096;

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) first: u64,
    pub(crate) repeated: u64,
}

pub(crate) fn count(log: &Log<'_>, window: Duration) -> Result<Counts, String> {
    let clock = ManualClock::new();
    let record_count = log.lines.len().max(1);
    // Nobody ticks: a record's deadline is checked when the record is read, and that suffices.
    let engine = Engine::builder()
        .records(record_count)
        .bytes(BYTES_MIN + record_count as u64 * BYTES_PER_RECORD)
        .max_response(RESPONSE.len())
        .retention(window)
        .clock(Clock::manual(&clock))
        .helper_thread(false)
        .build()
        .map_err(|error| error.to_string())?;

    let mut counts = Counts::default();
    let mut now_s = log.lines.first().map_or(0, |line| line.time_s);
    for line in &log.lines {
        // Lines are sorted by time, so the difference is never negative.
        let silence = Duration::from_secs(line.time_s.abs_diff(now_s));
        now_s = line.time_s;
        // A second past the window every record has ended: what a silence is longer than that
        // changes nothing, and a stray date does not use up the clock.
        clock.advance(silence.min(window + Duration::from_secs(1)));
        if clock.elapsed() > SPAN_MAX {
            return Err("the log is busy for more than 30 years".to_owned());
        }
        if is_first(&engine, line)? {
            counts.first += 1;
        } else {
            counts.repeated += 1;
        }
    }
    Ok(counts)
}

fn is_first(engine: &Engine, line: &Line<'_>) -> Result<bool, String> {
    let key = engine
        .key(Scope::Of(line.identity.client), &line.identity.operation())
        .map_err(|error| error.to_string())?;
    match engine.claim(key).map_err(|error| error.to_string())? {
        Outcome::Execute(lease) => match lease.complete(RESPONSE) {
            Ok(Completion::Stored) => Ok(true),
            other => Err(format!("unexpected completion: {other:?}")),
        },
        Outcome::Replay(_) => Ok(false),
        other => Err(format!("unexpected outcome: {other:?}")),
    }
}
