//! Single operations of libidem on one thread: to see a change, not to compare with others (for
//! that see `src/main.rs`).
//!
//! ```text
//! cargo bench -p idem-benches
//! ```

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use idem::{Claim, Clock, Engine, Fingerprint, Key, Lease, ManualClock, Outcome};

/// Keys that are completed before replays are measured: their records stay in the caches.
const KEYS: u64 = 1000;

/// New keys between two ticks of a clock at which all of them are over.
const KEYS_PER_TICK: u64 = 1024;

const RESPONSE: [u8; 256] = [7; 256];

/// Key `counter`, and its claim.
fn key(engine: &Engine, counter: u64) -> Key {
    let low = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = low.rotate_left(32) ^ 0xd1b5_4a32_d192_ed03;
    engine.raw_key((u128::from(high) << 64) | u128::from(low))
}

fn claim(engine: &Engine, counter: u64) -> Claim {
    Claim::new(key(engine, counter)).fingerprint(Fingerprint::from_u128(1))
}

fn execute(engine: &Engine, counter: u64) -> Lease {
    match engine.claim(claim(engine, counter)) {
        Ok(Outcome::Execute(lease)) => lease,
        other => panic!("a new key is to be executed, not {other:?}"),
    }
}

fn claim_and_complete(criterion: &mut Criterion) {
    let clock = ManualClock::new();
    let engine = Engine::builder()
        .records(1 << 16)
        .retention(Duration::from_millis(10))
        .clock(Clock::manual(&clock))
        .helper_thread(false)
        .build()
        .expect("the configuration is valid");
    let mut counter = 0;
    criterion.bench_function("claim and complete a new key", |bencher| {
        bencher.iter(|| {
            let lease = execute(&engine, counter);
            black_box(lease.complete(black_box(&RESPONSE)).expect("the lease is live"));
            counter += 1;
            if counter.is_multiple_of(KEYS_PER_TICK) {
                clock.advance(Duration::from_millis(1));
                while engine.tick() {}
            }
        });
    });
}

fn replay(criterion: &mut Criterion) {
    let engine = Engine::builder().records(1 << 16).build().expect("the configuration is valid");
    for counter in 0..KEYS {
        execute(&engine, counter).complete(&RESPONSE).expect("the lease is live");
    }
    let mut counter = 0;
    criterion.bench_function("replay", |bencher| {
        bencher.iter(|| {
            counter = (counter + 1) % KEYS;
            match engine.claim(claim(&engine, counter)) {
                Ok(Outcome::Replay(replay)) => black_box(replay[0]),
                other => panic!("a completed key is to be replayed, not {other:?}"),
            }
        });
    });
}

fn in_flight(criterion: &mut Criterion) {
    let engine = Engine::builder().records(1 << 16).build().expect("the configuration is valid");
    // A duplicate that waits puts itself into the queue, and takes itself out when it is dropped.
    for (name, waits) in [("duplicate in flight", false), ("duplicate in flight, waiting", true)] {
        let lease = execute(&engine, u64::from(waits));
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| match engine.claim(claim(&engine, u64::from(waits)).wait(waits)) {
                Ok(Outcome::InFlight(duplicate)) => drop(black_box(duplicate)),
                other => panic!("the key is in flight, not {other:?}"),
            });
        });
        lease.complete(&RESPONSE).expect("the lease is live");
    }
}

fn renew(criterion: &mut Criterion) {
    let clock = ManualClock::new();
    let engine = Engine::builder()
        .records(1 << 16)
        .clock(Clock::manual(&clock))
        .build()
        .expect("the configuration is valid");
    let lease = execute(&engine, 0);
    criterion.bench_function("renew", |bencher| {
        bencher.iter(|| {
            // So that there is a deadline to move. The clock's own step is in the figure.
            clock.advance(Duration::from_millis(1));
            lease.renew(black_box(Duration::from_secs(30))).expect("the lease is live");
        });
    });
    lease.complete(&RESPONSE).expect("the lease is live");
}

fn tick(criterion: &mut Criterion) {
    let clock = ManualClock::new();
    let engine = Engine::builder()
        .records(1 << 16)
        .clock(Clock::manual(&clock))
        .build()
        .expect("the configuration is valid");
    criterion.bench_function("tick of an empty engine", |bencher| {
        bencher.iter(|| {
            // So that there are wheels to turn. The clock's own step is in the figure.
            clock.advance(Duration::from_millis(1));
            black_box(engine.tick())
        });
    });
}

criterion_group!(ops, claim_and_complete, replay, in_flight, renew, tick);
criterion_main!(ops);
