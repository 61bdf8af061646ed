//! The log that is played when none is given: made here, from a seed, in combined format.
//!
//! It resembles what servers write: a few targets are asked for most often, some visitors reload
//! within seconds, lines are a little out of order because they are written when a request ends,
//! and now and then a line is cut off.

use std::fmt::Write as _;

use crate::random::Random;

const LINE_COUNT: usize = 12_000;
const SPAN_S: u64 = 20 * 60;
const CLIENT_COUNT: u64 = 300;
const TARGET_COUNT: u64 = 400;
const RELOAD_RATE: f64 = 0.12;
const CUT_RATE: f64 = 0.001;
/// How many lines back a reload reaches.
const RELOAD_REACH: u64 = 100;
/// How far a line may be written after later ones.
const DISORDER_S: u64 = 4;

#[derive(Clone, Copy)]
struct Visit {
    client: u64,
    target: u64,
}

/// The log in a few words.
pub(crate) fn stated() -> String {
    format!(
        "{LINE_COUNT} lines in {} minutes, {CLIENT_COUNT} clients, {TARGET_COUNT} targets, \
         {:.0} % reloads",
        SPAN_S / 60,
        RELOAD_RATE * 100.0,
    )
}

pub(crate) fn log(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut visits: Vec<Visit> = Vec::with_capacity(LINE_COUNT);
    let mut log = String::new();
    for number in 0..LINE_COUNT {
        let visit = visit(&mut random, &visits);
        visits.push(visit);
        let time_s = number as u64 * SPAN_S / LINE_COUNT as u64 + random.below(DISORDER_S);
        let start = log.len();
        write_line(&mut log, visit, time_s);
        if random.chance(CUT_RATE) {
            log.truncate(start + (log.len() - start) / 2);
        }
        log.push('\n');
    }
    log.into_bytes()
}

fn visit(random: &mut Random, earlier: &[Visit]) -> Visit {
    if !earlier.is_empty() && random.chance(RELOAD_RATE) {
        let back = 1 + random.below(RELOAD_REACH.min(earlier.len() as u64));
        return earlier[earlier.len() - back as usize];
    }
    // The lower of two numbers: small ones come up more often, as popular targets do.
    let target = random.below(TARGET_COUNT).min(random.below(TARGET_COUNT));
    Visit { client: random.below(CLIENT_COUNT), target }
}

fn write_line(log: &mut String, visit: Visit, time_s: u64) {
    let Visit { client, target } = visit;
    let (minute, second) = (time_s / 60, time_s % 60);
    let method = if target % 5 == 0 { "POST" } else { "GET" };
    // 198.18.0.0/15 is set aside for benchmarks (RFC 2544): no address of anybody.
    let (net, host) = (client / 250, client % 250 + 1);
    let size = 500 + target * 7;
    // Writing to a String cannot fail.
    let _ = write!(
        log,
        "198.18.{net}.{host} - - [04/Mar/2024:09:{minute:02}:{second:02} +0000] \
         \"{method} /item/{target}?view=full HTTP/1.1\" 200 {size} \"-\" \"made-up/1.0\"",
    );
}
