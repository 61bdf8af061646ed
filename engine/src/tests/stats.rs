//! Counters and gauges (O1).

use super::{LEASE, Lab, RETENTION, handed, look, seconds, shared, small, under_every_geometry};
use crate::sync::{AtomicU64, Ordering};
use crate::{Claim, Fingerprint, OnEnd, Reason, Stats};

/// What `step` adds to the counters.
fn added<R>(lab: &Lab, step: impl FnOnce() -> R) -> Stats {
    let before = lab.engine.stats();
    drop(step());
    let after = lab.engine.stats();
    Stats {
        executes: after.executes - before.executes,
        replays: after.replays - before.replays,
        done: after.done - before.done,
        in_flight: after.in_flight - before.in_flight,
        mismatches: after.mismatches - before.mismatches,
        cancelled: after.cancelled - before.cancelled,
        halted: after.halted - before.halted,
        full_records: after.full_records - before.full_records,
        full_bytes: after.full_bytes - before.full_bytes,
        full_waiters: after.full_waiters - before.full_waiters,
        closed: after.closed - before.closed,
        completes: after.completes - before.completes,
        tombstones: after.tombstones - before.tombstones,
        late: after.late - before.late,
        stale: after.stale - before.stale,
        cancels: after.cancels - before.cancels,
        halts: after.halts - before.halts,
        renews: after.renews - before.renews,
        hand_overs: after.hand_overs - before.hand_overs,
        lease_expiries: after.lease_expiries - before.lease_expiries,
        expired: after.expired - before.expired,
        timed_out: after.timed_out - before.timed_out,
        ..Stats::default()
    }
}

fn ask(lab: &Lab, claim: impl Into<Claim>) {
    drop(lab.ask(claim.into().wait(false)));
}

#[test]
fn o1_each_outcome_of_a_claim_is_counted_once() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().cancelled_retention(seconds(5)).waiters_per_key(0));
        let key = |number| lab.key(number);
        let zero = Stats::default();
        let says = |number, bits| Claim::new(key(number)).fingerprint(Fingerprint::from_u128(bits));
        let mut lease = None;
        let executes = added(&lab, || lease = Some(lab.own(says(1, 1))));
        assert_eq!(executes, Stats { executes: 1, ..zero });
        assert_eq!(added(&lab, || ask(&lab, key(1))), Stats { in_flight: 1, ..zero });
        assert_eq!(added(&lab, || lab.ask(key(1))), Stats { full_waiters: 1, ..zero });
        assert_eq!(added(&lab, || ask(&lab, says(1, 2))), Stats { mismatches: 1, ..zero });
        let completes = added(&lab, || lease.take().map(|lease| lease.complete(b"")));
        assert_eq!(completes, Stats { completes: 1, ..zero });
        assert_eq!(added(&lab, || ask(&lab, key(1))), Stats { replays: 1, ..zero });
        let large = added(&lab, || lab.own(key(2)).complete(&[0; 20_000]));
        assert_eq!(large, Stats { executes: 1, completes: 1, tombstones: 1, ..zero });
        assert_eq!(added(&lab, || ask(&lab, key(2))), Stats { done: 1, ..zero });
        let cancels = added(&lab, || lab.own(key(3)));
        assert_eq!(cancels, Stats { executes: 1, cancels: 1, ..zero });
        assert_eq!(added(&lab, || ask(&lab, key(3))), Stats { cancelled: 1, ..zero });
        let halts = added(&lab, || lab.own(key(4)).halt(Reason::Owner));
        assert_eq!(halts, Stats { executes: 1, halts: 1, ..zero });
        assert_eq!(added(&lab, || ask(&lab, key(4))), Stats { halted: 1, ..zero });
        lab.engine.close();
        assert_eq!(added(&lab, || ask(&lab, key(5))), Stats { closed: 1, ..zero });
    });
}

#[test]
fn o1_full_is_counted_by_what_is_full() {
    under_every_geometry(|make| {
        let lab = Lab::new(make().records(2));
        let leases = [lab.own(lab.key(1)), lab.own(lab.key(2))];
        let records = added(&lab, || ask(&lab, lab.key(3)));
        assert_eq!(records, Stats { full_records: 1, ..Stats::default() });
        drop(leases);
        let lab = Lab::new(make().bytes(4096).max_response(4032));
        lab.store(lab.key(1), &[0; 4032]);
        let bytes = added(&lab, || ask(&lab, lab.key(3)));
        assert_eq!(bytes, Stats { full_bytes: 1, ..Stats::default() });
    });
}

#[test]
fn o1_late_ends_are_counted_once_each() {
    under_every_geometry(|make| {
        for kept in [0, 5] {
            let lab = Lab::new(make().cancelled_retention(seconds(kept)));
            let leases = [lab.own(lab.key(1)), lab.own(lab.key(2)), lab.own(lab.key(3))];
            lab.pass(LEASE);
            let [completed, cancelled, halted] = leases;
            let zero = Stats::default();
            let late = added(&lab, || completed.complete(b""));
            assert_eq!(late, Stats { completes: 1, late: 1, ..zero });
            let late = added(&lab, || cancelled.cancel(Reason::Owner));
            assert_eq!(late, Stats { cancels: 1, late: 1, ..zero });
            let late = added(&lab, || halted.halt(Reason::Owner));
            assert_eq!(late, Stats { halts: 1, late: 1, ..zero });
        }
    });
}

#[test]
fn o1_expiries_and_what_follows_are_counted() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let zero = Stats::default();
        let old = lab.own(lab.key(1));
        let halts = lab.own(Claim::new(lab.key(2)).on_expiry(OnEnd::Halt));
        let waiter = lab.queue(lab.key(1));
        lab.pass(LEASE);
        let mut new = None;
        let handed_over = added(&lab, || new = Some(handed(look(waiter))));
        assert_eq!(handed_over, Stats { executes: 1, hand_overs: 1, lease_expiries: 1, ..zero });
        assert_eq!(added(&lab, || old), Stats { stale: 1, ..zero });
        let halted = added(&lab, || lab.settle());
        assert_eq!(halted, Stats { lease_expiries: 1, halts: 1, ..zero });
        assert_eq!(added(&lab, || halts), Stats { stale: 1, ..zero });
        let new = new.expect("handed over");
        assert_eq!(added(&lab, || new.renew(seconds(1))), Stats { renews: 1, ..zero });
        assert!(new.complete(b"").is_ok());
        lab.pass(RETENTION);
        assert_eq!(added(&lab, || lab.settle()), Stats { expired: 1, ..zero });
        let lease = lab.own(lab.key(3));
        let waiter = lab.queue(lab.key(3));
        assert_eq!(added(&lab, || look(waiter)), Stats { timed_out: 1, ..zero });
        drop(lease);
    });
}

#[test]
fn o1_gauges_are_exact_and_peaks_stay() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        let waiter = lab.queue(lab.key(1));
        let stats = lab.engine.stats();
        assert_eq!((stats.records, stats.bytes, stats.waiters), (1, 64, 1));
        assert!(lease.complete(&[0; 100]).is_ok());
        let stats = lab.engine.stats();
        assert_eq!((stats.records, stats.bytes, stats.waiters), (1, 64 + 128, 1));
        drop(shared(look(waiter)));
        lab.pass(RETENTION);
        lab.settle();
        lab.assert_empty();
        let stats = lab.engine.stats();
        assert_eq!((stats.records_peak, stats.bytes_peak, stats.waiters_peak), (1, 192, 1));
    });
}

#[test]
fn o1_counts_are_exact_with_any_number_of_threads() {
    const THREADS: u64 = 80;
    const CLAIMS: u64 = 5_000;
    let lab = Lab::new(small());
    let key = lab.key(1);
    lab.store(key, b"done");
    // More at a time than have counters of their own, and after some of them others again.
    for round in 1..=2 {
        let (begun, start) = (AtomicU64::new(0), std::time::Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    // All of them live at once, each with its number.
                    drop(lab.replay(key));
                    begun.fetch_add(1, Ordering::AcqRel);
                    while begun.load(Ordering::Acquire) < THREADS {
                        assert!(start.elapsed() < seconds(20), "a thread did not get so far");
                        std::thread::yield_now();
                    }
                    (1..CLAIMS).for_each(|_| drop(lab.replay(key)));
                });
            }
        });
        assert_eq!(lab.engine.stats().replays, round * THREADS * CLAIMS);
    }
}
