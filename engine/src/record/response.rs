//! A response: the finished half of a record, one contiguous immutable block in the arena.
//!
//! ```text
//! granule 0:  holds | id 2 | fingerprint 2 | outcome | origin | length      (8 words, one cache line)
//! granule 1+: the bytes; or a handle to a value that lies elsewhere (`body.rs`)
//!
//! holds:      stamp 23 | linked 1 | holders 40
//! ```
//!
//! A response is held alive by `holds`, a count that is split in two: pins taken through the table
//! are counted in the slot that names the response, in the same word, so that whoever finds it there
//! holds it with one CAS and nobody ever touches a response that may already be gone. Everyone lets
//! go at the response itself.
//!
//! response.1  While a slot names the response: holds = LINKED + other holders - releases, and the
//!     pins taken are in the slot. Unlinking moves that number over: holds += pins - LINKED.
//! response.2  holds reaches 0 exactly once, when it is unlinked and nobody holds it; whoever
//!     brings it there frees the memory.
//! response.3  The header and the bytes are written before publication and never after.
//! response.4  No two responses that end up in the same place with the same time of finishing have the
//!     same stamp (`Stamp`), and it is written before anything else. So a reader that holds nothing
//!     may copy what it finds, and believe it if afterwards the slot still names the place, and the
//!     stamp is what it was when the slot was seen before (`Glance`).

use crate::memory::arena::{Arena, Granule};
use crate::outcome::{Reason, State};
use crate::realms::Realm;
use crate::record::body::{Body, ByHandle};
use crate::record::flight::Identity;
use crate::record::value::Handle;
use crate::record::{Field, TIME_BITS};
use crate::sync::{Ordering, acquire_fence, fence};

type Holders = Field<0, 40>;
type Linked = Field<{ Holders::END }, 1>;
type StampBits = Field<{ Linked::END }, 23>;

/// Added to `holds` while a slot names the response; far above any number of pins a slot can count.
const LINKED: u64 = 1 << Holders::END;

const HOLDS: usize = 0;
/// The words of the head granule that have the id.
pub(crate) const ID: usize = 1;
const FINGERPRINT: usize = 3;
const OUTCOME: usize = 5;
const ORIGIN: usize = 6;
const LENGTH: usize = 7;

type Deadline = Field<0, TIME_BITS>;
type KindBits = Field<{ Deadline::END }, 3>;
type IsByHandle = Field<{ KindBits::END }, 1>;
type Bound = Field<{ IsByHandle::END }, 1>;
/// The two together, as they are looked at: below `BYTES_HERE` the bytes follow, from `BY_HANDLE` on a
/// handle, and between them nothing.
type Form = Field<{ Deadline::END }, 4>;

const BYTES_HERE: u64 = 2;
const BY_HANDLE: u64 = 8;

const _: () = assert!(KindBits::END + 1 == Form::END && Kind::Error as u64 + 1 == BYTES_HERE);

type Finished = Field<0, TIME_BITS>;
type ReasonBits = Field<{ Finished::END }, { Reason::BITS }>;

type Length = Field<0, 32>;
type RealmBits = Field<{ Length::END }, 32>;

/// What a finished record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The bytes are there.
    Response,
    /// The bytes are there and are an error that is shared.
    Error,
    /// A typed value.
    Value,
    /// A typed value that is an error that is shared.
    Failure,
    /// Done, bytes or value not kept.
    Tombstone,
    Cancelled,
    Halted,
}

impl Kind {
    /// Whether it stands for what the owner handed in, as long as that fits.
    #[inline]
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Kind::Response | Kind::Error | Kind::Value | Kind::Failure)
    }

    /// Whether it is an error that the owner shared.
    #[inline]
    pub(crate) fn is_error(self) -> bool {
        matches!(self, Kind::Error | Kind::Failure)
    }

    /// The state of a record that is finished like this.
    pub(crate) fn state(self) -> State {
        match self {
            Kind::Response | Kind::Error | Kind::Value | Kind::Failure | Kind::Tombstone => {
                State::Completed
            }
            Kind::Cancelled => State::Cancelled,
            Kind::Halted => State::Halted,
        }
    }

    fn unpack(bits: u64) -> Self {
        match bits {
            0 => Kind::Response,
            1 => Kind::Error,
            2 => Kind::Value,
            3 => Kind::Failure,
            4 => Kind::Tombstone,
            5 => Kind::Cancelled,
            _ => Kind::Halted,
        }
    }
}

/// Everything in the header but the holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) identity: Identity,
    pub(crate) realm: Realm,
    pub(crate) kind: Kind,
    pub(crate) reason: Reason,
    /// When it was finished.
    pub(crate) finished: u64,
    /// When the record ends.
    pub(crate) deadline: u64,
    /// Bytes of the response, or the weight of the value (also of a tombstone: what it had). Of a halted
    /// record, its number among all of them.
    pub(crate) length: u32,
}

/// Tells a response from those that were, or will be, in the same place: a number that its writer has
/// not used in the same millisecond, and which writer it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp(u64);

type StampCount = Field<0, 16>;
type StampWriter = Field<{ StampCount::END }, 7>;

const _: () = assert!(StampWriter::END == 23 && StampBits::END == 64);

impl Stamp {
    pub(crate) fn new(writer: u32, count: u64) -> Self {
        Self(StampWriter::put(writer.into()) | StampCount::put(count))
    }
}

/// Granules that a response of `length` bytes takes, its header included.
pub(crate) fn granules_for(length: usize) -> u64 {
    1 + (length as u64).div_ceil(Granule::BYTES as u64)
}

/// A response that the caller may look at: it is held, or not published yet.
#[derive(Clone, Copy)]
pub(crate) struct Response<'a> {
    arena: &'a Arena,
    loc: u32,
}

impl<'a> Response<'a> {
    /// Writes a response into a fresh run of granules at `loc`, but for its holders.
    ///
    /// The caller alone has the run (bitmap.1).
    pub(crate) fn write<B: Body>(
        arena: &'a Arena,
        loc: u32,
        (head, stamp): (&Head, Stamp),
        body: B,
    ) -> Self {
        let this = Self { arena, loc };
        this.granule().watch.write();
        this.stamp(stamp);
        let words = &this.granule().words;
        // Relaxed: published by the fate word, then the slot (edges "fate", "publish").
        let set = |index: usize, value| words[index].store(value, Ordering::Relaxed);
        let identity = &head.identity;
        set(ID, identity.id[0]);
        set(ID + 1, identity.id[1]);
        let fingerprint = identity.fingerprint.unwrap_or_default();
        set(FINGERPRINT, fingerprint[0]);
        set(FINGERPRINT + 1, fingerprint[1]);
        set(
            OUTCOME,
            Deadline::put(head.deadline)
                | KindBits::put(head.kind as u64)
                | IsByHandle::put(B::IS_BY_HANDLE.into())
                | Bound::put(identity.fingerprint.is_some().into()),
        );
        set(ORIGIN, Finished::put(head.finished) | ReasonBits::put(head.reason.pack()));
        set(LENGTH, Length::put(head.length.into()) | RealmBits::put(head.realm.bits().into()));
        body.write(arena, loc + 1, head.realm);
        this
    }

    /// Begins to write: from here on nobody takes what is in the run for what was there before
    /// (response.4).
    fn stamp(&self, stamp: Stamp) {
        // Release fences (edge "glance"): pair with the Acquire ones in `Glance`. The first: who sees
        // anything of ours sees that the slot does not name what was here. The second: or else our
        // stamp.
        fence(Ordering::Release);
        self.granule().words[HOLDS].store(StampBits::put(stamp.0), Ordering::Relaxed);
        fence(Ordering::Release);
    }

    /// The response at `loc`, which the caller holds.
    #[inline]
    pub(crate) fn held(arena: &'a Arena, loc: u32) -> Self {
        Self { arena, loc }
    }

    /// Where it is.
    #[inline]
    pub(crate) fn loc(&self) -> u32 {
        self.loc
    }

    #[inline]
    fn granule(&self) -> &'a Granule {
        self.arena.granule(self.loc)
    }

    #[inline]
    fn word(&self, index: usize) -> u64 {
        self.granule().watch.read();
        // Relaxed: immutable since before it was published (response.3).
        self.granule().words[index].load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn id(&self) -> [u64; 2] {
        [self.word(ID), self.word(ID + 1)]
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        Deadline::get(self.word(OUTCOME))
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        Kind::unpack(KindBits::get(self.word(OUTCOME)))
    }

    pub(crate) fn reason(&self) -> Reason {
        Reason::unpack(ReasonBits::get(self.word(ORIGIN)))
    }

    /// When it was finished.
    pub(crate) fn finished(&self) -> u64 {
        Finished::get(self.word(ORIGIN))
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { id: self.id(), fingerprint: self.fingerprint() }
    }

    #[inline]
    pub(crate) fn fingerprint(&self) -> Option<[u64; 2]> {
        let is_bound = Bound::get(self.word(OUTCOME)) == 1;
        is_bound.then(|| [self.word(FINGERPRINT), self.word(FINGERPRINT + 1)])
    }

    #[inline]
    fn form(&self) -> u64 {
        Form::get(self.word(OUTCOME))
    }

    /// The bytes; empty where none were kept, and of a typed value.
    #[inline]
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.contents().1
    }

    /// Of which kind it is, and its bytes.
    #[cfg(not(idem_loom))]
    #[inline(always)]
    pub(crate) fn contents(&self) -> (Kind, &'a [u8]) {
        let outcome = self.word(OUTCOME);
        let kind = Kind::unpack(KindBits::get(outcome));
        if Form::get(outcome) >= BYTES_HERE {
            return (kind, self.bytes_elsewhere());
        }
        let length = Length::get(self.word(LENGTH)) as usize;
        // SAFETY: response.2 and response.3 (held, so allocated; immutable since before it was
        // published).
        (kind, unsafe { self.arena.bytes(self.loc + 1, length) })
    }

    #[cfg(not(idem_loom))]
    #[cold]
    fn bytes_elsewhere(&self) -> &'a [u8] {
        if self.form() < BY_HANDLE || !matches!(self.kind(), Kind::Response | Kind::Error) {
            return &[];
        }
        let length = Length::get(self.word(LENGTH)) as usize;
        let begin = ByHandle::bytes(self.arena.granule(self.loc + 1));
        // SAFETY: value.1 and value.3 (the response is held, and holds the owner of the bytes, who
        // said where they are and is only borrowed).
        unsafe { core::slice::from_raw_parts(begin, length) }
    }

    /// Loom's atomics are no bytes; models compare words.
    #[cfg(idem_loom)]
    pub(crate) fn contents(&self) -> (Kind, &'a [u8]) {
        (self.kind(), &[])
    }

    /// The number of a halted record.
    pub(crate) fn incident(&self) -> u32 {
        Length::get(self.word(LENGTH)) as u32
    }

    /// Granules of the arena that it takes.
    pub(crate) fn size(&self) -> u32 {
        self.size_without_value().unwrap_or(ByHandle::SIZE)
    }

    /// The same; `None` of one that has a handle to a value.
    #[inline]
    pub(crate) fn size_without_value(&self) -> Option<u32> {
        match self.form() {
            // What was stored with its bytes is within the limit of one response.
            0..BYTES_HERE => Some(granules_for(Length::get(self.word(LENGTH)) as usize) as u32),
            BYTES_HERE..BY_HANDLE => Some(1),
            _ => None,
        }
    }

    /// The value that it has a handle to.
    pub(crate) fn value(&self) -> Option<Handle> {
        let is_by_handle = self.form() >= BY_HANDLE;
        is_by_handle.then(|| ByHandle::handle(self.arena.granule(self.loc + 1)))
    }

    /// What the record belongs to.
    pub(crate) fn realm(&self) -> Realm {
        Realm::from_bits(RealmBits::get(self.word(LENGTH)) as u32)
    }

    /// Says who will hold it: the slot that is about to name it, the flight, or both. Before
    /// publication only.
    pub(crate) fn set_holders(&self, slot: bool, flight: bool) {
        let holds = if slot { LINKED } else { 0 } + u64::from(flight);
        // Relaxed: not published yet.
        let stamp = StampBits::get(self.granule().words[HOLDS].load(Ordering::Relaxed));
        let word = StampBits::put(stamp) | holds;
        self.granule().words[HOLDS].store(word, Ordering::Relaxed);
    }

    /// One holder more. The caller must hold it already, or know who does for the length of the
    /// call.
    #[inline]
    pub(crate) fn hold(&self, count: u64) {
        self.granule().watch.read();
        // Relaxed: whoever adds already holds it, so it cannot go to 0 meanwhile (response.2).
        self.granule().words[HOLDS].fetch_add(count, Ordering::Relaxed);
    }

    /// `count` holders fewer; true if the caller must free it now.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self, count: u64) -> bool {
        self.granule().watch.read();
        // Release: our reads of it come before its memory is used again (edge "free").
        let word = self.granule().words[HOLDS].fetch_sub(count, Ordering::Release);
        let before = word & (LINKED | Holders::MAX);
        debug_assert!(before >= count, "response.1: released more often than held");
        if before == count {
            // Acquire: pairs with every other holder's Release above.
            acquire_fence(&self.granule().words[HOLDS]);
        }
        before == count
    }

    /// Whether nobody holds it but the caller, who has pinned it; `pins` are what its slot counts.
    pub(crate) fn is_held_once(&self, pins: u64) -> bool {
        // Relaxed: a guess, worth a copy for nothing if it is wrong.
        let word = self.granule().words[HOLDS].load(Ordering::Relaxed);
        (word & (LINKED | Holders::MAX)) + pins == LINKED + 1
    }

    /// Writes a copy into a fresh run at `loc`, as a slot is about to name it. The caller holds this one,
    /// and has the run alone (bitmap.1).
    pub(crate) fn copy_to(&self, loc: u32, stamp: Stamp) {
        let copy = Self { arena: self.arena, loc };
        for index in 0..self.size() {
            let (from, to) =
                (self.arena.granule(self.loc + index), self.arena.granule(loc + index));
            from.watch.read();
            to.watch.write();
            let is_head = index == 0;
            if is_head {
                copy.stamp(stamp);
            }
            // Relaxed: immutable here (response.3), published by the slot there (edge "publish").
            for (from, to) in from.words.iter().zip(&to.words).skip(usize::from(is_head)) {
                to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
        copy.set_holders(true, false);
        if let Some(value) = copy.value() {
            // Two responses have it now (value.1).
            value.hold();
        }
    }

    /// The slot that named it does so no more, and had counted `pins`; true if the caller must free
    /// it.
    #[must_use]
    pub(crate) fn unlink(&self, pins: u64) -> bool {
        self.release(LINKED - pins)
    }
}

/// A response as somebody read it who does not hold it: true if the slot named its place before `read`
/// and after it, and `is_of_now` says so (response.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    loc: u32,
    stamp: u32,
    origin: u64,
    outcome: u64,
    length: u64,
}

impl Glance {
    /// What tells the response apart; the slot must be seen to name the place afterwards.
    #[inline(always)]
    pub(crate) fn begin(arena: &Arena, loc: u32) -> Self {
        let (stamp, origin) = Self::mark(arena, loc);
        // Acquire (edge "glance"): pairs with the first fence in `Response::stamp`. If this is a
        // later response's stamp, the slot will not be seen to name an earlier one.
        fence(Ordering::Acquire);
        Self { loc, stamp, origin, outcome: 0, length: 0 }
    }

    /// The rest of the header, and whose it is.
    #[inline(always)]
    pub(crate) fn read(&mut self, arena: &Arena) -> [u64; 2] {
        let words = &arena.granule(self.loc).words;
        // Relaxed: validated afterwards.
        let word = |index: usize| words[index].load(Ordering::Relaxed);
        (self.outcome, self.length) = (word(OUTCOME), word(LENGTH));
        [word(ID), word(ID + 1)]
    }

    /// Whether the place still has the response that the glance began with.
    #[inline(always)]
    pub(crate) fn is_of_now(&self, arena: &Arena) -> bool {
        Self::mark(arena, self.loc) == (self.stamp, self.origin)
    }

    #[inline(always)]
    fn mark(arena: &Arena, loc: u32) -> (u32, u64) {
        let words = &arena.granule(loc).words;
        // Relaxed: the fences order them.
        let stamp = StampBits::get(words[HOLDS].load(Ordering::Relaxed)) as u32;
        (stamp, words[ORIGIN].load(Ordering::Relaxed))
    }

    /// Copies its bytes, if they are there, to the end of `body`; false: they are not. The glance has
    /// been validated, so the place had a response of this length; whether it still has, is to be seen
    /// afterwards.
    #[inline(always)]
    pub(crate) fn copy_bytes(&self, arena: &Arena, body: &mut Vec<u8>) -> bool {
        let are_here = Form::get(self.outcome) < BYTES_HERE;
        if are_here {
            arena.copy_bytes(self.loc + 1, Length::get(self.length) as usize, body);
        }
        are_here
    }

    /// Whether it has a handle to a value, which only a holder may follow (value.1).
    pub(crate) fn is_by_handle(&self) -> bool {
        Form::get(self.outcome) >= BY_HANDLE
    }

    #[inline]
    pub(crate) fn loc(&self) -> u32 {
        self.loc
    }

    #[inline]
    pub(crate) fn deadline(&self) -> u64 {
        Deadline::get(self.outcome)
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        Kind::unpack(KindBits::get(self.outcome))
    }

    pub(crate) fn reason(&self) -> Reason {
        Reason::unpack(ReasonBits::get(self.origin))
    }

    /// When it was finished.
    pub(crate) fn finished(&self) -> u64 {
        Finished::get(self.origin)
    }

    /// Bytes that it has, or the weight of its value; `None` where neither was kept.
    #[inline]
    pub(crate) fn length(&self) -> Option<usize> {
        self.kind().has_body().then(|| Length::get(self.length) as usize)
    }

    /// The number of a halted record.
    pub(crate) fn incident(&self) -> u32 {
        Length::get(self.length) as u32
    }

    /// What the record belongs to.
    pub(crate) fn realm(&self) -> Realm {
        Realm::from_bits(RealmBits::get(self.length) as u32)
    }
}
