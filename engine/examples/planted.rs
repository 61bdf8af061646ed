//! Defects on purpose, so that `tools/asan.sh` sees the sanitizers find them:
//!
//! ```text
//! planted none                nothing wrong: must pass
//! planted use-after-free      reads a response after its memory was given back
//! planted leak                loses boxes
//! planted forgotten-replay    forgets a replay; its bytes stay counted after all has expired
//! ```

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use idem::{Clock, Engine, ManualClock, Outcome, Replay, Scope};

const RETENTION: Duration = Duration::from_secs(1);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let defect = std::env::args().nth(1).unwrap_or_default();
    let clock = ManualClock::new();
    let engine = Engine::builder().clock(Clock::manual(&clock)).retention(RETENTION).build()?;
    let replay = replay(&engine)?;
    let bytes = replay.as_bytes().as_ptr();
    match defect.as_str() {
        "none" | "use-after-free" => drop(replay),
        "leak" => {
            drop(replay);
            lose_boxes();
        }
        "forgotten-replay" => std::mem::forget(replay),
        _ => return Err("usage: planted none|use-after-free|leak|forgotten-replay".into()),
    }
    clock.advance(RETENTION);
    while engine.tick() {}
    if defect == "use-after-free" {
        // SAFETY: none, this is the defect: the tick above has given the memory back.
        println!("read {}", unsafe { bytes.read_volatile() });
    }
    let stats = engine.stats();
    println!("still held: {} bytes, {} records", stats.bytes, stats.records);
    Ok(ExitCode::from(u8::from(stats.bytes > 0)))
}

fn replay(engine: &Engine) -> Result<Replay, Box<dyn Error>> {
    let key = engine.key(Scope::None, b"planted")?;
    if let Outcome::Execute(lease) = engine.claim(key)? {
        lease.complete(&[7; 200])?;
    }
    match engine.claim(key)? {
        Outcome::Replay(replay) => Ok(replay),
        other => Err(format!("not a replay: {other:?}").into()),
    }
}

/// Several, and not in `main`: a pointer that happens to be left on the stack hides one from the
/// leak check.
#[inline(never)]
fn lose_boxes() {
    for number in 0..16_u64 {
        std::mem::forget(black_box(Box::new([number; 32])));
    }
}
