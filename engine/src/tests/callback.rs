//! W1, W5, L5, L9 without blocked threads: futures and callbacks, in one queue with the others.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::task::Wake;

use super::{LEASE, Lab, look, seconds, shared, under_every_geometry};
use crate::sync::{AtomicU32, Ordering};
use crate::{Claim, Lease, OnDrop, OnEnd, Ran, Reason, Stale, WaitOutcome, Waiter, Work};

/// Counts its calls.
#[derive(Default)]
struct Bell(AtomicU32);

impl Bell {
    fn rings(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A future that is polled by hand.
struct Hand<F> {
    bell: Arc<Bell>,
    future: Pin<Box<F>>,
}

impl<F: Future> Hand<F> {
    fn new(future: F) -> Self {
        Self { bell: Arc::default(), future: Box::pin(future) }
    }

    fn poll(&mut self) -> Option<F::Output> {
        let waker = Waker::from(self.bell.clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    /// Polled once, and pending.
    #[track_caller]
    fn pending(future: F) -> Self {
        let mut hand = Self::new(future);
        assert!(hand.poll().is_none(), "it is not ready");
        hand
    }

    /// Woken since it was polled, and ready now.
    #[track_caller]
    fn woken(&mut self) -> F::Output {
        assert!(self.bell.rings() > 0, "nobody has woken it");
        self.poll().expect("it is ready")
    }
}

/// Where a callback puts what it was called with.
fn called(waiter: Waiter) -> Receiver<WaitOutcome> {
    let (sender, receiver) = channel();
    waiter.on_end(move |outcome| sender.send(outcome).expect("the test listens"));
    receiver
}

#[test]
fn w1_a_future_is_woken_by_the_end_whatever_it_is() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let end: [fn(Lease); 5] = [
            |lease| assert!(lease.complete(b"abc").is_ok()),
            |lease| lease.cancel_all(Reason::Code(1)).unwrap(),
            |lease| lease.halt(Reason::Code(2)).unwrap(),
            drop,
            |lease| {
                let _lost = lease.into_token();
            },
        ];
        for (number, end) in (0..).zip(end) {
            let lease = lab.own(lab.key(number));
            let mut future = Hand::pending(lab.queue(lab.key(number)));
            assert_eq!(future.bell.rings(), 0);
            end(lease);
            if number == 4 {
                lab.pass(LEASE + 1);
                assert_eq!(future.bell.rings(), 0, "somebody has to tick");
                lab.settle();
            }
            assert_eq!(future.bell.rings(), 1);
            match (number, future.woken()) {
                (0, WaitOutcome::Replay(response)) => assert_eq!(&*response, b"abc"),
                (1, WaitOutcome::Cancelled(Reason::Code(1))) => {}
                (2, WaitOutcome::Halted(Reason::Code(2))) => {}
                (3 | 4, WaitOutcome::Execute(lease)) => lease.cancel(Reason::Owner).unwrap(),
                other => panic!("{other:?}"),
            }
            assert!(matches!(future.poll(), Some(WaitOutcome::TimedOut)), "it was ready before");
        }
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_all_three_ways_to_wait_are_in_one_queue() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        let mut future = Hand::pending(lab.queue(lab.key(1)));
        let called = called(lab.queue(lab.key(1)));
        let blocking = lab.queue(lab.key(1));
        let mut last = Hand::pending(lab.queue(lab.key(1)));
        lease.cancel(Reason::Owner).unwrap();
        // First come, first served (L5).
        let WaitOutcome::Execute(lease) = future.woken() else { panic!("the future is first") };
        assert!(called.try_recv().is_err() && last.bell.rings() == 0);
        lease.cancel(Reason::Owner).unwrap();
        let WaitOutcome::Execute(lease) = called.recv().unwrap() else {
            panic!("then the callback")
        };
        lease.cancel(Reason::Owner).unwrap();
        let WaitOutcome::Execute(lease) = look(blocking) else { panic!("then who blocks") };
        lease.complete(b"at last").unwrap();
        assert_eq!(&*shared(last.woken()), b"at last");
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_a_dropped_future_gives_its_place_back_and_is_not_woken() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        let dropped = Hand::pending(lab.queue(lab.key(1)));
        let mut other = Hand::pending(lab.queue(lab.key(1)));
        let bell = dropped.bell.clone();
        drop(dropped);
        assert_eq!((lab.engine.stats().waiters, Arc::strong_count(&bell)), (1, 1));
        drop(lease);
        assert_eq!((bell.rings(), other.bell.rings()), (0, 1));
        assert!(matches!(other.woken(), WaitOutcome::Execute(_)));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w1_the_waker_of_the_last_poll_is_the_one_that_is_called() {
    let lab = Lab::new(super::small());
    let lease = lab.own(lab.key(1));
    let mut future = Hand::pending(lab.queue(lab.key(1)));
    let before = std::mem::take(&mut future.bell);
    assert!(future.poll().is_none());
    assert_eq!(Arc::strong_count(&before), 1, "the waker before is let go of");
    lease.complete(b"abc").unwrap();
    assert_eq!((before.rings(), future.bell.rings()), (0, 1));
    assert!(matches!(future.woken(), WaitOutcome::Replay(_)));
}

#[test]
fn l7_a_future_dropped_at_the_offer_passes_it_on() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        let first = Hand::pending(lab.queue(lab.key(1)));
        let mut second = Hand::pending(lab.queue(lab.key(1)));
        lease.cancel(Reason::Owner).unwrap();
        assert_eq!(first.bell.rings(), 1);
        // Woken to watch over the offer's deadline, which is before the one it knew.
        assert!(second.poll().is_none(), "it is not its turn");
        drop(first);
        assert!(matches!(second.woken(), WaitOutcome::Execute(_)));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l5_an_offer_that_no_future_accepts_passes_on_by_ticks() {
    let lab = Lab::new(super::small());
    let lease = lab.own(lab.key(1));
    let idle = Hand::pending(lab.queue(lab.key(1)));
    let mut next = Hand::pending(lab.queue(lab.key(1)));
    drop(lease);
    assert!(next.poll().is_none(), "it is not its turn");
    lab.pass(super::ACCEPT + 1);
    lab.settle();
    assert!(matches!(next.woken(), WaitOutcome::Execute(_)));
    drop(idle);
    lab.assert_ticks_empty_it();
}

#[test]
fn w1_a_callback_is_called_once_by_whoever_ends_the_lease() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        let (early, cancelled) = (called(lab.queue(lab.key(1))), lab.queue(lab.key(1)));
        let cancelled = cancelled.on_end(|_| panic!("it was cancelled"));
        assert!(cancelled.cancel() && !cancelled.cancel());
        assert_eq!(lab.engine.stats().waiters, 1);
        let late = lab.queue(lab.key(1));
        lease.complete(b"abc").unwrap();
        assert_eq!(&*shared(early.try_recv().unwrap()), b"abc");
        assert!(early.try_recv().is_err(), "called once");
        // Registered after the end: called at once.
        assert_eq!(&*shared(called(late).try_recv().unwrap()), b"abc");
        assert!(!cancelled.cancel());
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn w5_a_callback_may_call_the_engine_and_a_chain_of_them_needs_no_stack() {
    let lab = Lab::new(super::small().waiters(20_000).waiters_per_key(20_000));
    let (count, depth) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let lease = lab.own(lab.key(1));
    for _ in 0..10_000 {
        let (engine, key) = (lab.engine.clone(), lab.key(2));
        let (count, depth) = (count.clone(), depth.clone());
        lab.queue(lab.key(1)).on_end(move |outcome| {
            assert_eq!(depth.fetch_add(1, Ordering::AcqRel), 0, "one at a time");
            count.fetch_add(1, Ordering::AcqRel);
            let WaitOutcome::Execute(lease) = outcome else { panic!("{outcome:?}") };
            // Gives up in turn, which hands over to the next callback.
            lease.cancel(Reason::Owner).unwrap();
            drop(engine.claim(key));
            depth.fetch_sub(1, Ordering::AcqRel);
        });
    }
    lease.cancel(Reason::Owner).unwrap();
    assert_eq!(count.load(Ordering::Acquire), 10_000);
    lab.assert_ticks_empty_it();
}

#[test]
fn w5_a_panic_of_a_callback_or_waker_is_contained() {
    struct Wild;
    impl Wake for Wild {
        fn wake(self: Arc<Self>) {
            panic!("a waker's own (this is expected)");
        }
    }
    let lab = Lab::new(super::small());
    let lease = lab.own(lab.key(1));
    lab.queue(lab.key(1)).on_end(|_| panic!("a callback's own (this is expected)"));
    let mut wild = Box::pin(lab.queue(lab.key(1)));
    let waker = Waker::from(Arc::new(Wild));
    assert!(wild.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let called = called(lab.queue(lab.key(1)));
    lease.complete(b"abc").unwrap();
    assert_eq!(&*shared(called.recv().unwrap()), b"abc", "the others are told all the same");
    drop(wild);
    lab.assert_ticks_empty_it();
}

#[test]
fn w4_ringing_an_alarm_makes_no_system_call() {
    let lab = Lab::new(super::small());
    let lease = lab.own(lab.key(1));
    let mut future = Hand::pending(lab.queue(lab.key(1)));
    let called = called(lab.queue(lab.key(1)));
    lease.complete(b"abc").unwrap();
    assert!(matches!(future.woken(), WaitOutcome::Replay(_)));
    assert!(called.try_recv().is_ok());
    assert_eq!(lab.engine.stats().wakes, 0);
}

async fn yield_once() {
    let mut is_second = false;
    core::future::poll_fn(|context| {
        if is_second {
            return Poll::Ready(());
        }
        is_second = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn l9_run_async_executes_once_and_shares_the_response() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let run = |answer: &'static str| {
            let engine = lab.engine.clone();
            let key = lab.key(1);
            Hand::new(async move {
                engine
                    .run_async(key, || async {
                        yield_once().await;
                        Ok::<_, String>(answer)
                    })
                    .await
                    .unwrap()
            })
        };
        let (mut first, mut second) = (run("first"), run("second"));
        assert!(first.poll().is_none() && second.poll().is_none());
        assert!(matches!(first.poll(), Some(Ran::Executed("first", Ok(_)))));
        assert!(matches!(second.woken(), Ran::Replayed(bytes) if &*bytes == b"first"));
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn l9_a_dropped_run_async_hands_over_to_the_next() {
    let lab = Lab::new(super::small());
    let run = |answer: &'static str| {
        let (engine, key) = (lab.engine.clone(), lab.key(1));
        Hand::pending(async move {
            let work = || async {
                yield_once().await;
                Ok::<_, String>(answer)
            };
            engine.run_async(key, work).await.unwrap()
        })
    };
    let (first, mut second) = (run("first"), run("second"));
    drop(first);
    assert_eq!(second.bell.rings(), 1);
    assert!(second.poll().is_none(), "its own work begins");
    assert!(matches!(second.poll(), Some(Ran::Executed("second", Ok(_)))));
    lab.assert_ticks_empty_it();
}

/// Begins shared work, as `run_shared` does it; the work is polled by hand.
fn run_shared(
    lab: &Lab,
    on_drop: OnDrop,
) -> (Hand<impl Future<Output = Ran<&'static str, String>>>, Hand<Work>) {
    let (sender, receiver) = channel();
    let (engine, key) = (lab.engine.clone(), lab.key(1));
    let caller = Hand::pending(async move {
        let spawn = move |work| sender.send(work).expect("the test takes it");
        let work = || async {
            yield_once().await;
            Ok::<_, String>("shared")
        };
        engine.run_shared(key, on_drop, spawn, work).await.unwrap()
    });
    let work = receiver.recv().unwrap();
    (caller, Hand::pending(work))
}

#[test]
fn l9_shared_work_goes_on_whoever_drops() {
    let lab = Lab::new(super::small());
    for on_drop in [OnDrop::Finish, OnDrop::WhileAwaited] {
        let (mut caller, mut work) = run_shared(&lab, on_drop);
        assert!(work.poll().is_some());
        assert!(matches!(caller.woken(), Ran::Executed("shared", Ok(_))));
        lab.pass(super::RETENTION);

        let (caller, mut work) = run_shared(&lab, on_drop);
        let mut other = Hand::pending(lab.queue(lab.key(1)));
        drop(caller);
        assert!(work.poll().is_some());
        assert_eq!(&*shared(other.woken()), b"shared", "somebody waited");
        lab.pass(super::RETENTION);

        let (caller, mut work) = run_shared(&lab, on_drop);
        drop(caller);
        assert!(work.poll().is_some());
        let is_done = lab.engine.claim(Claim::new(lab.key(1)).wait(false)).unwrap();
        match on_drop {
            OnDrop::Finish => assert!(matches!(is_done, crate::Outcome::Replay(_))),
            _ => assert!(matches!(is_done, crate::Outcome::Execute(_)), "nobody waited"),
        }
        drop(is_done);
        lab.pass(super::RETENTION);
    }
    let (mut caller, work) = run_shared(&lab, OnDrop::Finish);
    drop(work);
    assert!(matches!(caller.woken(), Ran::Cancelled(Reason::Dropped)), "by its executor");
    lab.assert_ticks_empty_it();
}

#[test]
fn l9_shared_work_is_stale_once_somebody_else_has_taken_over() {
    let lab = Lab::new(super::small().max_run(seconds(5)).on_expiry(OnEnd::FailWaiters));
    let (mut caller, mut work) = run_shared(&lab, OnDrop::Finish);
    lab.pass(6);
    let other = lab.own(lab.key(1));
    assert!(work.poll().is_some());
    assert!(matches!(caller.woken(), Ran::Executed("shared", Err(Stale))));
    other.complete(b"other").unwrap();
    lab.assert_ticks_empty_it();
}

#[test]
fn p2_the_last_handle_may_be_dropped_by_the_helper_itself() {
    let engine = super::small().lease(core::time::Duration::from_millis(1)).build().unwrap();
    let key = engine.raw_key(1);
    let Ok(crate::Outcome::Execute(lease)) = engine.claim(key) else { panic!("it is free") };
    let Ok(crate::Outcome::InFlight(other)) = engine.claim(key) else { panic!("it has an owner") };
    let (told, last) = (channel(), engine.clone());
    other.into_waiter().expect("it waits").on_end(move |_| {
        drop(last);
        told.0.send(()).expect("the test listens");
    });
    drop(engine);
    // Its lease runs out, and the helper calls back.
    told.1.recv().expect("the callback did not panic");
    drop(lease);
}
