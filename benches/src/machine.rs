//! What the machine is, what it lends to a thread, and what it has given to this process.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Binds the calling thread to the processor that is `index`th among those it may use.
pub(crate) fn pin(index: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

        let Ok(allowed) = sched_getaffinity(None) else {
            return;
        };
        let count = usize::try_from(allowed.count()).unwrap_or(1).max(1);
        let chosen = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).nth(index % count);
        if let Some(cpu) = chosen {
            let mut only = CpuSet::new();
            only.set(cpu);
            // Where it is refused, the scheduler places the thread, as without pinning.
            let _ = sched_setaffinity(None, &only);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = index;
}

/// The calling thread, for `is_asleep`.
pub(crate) fn thread_id() -> i32 {
    #[cfg(target_os = "linux")]
    return rustix::thread::gettid().as_raw_nonzero().get();
    #[cfg(not(target_os = "linux"))]
    panic!("to know who sleeps takes Linux");
}

/// Whether a thread of this process sleeps, in whatever call it has gone to the system with.
pub(crate) fn is_asleep(thread: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).expect("Linux");
    // The state follows the name, which may have anything in it, in parentheses.
    text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

/// The resident memory of this process.
pub(crate) fn resident_bytes() -> u64 {
    // The sum over all mappings: the short form in `status` lags behind by some pages per thread.
    let text = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux 4.14 or later");
    let line = text.lines().find(|line| line.starts_with("Rss:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("a number of KiB") * 1024
}

/// Lines on the machine and the build, for the head of a result.
pub(crate) fn facts(arguments: &str) -> Vec<(&'static str, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let allocator = if cfg!(feature = "mimalloc") { "mimalloc" } else { "the system's" };
    let features = if cfg!(feature = "mimalloc") { " --features mimalloc" } else { "" };
    let arguments = if arguments.is_empty() { String::new() } else { format!(" -- {arguments}") };
    vec![
        ("command", format!("cargo run --release -p idem-benches{features}{arguments}")),
        ("date", utc_now()),
        ("commit", commit()),
        ("processor", format!("{} x {}", processors, processor_model())),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("huge pages", read("/sys/kernel/mm/transparent_hugepage/enabled")),
        ("load before", read("/proc/loadavg")),
        ("compiler", output("rustc", &["--version"])),
        ("allocator", allocator.to_owned()),
        ("peers", peer_versions()),
    ]
}

fn processor_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(": "));
    model.map_or_else(|| String::from("unknown"), |(_, model)| model.to_owned())
}

fn commit() -> String {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = !output("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
    match (commit.is_empty(), changed) {
        (true, _) => String::from("none yet"),
        (false, true) => format!("{commit} with changes"),
        (false, false) => commit,
    }
}

/// What a command prints, or nothing if it cannot be run.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

/// The versions of the peers that this program was built with.
fn peer_versions() -> String {
    const LOCK: &str = include_str!("../../Cargo.lock");
    let peers =
        ["quick_cache", "dashmap", "scc", "papaya", "moka", "hashbrown", "foldhash", "parking_lot"];
    let mut versions = Vec::new();
    for package in LOCK.split("[[package]]") {
        let field = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(" = \"")?.strip_suffix('"')
        };
        if let (Some(name), Some(version)) = (field("name"), field("version"))
            && peers.contains(&name)
        {
            versions.push(format!("{name} {version}"));
        }
    }
    versions.join(", ")
}

/// Now, as `2026-01-31T23:59:59Z`.
pub(crate) fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    utc(since.as_secs())
}

fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01: years that begin in March have their leap day last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(utc(1_767_225_599), "2025-12-31T23:59:59Z");
    }

    #[test]
    fn sleepers_are_seen() {
        assert!(!is_asleep(thread_id()));
        let (tell, told) = std::sync::mpsc::channel();
        let sleeper = std::thread::spawn(move || {
            tell.send(thread_id()).expect("somebody listens");
            std::thread::park();
        });
        let id = told.recv().expect("it tells");
        while !is_asleep(id) {
            std::thread::yield_now();
        }
        sleeper.thread().unpark();
        sleeper.join().expect("it only parks");
    }

    #[test]
    fn memory_in_use_is_seen() {
        let before = resident_bytes();
        let touched = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(resident_bytes() > before + (32 << 20));
        drop(touched);
    }
}
