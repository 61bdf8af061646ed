//! One thread that does one thing over and over, for tools that count instructions, and to see what
//! is left when the caches hold everything: `tools/instructions.sh` runs it.
//!
//! ```text
//! cargo run --release -p idem-benches --example steps -- replay|batch|churn|execute STEPS KEYS
//! ```
//!
//! Prints nanoseconds of the thread's own time for a step, the steps that came before left out.

use std::hint::black_box;
use std::time::Duration;

use idem::{Claim, Clock, Engine, Fingerprint, Lease, ManualClock, Outcome};

const RESPONSE: [u8; 256] = [7; 256];

/// Claims of a batch.
const BATCH: u64 = 16;

/// New keys between two ticks.
const KEYS_PER_TICK: u64 = 1024;

fn main() {
    let mut words = std::env::args().skip(1);
    let (what, steps, keys) = (words.next(), words.next(), words.next());
    let number = |word: Option<String>| word.and_then(|word| word.parse::<u64>().ok());
    let (Some(what), Some(steps), Some(keys)) = (what, number(steps), number(keys)) else {
        eprintln!("steps: replay|batch|churn|execute STEPS KEYS");
        std::process::exit(2);
    };
    let nanos = match what.as_str() {
        "replay" => replay(steps, keys),
        "batch" => batch(steps, keys),
        "churn" => churn(steps, keys),
        "execute" => execute_all(steps),
        _ => panic!("steps: no such thing to do: {what}"),
    };
    println!("{what}: {:.1} ns a step", nanos / f64::from(u32::try_from(steps).expect("fewer")));
}

/// The claim of key `counter`.
fn claim(engine: &Engine, counter: u64) -> Claim {
    let low = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = low.rotate_left(32) ^ 0xd1b5_4a32_d192_ed03;
    let key = engine.raw_key((u128::from(high) << 64) | u128::from(low));
    Claim::new(key).fingerprint(Fingerprint::from_u128(1))
}

fn execute(engine: &Engine, counter: u64) -> Lease {
    match engine.claim(claim(engine, counter)) {
        Ok(Outcome::Execute(lease)) => lease,
        other => panic!("a new key is to be executed, not {other:?}"),
    }
}

/// An engine with `keys` completed records that stay.
fn filled(keys: u64) -> Engine {
    let records = usize::try_from(keys.max(1)).expect("fewer");
    let engine =
        Engine::builder().records(records).bytes(keys * 400 + (1 << 20)).secret([1; 16]).build();
    let engine = engine.expect("the configuration is valid");
    for counter in 0..keys {
        execute(&engine, counter).complete(&RESPONSE).expect("the lease is live");
    }
    engine
}

/// Claims of completed keys, all over the table.
fn replay(steps: u64, keys: u64) -> f64 {
    let engine = filled(keys);
    let begun = thread_nanos();
    for step in 0..steps {
        let Ok(Outcome::Replay(replay)) = engine.claim(claim(&engine, scattered(step, keys)))
        else {
            panic!("a completed key is to be replayed");
        };
        black_box(replay[0]);
    }
    thread_nanos() - begun
}

/// The same by the batch.
fn batch(steps: u64, keys: u64) -> f64 {
    let engine = filled(keys);
    let begun = thread_nanos();
    for first in (0..steps).step_by(BATCH as usize) {
        let claims: [Claim; BATCH as usize] =
            std::array::from_fn(|at| claim(&engine, scattered(first + at as u64, keys)));
        for outcome in engine.claim_batch(&claims).expect("the claims are right") {
            let Outcome::Replay(replay) = outcome else {
                panic!("a completed key is to be replayed");
            };
            black_box(replay[0]);
        }
    }
    thread_nanos() - begun
}

/// Claim and complete, and nothing stays.
fn execute_all(steps: u64) -> f64 {
    let engine = filled(0);
    let begun = thread_nanos();
    for _ in 0..steps {
        let lease = execute(&engine, 0);
        lease.complete_for(&RESPONSE, Duration::ZERO).expect("the lease is live");
    }
    thread_nanos() - begun
}

/// New keys, of which `keys` live at a time; the thread itself ticks.
fn churn(steps: u64, keys: u64) -> f64 {
    let clock = ManualClock::new();
    let ticks = keys.div_ceil(KEYS_PER_TICK);
    let engine = Engine::builder()
        .records(usize::try_from(keys * 11 / 10 + 2 * KEYS_PER_TICK).expect("fewer"))
        .bytes(keys * 600 + (8 << 20))
        .retention(Duration::from_millis(ticks))
        .clock(Clock::manual(&clock))
        .helper_thread(false)
        .build()
        .expect("the configuration is valid");
    let step = |counter: u64| {
        execute(&engine, counter).complete(&RESPONSE).expect("the lease is live");
        if counter.is_multiple_of(KEYS_PER_TICK) {
            clock.advance(Duration::from_millis(1));
            while engine.tick() {}
        }
    };
    // Until memory has been gone through once.
    (0..2 * keys).for_each(step);
    let begun = thread_nanos();
    (2 * keys..2 * keys + steps).for_each(step);
    thread_nanos() - begun
}

/// The key of a step: all of them in turn, but no two neighbours.
fn scattered(step: u64, keys: u64) -> u64 {
    step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % keys
}

/// What the thread has run for.
#[cfg(target_os = "linux")]
fn thread_nanos() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let time = Duration::try_from(time).expect("it has run for some time");
    time.as_secs_f64() * 1e9
}

#[cfg(not(target_os = "linux"))]
fn thread_nanos() -> f64 {
    static BEGUN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGUN.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e9
}
