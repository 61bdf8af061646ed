//! The engine under test, and what is surely known of each key from outside.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use idem::{Clock, Engine, Fingerprint, Key, Lease, ManualClock, Namespace, Stale, WaitOutcome};

pub(crate) const KEYS: usize = 3;

/// Whose lease on a key certainly holds, and until when: it was given, its owner has not begun to
/// end it, nobody has begun to do so from outside, and the clock has not come to its deadline.
#[derive(Clone, Copy)]
struct Owner {
    number: u64,
    until: Duration,
}

/// What is known of a key. While somebody acts on it from outside (forget, detach, force, clear,
/// close), and of leases given meanwhile, nothing is.
#[derive(Default)]
struct Register {
    owner: Option<Owner>,
    outsiders: u32,
    /// Outsiders so far.
    count: u64,
}

/// What the register was, before a claim or an end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Glimpse {
    count: u64,
    is_quiet: bool,
}

impl Register {
    fn glimpse(&self) -> Glimpse {
        Glimpse { count: self.count, is_quiet: self.outsiders == 0 }
    }

    fn is_since(&self, glimpse: Glimpse) -> bool {
        glimpse.is_quiet && glimpse.count == self.count
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) clock: ManualClock,
    pub(crate) other: Namespace,
    /// Leases that callbacks were called with, for whichever worker comes first.
    pub(crate) handed: Mutex<Vec<Handed>>,
    /// Callbacks that were neither called nor cancelled.
    pub(crate) callbacks: AtomicU64,
    registers: [Mutex<Register>; KEYS],
    next_owner: AtomicU64,
}

pub(crate) struct Handed {
    pub(crate) asked: Asked,
    pub(crate) outcome: WaitOutcome,
}

/// A claim that was made: its key and fingerprint, and what was known before.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) key: usize,
    pub(crate) fingerprint: u8,
    before: Glimpse,
}

/// A lease, as its owner keeps it.
pub(crate) struct Owned {
    pub(crate) lease: Lease,
    pub(crate) asked: Asked,
    owner: Owner,
}

/// A lease that is being ended; `glimpse` is none if it was not sure that it held.
pub(crate) struct Ending {
    key: usize,
    owner: Owner,
    glimpse: Option<Glimpse>,
}

impl Owned {
    /// Unlike what other owners write.
    pub(crate) fn number(&self) -> u64 {
        self.owner.number
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let engine = Engine::builder()
            .records(16)
            .bytes(64 * 1024)
            .max_response(4096)
            .waiters(64)
            .halted_retention(Duration::from_millis(20))
            .accept_timeout(Duration::from_millis(5))
            .clock(Clock::manual(&clock))
            .build()
            .expect("the options are in bounds");
        let other = engine.namespace("other").expect("a good name");
        Self {
            engine,
            clock,
            other,
            handed: Mutex::default(),
            callbacks: AtomicU64::new(0),
            registers: Default::default(),
            next_owner: AtomicU64::new(1),
        }
    }

    /// The last key is in the namespace that is cleared now and then.
    pub(crate) fn key(&self, key: usize) -> Key {
        match key {
            2 => self.other.raw_key(2),
            _ => self.engine.raw_key(key as u128),
        }
    }

    /// The first key is claimed without a fingerprint, the others always with one of two.
    pub(crate) fn fingerprint(&self, asked: Asked) -> Option<Fingerprint> {
        let number = asked.fingerprint;
        (number > 0).then(|| self.engine.fingerprint().http("POST", "/charge", [number]))
    }

    pub(crate) fn ask(&self, key: usize, fingerprint: u8) -> Asked {
        let before = self.registers[key].lock().expect("no panic").glimpse();
        Asked { key, fingerprint: if key == 0 { 0 } else { fingerprint }, before }
    }

    /// Registers a lease that has just been given: K3.
    pub(crate) fn register(&self, asked: Asked, lease: Lease) -> Owned {
        let number = self.next_owner.fetch_add(1, Ordering::Relaxed);
        // Until then at least: what is left is told in whole milliseconds of the engine's time.
        let before = self.clock.elapsed();
        let left = lease.time_left().unwrap_or_default().saturating_sub(Duration::from_millis(1));
        let owner = Owner { number, until: before + left };
        let mut register = self.registers[asked.key].lock().expect("no panic");
        let now = self.clock.elapsed();
        // Over already, or ended from outside: others may have taken over, so nothing can be said.
        if owner.until > now && register.is_since(asked.before) {
            if let Some(other) = register.owner {
                assert!(other.until <= now, "two owners of key {} at {now:?}", asked.key);
            }
            register.owner = Some(owner);
        }
        Owned { lease, asked, owner }
    }

    /// L1: a lease that holds can be renewed.
    pub(crate) fn renew(&self, owned: &mut Owned, time: Duration) {
        let asked = self.clock.elapsed();
        let renewed = owned.lease.renew(time);
        let mut register = self.registers[owned.asked.key].lock().expect("no panic");
        let is_it = |owner: &&mut Owner| owner.number == owned.owner.number;
        if let Some(owner) = register.owner.as_mut().filter(is_it) {
            let holds = owner.until > self.clock.elapsed();
            assert!(renewed.is_ok() || !holds, "a lease that holds can be renewed");
            if renewed.is_ok() && holds {
                owner.until = owner.until.max(asked + time);
                owned.owner = *owner;
            }
        }
    }

    /// A lease's end begins, by its owner.
    pub(crate) fn begin_end(&self, owned: &Owned) -> Ending {
        let (key, owner) = (owned.asked.key, owned.owner);
        let mut register = self.registers[key].lock().expect("no panic");
        let is_it = register.owner.is_some_and(|current| current.number == owner.number);
        if is_it {
            register.owner = None;
        }
        Ending { key, owner, glimpse: is_it.then(|| register.glimpse()) }
    }

    /// If it held all the while, and nobody came from outside, that must have succeeded (L2).
    pub(crate) fn judge_end<R>(&self, ending: &Ending, ended: &Result<R, Stale>) {
        let register = self.registers[ending.key].lock().expect("no panic");
        let is_sure = ending.glimpse.is_some_and(|glimpse| register.is_since(glimpse));
        let held = is_sure && self.clock.elapsed() < ending.owner.until;
        assert!(ended.is_ok() || !held, "a lease that holds can be ended");
    }

    pub(crate) fn end<R>(&self, owned: Owned, end: impl FnOnce(Lease) -> Result<R, Stale>) {
        let ending = self.begin_end(&owned);
        self.judge_end(&ending, &end(owned.lease));
    }

    /// Does something to a key from outside, that may end its lease.
    pub(crate) fn by_outsider<R>(&self, key: usize, act: impl FnOnce(Key) -> R) -> R {
        self.begin_outside(key);
        let result = act(self.key(key));
        self.registers[key].lock().expect("no panic").outsiders -= 1;
        result
    }

    /// From now on nothing is known of the key's leases.
    pub(crate) fn begin_outside(&self, key: usize) {
        let mut register = self.registers[key].lock().expect("no panic");
        register.owner = None;
        register.outsiders += 1;
        register.count += 1;
    }

    /// L3, K4: a whole response to this key, by an owner that claimed with the same fingerprint.
    pub(crate) fn check(&self, asked: Asked, response: &[u8]) {
        Self::check_whole(asked.key, response);
        assert_eq!(response[1], asked.fingerprint, "a response to another fingerprint");
    }

    pub(crate) fn check_whole(key: usize, response: &[u8]) {
        let (head, body) = response.split_at(2);
        assert_eq!(head[0], key as u8, "another key's response");
        assert!(body.windows(2).all(|pair| pair[0] == pair[1]), "parts of two responses");
    }
}
