//! Claims against claims.

use super::*;
use crate::outcome::Limit;

/// Two threads claim one key. One executes, the other is told who does.
#[test]
fn of_two_claims_of_one_key_one_executes() {
    explore(|| {
        let world = World::new(geometry());
        let (a, b) = race(&world, |world| world.claim(ask(1)), |world| world.claim(ask(1)));
        let (winner, loser) = if executes(&a) { (a, b) } else { (b, a) };
        assert!(executes(&winner));
        let Claimed::InFlight(None, facts, _) = loser else { panic!("{loser:?}") };
        assert_eq!((facts.owner, facts.attempt), (1, 1));
        assert_eq!(world.core.records_used(), 1);
        world.settle();
    });
}

/// Two threads claim two keys of one line that have the same tag. Both execute, and both keys are
/// found afterwards.
#[test]
fn two_keys_of_one_line_and_tag_both_execute() {
    explore(|| {
        let world = World::new(geometry());
        let other = twin(&world.core, 1);
        let (a, b) =
            race(&world, move |world| world.claim(ask(other)), |world| world.claim(ask(1)));
        assert!(executes(&a) && executes(&b), "{a:?} {b:?}");
        for key in [1, other] {
            let found = world.claim(ask(key));
            assert!(matches!(found, Claimed::InFlight(None, facts, _) if facts.owner == key));
        }
        assert_eq!(world.core.records_used(), 2);
        world.settle();
    });
}

/// Two threads claim two keys, with room for one record. One executes, the other is refused; the
/// limit is never passed.
#[test]
fn the_last_record_goes_to_one_of_two_keys() {
    explore_less(|| {
        let world = World::new(Geometry { records: 1, ..geometry() });
        let (a, b) = race(&world, |world| world.claim(ask(2)), |world| world.claim(ask(1)));
        let (winner, loser) = if executes(&a) { (a, b) } else { (b, a) };
        assert!(executes(&winner));
        assert!(matches!(loser, Claimed::Refused(Refusal::Full(Limit::Records))), "{loser:?}");
        assert_eq!(world.core.records_used(), 1);
        world.settle();
    });
}

/// Two threads claim one key with different fingerprints. One executes; the other is told of the
/// mismatch: it never sees the key without the fingerprint that is bound to it.
#[test]
fn a_fingerprint_is_bound_with_the_key() {
    explore(|| {
        let world = World::new(geometry());
        let mut stranger = ask(1);
        stranger.identity.fingerprint = Some([9, 9]);
        let (a, b) = race(&world, move |world| world.claim(stranger), |world| world.claim(ask(1)));
        let (winner, loser) = if executes(&a) { (a, b) } else { (b, a) };
        assert!(executes(&winner));
        assert!(matches!(loser, Claimed::Mismatch(_)), "{loser:?}");
        world.settle();
    });
}
