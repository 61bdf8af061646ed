//! That an engine does the job of `adapter.rs`, before it is measured at it.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::adapter::{Adapter, Claim, Completed, Setup};
use crate::keys::{self, Key, Name};
use crate::steady;

const LEASE: Duration = Duration::from_secs(10);
const RETENTION: Duration = Duration::from_secs(100);
const PAYLOAD: usize = 256;

/// Panics where `A` does less than the job.
pub(crate) fn check<A: Adapter>() {
    life_of_a_key::<A>();
    if A::KNOWS_LEASES {
        expired_lease::<A>();
    }
    byte_bound::<A>();
    one_execution_each::<A>();
}

fn setup(lanes: usize) -> Setup {
    Setup {
        records: 1 << 14,
        bytes: 64 << 20,
        live: 0,
        lanes,
        lease: LEASE,
        retention: RETENTION,
        manual_time: true,
    }
}

fn response(key: Key) -> Vec<u8> {
    let mut response = vec![0; PAYLOAD];
    keys::write_response(key, &mut response);
    response
}

/// What a claim said, for messages.
fn said<T, H>(claim: &Claim<T, H>) -> &'static str {
    match claim {
        Claim::Execute(_) => "Execute",
        Claim::InFlight => "InFlight",
        Claim::Replay(_) => "Replay",
        Claim::Done => "Done",
        Claim::Mismatch => "Mismatch",
        Claim::Full => "Full",
    }
}

/// One worker's view of one key.
struct Caller<'a, A: Adapter> {
    adapter: &'a A,
    lane: A::Lane,
    key: Key,
}

impl<'a, A: Adapter> Caller<'a, A> {
    fn new(adapter: &'a A, key: Key) -> Self {
        Self { adapter, lane: adapter.lane(0), key }
    }

    fn claim(&mut self) -> Claim<A::Ticket<'a>, A::Handle> {
        let adapter = self.adapter;
        adapter.claim(&mut self.lane, A::Name::of(self.key), keys::fingerprint(self.key))
    }

    fn expect(&mut self, expected: &str, when: &str) {
        let claim = self.claim();
        assert_eq!(said(&claim), expected, "{}: {when}", A::NAME);
    }

    fn expect_mismatch(&mut self) {
        let other = keys::fingerprint(self.key) + 1;
        let claim = self.adapter.claim(&mut self.lane, A::Name::of(self.key), other);
        assert_eq!(said(&claim), "Mismatch", "{}: another fingerprint", A::NAME);
    }

    fn execute(&mut self, when: &str) -> A::Ticket<'a> {
        match self.claim() {
            Claim::Execute(ticket) => ticket,
            other => panic!("{}: {when}: {}, not Execute", A::NAME, said(&other)),
        }
    }

    fn replay(&mut self, when: &str) -> A::Handle {
        match self.claim() {
            Claim::Replay(handle) => handle,
            other => panic!("{}: {when}: {}, not Replay", A::NAME, said(&other)),
        }
    }

    fn complete(&mut self, ticket: A::Ticket<'a>, expected: Completed) {
        let bytes = response(self.key);
        let completed = self.adapter.complete(&mut self.lane, ticket, &bytes);
        assert_eq!(completed, expected, "{}", A::NAME);
    }
}

fn life_of_a_key<A: Adapter>() {
    let adapter = A::new(&setup(1));
    let mut caller = Caller::new(&adapter, keys::key(1));
    let ticket = caller.execute("new");
    caller.expect("InFlight", "claimed and not completed");
    if A::KNOWS_LEASES {
        caller.expect_mismatch();
    }
    caller.complete(ticket, Completed::Stored);
    caller.expect_mismatch();
    let held = caller.replay("completed");
    assert_eq!(*held, response(caller.key), "{}", A::NAME);
    assert_eq!(adapter.live(), 1, "{}", A::NAME);
    adapter.advance(RETENTION / 2);
    caller.expect("Replay", "within its retention");
    adapter.advance(RETENTION);
    let ticket = caller.execute("after its retention");
    assert_eq!(*held, response(caller.key), "{}: a handle outlives the record", A::NAME);
    drop(held);
    caller.complete(ticket, Completed::Stored);
    caller.expect("Replay", "completed again");
}

fn expired_lease<A: Adapter>() {
    let adapter = A::new(&setup(1));
    let mut caller = Caller::new(&adapter, keys::key(1));
    let late = caller.execute("new");
    adapter.advance(LEASE / 2);
    caller.expect("InFlight", "within its lease");
    adapter.advance(LEASE);
    let ticket = caller.execute("after its lease");
    caller.complete(late, Completed::Stale);
    caller.expect("InFlight", "owned by the second");
    caller.complete(ticket, Completed::Stored);
    caller.expect("Replay", "completed by the second");
}

fn byte_bound<A: Adapter>() {
    const EACH: usize = 64 << 10;
    let mut setup = setup(1);
    setup.bytes = 8 << 20;
    let adapter = A::new(&setup);
    let mut lane = adapter.lane(0);
    let mut stored = 0;
    for counter in 0..1000 {
        let key = keys::key(counter);
        let (name, fingerprint) = (A::Name::of(key), keys::fingerprint(key));
        let Claim::Execute(ticket) = adapter.claim(&mut lane, name, fingerprint) else {
            break;
        };
        if adapter.complete(&mut lane, ticket, &vec![7; EACH]) == Completed::Tombstone {
            let again = adapter.claim(&mut lane, name, fingerprint);
            assert_eq!(said(&again), "Done", "{}: a tombstone", A::NAME);
            break;
        }
        stored += EACH as u64;
    }
    let within = setup.bytes / 2..=setup.bytes;
    assert!(within.contains(&stored), "{}: {stored} bytes stored", A::NAME);
}

/// Several workers claim the same keys: each is executed once and replayed to all others.
fn one_execution_each<A: Adapter>() {
    const WORKERS: usize = 4;
    const KEYS: usize = 2000;
    let adapter = A::new(&setup(WORKERS));
    let executions: Vec<AtomicU8> = (0..KEYS).map(|_| AtomicU8::new(0)).collect();
    steady::together(WORKERS, false, |index| {
        let mut lane = adapter.lane(index);
        for (counter, count) in executions.iter().enumerate() {
            let key = keys::key(counter as u64);
            loop {
                match adapter.claim(&mut lane, A::Name::of(key), keys::fingerprint(key)) {
                    Claim::Execute(ticket) => {
                        count.fetch_add(1, Ordering::Relaxed);
                        let completed = adapter.complete(&mut lane, ticket, &response(key));
                        assert_eq!(completed, Completed::Stored, "{}", A::NAME);
                    }
                    Claim::Replay(handle) => {
                        assert_eq!(*handle, response(key), "{}", A::NAME);
                        break;
                    }
                    Claim::InFlight => std::thread::yield_now(),
                    other => panic!("{}: {}", A::NAME, said(&other)),
                }
            }
        }
    });
    for count in &executions {
        assert_eq!(count.load(Ordering::Relaxed), 1, "{}: executions of one key", A::NAME);
    }
    assert_eq!(adapter.live(), KEYS, "{}", A::NAME);
}
