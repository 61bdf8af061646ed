//! What a key and a fingerprint are (K5, K6).

use super::{Lab, small};
use crate::{Claim, Fingerprint, Key, KeyError, KeyHash, Outcome, Scope};

/// Engines with either hash.
fn with_either_hash(test: impl Fn(&Lab)) {
    for hash in [KeyHash::SipHash24, KeyHash::Xxh3] {
        test(&Lab::new(small().key_hash(hash)));
    }
}

fn key(lab: &Lab, scope: Scope<'_>, key: &[u8]) -> Key {
    lab.engine.key(scope, key).expect("a good key")
}

#[test]
fn k5_namespace_scope_and_key_are_framed() {
    with_either_hash(|lab| {
        let space = |name: &str| lab.engine.namespace(name).expect("a good name");
        let keys = [
            key(lab, Scope::None, b"abc"),
            key(lab, Scope::Of(b"a"), b"bc"),
            key(lab, Scope::Of(b"ab"), b"c"),
            key(lab, Scope::Of(b"abc"), b"abc"),
            space("a").key(Scope::None, b"bc").expect("a good key"),
            space("ab").key(Scope::None, b"c").expect("a good key"),
            space("a").key(Scope::Of(b"b"), b"c").expect("a good key"),
        ];
        let ids: std::collections::HashSet<_> = keys.iter().map(|key| key.id).collect();
        assert_eq!(ids.len(), keys.len());
        assert_eq!(key(lab, Scope::Of(b"a"), b"bc").id, keys[1].id, "the same again");
    });
}

#[test]
fn k5_keys_fingerprints_and_raw_bits_cannot_meet() {
    with_either_hash(|lab| {
        let bits = 0x0123_4567_89ab_cdef_u128;
        let bytes = bits.to_le_bytes();
        let space = lab.engine.namespace("n").expect("a good name");
        let print = Fingerprint::from_u128(bits);
        let keys = [
            key(lab, Scope::None, &bytes),
            lab.engine.fingerprint_key(Scope::None, print).expect("a good scope"),
            lab.engine.fingerprint_key(Scope::Of(b"s"), print).expect("a good scope"),
            lab.engine.raw_key(bits),
            space.raw_key(bits),
            space.key(Scope::None, &bytes).expect("a good key"),
            space.fingerprint_key(Scope::None, print).expect("a good scope"),
        ];
        let ids: std::collections::HashSet<_> = keys.iter().map(|key| key.id).collect();
        assert_eq!(ids.len(), keys.len());
        for key in keys {
            assert!(matches!(lab.ask(Claim::new(key).wait(false)), Outcome::Execute(_)));
        }
    });
}

#[test]
fn k5_every_hash_is_keyed_with_the_secret() {
    for hash in [KeyHash::SipHash24, KeyHash::Xxh3] {
        let lab = |secret| Lab::new(small().key_hash(hash).secret(secret));
        let (one, other) = (lab([1; 16]), lab([2; 16]));
        let print = |lab: &Lab| lab.engine.fingerprint().http("POST", "/", b"body");
        assert_ne!(print(&one), print(&other));
        assert_ne!(key(&one, Scope::None, b"k").id, key(&other, Scope::None, b"k").id);
        assert_ne!(one.key(1).id, other.key(1).id, "the caller's own bits are mixed as well");
        assert_eq!(print(&one), print(&lab([1; 16])), "equal secrets agree");
    }
}

#[test]
fn k5_without_a_secret_each_engine_has_its_own() {
    let print = || {
        let engine = crate::Engine::builder().records(1).helper_thread(false).build();
        engine.expect("the defaults are good").fingerprint().http("GET", "/", b"")
    };
    assert_ne!(print(), print());
}

#[test]
fn k5_the_parts_of_a_fingerprint_are_framed() {
    with_either_hash(|lab| {
        let print = |parts: &[&[u8]]| {
            let mut made = lab.engine.fingerprint();
            parts.iter().for_each(|part| {
                made.field(part);
            });
            made.finish()
        };
        let streamed = |pieces: &[&[u8]], last: &[u8]| {
            let mut made = lab.engine.fingerprint();
            pieces.iter().for_each(|piece| {
                made.update(piece);
            });
            made.field(last);
            made.finish()
        };
        assert_ne!(print(&[b"ab", b"c"]), print(&[b"a", b"bc"]));
        assert_ne!(print(&[b"abc"]), print(&[b"abc", b""]));
        assert_eq!(streamed(&[b"ab", b"c"], b"x"), streamed(&[b"a", b"bc"], b"x"));
        assert_ne!(streamed(&[b"abc"], b"x"), print(&[b"abc", b"x"]));
        assert_ne!(streamed(&[b"ab"], b"cx"), streamed(&[b"abc"], b"x"));
        let http = |method, target, body: &str| {
            lab.engine.fingerprint().http(method, target, body.as_bytes())
        };
        assert_ne!(http("PUT", "/a", "b"), http("PUT", "/ab", ""));
        assert_ne!(http("POST", "/a", "b"), http("PUT", "/a", "b"));
    });
}

/// Vectors of SipHash-2-4-128 with the secret 00 01 .. 0f, from an implementation of its own in
/// Python that gives the published vectors: of `p`; of `p`, the framed method and target, and the
/// hash of the stream `s` + body; of `k`, the framed empty namespace, scope and key.
#[test]
fn k5_hashes_are_what_they_were() {
    let secret = core::array::from_fn(|at| at as u8);
    let lab = Lab::new(small().secret(secret));
    let print = lab.engine.fingerprint();
    assert_eq!(print.finish().to_u128(), EMPTY_PRINT);
    let print = lab.engine.fingerprint().http("POST", "/charge", b"amount=1");
    assert_eq!(print.to_u128(), HTTP_PRINT);
    assert_eq!(key(&lab, Scope::Of(b"tenant"), b"key").id, SCOPED_KEY);
}

const EMPTY_PRINT: u128 = 0x4c73_e5e6_c927_e3f4_6a43_aff4_5e51_bf1c;
const HTTP_PRINT: u128 = 0xb859_50c9_5ca6_4d9d_4115_11dd_f1a1_b7d7;
const SCOPED_KEY: [u64; 2] = [0x094e_e40f_fb8e_eec1, 0x071d_2925_58ba_8d82];

#[test]
fn k5_the_callers_bits_round_trip_and_equal_bits_are_one_key() {
    with_either_hash(|lab| {
        for bits in [0, 1, u128::MAX, 1 << 64] {
            assert_eq!(Fingerprint::from_u128(bits).to_u128(), bits);
            let _lease = lab.own(lab.key(bits));
            assert!(lab.is_in_flight(lab.key(bits)));
            assert!(!lab.is_in_flight(lab.key(bits ^ 2)), "other bits, another key");
        }
    });
}

#[test]
fn k6_an_empty_part_is_an_error() {
    with_either_hash(|lab| {
        let engine = &lab.engine;
        assert_eq!(engine.key(Scope::None, b"").err(), Some(KeyError::Empty));
        assert_eq!(engine.key(Scope::Of(b""), b"k").err(), Some(KeyError::Empty));
        assert_eq!(engine.namespace("").err(), Some(KeyError::Empty));
        let print = Fingerprint::from_u128(1);
        assert_eq!(engine.fingerprint_key(Scope::Of(b""), print).err(), Some(KeyError::Empty));
        let space = engine.namespace("n").expect("a good name");
        assert_eq!(space.key(Scope::None, b"").err(), Some(KeyError::Empty));
        let defined = engine.define_namespace("", crate::NamespaceOptions::default());
        assert!(defined.is_err());
    });
}
