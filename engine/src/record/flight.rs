//! A flight: the in-flight half of a record. It exists from the claim to the end of the lease.
//!
//! Flights are type-stable: the memory of one is only ever a flight, so that anyone may look at any
//! of them at any time and then find out, by `tenancy`, whether it was still the one that was
//! meant.
//!
//! | field               | written by                                        | read by                |
//! |---------------------|---------------------------------------------------|------------------------|
//! | `fate`              | CAS, see `fate`                                   | anyone                 |
//! | `term`              | CAS, see `term`                                   | anyone                 |
//! | `queue`             | CAS, see `wait::queue`                            | anyone                 |
//! | `tenancy`           | whoever allocated the flight, before publishing   | anyone                 |
//! | `generation`        | add 1: the claimer, and a waiter that accepts     | the same, and helpers  |
//! | `id`, `fingerprint` | whoever allocated the flight, before publishing   | anyone, under tenancy  |
//! | `started`, `owner`, `attempt` | the owner of the moment, for reports    | anyone; may be torn    |
//! | `retention`         | the owner of the moment, before or as its lease begins | that owner        |
//! | `seat`              | the claimer, before the slot names the flight     | the owners, to find it |
//! | `realm`             | the claimer, before publishing                    | anyone, under tenancy  |
//! | `waiters`           | add and subtract by those who join and leave      | those who join (W3)    |
//!
//! flight.1  `tenancy` changes before anything else does when a flight is used again, and a slot in
//!     the table never names a tenancy that is over. So: read tenancy, read what is wanted, see the
//!     slot unchanged, see tenancy unchanged - and what was read belongs to the record in that
//!     slot.

use crossbeam_utils::CachePadded;

use crate::memory::bitmap::Bitmap;
use crate::memory::pages::Paged;
use crate::memory::region::{Region, Zeroed};
use crate::outcome::Reason;
use crate::realms::Realm;
use crate::record::fate::{Fate, Ties};
use crate::record::term::Term;
use crate::sync::thread::{EXCLUSIVE_NUMBERS, Thread};
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence, model_fence};
use crate::wait::queue::Queue;

/// Two cache lines: the first has what a claim or complete touches.
#[repr(C, align(128))]
#[derive(Default)]
pub(crate) struct Flight {
    fate: AtomicU64,
    term: AtomicU64,
    pub(crate) queue: Queue,
    tenancy: AtomicU64,
    id: [AtomicU64; 2],
    /// Low 32 bits: the attempt; bit 32: a fingerprint is bound.
    attempt: AtomicU64,
    generation: AtomicU64,
    fingerprint: [AtomicU64; 2],
    started: AtomicU64,
    owner: AtomicU64,
    retention: AtomicU64,
    seat: [AtomicU64; 2],
    pub(crate) waiters: AtomicU32,
    realm: AtomicU32,
}

// SAFETY: region.1 (all fields are integer atomics; zero means Free, tenancy 0, an empty closed
// queue).
unsafe impl Zeroed for Flight {}

const HAS_FINGERPRINT: u64 = 1 << 32;

/// What binds a record to a request: who it is, and what it says (K4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) id: [u64; 2],
    pub(crate) fingerprint: Option<[u64; 2]>,
}

impl Identity {
    /// K4: a check only where both sides gave a fingerprint.
    #[inline]
    pub(crate) fn mismatches(&self, fingerprint: Option<[u64; 2]>) -> bool {
        matches!((self.fingerprint, fingerprint), (Some(a), Some(b)) if !equal(a, b))
    }
}

/// Word by word: as arrays they would be compared in one step of 16 bytes, which waits until the words
/// that were just written have left the store buffer.
#[inline]
pub(crate) fn equal(a: [u64; 2], b: [u64; 2]) -> bool {
    (a[0] ^ b[0]) | (a[1] ^ b[1]) == 0
}

/// Whose step it is to end a record in flight: that of whoever has the lease, by its token, age or
/// force; or nobody's, where the record is between two owners.
#[derive(Clone, Copy)]
pub(crate) enum Holder {
    /// The lease of this generation.
    Lease(u64),
    /// None: the fate is `Vacated`, for this reason, after the lease of this generation.
    Nobody { reason: Reason, generation: u64 },
}

impl Holder {
    /// As the fate has it; `None` once it has ended.
    pub(crate) fn of(fate: Fate) -> Option<Self> {
        match fate {
            Fate::Leased { generation, .. } => Some(Self::Lease(generation)),
            Fate::Vacated { reason, generation } => Some(Self::Nobody { reason, generation }),
            _ => None,
        }
    }

    pub(crate) fn generation(self) -> u64 {
        let (Self::Lease(generation) | Self::Nobody { generation, .. }) = self;
        generation
    }
}

/// What the owner of the moment wrote about its lease. For reports only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) started: u64,
    pub(crate) owner: u64,
    pub(crate) attempt: u32,
}

impl Flight {
    #[inline(always)]
    pub(crate) fn fate(&self) -> Fate {
        // Acquire: pairs with the Release of every transition below, so that what the word names
        // (a response, the tenant's fields) is visible to whoever acts on it.
        Fate::unpack(self.fate.load(Ordering::Acquire))
    }

    /// Whether the record is with this holder now.
    #[inline(always)]
    pub(crate) fn is_with(&self, holder: Holder) -> bool {
        // Acquire: as in `fate`.
        let word = self.fate.load(Ordering::Acquire);
        match holder {
            Holder::Lease(generation) => Fate::is_lease_word(word, generation),
            Holder::Nobody { reason, generation } => {
                word == Fate::Vacated { reason, generation }.pack()
            }
        }
    }

    /// One transition of the fate word. `Err` has what is there instead.
    #[inline(always)]
    pub(crate) fn change_fate(&self, from: Fate, to: Fate) -> Result<(), Fate> {
        // SeqCst: as Release it publishes what the caller wrote for the new state (edge "fate"), as
        // Acquire it lets it act on what the old state named; and it is in one order with the
        // queue's changes (see `fate_in_order`). Acquire on failure: as in `fate`.
        let change =
            self.fate.compare_exchange(from.pack(), to.pack(), Ordering::SeqCst, Ordering::Acquire);
        model_fence();
        change.map(drop).map_err(Fate::unpack)
    }

    /// One step from a lease, for instance to its end (fate.1); `None` if it is not there any more.
    /// `to` says what the word becomes, by the lease's ties: asked again if they change.
    #[inline]
    pub(crate) fn change_lease(
        &self,
        lease: u64,
        mut to: impl FnMut(Ties) -> Fate,
    ) -> Option<Fate> {
        let mut fate = self.fate();
        loop {
            let Fate::Leased { ties, generation } = fate else { return None };
            if generation != lease {
                return None;
            }
            let next = to(ties);
            match self.change_fate(fate, next) {
                Ok(()) => return Some(next),
                Err(now) => fate = now,
            }
        }
    }

    /// The same for whoever the record is with.
    #[inline]
    pub(crate) fn change_holder(
        &self,
        holder: Holder,
        mut to: impl FnMut(Ties) -> Fate,
    ) -> Option<Fate> {
        match holder {
            Holder::Lease(generation) => self.change_lease(generation, to),
            Holder::Nobody { reason, generation } => {
                let next = to(Ties::AWAITED);
                let vacated = Fate::Vacated { reason, generation };
                self.change_fate(vacated, next).ok().map(|()| next)
            }
        }
    }

    /// Makes a lease awaited, so that its end will be told to the queue (fate.6). False: it has ended,
    /// or the key is not its any more (fate.7).
    pub(crate) fn await_end(&self, lease: u64) -> bool {
        let awaited = Fate::Leased { ties: Ties::AWAITED, generation: lease };
        let not_yet = Fate::Leased { ties: Ties::NEW, generation: lease };
        let is_done = |fate| fate == awaited;
        is_done(self.fate()) || self.change_fate(not_yet, awaited).map_or_else(is_done, |()| true)
    }

    /// Takes the key from a lease that goes on (fate.7). False: it has ended.
    pub(crate) fn sever(&self, lease: u64) -> bool {
        let to = |ties| Fate::Leased { ties: Ties { severed: true, ..ties }, generation: lease };
        self.change_lease(lease, to).is_some()
    }

    /// The fate, in one order with all changes of fates and queues (fate.4 in `try_free`).
    #[inline]
    pub(crate) fn fate_in_order(&self) -> Fate {
        model_fence();
        Fate::unpack(self.fate.load(Ordering::SeqCst))
    }

    #[inline(always)]
    pub(crate) fn term(&self) -> Term {
        // Acquire: pairs with `change_term`; a helper that sees an accepted lease must also see the
        // generation it was given.
        Term::unpack(self.term.load(Ordering::Acquire))
    }

    #[inline(always)]
    pub(crate) fn change_term(&self, from: Term, to: Term) -> Result<(), Term> {
        // AcqRel: see `term`; Acquire on failure for the same reason.
        self.term
            .compare_exchange(from.pack(), to.pack(), Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
            .map_err(Term::unpack)
    }

    #[inline]
    pub(crate) fn tenancy(&self) -> u64 {
        // Acquire: the reads of the tenant's fields come after (flight.1).
        self.tenancy.load(Ordering::Acquire)
    }

    /// Whether `tenancy` is still the current one, after the tenant's fields were read.
    #[inline]
    pub(crate) fn still(&self, tenancy: u64) -> bool {
        // Acquire fence (edge "tenancy"): pairs with the Release fence in `begin`. If any read
        // before it saw a later tenant's field, the load below sees that tenant's number.
        fence(Ordering::Acquire);
        self.tenancy.load(Ordering::Relaxed) == tenancy
    }

    /// Only meaningful between `tenancy` and `still`, or for a registered waiter or an owner.
    #[inline]
    pub(crate) fn identity(&self) -> Identity {
        // Relaxed: flight.1 validates.
        let bound = self.attempt.load(Ordering::Relaxed) & HAS_FINGERPRINT != 0;
        Identity {
            id: load_pair(&self.id),
            fingerprint: bound.then(|| load_pair(&self.fingerprint)),
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> [u64; 2] {
        load_pair(&self.id)
    }

    pub(crate) fn facts(&self) -> Facts {
        // Relaxed: reports.
        Facts {
            started: self.started.load(Ordering::Relaxed),
            owner: self.owner.load(Ordering::Relaxed),
            attempt: self.attempt.load(Ordering::Relaxed) as u32,
        }
    }

    /// How many wait, for reports.
    pub(crate) fn waiting(&self) -> u32 {
        // Relaxed: a count.
        self.waiters.load(Ordering::Relaxed)
    }

    /// By the owner of the moment: a claim before it publishes, a waiter that has accepted.
    pub(crate) fn set_facts(&self, facts: Facts) {
        // Relaxed: reports.
        self.started.store(facts.started, Ordering::Relaxed);
        self.owner.store(facts.owner, Ordering::Relaxed);
        let bound = self.attempt.load(Ordering::Relaxed) & HAS_FINGERPRINT;
        self.attempt.store(bound | u64::from(facts.attempt), Ordering::Relaxed);
    }

    /// A generation nobody has had (fate.1). `mask` is the geometry's; all ones but in tests.
    #[inline]
    pub(crate) fn next_generation(&self, mask: u64) -> u64 {
        // AcqRel: a helper reads it after the term that carries its tag (see `generation_of`).
        (self.generation.fetch_add(1, Ordering::AcqRel) + 1) & mask
    }

    /// The same for a flight that the caller alone has.
    #[inline]
    pub(crate) fn first_generation(&self, mask: u64) -> u64 {
        // Relaxed: exclusive; published with the flight.
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        self.generation.store(generation, Ordering::Relaxed);
        generation & mask
    }

    /// The full generation of an accepted term: the latest given out that ends in `tag`.
    pub(crate) fn generation_of(&self, tag: u64, mask: u64) -> u64 {
        let latest = self.generation.load(Ordering::Acquire);
        let behind = Term::tag((latest & mask).wrapping_sub(tag)) & mask;
        latest.wrapping_sub(behind) & mask
    }

    /// How long the response is to be kept, as far as the owner has said. For the owner of the moment:
    /// what another reads is worth nothing, and does nothing, since its token does not end the lease.
    pub(crate) fn retention(&self) -> u64 {
        // Relaxed: its owner's own, or of a lease that came with a CAS.
        self.retention.load(Ordering::Relaxed)
    }

    /// By the owner of the moment, as in `set_facts`.
    pub(crate) fn set_retention(&self, retention: u64) {
        // Relaxed: as in `retention`.
        self.retention.store(retention, Ordering::Relaxed);
    }

    /// What the record belongs to. Only meaningful as `identity`.
    pub(crate) fn realm(&self) -> Realm {
        // Relaxed: flight.1 validates.
        Realm::from_bits(self.realm.load(Ordering::Relaxed))
    }

    /// Before the flight is published.
    pub(crate) fn set_realm(&self, realm: Realm) {
        // Relaxed: as in `begin`.
        self.realm.store(realm.bits(), Ordering::Relaxed);
    }

    /// Where the table names the flight; for the owner of the moment, as `retention`.
    pub(crate) fn seat(&self) -> [u64; 2] {
        load_pair(&self.seat)
    }

    /// Before the table names the flight there.
    pub(crate) fn set_seat(&self, seat: [u64; 2]) {
        store_pair(&self.seat, seat);
    }

    /// Makes a freshly allocated flight a new tenant's. The caller alone has it (bitmap.1).
    pub(crate) fn begin(&self, id: [u64; 2]) -> u64 {
        // Relaxed: the allocation bit ordered us after the last tenant, and nobody else writes.
        let tenancy = self.tenancy.load(Ordering::Relaxed) + 1;
        self.tenancy.store(tenancy, Ordering::Relaxed);
        // Release fence (edge "tenancy"): pairs with the Acquire fence in `still`.
        fence(Ordering::Release);
        store_pair(&self.id, id);
        tenancy
    }

    /// Binds the fingerprint; still before the flight is published.
    pub(crate) fn bind(&self, fingerprint: Option<[u64; 2]>) {
        // Relaxed: as in `begin`.
        let facts = self.attempt.load(Ordering::Relaxed) & !HAS_FINGERPRINT;
        let bound = if fingerprint.is_some() { HAS_FINGERPRINT } else { 0 };
        store_pair(&self.fingerprint, fingerprint.unwrap_or_default());
        self.attempt.store(facts | bound, Ordering::Relaxed);
    }

    /// Drafts the first lease of a tenancy, or drafts it again; still before the flight is published
    /// (fate.5).
    pub(crate) fn draft(&self, generation: u64, term: Term) {
        // Relaxed: published with the fate.
        self.term.store(term.pack(), Ordering::Relaxed);
        // Release (edge "fate"): a sweep comes here through the allocation bits, not through a slot,
        // and must not take the word of the last tenant for this one's.
        self.fate.store(Fate::Leased { ties: Ties::NEW, generation }.pack(), Ordering::Release);
    }

    /// Frees a flight whose word nobody but the caller can change any more: a draft that is not to be
    /// published (fate.5), or one that was taken out of the table and is not awaited (fate.3, fate.6).
    pub(crate) fn set_free(&self) {
        // Release: as in `draft`.
        self.fate.store(Fate::Free.pack(), Ordering::Release);
        // Models need not look again at what named the flight before.
        model_fence();
    }
}

#[inline]
fn load_pair(pair: &[AtomicU64; 2]) -> [u64; 2] {
    // Relaxed: validated by tenancy, or exclusive.
    [pair[0].load(Ordering::Relaxed), pair[1].load(Ordering::Relaxed)]
}

#[inline]
fn store_pair(pair: &[AtomicU64; 2], value: [u64; 2]) {
    // Relaxed: published by the slot, guarded by the tenancy fence.
    pair[0].store(value[0], Ordering::Relaxed);
    pair[1].store(value[1], Ordering::Relaxed);
}

/// All flights, and which of them are in use.
pub(crate) struct Flights {
    flights: Region<Flight>,
    in_use: Bitmap,
    /// For each number that a thread has to itself, the flight it gave back last, plus one: it stays
    /// in use, and warm, for the thread's next claim.
    spares: Box<[CachePadded<AtomicU32>]>,
}

impl Flights {
    /// The most flights that lie idle with threads.
    pub(crate) const SPARE_COUNT: u32 = EXCLUSIVE_NUMBERS;

    pub(crate) fn new(count: u32, shard_count: u32) -> Option<Self> {
        // One word a chunk: a shard turns round in 64 flights, which stay in its cache.
        let in_use = Bitmap::new(count, 0, 1, shard_count)?;
        let spare = |_| CachePadded::new(AtomicU32::new(0));
        let spares = (0..Self::SPARE_COUNT).map(spare).collect();
        Some(Self { flights: Region::new(count as usize)?, in_use, spares })
    }

    /// What `Pages` may back, before anybody uses it.
    pub(crate) fn regions(&mut self) -> Vec<&mut dyn Paged> {
        vec![&mut self.flights, self.in_use.region()]
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &Flight {
        &self.flights[index as usize]
    }

    /// How many there are.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        self.flights.len() as u32
    }

    /// A flight that is free, and the caller's alone (bitmap.1).
    #[inline]
    pub(crate) fn alloc(&self, thread: Thread, shard: usize) -> Option<u32> {
        if thread.is_exclusive {
            // Relaxed: nobody else uses the place (edge "thread number").
            let spare = &self.spares[thread.number as usize];
            if let Some(index) = spare.load(Ordering::Relaxed).checked_sub(1) {
                spare.store(0, Ordering::Relaxed);
                return Some(index);
            }
        }
        self.in_use.alloc(1, shard)
    }

    #[inline]
    pub(crate) fn free(&self, index: u32, thread: Thread) {
        if thread.is_exclusive {
            // Relaxed: as in `alloc`.
            let spare = &self.spares[thread.number as usize];
            if spare.load(Ordering::Relaxed) == 0 {
                return spare.store(index + 1, Ordering::Relaxed);
            }
        }
        self.in_use.free(index, 1);
    }

    /// The flights in use in a word of 64, spares included.
    pub(crate) fn in_use(&self, word: u32) -> impl Iterator<Item = u32> {
        self.in_use.in_use(word)
    }

    /// Words that have ever had a flight in use.
    pub(crate) fn active_word_count(&self) -> u32 {
        self.in_use.active_word_count()
    }

    /// Flights in use, for tests.
    #[cfg(all(test, idem_loom))]
    pub(crate) fn used(&self) -> u32 {
        self.in_use.used()
    }
}
