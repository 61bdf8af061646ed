//! Bad input: each a documented result.

use core::time::Duration;

use super::{LEASE, Lab, look, seconds, shared, small, under_every_geometry};
use crate::{
    Builder, Claim, ClaimError, Completion, ConfigError, Engine, Key, KeyError, Limit,
    NamespaceOptions, NoBody, OnError, Outcome, Reason, Scope, Stale, TokenError, WaitOutcome,
};

const CENTURIES: Duration = Duration::from_secs(300 * 365 * 86_400);

#[track_caller]
fn refused(builder: Builder) -> ConfigError {
    let builder = builder.helper_thread(false);
    let checked = builder.check();
    let error = builder.build().expect_err("must be refused");
    assert_eq!(checked, Err(error));
    error
}

#[test]
fn limits_of_zero_are_refused_where_they_make_no_sense() {
    assert_eq!(refused(small().records(0)), ConfigError::Zero("records"));
    assert_eq!(refused(small().bytes(0)), ConfigError::Zero("bytes"));
    assert_eq!(refused(small().lease(Duration::ZERO)), ConfigError::Zero("lease"));
    let halted = small().halted_retention(Duration::ZERO);
    assert_eq!(refused(halted), ConfigError::Zero("halted_retention"));
    let accept = small().accept_timeout(Duration::ZERO);
    assert_eq!(refused(accept), ConfigError::Zero("accept_timeout"));
    assert_eq!(refused(small().max_run(Duration::ZERO)), ConfigError::Zero("max_run"));
    let keep = small().on_error(OnError::Keep(Duration::ZERO));
    assert_eq!(refused(keep), ConfigError::Zero("OnError::Keep"));
}

#[test]
fn limits_of_zero_are_kept_where_they_say_something() {
    under_every_geometry(|make| {
        let zero = Duration::ZERO;
        let lab = Lab::new(make().waiters(0).max_response(0).retention(zero));
        let key = lab.key(1);
        let lease = lab.own(key);
        assert!(matches!(lab.ask(key), Outcome::Full(Limit::Waiters)));
        assert_eq!(lease.complete(b"x"), Ok(Completion::Tombstone(NoBody::TooLarge)));
        let lease = lab.own(key);
        assert_eq!(lease.complete_for(b"", seconds(1)), Ok(Completion::Stored));
        assert!(lab.replay(key).is_empty());
    });
}

#[test]
fn absurd_limits_are_refused() {
    for absurd in [usize::MAX, usize::MAX - 1, 1 << 40] {
        assert!(matches!(refused(small().records(absurd)), ConfigError::TooLarge("records", _)));
        assert!(matches!(refused(small().waiters(absurd)), ConfigError::TooLarge("waiters", _)));
        assert!(matches!(refused(small().bytes(absurd as u64)), ConfigError::TooLarge("bytes", _)));
        let response = small().max_response(absurd);
        assert!(matches!(refused(response), ConfigError::TooLarge("max_response", _)));
        let per_key = small().waiters_per_key(absurd);
        assert!(matches!(refused(per_key), ConfigError::TooLarge("waiters_per_key", _)));
    }
    assert_eq!(refused(small().bytes(4095)), ConfigError::TooSmall("bytes", 4096));
    // A response has 64 bytes besides, and is rounded up to 64. Left out, it is what fits.
    let response = |most| small().bytes(8191).max_response(most);
    assert_eq!(refused(response(8065)), ConfigError::TooLarge("max_response", 8064));
    assert!(response(8064).build().is_ok());
    assert!(Engine::builder().bytes(4096).build().is_ok());
}

#[test]
fn centuries_are_refused_where_there_is_a_choice_and_cut_where_there_is_none() {
    for (option, builder) in [
        ("lease", small().lease(CENTURIES)),
        ("retention", small().retention(CENTURIES)),
        ("cancelled_retention", small().cancelled_retention(CENTURIES)),
        ("halted_retention", small().halted_retention(Duration::MAX)),
        ("accept_timeout", small().accept_timeout(CENTURIES)),
        ("max_run", small().max_run(Duration::MAX)),
        ("OnError::Keep", small().on_error(OnError::Keep(CENTURIES))),
    ] {
        assert_eq!(refused(builder), ConfigError::TooLong(option));
    }
    let lab = Lab::new(small());
    let claim = Claim::new(lab.key(1));
    let error = |claim| lab.engine.claim(claim).err();
    assert_eq!(error(claim.lease(CENTURIES)), Some(ClaimError::TooLong));
    assert_eq!(error(claim.retention(Duration::MAX)), Some(ClaimError::TooLong));
    assert_eq!(error(claim.lease(Duration::ZERO)), Some(ClaimError::ZeroLease));
    let options = NamespaceOptions::default();
    assert!(lab.engine.define_namespace("n", options.lease(CENTURIES)).is_err());
    assert!(lab.engine.define_namespace("n", options.lease(Duration::ZERO)).is_err());
    assert!(lab.engine.define_namespace("n", options.retention(CENTURIES)).is_err());
    lab.assert_empty();

    let ten_years = seconds(3650 * 86_400);
    let lease = lab.own(claim);
    lease.renew(Duration::MAX).expect("the lease is ours");
    assert_eq!(lease.time_left(), Some(ten_years));
    let waiter = lab.queue(claim);
    lease.complete_for(b"", Duration::MAX).expect("the lease is ours");
    assert!(matches!(waiter.wait_for(Duration::MAX), WaitOutcome::Replay(_)));
    assert_eq!(lab.replay(claim).info().left, ten_years);
}

#[test]
fn a_record_kept_for_years_outlasts_the_wheels_span() {
    let lab = Lab::new(small().retention(seconds(3 * 365 * 86_400)));
    lab.store(lab.key(1), b"kept");
    for _ in 0..3 * 365 - 1 {
        lab.pass(86_400);
        lab.settle();
    }
    assert_eq!(&*lab.replay(lab.key(1)), b"kept");
    lab.pass(86_400);
    lab.settle();
    lab.assert_empty();
}

#[test]
fn the_shortest_lease_is_a_nanosecond_rounded_up() {
    let lab = Lab::new(small());
    let lease = lab.own(Claim::new(lab.key(1)).lease(Duration::from_nanos(1)));
    assert_eq!(lease.time_left(), Some(Duration::from_millis(1)));
}

#[test]
fn keys_have_a_length_of_one_to_65536() {
    let engine = small().helper_thread(false).build().expect("in bounds");
    let long = vec![b'k'; 16 << 20];
    let key = |length: usize| engine.key(Scope::None, &long[..length]).map(|key| key.id);
    assert!(key(1).is_ok() && key(Key::LENGTH_MAX).is_ok());
    assert_ne!(key(Key::LENGTH_MAX), key(Key::LENGTH_MAX - 1));
    assert_eq!(key(Key::LENGTH_MAX + 1), Err(KeyError::TooLong));
    assert_eq!(key(16 << 20), Err(KeyError::TooLong));
    assert_eq!(engine.key(Scope::Of(&long), b"k").err(), Some(KeyError::TooLong));
    let name = "n".repeat(16 << 20);
    assert_eq!(engine.namespace(&name).err(), Some(KeyError::TooLong));
    assert!(engine.define_namespace(&name, NamespaceOptions::default()).is_err());
    let whole = engine.fingerprint().http("POST", "/", &long);
    assert_ne!(whole, engine.fingerprint().http("POST", "/", &long[1..]), "bodies may be long");
}

#[test]
fn keys_and_tokens_of_another_engine_are_refused() {
    under_every_geometry(|make| {
        let (one, other) = (Lab::new(make()), Lab::new(make()));
        let key = one.key(1);
        assert_eq!(other.engine.claim(key).err(), Some(ClaimError::WrongEngine));
        assert_eq!(
            other.engine.run(key, || Ok::<_, &[u8]>(b"")).err(),
            Some(ClaimError::WrongEngine)
        );
        let token = one.own(key).into_token();
        assert_eq!(other.engine.lease(token).err(), Some(TokenError::WrongEngine));
        assert!(one.engine.clone().lease(token).is_ok(), "a clone is the same engine");
        other.assert_empty();
    });
}

#[test]
fn of_two_ends_by_one_token_the_second_is_stale() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let token = lab.own(lab.key(1)).into_token();
        let lease = || lab.engine.lease(token).expect("still his");
        let (first, second, third) = (lease(), lease(), lease());
        assert!(first.complete(b"first").is_ok());
        assert_eq!(second.complete(b"second"), Err(Stale));
        drop(third);
        assert_eq!(lab.engine.lease(token).err(), Some(TokenError::Stale));
        assert_eq!(&*lab.replay(lab.key(1)), b"first");
        assert_eq!(lab.engine.stats().stale, 2);
        lab.assert_ticks_empty_it();
    });
}

#[test]
fn completing_after_close_counts() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let lease = lab.own(lab.key(1));
        let waiter = lab.queue(lab.key(1));
        lab.engine.close();
        let late_waiter = lab.queue(lab.key(1));
        assert_eq!(lease.complete(b"after all"), Ok(Completion::Stored));
        assert_eq!(&*shared(look(waiter)), b"after all");
        assert_eq!(&*shared(look(late_waiter)), b"after all");
        assert_eq!(&*lab.replay(lab.key(1)), b"after all");
        lab.pass(100);
        assert!(matches!(lab.ask(lab.key(1)), Outcome::Closed), "a new record would be a new key");
        lab.settle();
        lab.assert_empty();
    });
}

#[test]
fn completing_after_expiry_counts_until_others_act() {
    under_every_geometry(|make| {
        let lab = Lab::new(make());
        let (late, stale) = (lab.own(lab.key(1)), lab.own(lab.key(2)));
        lab.pass(LEASE * 1000);
        assert!(late.complete(b"late").is_ok());
        drop(lab.own(lab.key(2)));
        assert_eq!(stale.complete(b"stale"), Err(Stale));
        assert_eq!((lab.engine.stats().late, lab.engine.stats().stale), (1, 1));
    });
}

#[test]
fn handles_outlive_the_engine() {
    under_every_geometry(|make| {
        let Lab { engine, clock } = Lab::new(make());
        let claim = |number| engine.claim(engine.raw_key(number)).expect("a good claim");
        let Outcome::Execute(lease) = claim(1) else { panic!("a fresh key") };
        let Outcome::InFlight(waiter) = claim(1) else { panic!("the key is owned") };
        drop(engine);
        clock.advance(seconds(1));
        assert!(lease.renew(seconds(5)).is_ok());
        assert!(lease.cancel(Reason::Owner).is_ok());
        let WaitOutcome::Execute(lease) = waiter.wait() else { panic!("it is its turn") };
        assert!(lease.complete(b"").is_ok());
    });
}

#[test]
fn messages_name_the_option_and_its_bound() {
    let message = Engine::builder().records(0).build().err().map(|error| error.to_string());
    assert_eq!(message.as_deref(), Some("records must not be zero"));
    let message = Engine::builder().bytes(1).build().err().map(|error| error.to_string());
    assert_eq!(message.as_deref(), Some("bytes is at least 4096"));
    assert!(ClaimError::TooLong.to_string().contains("3650 days"));
}
