//! Which request is sent when: a log, compressed in time, with retries and double clicks on top.

use std::time::Duration;

use crate::log::{Identity, Line, Log};
use crate::options::{Options, Pace};
use crate::random::Random;

/// Who would have sent a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The log has it.
    Log,
    /// Somebody clicked twice: the first request is most likely still in flight.
    DoubleClick,
    /// A client gave up waiting and tried again: the first one has most likely completed.
    Retry,
    /// A client reuses the key for something else, as none should.
    OtherBody,
}

impl Sender {
    pub(crate) fn body(self) -> &'static [u8] {
        // Combined format does not record bodies: the log's own requests have an empty one.
        if self == Self::OtherBody { b"another body" } else { b"" }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Counted from the start of the run, in real time.
    pub(crate) due: Duration,
    pub(crate) sender: Sender,
    pub(crate) identity: Identity<'a>,
}

pub(crate) struct Plan<'a> {
    /// Ordered by `due`.
    pub(crate) requests: Vec<Request<'a>>,
    /// The window in log time.
    pub(crate) window_s: u32,
    /// The window in real time.
    pub(crate) window: Duration,
    /// Log seconds in one second.
    pub(crate) speed: f64,
}

// Delays of the second request in real milliseconds, as the upstream's latency is.
const DOUBLE_CLICK_MS: (u64, u64) = (1, 30);
const RETRY_MS: (u64, u64) = (50, 80);

impl<'a> Plan<'a> {
    pub(crate) fn new(log: &Log<'a>, options: &Options) -> Self {
        let offsets_s = compressed(&log.lines, options.window_s);
        // A log of one second has a span too: its requests are spread over that second.
        let span_s = offsets_s.last().copied().unwrap_or(0) + 1;
        let speed = match options.pace {
            Pace::Seconds(seconds) => span_s as f64 / seconds,
            Pace::Speed(speed) => speed,
        };

        let mut random = Random::new(options.seed);
        let mut requests = Vec::with_capacity(log.lines.len() * 2);
        for (line, offset_s) in log.lines.iter().zip(offsets_s) {
            // The log knows whole seconds; within one, any moment is as likely as another.
            let moment_s = offset_s as f64 + random.unit();
            let due = Duration::from_secs_f64(moment_s / speed);
            let request = Request { due, sender: Sender::Log, identity: line.identity };
            requests.push(request);
            requests.extend(repetition(request, options.retry_rate, &mut random));
            requests.extend(misuse(request, options.mismatch_rate, &mut random));
        }
        requests.sort_by_key(|request| request.due);
        let window_s = options.window_s;
        let window = Duration::from_secs_f64(f64::from(window_s) / speed);
        Self { requests, window_s, window, speed }
    }
}

/// Seconds from the first line to each line, with every silence longer than the window cut to
/// the window: nothing happens in it, and every record ends in it either way.
fn compressed(lines: &[Line<'_>], window_s: u32) -> Vec<i64> {
    let longest_s = i64::from(window_s.max(1));
    let mut previous_s = lines.first().map_or(0, |line| line.time_s);
    let mut offset_s = 0;
    let offset = |line: &Line<'_>| {
        offset_s += (line.time_s - previous_s).min(longest_s);
        previous_s = line.time_s;
        offset_s
    };
    lines.iter().map(offset).collect()
}

fn repetition<'a>(first: Request<'a>, rate: f64, random: &mut Random) -> Option<Request<'a>> {
    if !random.chance(rate) {
        return None;
    }
    let (sender, delay_ms) = if random.chance(0.5) {
        (Sender::DoubleClick, DOUBLE_CLICK_MS)
    } else {
        (Sender::Retry, RETRY_MS)
    };
    Some(Request { due: first.due + delay(delay_ms, random), sender, ..first })
}

fn misuse<'a>(first: Request<'a>, rate: f64, random: &mut Random) -> Option<Request<'a>> {
    random.chance(rate).then(|| {
        let due = first.due + delay(DOUBLE_CLICK_MS, random);
        Request { due, sender: Sender::OtherBody, ..first }
    })
}

fn delay((least_ms, most_ms): (u64, u64), random: &mut Random) -> Duration {
    Duration::from_micros(least_ms * 1000 + random.below((most_ms - least_ms) * 1000 + 1))
}
