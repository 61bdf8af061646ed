//! The engines that are soaked, their keys and their limits.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use idem::{
    Clock, Engine, Event, Fingerprint, Key, KeyHash, Namespace, NamespaceOptions, OnEnd, OnError,
    Scope, What,
};

use crate::marks::Slot;

/// An engine, and what is known of its keys.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    /// How much faster than the real one its clock is.
    pub(crate) pace: u32,
    pub(crate) seen: Arc<Seen>,
    /// Set before it is closed, and once it is.
    pub(crate) is_closing: AtomicBool,
    pub(crate) is_closed: AtomicBool,
    slots: Box<[Slot]>,
    limited: Namespace,
    cleared: Namespace,
    drills: Box<[Namespace]>,
    /// Keys that the listing may name, where that does not change.
    by_hash: HashMap<u128, u64>,
}

pub(crate) struct Limits {
    pub(crate) records: usize,
    pub(crate) bytes: u64,
    pub(crate) waiters: usize,
    pub(crate) max_response: usize,
}

/// Keys of one kind, next to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Group {
    /// Few, which everybody wants.
    Hot,
    Plain,
    /// In a namespace with limits, of its own and for each scope.
    Limited,
    /// In a namespace that is cleared now and then.
    Cleared,
    /// Operators are at these.
    Forced,
    /// For `once` alone.
    Once,
}

pub(crate) const GROUPS: [(Group, u64); 6] = [
    (Group::Hot, 4),
    (Group::Plain, 1000),
    (Group::Limited, 200),
    (Group::Cleared, 100),
    (Group::Forced, 60),
    (Group::Once, 200),
];

/// From here on keys are used once, by one worker.
pub(crate) const FRESH: u64 = 1 << 32;

/// Real milliseconds.
pub(crate) const RETENTION: u64 = 250;
pub(crate) const RETENTION_LIMITED: u64 = 120;
pub(crate) const RETENTION_HALTED: u64 = 200;
pub(crate) const MAX_RUN: u64 = 150;

/// What the hook was told, by kind.
#[derive(Default)]
pub(crate) struct Seen([AtomicU64; 20]);

impl Seen {
    fn note(&self, event: Event) {
        // Relaxed: a count.
        self.0[Self::place(event.what)].fetch_add(1, Ordering::Relaxed);
    }

    fn place(what: What) -> usize {
        match what {
            What::Executes => 0,
            What::InFlight => 1,
            What::Replayed => 2,
            What::Done => 3,
            What::Mismatched(_) => 4,
            What::Cancelled(_) => 5,
            What::Halted(_) => 6,
            What::Full(_) => 7,
            What::Closed => 8,
            What::Completed(_) => 9,
            What::GaveUp(..) => 10,
            What::Renewed => 11,
            What::Stale => 12,
            What::LeaseExpired(_) => 13,
            What::HandedOver => 14,
            What::Forced(_) => 15,
            What::Forgotten => 16,
            What::Detached => 17,
            What::Resolved => 18,
            // An event that is new to this program.
            _ => 19,
        }
    }

    pub(crate) fn count(&self, what: What) -> u64 {
        self.0[Self::place(what)].load(Ordering::Relaxed)
    }
}

impl Rig {
    /// Two of them: one as most would have it, with its helper thread; and a small one on a fast
    /// clock, that keeps cancellations and errors, and that workers tick.
    pub(crate) fn new(number: u8, threads: usize) -> Result<Self, String> {
        let is_first = number == 0;
        let (pace, on_error) = if is_first { (1, OnError::Share) } else { (8, OnError::Halt) };
        let limits = if is_first {
            Limits { records: 4096, bytes: 4 << 20, waiters: 48, max_response: 16 << 10 }
        } else {
            Limits { records: 1500, bytes: 1 << 20, waiters: 12, max_response: 4 << 10 }
        };
        let scaled = |millis: u64| Duration::from_millis(millis * u64::from(pace));
        let seen = Arc::new(Seen::default());
        let told = seen.clone();
        let builder = Engine::builder()
            .records(limits.records)
            .bytes(limits.bytes)
            .max_response(limits.max_response)
            .waiters(limits.waiters)
            .waiters_per_key(8)
            .lease(scaled(200))
            .retention(scaled(RETENTION))
            .halted_retention(scaled(RETENTION_HALTED))
            .accept_timeout(scaled(20))
            .max_run(scaled(MAX_RUN))
            .on_error(on_error)
            .hook(move |event| told.note(event))
            .helper_thread(is_first);
        let builder = if is_first {
            builder
        } else {
            let kept = scaled(15);
            builder
                .cancelled_retention(kept)
                .clock(Clock::accelerated(pace))
                .key_hash(KeyHash::Xxh3)
        };
        let engine = builder.build().map_err(|error| error.to_string())?;
        let limited = NamespaceOptions::default()
            .records(if is_first { 120 } else { 40 })
            .bytes(64 << 10)
            .records_per_scope(if is_first { 40 } else { 15 })
            .bytes_per_scope(24 << 10)
            .retention(scaled(RETENTION_LIMITED))
            .on_abandon(OnEnd::FailWaiters);
        let limited = engine.define_namespace("limited", limited).map_err(|e| e.to_string())?;
        let namespace = |name: &str| engine.namespace(name).map_err(|error| error.to_string());
        let cleared = namespace("cleared")?;
        let drills: Result<_, _> = (0..threads).map(|n| namespace(&format!("drill-{n}"))).collect();
        let key_count: u64 = GROUPS.iter().map(|(_, count)| count).sum();
        let slots = (0..key_count).map(|_| Slot::default()).collect();
        let mut rig = Self {
            limits,
            pace,
            seen,
            is_closing: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            slots,
            limited,
            cleared,
            drills: drills?,
            by_hash: HashMap::new(),
            engine,
        };
        let group = rig.range(Group::Forced);
        rig.by_hash = group.map(|index| (rig.key(index).hash(), index)).collect();
        Ok(rig)
    }

    /// A real time, as the engine's clock counts it.
    pub(crate) fn scaled(&self, millis: u64) -> Duration {
        Duration::from_millis(millis * u64::from(self.pace))
    }

    pub(crate) fn range(&self, group: Group) -> std::ops::Range<u64> {
        let mut first = 0;
        for (other, count) in GROUPS {
            if other == group {
                return first..first + count;
            }
            first += count;
        }
        0..0
    }

    pub(crate) fn group(&self, index: u64) -> Option<Group> {
        GROUPS.iter().map(|(group, _)| *group).find(|group| self.range(*group).contains(&index))
    }

    /// `None`: a fresh key.
    pub(crate) fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn index_of(&self, key: Key) -> Option<u64> {
        self.by_hash.get(&key.hash()).copied()
    }

    /// Every kind of key there is.
    pub(crate) fn key(&self, index: u64) -> Key {
        let bytes = index.to_le_bytes();
        let engine = &self.engine;
        let key = match self.group(index) {
            None => return engine.raw_key(index.into()),
            Some(Group::Limited) => {
                let scope = if index.is_multiple_of(2) { 0 } else { index % 6 };
                self.limited.key(Scope::Of(&scope.to_le_bytes()), &bytes)
            }
            Some(Group::Cleared) if index.is_multiple_of(2) => {
                return self.cleared.raw_key(index.into());
            }
            Some(Group::Cleared) => self.cleared.key(Scope::None, &bytes),
            _ if index % 4 == 1 => engine.fingerprint_key(Scope::None, self.fingerprint(index, 9)),
            _ if index % 4 == 3 => engine.key(Scope::Of(b"tenant"), &bytes),
            _ => engine.key(Scope::None, &bytes),
        };
        key.expect("neither the key nor its scope is empty or too long")
    }

    pub(crate) fn drill(&self, worker: u8) -> &Namespace {
        &self.drills[usize::from(worker)]
    }

    pub(crate) fn fingerprint(&self, index: u64, variant: u8) -> Fingerprint {
        let mut fingerprint = self.engine.fingerprint();
        fingerprint.field(&index.to_le_bytes()).field(&[variant]);
        fingerprint.finish()
    }

    /// Does something from outside to keys that others may own.
    pub(crate) fn disturb<R>(&self, index: u64, what: impl FnOnce() -> R) -> R {
        let slot = self.slot(index);
        slot.inspect(|slot| slot.begin_disturbance());
        let result = what();
        slot.inspect(|slot| slot.end_disturbance());
        result
    }

    /// Clears the namespace of the keys that are cleared now and then.
    pub(crate) fn clear(&self) {
        let slots = || self.range(Group::Cleared).filter_map(|index| self.slot(index));
        slots().for_each(Slot::begin_disturbance);
        self.cleared.clear();
        slots().for_each(Slot::end_disturbance);
    }

    /// From now on nobody's lease is sure.
    pub(crate) fn close_within(&self, millis: u64) {
        // Release: pairs with the loads of whoever judges.
        self.is_closing.store(true, Ordering::Release);
        self.slots.iter().for_each(Slot::begin_disturbance);
        self.engine.close_within(self.scaled(millis));
        self.is_closed.store(true, Ordering::Release);
    }
}
