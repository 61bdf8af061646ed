//! tmp
use idem::*;
use std::time::Duration;
#[test]
fn life() {
    let clock = ManualClock::new();
    let e = Engine::builder()
        .clock(Clock::manual(&clock))
        .retention(Duration::from_secs(10))
        .build()
        .unwrap();
    let k = e.raw_key(7);
    let Outcome::Execute(l) = e.claim(k).unwrap() else { panic!() };
    let Outcome::InFlight(w) = e.claim(k).unwrap() else { panic!() };
    let Outcome::InFlight(w2) = e.claim(k).unwrap() else { panic!() };
    drop(w2);
    let t = std::thread::spawn(move || w.wait());
    assert_eq!(l.complete(b"hello").unwrap(), Completion::Stored);
    let WaitOutcome::Replay(r) = t.join().unwrap() else { panic!() };
    assert_eq!(&*r, b"hello");
    let Outcome::Replay(r2) = e.claim(k).unwrap() else { panic!() };
    assert_eq!(&*r2, b"hello");
    clock.advance(Duration::from_secs(10));
    let Outcome::Execute(l) = e.claim(k).unwrap() else { panic!() };
    let Outcome::InFlight(w) = e.claim(k).unwrap() else { panic!() };
    let t = std::thread::spawn(move || w.wait());
    l.cancel(Reason::Owner).unwrap();
    let WaitOutcome::Execute(l) = t.join().unwrap() else { panic!() };
    assert_eq!(l.attempt(), 2);
    assert_eq!(l.origin(), Origin::AfterCancel);
    clock.advance(Duration::from_secs(30));
    let Outcome::Execute(l3) = e.claim(k).unwrap() else { panic!() };
    assert_eq!(l3.origin(), Origin::AfterExpiry);
    assert_eq!(l.complete(b"x"), Err(Stale));
    l3.complete(b"z").unwrap();
    drop((r, r2));
    clock.advance(Duration::from_secs(10));
    while e.tick() {}
    let s = e.stats();
    println!("{s:?}");
    assert_eq!((s.records, s.bytes, s.waiters), (0, 0, 0));
}
#[test]
fn churn() {
    let clock = ManualClock::new();
    let e = Engine::builder()
        .clock(Clock::manual(&clock))
        .records(1000)
        .bytes(1000 * 320)
        .max_response(4096)
        .retention(Duration::from_secs(10))
        .build()
        .unwrap();
    for i in 0..200_000u128 {
        match e.claim(e.raw_key(i)).unwrap() {
            Outcome::Execute(l) => {
                assert_eq!(l.complete(&[i as u8; 256]).unwrap(), Completion::Stored);
            }
            o => panic!("{i} {o:?} {:?}", e.stats()),
        }
        clock.advance(Duration::from_millis(10));
    }
}
