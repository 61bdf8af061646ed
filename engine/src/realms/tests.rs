//! A scope's realm that is given up while others look for it (realms.2). The map of scopes is papaya's,
//! so neither a model nor a pause point comes in between; here the steps are taken one by one.

use super::*;

const ONE: Room = Room::of(1, 1);

/// Realms for one namespace and so many scopes, each of which may have one record; and the home of a
/// scope's keys.
fn realms(scope_count: u32) -> (Realms, impl Fn(u64) -> Home) {
    let realms = Realms::new(2 + scope_count).expect("room for a few");
    let limits = Limits { namespace: Room::NONE, scope: Room::of(1, 0) };
    let namespace = realms.add_namespace(limits).expect("room for one");
    (realms, move |scope| Home { namespace, epoch: 0, scope })
}

/// What the map has a scope by.
fn key(home: Home) -> (u32, u64) {
    (home.namespace, home.scope)
}

#[test]
fn a_scope_that_a_stopped_thread_has_given_up_gets_another_realm() {
    let (realms, home) = realms(2);
    let first = realms.enter(home(7)).unwrap();
    let (key, guard) = (key(home(7)), realms.scopes.guard());
    // A thread is stopped right after the step that gives it up.
    assert!(realms.make_dead(key, first.number(), &guard), "nothing belongs to it");
    assert_eq!(realms.take(first, ONE), Ok(false), "it takes nothing any more");
    let second = realms.enter(home(7)).unwrap();
    assert_eq!(realms.take(second, ONE), Ok(true), "the scope is not kept out");
    assert!(second != first && realms.is_home(second, home(7)));
    assert!(!realms.make_dead(key, second.number(), &guard), "something belongs to it");
    // It goes on. What is struck out is its own, and not what the scope has now.
    realms.bury(key, first.number(), &guard);
    assert_eq!(realms.enter(home(7)), Ok(second));
    assert_eq!(realms.take(second, ONE), Err(Exceeded::Scope), "one account for the scope");
    realms.give(second, ONE);
    realms.sweep(0, 1);
    assert_eq!(realms.used(), 1, "of the namespace alone");
}

#[test]
fn two_that_give_up_one_scope_give_its_number_back_once() {
    let (realms, home) = realms(2);
    let first = realms.enter(home(7)).unwrap();
    let (key, guard) = (key(home(7)), realms.scopes.guard());
    assert!(realms.make_dead(key, first.number(), &guard), "nothing belongs to it");
    assert!(!realms.make_dead(key, first.number(), &guard), "somebody has");
    realms.sweep(0, 1);
    assert_eq!(realms.used(), 2, "its number is the stopped thread's to give back");
    realms.bury(key, first.number(), &guard);
    assert_eq!(realms.used(), 1);
}

#[test]
fn a_number_that_went_to_another_scope_is_not_taken_for_the_old_ones() {
    // One scope at a time, so that the next has its number.
    let (realms, home) = realms(1);
    let found = realms.enter(home(7)).unwrap();
    assert_eq!(realms.enter(home(8)), Err(Exceeded::Scope));
    realms.sweep(0, 1);
    let other = realms.enter(home(8)).unwrap();
    assert_eq!(other, found);
    // Whoever looked it up before may take something there, and then sees whose it is.
    assert_eq!(realms.take(found, ONE), Ok(true));
    assert!(!realms.is_home(found, home(7)) && realms.is_home(found, home(8)));
    realms.give(found, ONE);
    realms.sweep(0, 1);
    assert_eq!(realms.used(), 1);
}
