//! Typed values, and bytes that are handed in with their owner: shared and not copied, and counted.

use std::sync::Arc;

use super::{Lab, RETENTION, seconds, small, under_every_geometry};
use crate::sync::{AtomicU32, Ordering};
use crate::typed::{self, Missed, Outcome, Value, WaitOutcome};
use crate::{Claim, Completion, Limit, NamespaceOptions, NoBody, Scope, Stale, Status, Typed};

/// How many were made, and how many dropped.
#[derive(Clone, Default)]
pub(super) struct Census(Arc<[AtomicU32; 2]>);

impl Census {
    pub(super) fn value(&self, number: usize) -> Counted {
        self.0[0].fetch_add(1, Ordering::AcqRel);
        Counted { number, of: self.clone(), is_dropped: AtomicU32::new(0) }
    }

    pub(super) fn count(&self) -> [u32; 2] {
        [0, 1].map(|index| self.0[index].load(Ordering::Acquire))
    }

    /// So many are there still.
    pub(super) fn left(&self) -> u32 {
        let [made, dropped] = self.count();
        made.checked_sub(dropped).expect("none is dropped twice")
    }
}

/// A value that counts, and is as heavy as it says.
pub(super) struct Counted {
    pub(super) number: usize,
    of: Census,
    pub(super) is_dropped: AtomicU32,
}

impl Counted {
    fn weight(&self) -> usize {
        self.number
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert_eq!(self.is_dropped.swap(1, Ordering::AcqRel), 0, "dropped twice");
        self.of.0[1].fetch_add(1, Ordering::AcqRel);
    }
}

/// The same as bytes, from 4096 on: in itself, so that they move with it.
pub(super) struct Bytes {
    bytes: [u8; 4096],
    _counted: Counted,
}

impl Bytes {
    pub(super) fn new(census: &Census) -> Self {
        Self { bytes: [7; 4096], _counted: census.value(0) }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

pub(super) type View = Typed<Counted, Counted>;

pub(super) fn view(lab: &Lab) -> View {
    lab.engine.typed().weighed(Counted::weight).errors_weighed(Counted::weight)
}

#[track_caller]
pub(super) fn own(view: &View, claim: impl Into<Claim>) -> typed::Lease<Counted, Counted> {
    match view.claim(claim).expect("the claim is in bounds") {
        Outcome::Execute(lease) => lease,
        other => panic!("no lease, but {other:?}"),
    }
}

#[track_caller]
pub(super) fn replay(view: &View, claim: impl Into<Claim>) -> Value<Counted> {
    match view.claim(claim).expect("the claim is in bounds") {
        Outcome::Replay(value) => value,
        other => panic!("no value, but {other:?}"),
    }
}

#[test]
fn l3_a_value_is_shared_not_copied() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let (view, key) = (view(&lab), lab.key(1));
        let lease = own(&view, key);
        let Ok(Outcome::InFlight(waiting)) = view.claim(key) else { panic!("it is in flight") };
        let (made, ended) = lease.share(census.value(100));
        assert_eq!(ended, Ok(Completion::Stored));
        let WaitOutcome::Replay(waited) = waiting.wait() else { panic!("it is there") };
        let replayed = replay(&view, key);
        let got = view.get(key).unwrap().expect("it is done");
        for value in [&made, &waited, &replayed, &got, &got.clone(), &made.clone()] {
            assert!(core::ptr::eq::<Counted>(&**value, &*made), "one value");
            assert_eq!(value.number, 100);
        }
        assert_eq!(census.count(), [1, 0]);
        drop((made, waited, got));
        lab.pass(RETENTION);
        lab.settle();
        assert_eq!((lab.engine.stats().records, census.left(), replayed.number), (0, 1, 100));
        drop(replayed);
        assert_eq!(census.left(), 0);
        lab.assert_empty();
    });
}

#[test]
fn r1_weights_count_against_the_limits() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let view = view(&lab);
        // A record with a handle takes 128 bytes, besides.
        let mut held = Vec::new();
        for (number, weight) in [0, 1, 64, 65, 4096].into_iter().enumerate() {
            let before = lab.engine.stats().bytes;
            let (value, _) = own(&view, lab.key(number as u128)).share(census.value(weight));
            held.push(value);
            let counted = 128 + weight.next_multiple_of(64) as u64;
            assert_eq!(lab.engine.stats().bytes - before, counted);
        }
        let bytes = lab.engine.stats().bytes;
        lab.pass(RETENTION);
        lab.settle();
        // The weights, not the records.
        assert_eq!(lab.engine.stats().bytes, bytes - 5 * 128, "what is held still counts");
        drop(held);
        assert_eq!(lab.engine.stats().bytes, 0);
        // Never more than the limit, and as much as there is room for.
        let key = |number| lab.key(1000 + number);
        let stored = (0..RECORDS).filter(|number| {
            let ended = own(&view, key(*number)).complete(census.value(8000));
            assert!(lab.engine.stats().bytes <= 64 * 1024);
            ended == Ok(Completion::Stored)
        });
        assert_eq!(stored.count(), 8, "of 64 KiB, 8128 each");
        assert_eq!(census.left(), 8);
        lab.assert_ticks_empty_it();
        assert_eq!(census.left(), 0);
    });
}

const RECORDS: u128 = super::RECORDS as u128;

#[test]
fn r5_a_weight_counts_in_its_namespace_and_scope() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let view = view(&lab);
        let options = NamespaceOptions::default().bytes(8192).bytes_per_scope(4096);
        let space = lab.engine.define_namespace("values", options).unwrap();
        let key = |number: u8, scope: &[u8]| space.key(Scope::Of(scope), &[number]).unwrap();
        let complete = |number, scope: &[u8], weight| {
            own(&view, key(number, scope)).complete(census.value(weight))
        };
        assert_eq!(complete(1, b"a", 3968), Ok(Completion::Stored));
        let refused = view.claim(key(2, b"a")).unwrap();
        assert!(matches!(refused, Outcome::Full(Limit::Scope)), "{refused:?}");
        assert_eq!(complete(2, b"b", 3969), Ok(Completion::Tombstone(NoBody::NoRoom)));
        lab.engine.forget(key(2, b"b")).unwrap();
        // Held beyond its record: the weight still counts there.
        let held = replay(&view, key(1, b"a"));
        let (made, _) = own(&view, key(3, b"b")).share(census.value(3968));
        lab.engine.forget(key(1, b"a")).unwrap();
        lab.engine.forget(key(3, b"b")).unwrap();
        assert_eq!(complete(4, b"b", 200), Ok(Completion::Tombstone(NoBody::NoRoom)));
        lab.engine.forget(key(4, b"b")).unwrap();
        drop((held, made));
        assert_eq!(complete(4, b"b", 3968), Ok(Completion::Stored));
        assert_eq!(complete(5, b"a", 3968), Ok(Completion::Stored));
        lab.assert_ticks_empty_it();
        assert_eq!(census.left(), 0);
    });
}

#[test]
fn l3_owned_bytes_stay_where_they_are() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let key = lab.key(1);
        lab.own(key).complete_owned(Bytes::new(&census)).unwrap();
        let (one, two) = (lab.replay(key), lab.replay(key));
        assert_eq!((&*one, one.as_ptr()), (&[7; 4096][..], two.as_ptr()));
        assert_eq!(lab.engine.stats().bytes, 128 + 4096);
        let mut body = b"before".to_vec();
        let status = lab.engine.peek_into(key, &mut body).unwrap();
        assert!(matches!(status, Status::Completed { length: Some(4096), is_error: false, .. }));
        assert_eq!((&body[..6], &body[6..]), (&b"before"[..], &[7; 4096][..]));
        assert_eq!(census.left(), 1);
        lab.pass(RETENTION);
        lab.settle();
        drop(one);
        assert_eq!((two.len(), census.left()), (4096, 1));
        drop(two);
        assert_eq!(census.left(), 0);
        lab.assert_empty();
        // Too long; short, and copied; and of a lease that is over.
        lab.own(key).complete_owned(vec![7; 16 * 1024 + 1]).unwrap();
        assert!(matches!(lab.ask(key), crate::Outcome::Done(_)));
        let short = Short(census.value(0));
        lab.own(lab.key(2)).complete_owned_for(short, seconds(1)).unwrap();
        assert_eq!((&*lab.replay(lab.key(2)), census.left()), (&[9; 100][..], 0));
        let lease = lab.own(lab.key(3));
        lab.engine.forget_forced(lab.key(3)).unwrap();
        assert_eq!(lease.complete_owned(Bytes::new(&census)), Err(Stale));
        assert_eq!(census.left(), 0);
        lab.assert_ticks_empty_it();
    });
}

struct Short(#[expect(dead_code, reason = "counts")] Counted);

impl AsRef<[u8]> for Short {
    fn as_ref(&self) -> &[u8] {
        &[9; 100]
    }
}

#[test]
fn k8_peek_tells_the_weight_of_a_value_and_copies_nothing() {
    let (lab, census) = (Lab::new(small()), Census::default());
    let (view, key) = (view(&lab), lab.key(1));
    let mut body = Vec::new();
    assert!(view.get(key).unwrap().is_none());
    let lease = own(&view, key);
    assert!(view.get(key).unwrap().is_none());
    lease.complete(census.value(500)).unwrap();
    let status = lab.engine.peek_into(key, &mut body).unwrap();
    assert!(matches!(status, Status::Completed { length: Some(500), is_error: false, .. }));
    own(&view, lab.key(2)).fail(census.value(5), seconds(1)).unwrap();
    let status = lab.engine.peek_into(lab.key(2), &mut body).unwrap();
    assert!(matches!(status, Status::Completed { length: Some(5), is_error: true, .. }));
    assert!(body.is_empty());
    lab.pass(RETENTION);
    assert!(view.get(key).unwrap().is_none(), "it is over");
    assert!(view.get(Lab::new(small()).key(1)).is_err(), "another engine's key");
    lab.assert_ticks_empty_it();
    assert_eq!(census.left(), 0);
}

#[test]
fn t2_what_is_of_another_type_is_done() {
    let (lab, census) = (Lab::new(small()), Census::default());
    let view = view(&lab);
    own(&view, lab.key(1)).complete(census.value(1)).unwrap();
    lab.store(lab.key(2), b"bytes");
    assert_eq!(lab.engine.once(lab.key(3), seconds(1)), Ok(true));
    let numbers: Typed<u64, Counted> = lab.engine.typed();
    for key in [1, 2, 3].map(|number| lab.key(number)) {
        assert!(matches!(numbers.claim(key), Ok(Outcome::Done(_))));
        assert!(numbers.get(key).unwrap().is_none());
        assert!(matches!(numbers.get_or_run(key, || Ok(1)), Err(Missed::Done(_))));
    }
    assert!(matches!(view.claim(lab.key(2)), Ok(Outcome::Done(_))));
    assert!(lab.replay(lab.key(1)).is_empty(), "a value has no bytes");
    lab.assert_ticks_empty_it();
    assert_eq!(census.left(), 0);
}

#[test]
fn l9_a_value_is_made_once_and_errors_are_shared() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let (view, key) = (view(&lab), lab.key(1));
        let made = view.get_or_run(key, || Ok(census.value(1))).unwrap();
        assert!(made.info().is_none());
        let other = view.get_or_run(key, || unreachable!("it has been made")).unwrap();
        assert!(core::ptr::eq::<Counted>(&*made, &*other) && other.info().is_some());
        let waiter = |number| {
            let Ok(Outcome::InFlight(other)) = view.claim(lab.key(number)) else {
                panic!("it runs")
            };
            other.into_waiter().expect("the claim waits")
        };
        let mut waiting = None;
        let failed = view.get_or_run(lab.key(2), || {
            waiting = Some(waiter(2));
            Err(census.value(2))
        });
        let Err(Missed::Failed(error)) = failed else { panic!("it failed") };
        let Some(WaitOutcome::Failed(shared)) = waiting.map(typed::Waiter::wait) else {
            panic!("it is shared")
        };
        assert!(core::ptr::eq::<Counted>(&*error, &*shared));
        let heavy = view.get_or_run(lab.key(3), || Ok(census.value(1 << 20))).unwrap();
        assert_eq!(heavy.number, 1 << 20, "whoever made it has it");
        let claim = Claim::new(lab.key(4)).wait(false);
        let inner = view.get_or_run(lab.key(4), || {
            let missed = view.get_or_run(claim, || unreachable!("it runs"));
            assert!(matches!(missed, Err(Missed::InFlight(_))));
            Ok(census.value(4))
        });
        assert_eq!(inner.unwrap().number, 4);
        drop((made, other, error, shared, heavy));
        lab.assert_ticks_empty_it();
        assert_eq!(census.left(), 0);
    });
}

#[test]
fn l9_what_becomes_of_a_typed_error_is_the_policys() {
    use crate::OnError;
    let policies: [(OnError, &str); 3] = [
        (OnError::HandOver, "Execute"),
        (OnError::Keep(seconds(1)), "Failed"),
        (OnError::Halt, "Halted"),
    ];
    for (policy, next) in policies {
        let (lab, census) = (Lab::new(small().on_error(policy)), Census::default());
        let view = view(&lab);
        let failed = view.get_or_run(lab.key(1), || Err(census.value(9)));
        assert!(matches!(failed, Err(Missed::Failed(error)) if error.number == 9));
        let outcome = view.claim(lab.key(1)).unwrap();
        assert!(format!("{outcome:?}").starts_with(next), "{outcome:?}");
        drop(outcome);
        lab.assert_ticks_empty_it();
        assert_eq!(census.left(), 0);
    }
}
