//! What is handed in as a value is dropped once, at the end of a call, whatever its destructor does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::values::{Bytes, Census, Counted, View, own, replay, view};
use super::{HALTED, Lab, RETENTION, look, seconds, small, under_every_geometry};
use crate::geometry::Geometry;
use crate::sync::{AtomicU32, Ordering};
use crate::typed::{self, Outcome, Value};
use crate::{
    Builder, Claim, Completion, Engine, NoBody, OnEnd, Reason, Removal, Stale, Status, Typed,
    WaitOutcome,
};

type Leave = fn(&Lab, &View, &Census);

/// Each way that a value can leave, which it has when the function returns, or after ticks.
const WAYS: [(&str, Leave); 14] = [
    ("ticks", |lab, view, census| {
        own(view, lab.key(1)).complete(census.value(1)).unwrap();
        lab.pass(RETENTION);
        assert_eq!(census.left(), 1);
        lab.settle();
    }),
    ("a claim of the key", |lab, view, census| {
        own(view, lab.key(1)).complete(census.value(1)).unwrap();
        lab.pass(RETENTION);
        own(view, lab.key(1)).cancel(Reason::Owner).unwrap();
    }),
    ("a claim that needs the room", |lab, view, census| {
        own(view, lab.key(1)).complete(census.value(16_000)).unwrap();
        own(view, lab.key(2)).complete(census.value(16_000)).unwrap();
        own(view, lab.key(3)).complete(census.value(16_000)).unwrap();
        lab.pass(RETENTION);
        own(view, lab.key(4)).complete(census.value(16_000)).unwrap();
        own(view, lab.key(5)).complete(census.value(16_000)).unwrap();
        assert_eq!(census.left(), 2, "what was over is dropped by the call that needs the room");
        lab.pass(RETENTION);
        lab.settle();
    }),
    ("forget", |lab, view, census| {
        own(view, lab.key(1)).complete(census.value(1)).unwrap();
        assert_eq!(lab.engine.forget(lab.key(1)), Ok(Removal::Removed));
    }),
    ("clear", |lab, view, census| {
        own(view, lab.key(1)).complete(census.value(1)).unwrap();
        lab.engine.clear();
        lab.settle();
    }),
    ("a forced end, and a stale completion", |lab, view, census| {
        let lease = own(view, lab.key(1));
        assert_eq!(lab.engine.force_end(lab.key(1), OnEnd::FailWaiters), Ok(true));
        assert_eq!(lease.complete(census.value(1)), Err(Stale));
    }),
    ("a stale completion of a batch", |lab, view, census| {
        let leases = [1, 2].map(|number| own(view, lab.key(number)));
        assert_eq!(lab.engine.forget_forced(lab.key(1)), Ok(Removal::Removed));
        let values = leases.map(|lease| (lease, census.value(1)));
        let ended = typed::Lease::complete_batch(values);
        assert_eq!(ended, [Err(Stale), Ok(Completion::Stored)]);
        lab.engine.forget(lab.key(2)).unwrap();
    }),
    ("no retention", |lab, view, census| {
        own(view, lab.key(1)).complete_for(census.value(1), seconds(0)).unwrap();
    }),
    ("no retention, and one waits", |lab, view, census| {
        let lease = own(view, lab.key(1));
        let waiter = lab.queue(lab.key(1));
        lease.fail(census.value(1), seconds(0)).unwrap();
        assert_eq!(census.left(), 1);
        let WaitOutcome::Replay(error) = look(waiter) else { panic!("it is there") };
        assert!(error.is_error() && error.is_empty(), "a value has no bytes");
    }),
    ("one waited and has left", |lab, view, census| {
        let lease = own(view, lab.key(1));
        let waiter = lab.queue(lab.key(1));
        lease.complete_for(census.value(1), seconds(0)).unwrap();
        drop(waiter);
    }),
    ("detached", |lab, view, census| {
        let lease = own(view, lab.key(1));
        assert_eq!(lab.engine.detach(lab.key(1)), Ok(true));
        assert_eq!(lease.complete(census.value(1)), Ok(Completion::Detached));
    }),
    ("too heavy", |lab, view, census| {
        let stored = own(view, lab.key(1)).complete(census.value(16 * 1024 + 1));
        assert_eq!(stored, Ok(Completion::Tombstone(NoBody::TooLarge)));
        assert!(matches!(view.claim(lab.key(1)), Ok(Outcome::Done(_))));
    }),
    ("no room", |lab, view, census| {
        let held: Vec<_> = (1..=4)
            .map(|number| own(view, lab.key(number)).share(census.value(16 * 1024)))
            .collect();
        let stored = [Ok(Completion::Stored); 3].into_iter();
        let stored = stored.chain([Ok(Completion::Tombstone(NoBody::NoRoom))]);
        assert!(held.iter().map(|(_, ended)| *ended).eq(stored));
        assert_eq!(held[3].0.number, 16 * 1024, "whoever made it has it all the same");
        drop(held);
        assert_eq!(census.left(), 3);
        lab.pass(RETENTION);
        lab.settle();
    }),
    ("settled", |lab, view, census| {
        own(view, lab.key(1)).halt(Reason::Owner).unwrap();
        let Ok(Status::Halted(.., token)) = lab.engine.peek(lab.key(1)) else {
            panic!("it is halted")
        };
        let resolved = view.resolve(lab.key(1), token, census.value(1), seconds(HALTED));
        assert_eq!(resolved, Ok(Completion::Stored));
        assert!(view.resolve(lab.key(1), token, census.value(1), seconds(HALTED)).is_err());
        assert_eq!((replay(view, lab.key(1)).number, census.left()), (1, 1));
        lab.engine.forget(lab.key(1)).unwrap();
    }),
];

#[test]
fn r1_a_value_leaves_once_whichever_way() {
    under_every_geometry(|make| {
        for (way, leave) in WAYS {
            let (lab, census) = (Lab::new(make()), Census::default());
            leave(&lab, &view(&lab), &census);
            assert_eq!(census.left(), 0, "{way}");
            assert!(census.count()[0] > 0, "{way}");
            lab.assert_ticks_empty_it();
            assert_eq!(census.left(), 0, "{way}");
        }
    });
}

#[test]
fn r1_an_engine_drops_what_is_in_it() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let view = view(&lab);
        for number in 0..10 {
            own(&view, lab.key(number)).complete(census.value(1)).unwrap();
        }
        lab.own(lab.key(10)).complete_owned(Bytes::new(&census)).unwrap();
        let lease = own(&view, lab.key(11));
        let held = replay(&view, lab.key(3));
        drop((view, lab));
        assert_eq!((census.left(), held.number), (11, 1), "a lease and a value keep the engine");
        drop(held);
        assert_eq!(census.left(), 11);
        drop(lease);
        assert_eq!(census.left(), 0);
    });
}

#[test]
fn l4_a_weigher_that_panics_abandons_the_lease() {
    fn weigh(value: &Counted) -> usize {
        assert!(value.number != 13, "planted");
        value.number
    }
    let (lab, census) = (Lab::new(small()), Census::default());
    let view: View = lab.engine.typed().weighed(weigh);
    let waiter = {
        let lease = own(&view, lab.key(1));
        let waiter = lab.queue(lab.key(1));
        let ended = catch_unwind(AssertUnwindSafe(|| lease.complete(census.value(13))));
        assert!(ended.is_err());
        waiter
    };
    assert_eq!(census.left(), 0);
    let WaitOutcome::Execute(lease) = look(waiter) else { panic!("it is handed over") };
    lease.complete(b"").unwrap();
    // An owner that does not say where its bytes are.
    struct Broken(#[expect(dead_code, reason = "counts")] Counted);
    impl AsRef<[u8]> for Broken {
        fn as_ref(&self) -> &[u8] {
            panic!("planted")
        }
    }
    let lease = lab.own(lab.key(2));
    let broken = Broken(census.value(1));
    assert!(catch_unwind(AssertUnwindSafe(|| lease.complete_owned(broken))).is_err());
    assert_eq!(census.left(), 0);
    lab.assert_ticks_empty_it();
}

/// Does something as it is dropped.
struct Parting(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Parting {
    fn new(does: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(does)))
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        if let Some(does) = self.0.take() {
            does();
        }
    }
}

#[track_caller]
fn store(view: &Typed<Parting>, number: u128, value: Parting) {
    let Ok(Outcome::Execute(lease)) = view.claim(view.engine().raw_key(number)) else {
        panic!("it is free")
    };
    lease.complete(value).unwrap();
}

fn rise(count: &AtomicU32) {
    count.fetch_add(1, Ordering::AcqRel);
}

#[test]
fn w5_a_destructor_may_call_the_engine() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let view: Typed<Parting> = lab.engine.typed();
        let calls = Arc::new(AtomicU32::new(0));
        let (count, its) = (calls.clone(), view.clone());
        // It claims its own key, and ends others, whose destructors have their turn after it.
        store(&view, 2, {
            let calls = calls.clone();
            Parting::new(move || rise(&calls))
        });
        let parting = Parting::new(move || {
            rise(&count);
            assert_eq!(its.engine().forget(its.engine().raw_key(2)), Ok(Removal::Removed));
            assert_eq!(count.load(Ordering::Acquire), 1, "after this one");
            let count = count.clone();
            store(&its, 1, Parting::new(move || rise(&count)));
            let status = its.engine().peek(its.engine().raw_key(1));
            assert!(matches!(status, Ok(Status::Completed { .. })));
            while its.engine().tick() {}
        });
        store(&view, 1, parting);
        assert_eq!(lab.engine.forget(lab.key(1)), Ok(Removal::Removed));
        assert_eq!(calls.load(Ordering::Acquire), 2);
        drop(view);
        lab.assert_ticks_empty_it();
        assert_eq!(calls.load(Ordering::Acquire), 3);
    });
}

#[test]
fn w5_a_panic_of_a_destructor_is_contained() {
    under_every_geometry(|make| {
        let (lab, census) = (Lab::new(make()), Census::default());
        let view: Typed<Parting> = lab.engine.typed();
        for number in 0..6 {
            let counted = census.value(1);
            store(
                &view,
                number,
                Parting::new(move || {
                    let _counted = counted;
                    panic!("planted")
                }),
            );
        }
        assert_eq!(lab.engine.forget(lab.key(0)), Ok(Removal::Removed));
        let Ok(Some(held)) = view.get(lab.key(1)) else { panic!("it is there") };
        assert_eq!(census.left(), 5);
        lab.assert_records_end();
        assert_eq!(census.left(), 1);
        drop(held);
        assert_eq!(census.left(), 0);
        drop(view);
        lab.assert_empty();
    });
}

impl Lab {
    /// All retentions end.
    fn assert_records_end(&self) {
        self.pass(1_000);
        self.settle();
        assert_eq!(self.engine.stats().records, 0);
    }
}

#[test]
fn w5_a_chain_of_destructors_needs_no_stack() {
    const LINKS: u128 = 20_000;
    struct Link {
        _next: Option<Value<Link>>,
        _counted: Counted,
    }
    let census = Census::default();
    let builder = Engine::builder().records(LINKS as usize + 8).bytes(64 << 20);
    let lab = Lab::new(builder.retention(seconds(RETENTION)).lease(seconds(30)));
    let chain: Typed<Link> = lab.engine.typed();
    let mut last = None;
    for number in 0..LINKS {
        let link = Link { _next: last.take(), _counted: census.value(1) };
        last = Some(chain.get_or_run(lab.key(number), || Ok(link)).unwrap());
    }
    lab.assert_records_end();
    assert_eq!(u128::from(census.left()), LINKS);
    drop(last);
    assert_eq!(census.left(), 0);
    drop(chain);
    lab.assert_empty();
}

#[test]
fn w5_values_are_dropped_after_the_last_step_of_the_call() {
    // What a call lets go of is not dropped by a callback or a hook that runs in the middle of it.
    let census = Census::default();
    let counted = census.clone();
    let builder = small().hook(move |event| {
        if matches!(event.what, crate::What::LeaseExpired(_)) {
            assert_eq!(counted.left(), 1, "in the middle of a call");
        }
    });
    let lab = Lab::new(builder);
    let view = view(&lab);
    own(&view, lab.key(1)).complete_for(census.value(16_000), seconds(40)).unwrap();
    let lease = own(&view, lab.key(2));
    let (engine, seen) = (lab.engine.clone(), census.clone());
    let other = lab.queue(lab.key(2));
    let (told, tells) = std::sync::mpsc::channel();
    other.on_end(move |_| {
        // A whole call of its own.
        while engine.tick() {}
        told.send(seen.left()).unwrap();
    });
    lab.pass(40);
    // One tick lets go of the value, then ends the lease and hands it over.
    assert!(census.left() == 1);
    lab.engine.tick();
    assert_eq!(tells.recv(), Ok(1));
    assert_eq!(census.left(), 0);
    drop(lease);
    lab.assert_ticks_empty_it();
}

/// Lines that run over, and pins that are moved at once.
fn crowded(built: Geometry) -> Geometry {
    Geometry { shards: 1, lines_for: 1, pins_high: 2, ..built }
}

#[test]
fn p2_values_are_dropped_once_by_threads() {
    const KEYS: u128 = 12;
    let census = Census::default();
    let builders: [fn() -> Builder; 2] = [small, || small().shape(crowded)];
    for build in builders {
        let lab = Lab::new(build().retention(seconds(2)).max_run(seconds(5)));
        std::thread::scope(|scope| {
            for thread in 0..4_u32 {
                let (lab, census, view) = (&lab, &census, view(&lab));
                scope.spawn(move || churn(lab, census, &view, thread));
            }
        });
        lab.assert_ticks_empty_it();
        assert_eq!(census.left(), 0);
    }
    assert!(census.count()[0] > 1000, "{:?}", census.count());

    fn churn(lab: &Lab, census: &Census, view: &View, thread: u32) {
        let mut random = thread.wrapping_mul(0x9E37_79B9) | 1;
        let mut held = Vec::new();
        for _ in 0..4000 {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let key = lab.key(u128::from(random >> 8) % KEYS);
            match random % 16 {
                0 => drop(lab.engine.forget(key)),
                1 => drop(lab.engine.forget_forced(key)),
                2 => drop(lab.engine.detach(key)),
                3 if thread == 0 => lab.pass(1),
                4 => drop(lab.engine.tick()),
                5 => held.truncate(held.len() / 2),
                6 => drop(lab.engine.peek_into(key, &mut Vec::new())),
                7 => held.extend(view.get(key).unwrap()),
                _ => match view.claim(Claim::new(key).wait(false)).unwrap() {
                    Outcome::Execute(lease) if random % 32 == 8 => {
                        // As a lease of bytes, by way of its token.
                        let lease = lab.engine.lease(lease.into_token());
                        let _ = lease.map(|lease| lease.complete_owned(Bytes::new(census)));
                    }
                    Outcome::Execute(lease) => {
                        let weight = (random >> 12) as usize % 9000;
                        let (value, _) = lease.share(census.value(weight));
                        if weight.is_multiple_of(8) {
                            held.push(value);
                        }
                    }
                    Outcome::Replay(value) => {
                        assert!(
                            value.number < 9000 && value.is_dropped.load(Ordering::Acquire) == 0
                        );
                        if random % 64 < 8 && held.len() < 4 {
                            held.push(value);
                        }
                    }
                    _ => {}
                },
            }
        }
    }
}
