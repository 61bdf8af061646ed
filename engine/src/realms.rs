//! Realms: what a record belongs to and is counted for. A namespace is one; where scopes have limits of
//! their own, each scope in use is one within its namespace.
//!
//! ```text
//! account word:  epoch 12 | records 26 | granules 26      (in use, counted in this epoch)
//! a record has:  epoch 12 | number 20
//! ```
//!
//! A namespace is cleared by adding 1 to its epoch (R4): the ids of its keys are other ones from then on,
//! and what is left of the old ones is removed as room is needed or time passes.
//!
//! realms.1  A record counts in its realm's account, and in that of the realm's namespace, from before
//!     it is published until after it is gone; its bytes until they are freed. Only in accounts of its
//!     own epoch: clearing forgets what was counted, in one step.
//! realms.2  `members` counts the granules of all that belongs to a scope, of any epoch; each record has
//!     one at least, from before it is published until its last byte is freed. A scope's realm is given
//!     up only by the CAS that finds none and makes it dead, and a dead realm takes nothing.
//! realms.3  Limits are set before the realm's number is known to anybody, and never changed.

#[cfg(all(test, not(idem_loom)))]
mod tests;

use papaya::{HashMap, LocalGuard};

use crate::memory::bitmap::Bitmap;
use crate::memory::budget::Room;
use crate::memory::region::{Region, Zeroed};
use crate::record::Field;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

type Granules = Field<0, 26>;
type Records = Field<{ Granules::END }, 26>;
type Epoch = Field<{ Records::END }, 12>;

type RealmNumber = Field<0, 20>;
type RealmEpoch = Field<{ RealmNumber::END }, 12>;

/// `members` of a realm that was given up.
const DEAD: u64 = 1 << 63;

/// What a record has of its realm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Realm(u32);

impl Realm {
    fn new(number: u32, epoch: u32) -> Self {
        Self((RealmNumber::put(number.into()) | RealmEpoch::put(epoch.into())) as u32)
    }

    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    #[inline]
    fn number(self) -> u32 {
        RealmNumber::get(self.0.into()) as u32
    }

    fn epoch(self) -> u64 {
        RealmEpoch::get(self.0.into())
    }
}

/// Where a key belongs, as the key has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Home {
    pub(crate) namespace: u32,
    /// Of the namespace, as the key was made: part of its id.
    pub(crate) epoch: u32,
    /// A hash of the scope; 0 if the key has none, or scopes have no limits there.
    pub(crate) scope: u64,
}

/// What may be in use at a time; a part that is zero has no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limits {
    pub(crate) namespace: Room,
    pub(crate) scope: Room,
}

impl Limits {
    pub(crate) const NONE: Self = Self { namespace: Room::NONE, scope: Room::NONE };
    /// The greatest limit of records, and of granules.
    pub(crate) const RECORDS_MAX: u64 = Records::MAX;
    pub(crate) const GRANULES_MAX: u64 = Granules::MAX;
}

/// Whose limit it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exceeded {
    Namespace,
    Scope,
}

#[repr(C, align(64))]
#[derive(Default)]
struct Entry {
    account: AtomicU64,
    /// Of a scope: granules of what belongs to it, or `DEAD` (realms.2).
    members: AtomicU64,
    /// A `Room`; zero: nothing is counted here.
    limit: AtomicU64,
    /// Of each scope in it.
    scope_limit: AtomicU64,
    /// What it is found by, of a scope.
    scope: AtomicU64,
    /// Of a namespace: how often it was cleared.
    epoch: AtomicU32,
    /// Of a scope: its namespace. Of a namespace: itself.
    namespace: AtomicU32,
}

// SAFETY: region.1 (integer atomics).
unsafe impl Zeroed for Entry {}

/// See the module.
pub(crate) struct Realms {
    entries: Region<Entry>,
    in_use: Bitmap,
    scopes: HashMap<(u32, u64), u32>,
    /// Whether anything was ever cleared: most engines never do.
    has_cleared: AtomicU32,
}

impl Realms {
    /// The most realms there can be, the default namespace included.
    pub(crate) const COUNT_MAX: u32 = RealmNumber::MAX as u32 + 1;

    pub(crate) fn new(count: u32) -> Option<Self> {
        // Number 0 is the default namespace; it has no limits but the engine's.
        let in_use = Bitmap::new(count, 1, 1, 1)?;
        Some(Self {
            entries: Region::new(count as usize)?,
            in_use,
            scopes: HashMap::new(),
            has_cleared: AtomicU32::new(0),
        })
    }

    fn entry(&self, number: u32) -> &Entry {
        &self.entries[number as usize]
    }

    /// A namespace that nobody knows of yet (realms.3). `None`: there are too many.
    pub(crate) fn add_namespace(&self, limits: Limits) -> Option<u32> {
        let number = self.in_use.alloc(1, 0)?;
        let entry = self.entry(number);
        // Relaxed: published with the number, by whoever hands it on.
        entry.limit.store(limits.namespace.bits(), Ordering::Relaxed);
        entry.scope_limit.store(limits.scope.bits(), Ordering::Relaxed);
        entry.namespace.store(number, Ordering::Relaxed);
        Some(number)
    }

    /// Takes a namespace back that nobody has heard of.
    pub(crate) fn withdraw_namespace(&self, number: u32) {
        self.in_use.free(number, 1);
    }

    /// Whether it is a namespace's number: not every key that was sent around has come back as it was.
    pub(crate) fn is_namespace(&self, number: u32) -> bool {
        // Relaxed: set before the number was known to anybody (realms.3).
        (self.entries.get(number as usize))
            .is_some_and(|entry| entry.namespace.load(Ordering::Relaxed) == number)
    }

    /// How often the namespace was cleared.
    #[inline]
    pub(crate) fn epoch(&self, namespace: u32) -> u32 {
        // Acquire: pairs with `clear`: who makes a key in the new epoch comes after what was cleared.
        self.entry(namespace).epoch.load(Ordering::Acquire)
    }

    /// Whether scopes of the namespace have limits.
    pub(crate) fn counts_scopes(&self, namespace: u32) -> bool {
        // Relaxed: never changes (realms.3).
        self.entry(namespace).scope_limit.load(Ordering::Relaxed) != 0
    }

    /// Clears a namespace: from here on its keys are other ones (R4).
    pub(crate) fn clear(&self, namespace: u32) {
        // Release: before the epoch, so that who sees that sees this.
        self.has_cleared.store(1, Ordering::Release);
        // AcqRel: see `epoch`.
        self.entry(namespace).epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the record's namespace was cleared since it began.
    #[inline]
    pub(crate) fn is_cleared(&self, realm: Realm) -> bool {
        // Acquire: pairs with `clear`.
        self.has_cleared.load(Ordering::Acquire) != 0
            && self.low_epoch(self.namespace_of(realm)) != realm.epoch()
    }

    /// What an account and a record keep of an epoch.
    fn low_epoch(&self, namespace: u32) -> u64 {
        Epoch::MAX & u64::from(self.epoch(namespace))
    }

    /// Where a record of such a key belongs.
    #[inline]
    pub(crate) fn enter(&self, home: Home) -> Result<Realm, Exceeded> {
        let number = if home.scope == 0 { home.namespace } else { self.scope(home)? };
        Ok(Realm::new(number, home.epoch))
    }

    /// Where the key of a record belongs that is found by its id. What was cleared belongs nowhere any
    /// more; its key is taken for one of the default namespace, with the id as it is.
    pub(crate) fn home_of(&self, realm: Realm) -> Home {
        if self.is_cleared(realm) {
            return Home { namespace: 0, epoch: self.epoch(0), scope: 0 };
        }
        let (number, namespace) = (realm.number(), self.namespace_of(realm));
        let scope = match number == namespace {
            true => 0,
            // Relaxed: set before the record began.
            false => self.entry(number).scope.load(Ordering::Relaxed),
        };
        Home { namespace, epoch: self.epoch(namespace), scope }
    }

    /// The namespace's number, of a record's realm.
    pub(crate) fn namespace_of(&self, realm: Realm) -> u32 {
        // Relaxed: set before the record began.
        self.entry(realm.number()).namespace.load(Ordering::Relaxed)
    }

    /// The realm of a scope, which may be given up again before the caller has taken anything there.
    #[cold]
    fn scope(&self, home: Home) -> Result<u32, Exceeded> {
        let guard = self.scopes.guard();
        let key = (home.namespace, home.scope);
        if let Some(number) = self.scopes.get(&key, &guard).copied() {
            // Relaxed: whoever takes something there looks again.
            if self.entry(number).members.load(Ordering::Relaxed) != DEAD {
                return Ok(number);
            }
            // Whoever gave it up may have been stopped before this.
            self.strike_out(key, number, &guard);
        }
        let number = self.in_use.alloc(1, 0).ok_or(Exceeded::Scope)?;
        let entry = self.entry(number);
        let limit = self.entry(home.namespace).scope_limit.load(Ordering::Relaxed);
        // Relaxed: published by the map.
        entry.limit.store(limit, Ordering::Relaxed);
        entry.scope.store(home.scope, Ordering::Relaxed);
        entry.namespace.store(home.namespace, Ordering::Relaxed);
        entry.account.store(0, Ordering::Relaxed);
        entry.members.store(0, Ordering::Release);
        let known = *self.scopes.get_or_insert(key, number, &guard);
        if known != number {
            self.in_use.free(number, 1);
        }
        Ok(known)
    }

    /// Draws on the limits of a realm and its namespace, all or nothing. `Ok(false)`: the realm was given
    /// up, enter again.
    #[inline]
    pub(crate) fn take(&self, realm: Realm, wanted: Room) -> Result<bool, Exceeded> {
        if realm.number() == 0 {
            return Ok(true);
        }
        self.take_counted(realm, wanted)
    }

    #[inline(never)]
    fn take_counted(&self, realm: Realm, wanted: Room) -> Result<bool, Exceeded> {
        let (number, epoch) = (realm.number(), realm.epoch());
        let namespace = self.namespace_of(realm);
        let draw = |number| self.draw(number, (namespace, epoch), wanted);
        if number == namespace {
            let is_taken = draw(number);
            return is_taken.then_some(true).ok_or(Exceeded::Namespace);
        }
        if !self.join(number, wanted) {
            return Ok(false);
        }
        let exceeded = if !draw(number) {
            Exceeded::Scope
        } else if !draw(namespace) {
            self.adjust(number, epoch, |used| used.minus(wanted));
            Exceeded::Namespace
        } else {
            return Ok(true);
        };
        self.leave(number, wanted);
        Err(exceeded)
    }

    /// False: the scope's realm was given up.
    fn join(&self, number: u32, room: Room) -> bool {
        let more = |members| (members != DEAD).then(|| members + u64::from(room.granules()));
        // Acquire: what the realm is now was written before it had a member, or none (`is_home`).
        let members = &self.entry(number).members;
        members.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).is_ok()
    }

    fn leave(&self, number: u32, room: Room) {
        // Release: pairs with the CAS in `give_up_scope`, which comes after what was done here.
        self.entry(number).members.fetch_sub(room.granules().into(), Ordering::Release);
    }

    /// Counts what is there already: the copy of a response that is held after all.
    #[cold]
    pub(crate) fn add(&self, realm: Realm, room: Room) {
        let (number, namespace) = (realm.number(), self.namespace_of(realm));
        let more = |used: Room| used.plus(room);
        if number == 0 {
            return;
        }
        if number != namespace {
            // It has a member, so it is not given up.
            self.join(number, room);
            self.adjust(number, realm.epoch(), more);
        }
        self.adjust(namespace, realm.epoch(), more);
    }

    /// Gives back what was taken.
    #[inline]
    pub(crate) fn give(&self, realm: Realm, room: Room) {
        if realm.number() != 0 && room != Room::NONE {
            self.give_counted(realm, room);
        }
    }

    #[inline(never)]
    fn give_counted(&self, realm: Realm, room: Room) {
        let namespace = self.namespace_of(realm);
        let less = |used: Room| used.minus(room);
        self.adjust(namespace, realm.epoch(), less);
        if realm.number() != namespace {
            self.adjust(realm.number(), realm.epoch(), less);
            // Last: until then the realm is not given up (realms.2).
            self.leave(realm.number(), room);
        }
    }

    /// Counts in the account of a realm, which is of this epoch of its namespace. False: over its limit.
    fn draw(&self, number: u32, (namespace, epoch): (u32, u64), wanted: Room) -> bool {
        let entry = self.entry(number);
        // Relaxed: never changes (realms.3).
        let limit = Room::from_bits(entry.limit.load(Ordering::Relaxed));
        if limit == Room::NONE {
            return true;
        }
        let mut is_exceeded = false;
        // AcqRel: who sees an account in a later epoch sees that epoch.
        let _ = entry.account.fetch_update(Ordering::AcqRel, Ordering::Acquire, |account| {
            is_exceeded = false;
            if self.low_epoch(namespace) != epoch {
                // The caller's epoch is over: it is not counted any more.
                return None;
            }
            let is_of_now = Epoch::get(account) == epoch;
            let used = if is_of_now { in_use(account) } else { Room::NONE };
            let next = used.plus(wanted);
            let fits = |next: u32, limit: u32| limit == 0 || next <= limit;
            if fits(next.records(), limit.records()) && fits(next.granules(), limit.granules()) {
                return Some(account_of(epoch, next));
            }
            is_exceeded = true;
            None
        });
        !is_exceeded
    }

    /// Changes what is counted in an account, if it still is of this epoch.
    fn adjust(&self, number: u32, epoch: u64, change: impl Fn(Room) -> Room) {
        let entry = self.entry(number);
        // Relaxed: never changes (realms.3).
        if entry.limit.load(Ordering::Relaxed) == 0 {
            return;
        }
        // Relaxed: a count of its own epoch, or none of it.
        let _ = entry.account.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |account| {
            (Epoch::get(account) == epoch).then(|| account_of(epoch, change(in_use(account))))
        });
    }

    /// Gives up scopes that nothing belongs to, among some realms from `from` on. Returns where to go on.
    pub(crate) fn sweep(&self, from: u32, words: u32) -> u32 {
        let count = self.in_use.active_word_count();
        let from = if from < count { from } else { 0 };
        for number in (from..count.min(from + words)).flat_map(|word| self.in_use.in_use(word)) {
            self.give_up_scope(number);
        }
        from + words
    }

    fn give_up_scope(&self, number: u32) {
        let entry = self.entry(number);
        let namespace = entry.namespace.load(Ordering::Relaxed);
        if namespace == number || entry.members.load(Ordering::Relaxed) != 0 {
            return;
        }
        let key = (namespace, entry.scope.load(Ordering::Relaxed));
        let guard = self.scopes.guard();
        if self.make_dead(key, number, &guard) {
            self.bury(key, number, &guard);
        }
    }

    /// The step that gives a scope's realm up. False: it is not the scope's, or something belongs to it.
    fn make_dead(&self, key: (u32, u64), number: u32, guard: &LocalGuard<'_>) -> bool {
        let entry = self.entry(number);
        // Known by its number alone: it may be on its way into the map, or out of it.
        if self.scopes.get(&key, guard) != Some(&number) {
            return false;
        }
        // AcqRel: pairs with `leave` (realms.2). Its winner alone gives the number back.
        let step = entry.members.compare_exchange(0, DEAD, Ordering::AcqRel, Ordering::Relaxed);
        step.is_ok()
    }

    /// What is left to do for whoever made it dead.
    fn bury(&self, key: (u32, u64), number: u32, guard: &LocalGuard<'_>) {
        self.strike_out(key, number, guard);
        self.in_use.free(number, 1);
    }

    /// Takes a scope that was given up out of the map, unless it has a realm again.
    fn strike_out(&self, key: (u32, u64), number: u32, guard: &LocalGuard<'_>) {
        let _ = self.scopes.remove_if(&key, |_, known| *known == number, guard);
    }

    /// Whether this is the realm of such a key, for whoever has taken something there: its number may
    /// have been given up, and to another scope, since it was looked up.
    pub(crate) fn is_home(&self, realm: Realm, home: Home) -> bool {
        let entry = self.entry(realm.number());
        // Relaxed: it stays as it is while something belongs to it (realms.2).
        realm.number() == home.namespace
            || (entry.scope.load(Ordering::Relaxed) == home.scope
                && entry.namespace.load(Ordering::Relaxed) == home.namespace)
    }

    /// Realms in use besides the default namespace. For tests.
    #[cfg(all(test, not(idem_loom)))]
    pub(crate) fn used(&self) -> u32 {
        self.in_use.used()
    }
}

fn in_use(account: u64) -> Room {
    Room::of(Records::get(account) as u32, Granules::get(account) as u32)
}

fn account_of(epoch: u64, used: Room) -> u64 {
    Epoch::put(epoch) | Records::put(used.records().into()) | Granules::put(used.granules().into())
}
