//! What is watched while the workers work: limits, memory, progress; and that nobody hangs.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::actor::Soak;
use crate::options::Sabotage;
use crate::time::millis;

/// How much more may be resident than there was after the warm-up: what threads and the allocator
/// keep, and pages of the engine that are touched late.
pub(crate) const GROWTH_KIB: u64 = 16 << 10;

/// A worker that does not come round for so long hangs.
const HANG: Duration = Duration::from_secs(60);
const SAMPLE: u64 = 5;
const PROGRESS: Duration = Duration::from_secs(5);

/// Resident memory, as sampled.
#[derive(Clone, Copy, Default)]
pub(crate) struct Resident {
    pub(crate) warm_kib: u64,
    pub(crate) most_kib: u64,
}

/// Watches until the time is over. `Err`: somebody hangs.
pub(crate) fn watch(soak: &Soak) -> Result<Resident, ()> {
    let length = Duration::from_secs(soak.options.seconds);
    let warm_up = (length / 4).min(Duration::from_secs(30));
    let mut resident = Resident::default();
    let mut rounds: Vec<(u64, Instant)> = vec![(0, soak.begin); soak.rounds.len()];
    let mut lost = Vec::new();
    let mut next = PROGRESS;
    let mut close = VecDeque::from([length.saturating_sub(millis(400)), length - millis(350)]);
    while soak.begin.elapsed() < length {
        std::thread::sleep(millis(SAMPLE));
        let elapsed = soak.begin.elapsed();
        check_limits(soak);
        let kib = resident_kib();
        if elapsed < warm_up {
            resident.warm_kib = resident.warm_kib.max(kib);
        }
        resident.most_kib = resident.most_kib.max(kib);
        if soak.is_sabotage(Sabotage::Grow) && elapsed > warm_up {
            lost.push(vec![1_u8; 1 << 20]);
        }
        if close.front().is_some_and(|at| elapsed >= *at) {
            close.pop_front();
            soak.rigs[close.len()].close_within(150);
        }
        if elapsed >= next {
            next += PROGRESS;
            progress(soak, kib);
        }
        check_rounds(soak, &mut rounds)?;
    }
    std::hint::black_box(lost);
    Ok(resident)
}

fn check_limits(soak: &Soak) {
    for rig in &soak.rigs {
        let stats = rig.engine.stats();
        let all = [
            ("records", stats.records, rig.limits.records as u64),
            ("bytes", stats.bytes, rig.limits.bytes),
            ("waiters", stats.waiters, rig.limits.waiters as u64),
            ("records at peak", stats.records_peak, rig.limits.records as u64),
            ("bytes at peak", stats.bytes_peak, rig.limits.bytes),
            ("waiters at peak", stats.waiters_peak, rig.limits.waiters as u64),
        ];
        for (name, found, limit) in all {
            if found > limit {
                soak.faults.add("limits", &format!("{found} {name}, of {limit}"));
            }
        }
    }
}

fn check_rounds(soak: &Soak, rounds: &mut [(u64, Instant)]) -> Result<(), ()> {
    for (worker, (seen, since)) in rounds.iter_mut().enumerate() {
        // Relaxed: only whether it changes matters.
        let now = soak.rounds[worker].load(Ordering::Relaxed);
        if now != *seen {
            (*seen, *since) = (now, Instant::now());
        } else if since.elapsed() > HANG {
            soak.faults.add("hang", &format!("worker {worker}, for {} s", HANG.as_secs()));
            return Err(());
        }
    }
    Ok(())
}

fn progress(soak: &Soak, kib: u64) {
    let seconds = soak.begin.elapsed().as_secs();
    let rounds: u64 = soak.rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed)).sum();
    let mut line = format!("{seconds:>6} s  {rounds:>10} rounds  {kib:>7} KiB");
    for rig in &soak.rigs {
        let stats = rig.engine.stats();
        line += &format!(
            "  | {} executes, {} replays, {} records, {} KiB",
            stats.executes,
            stats.replays,
            stats.records,
            stats.bytes >> 10
        );
    }
    // Where this cannot be written the verdict cannot be either.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// 0 where the system does not tell.
pub(crate) fn resident_kib() -> u64 {
    // Not /proc/self/statm: that counts pages, and says not how large they are.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
