//! After the workers: everything must come back to nothing, and the counts must agree.

use std::fmt::Write;
use std::time::{Duration, Instant};

use idem::{Limit, OnEnd, Outcome, Reason, State, Stats, What};

use crate::actor::Soak;
use crate::book::{Book, COUNTS};
use crate::monitor::{GROWTH_KIB, Resident};
use crate::options::Sabotage;
use crate::rig::{FRESH, Rig};
use crate::time::millis;

/// Generous: every retention is a fraction of a second.
const DRAIN: Duration = Duration::from_secs(20);

/// A run of so many seconds comes to everything there is; a shorter one may not.
const WHOLE_S: u64 = 20;

/// Ticks until nothing is left.
pub(crate) fn drain(soak: &Soak) {
    let begin = Instant::now();
    let is_empty = |stats: &Stats| stats.records == 0 && stats.bytes == 0 && stats.waiters == 0;
    while begin.elapsed() < drain_time(soak) {
        while soak.pool.poll_one() {}
        let ticks = soak.rigs.each_ref().map(|rig| rig.engine.tick());
        let is_over = soak.rigs.iter().all(|rig| is_empty(&rig.engine.stats()));
        if is_over && soak.pool.left() == 0 {
            return;
        }
        if ticks == [false; 2] {
            std::thread::sleep(millis(5));
        }
    }
    for rig in &soak.rigs {
        let Stats { records, bytes, waiters, .. } = rig.engine.stats();
        if !is_empty(&rig.engine.stats()) {
            let left = format!("{records} records, {bytes} bytes, {waiters} waiters are left");
            soak.faults.add("drain", &left);
        }
    }
    if soak.pool.left() > 0 {
        soak.faults.add("hang", &format!("{} tasks never ended", soak.pool.left()));
    }
}

/// What leaks on purpose is not waited for.
fn drain_time(soak: &Soak) -> Duration {
    if soak.is_sabotage(Sabotage::Leak) { Duration::from_secs(2) } else { DRAIN }
}

/// The engine's counts against the workers', and against what its hook was told.
pub(crate) fn compare(soak: &Soak) {
    for (number, rig) in soak.rigs.iter().enumerate() {
        let stats = rig.engine.stats();
        for (count, name, of) in COUNTS {
            let books = soak.books.iter().map(|books: &[Book; 2]| &books[number]);
            let (least, most) = Book::range(books, *count);
            let found = of(&stats);
            if !(least..=most).contains(&found) {
                let what = format!("engine {number}: {found} {name}, of {least} to {most}");
                soak.faults.add("counts", &what);
            }
        }
        for (name, counted, told) in hooked(rig, &stats) {
            if counted != told {
                let what = format!("engine {number}: {counted} {name}, and {told} were told");
                soak.faults.add("hooks", &what);
            }
        }
        cover(soak, number, &stats);
        closed(soak, rig);
    }
}

fn hooked(rig: &Rig, stats: &Stats) -> Vec<(&'static str, u64, u64)> {
    let told = |what| rig.seen.count(what);
    let full = stats.full_records
        + stats.full_bytes
        + stats.full_waiters
        + stats.full_namespace
        + stats.full_scope;
    vec![
        ("in flight", stats.in_flight, told(What::InFlight)),
        ("replays", stats.replays, told(What::Replayed)),
        ("done", stats.done, told(What::Done)),
        ("mismatches", stats.mismatches, told(What::Mismatched(State::InFlight))),
        ("cancelled", stats.cancelled, told(What::Cancelled(Reason::Owner))),
        ("halted", stats.halted, told(What::Halted(Reason::Owner))),
        ("full", full, told(What::Full(Limit::Records))),
        ("closed", stats.closed, told(What::Closed)),
        ("completes", stats.completes, told(What::Completed(idem::Completion::Stored))),
        ("renews", stats.renews, told(What::Renewed)),
        ("stale", stats.stale, told(What::Stale)),
        ("lease expiries", stats.lease_expiries, told(What::LeaseExpired(OnEnd::HandOver))),
        ("hand-overs", stats.hand_overs, told(What::HandedOver)),
        ("forced", stats.forced + stats.shutdowns, told(What::Forced(Reason::Owner))),
        ("forgotten", stats.forgotten, told(What::Forgotten)),
        ("resolved", stats.resolved, told(What::Resolved)),
    ]
}

/// A check of what never happened has shown nothing.
fn cover(soak: &Soak, number: usize, stats: &Stats) {
    let mut never: Vec<&str> =
        COUNTS.iter().filter(|(_, _, of)| of(stats) == 0).map(|(_, name, _)| *name).collect();
    let others = [
        ("halts", stats.halts),
        ("late", stats.late),
        ("hand_overs", stats.hand_overs),
        ("lease_expiries", stats.lease_expiries),
        ("expired", stats.expired),
        ("wakes", stats.wakes),
        ("wait_times", stats.wait_times.count()),
    ];
    never.extend(others.iter().filter(|(_, count)| *count == 0).map(|(name, _)| name));
    // The second one keeps cancellations, and so hands over to nobody; the first one keeps none.
    never.retain(|name| *name != ["cancelled", "hand_overs"][number]);
    if never.is_empty() {
        return;
    }
    let what = format!("engine {number} never came to: {}", never.join(", "));
    if soak.options.seconds >= WHOLE_S {
        soak.faults.add("coverage", &what);
    } else {
        println!("{what} (in so short a run no fault)");
    }
}

/// A closed engine stays closed.
fn closed(soak: &Soak, rig: &Rig) {
    let outcome = rig.engine.claim(rig.key(FRESH - 1));
    if !matches!(outcome, Ok(Outcome::Closed)) {
        soak.faults.add("closed", &format!("a claim came to {outcome:?}"));
    }
}

/// Tells what was measured, and judges the memory.
pub(crate) fn report(soak: &Soak, resident: Resident) -> String {
    let grown = resident.most_kib.saturating_sub(resident.warm_kib);
    if grown > GROWTH_KIB {
        let what = format!("{grown} KiB more than after the warm-up; {GROWTH_KIB} are allowed");
        soak.faults.add("memory", &what);
    }
    let mut report = crate::latency::Latencies::table(soak.latencies.iter());
    for (number, rig) in soak.rigs.iter().enumerate() {
        let _ = writeln!(report, "engine {number}: {:?}", rig.engine.stats());
    }
    let Resident { warm_kib, most_kib } = resident;
    let _ = writeln!(report, "resident: {warm_kib} KiB after the warm-up, {most_kib} at most");
    report
}
