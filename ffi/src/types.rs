//! The structures and enumerations of the header.
//!
//! Structures that C fills in are plain (`boundary::Plain`): enumerations in them are integers, checked as
//! they are read. Fields are only ever added at the end, or in what is reserved.

use core::ffi::c_void;

use crate::boundary::{Plain, Versioned};

/// As a duration: none at all, where zero would mean the default. As a count or a size likewise.
pub const IDEM_ZERO: u64 = u64::MAX - 1;

/// As a timeout: as long as it takes. No other duration can be that long.
pub const IDEM_FOREVER: u64 = u64::MAX;

/// The most bytes of a key, a scope or a namespace's name. Hash what is longer.
pub const IDEM_KEY_LENGTH_MAX: usize = 65536;

/// Added to a code of the caller's own (at most 65 535) to make it a reason.
pub const IDEM_REASON_CODE: u32 = 0x10000;

/// Buckets of the histogram of waits.
pub const IDEM_WAIT_BUCKETS: usize = 32;

/// Bytes that somebody else has: borrowed until the call returns, unless it is said otherwise. Null if
/// there are none.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_bytes_t {
    /// The first of them. Any alignment.
    pub data: *const c_void,
    /// How many.
    pub len: usize,
}

/// Called once with the user data, when neither it nor the function or the bytes it came with are needed
/// any more; on any thread. Null: nobody is told.
pub type idem_destroy_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// What names an operation.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_key_kind_t {
    /// The bytes in `key`, hashed with the engine's secret.
    IDEM_KEY_BYTES = 1,
    /// What the request says: the fingerprint in `bits` is its key.
    IDEM_KEY_FINGERPRINT = 2,
    /// The caller's own 128 bits in `bits`. They are the whole identity, and the scope is not looked at:
    /// evenly spread, and hard to forge where callers are not trusted.
    IDEM_KEY_RAW = 3,
    /// A record of the listing: `key` has its `ref`. A claim of it is on the engine's terms, where it does
    /// not say its own.
    IDEM_KEY_LISTED = 4,
}

/// What a key is unique within.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_scope_kind_t {
    /// The whole namespace.
    IDEM_SCOPE_NONE = 1,
    /// A tenant, a user, an account: the bytes in `scope`.
    IDEM_SCOPE_OF = 2,
}

/// The name of one logical operation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_key_t {
    /// An `idem_key_kind_t`. There is no default.
    pub kind: u32,
    /// An `idem_scope_kind_t`. There is no default: where keys are global, say so.
    pub scope_kind: u32,
    /// The namespace; null is the default one.
    pub ns: *const crate::namespace::idem_namespace_t,
    /// With `IDEM_SCOPE_OF`: 1 to 65 536 bytes.
    pub scope: idem_bytes_t,
    /// With `IDEM_KEY_BYTES`: 1 to 65 536 bytes.
    pub key: idem_bytes_t,
    /// With `IDEM_KEY_FINGERPRINT` and `IDEM_KEY_RAW`: little endian.
    pub bits: [u8; 16],
}

/// What becomes of a key as its lease ends without a result.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_on_end_t {
    /// In a claim, as the namespace has it; in a namespace, as the engine; everywhere else a hand-over.
    IDEM_ON_END_DEFAULT = 0,
    /// Whoever has waited longest executes next; if nobody waits the key is free.
    IDEM_ON_END_HAND_OVER = 1,
    /// Everybody who waits is told that it was cancelled; the key is free.
    IDEM_ON_END_FAIL_WAITERS = 2,
    /// The outcome is unknown: nobody executes until the halted retention ends, or an operator settles it.
    IDEM_ON_END_HALT = 3,
}

/// How a claim differs from the usual one; bits of `flags`.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_claim_flag_t {
    /// `fingerprint` is what the request says: a key that is used with another one is a mismatch.
    IDEM_CLAIM_FINGERPRINT = 1,
    /// Do not register as a waiter if somebody else executes.
    IDEM_CLAIM_NO_WAIT = 2,
    /// As a waiter, never take over from an owner that gives up.
    IDEM_CLAIM_NO_EXECUTE = 4,
}

/// What to claim, and on what terms. Zero everything, set `struct_size` and the key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_claim_t {
    /// `sizeof(idem_claim_t)`.
    pub struct_size: usize,
    /// The operation.
    pub key: idem_key_t,
    /// With `IDEM_CLAIM_FINGERPRINT`: 128 bits, little endian; otherwise zero. idem_claim_fingerprint sets
    /// both. Where the record, or the claim, has none, nothing is compared.
    pub fingerprint: [u8; 16],
    /// How long the owner may take, in milliseconds; 0: as the namespace has it.
    pub lease_ms: u64,
    /// How long the response is kept, in milliseconds; 0: as the namespace has it; `IDEM_ZERO`: it goes to
    /// those who wait, and the key is free again.
    pub retention_ms: u64,
    /// A label that others see while the key is in flight. For people, not for fencing.
    pub owner: u64,
    /// `idem_claim_flag_t`s.
    pub flags: u32,
    /// An `idem_on_end_t`: if the lease runs out.
    pub on_expiry: u32,
    /// An `idem_on_end_t`: if the lease is abandoned (`idem_abandon`).
    pub on_abandon: u32,
    /// Must be zero.
    pub reserved: u32,
}

/// A lease: a plain value, which may be copied, stored and sent as one likes. It is good in the engine that
/// gave it, on any thread, until its deadline has passed and somebody has acted on that. Nothing happens
/// when it is lost: the deadline is the safety net. Its words are nobody's but libidem's.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_lease_t {
    /// Nobody's but libidem's.
    pub opaque: [u64; 8],
}

/// A response: immutable bytes, shared with everybody else who has them, and not copied.
///
/// Whoever has one holds the bytes, and releases them (`idem_response_release`) when done; they stay until
/// then, whatever becomes of the record, of the engine and of other holders, and count against the engine's
/// limit of bytes. Copying the structure is no second hold (`idem_response_retain` is).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_response_t {
    /// The bytes; null if there are none. For reading only.
    pub data: *const u8,
    /// How many.
    pub len: usize,
    /// Nobody's but libidem's.
    pub opaque: [u64; 2],
}

/// What a claim or a wait came to.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_outcome_kind_t {
    /// The caller executes, and nobody else does until the lease ends: `lease`, `origin`, `attempt`.
    IDEM_EXECUTE = 1,
    /// A claim found an owner at work: `waiter`, unless it was not to wait; `info` of the owner's lease.
    IDEM_IN_FLIGHT = 2,
    /// It was done: `response`, which is to be released; `is_error`.
    IDEM_REPLAY = 3,
    /// It was done; the response was not kept: `info`.
    IDEM_DONE = 4,
    /// The key was used with another fingerprint: `state` of its record.
    IDEM_MISMATCH = 5,
    /// It was given up: `reason`. A claim gets it while a cancellation is kept.
    IDEM_CANCELLED = 6,
    /// Its outcome is unknown, and nobody executes it: `reason`.
    IDEM_HALTED = 7,
    /// There is no room for a new record or waiter: `limit`.
    IDEM_NO_ROOM = 8,
    /// The engine is closed to new keys, and to hand-overs.
    IDEM_CLOSED = 9,
    /// A wait's time is up. Its place in the queue was given back.
    IDEM_WAIT_OVER = 10,
    /// Only in a queue, and no end of a wait: a `value` is over, nobody has it any more.
    IDEM_EVICTED = 11,
}

/// How an owner came by its lease.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_origin_t {
    /// The key had no record.
    IDEM_ORIGIN_FRESH = 1,
    /// An earlier owner gave up.
    IDEM_ORIGIN_AFTER_CANCEL = 2,
    /// An earlier owner's lease ran out.
    IDEM_ORIGIN_AFTER_EXPIRY = 3,
}

/// The state of a record.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_state_t {
    /// It has none.
    IDEM_STATE_VACANT = 1,
    /// An owner is at work, or it is being handed over to one.
    IDEM_STATE_IN_FLIGHT = 2,
    /// Finished, with or without its bytes.
    IDEM_STATE_COMPLETED = 3,
    /// Given up, and kept so.
    IDEM_STATE_CANCELLED = 4,
    /// Of unknown outcome.
    IDEM_STATE_HALTED = 5,
}

/// Why a record was cancelled or halted. A code of a caller's own is `IDEM_REASON_CODE + code`.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_reason_t {
    /// The owner gave up.
    IDEM_REASON_OWNER = 1,
    /// The lease was abandoned.
    IDEM_REASON_DROPPED = 2,
    /// The owner's thread unwound from a panic.
    IDEM_REASON_PANICKED = 3,
    /// The lease ran out.
    IDEM_REASON_LEASE_EXPIRED = 4,
    /// The engine was closed.
    IDEM_REASON_SHUTDOWN = 5,
    /// An operator ended it.
    IDEM_REASON_FORCED = 6,
    /// The key was forgotten.
    IDEM_REASON_FORGOTTEN = 7,
    /// The namespace was cleared.
    IDEM_REASON_CLEARED = 8,
}

/// Which limit a claim ran into.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_limit_t {
    /// Keys with a record.
    IDEM_LIMIT_RECORDS = 1,
    /// Bytes of stored responses.
    IDEM_LIMIT_BYTES = 2,
    /// Waiters, of this key or in all.
    IDEM_LIMIT_WAITERS = 3,
    /// What the namespace may have.
    IDEM_LIMIT_NAMESPACE = 4,
    /// What the scope may have.
    IDEM_LIMIT_SCOPE = 5,
}

/// When a record began, how long it has left, and whose it is.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct idem_info_t {
    /// In flight: since the lease began; finished: since it was finished. Milliseconds.
    pub age_ms: u64,
    /// In flight: until the lease may be taken over; finished: until the record ends. Milliseconds.
    pub left_ms: u64,
    /// The owner's label; 0 if it gave none, and of finished records.
    pub owner: u64,
}

/// What a claim or a wait came to. `kind` says which of the others count; those that do not are as they
/// were, but for `waiter` and `response`, which are empty then.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_outcome_t {
    /// An `idem_outcome_kind_t`.
    pub kind: u32,
    /// An `idem_origin_t`.
    pub origin: u32,
    /// 1 for the first execution of a key; one more for each lease before it that ended without a result,
    /// for as long as the key had a record: where nobody waits a cancelled key has none, and begins anew.
    pub attempt: u32,
    /// An `idem_reason_t`, or a code of the owner's own.
    pub reason: u32,
    /// An `idem_state_t`.
    pub state: u32,
    /// An `idem_limit_t`.
    pub limit: u32,
    /// Whether the response is an error that the owner shared.
    pub is_error: u32,
    /// Reserved; zero.
    pub reserved: u32,
    /// Of the record.
    pub info: idem_info_t,
    /// The caller's; it ends it, or lets it run out.
    pub lease: idem_lease_t,
    /// The caller's; it releases it.
    pub response: idem_response_t,
    /// The caller's; it waits with it, or frees it.
    pub waiter: *mut crate::wait::idem_waiter_t,
    /// Of a replay or an eviction: the value that `idem_complete_value` was given; otherwise 0. A replay that has
    /// one holds it by its `response`, which has no bytes.
    pub value: u64,
    /// Reserved; zero.
    pub more: [u64; 3],
}

/// How a completion was stored.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_completion_t {
    /// With its bytes.
    IDEM_STORED = 1,
    /// Without, since they were more than one response may have: done, and waiters and replays get no body.
    IDEM_TOO_LARGE = 2,
    /// Without, since there was no room for them.
    IDEM_NO_ROOM_FOR_BODY = 3,
    /// Not at all, only given to those who waited: the key had been taken from this lease.
    IDEM_DETACHED = 4,
}

/// An end of one of many leases: what `idem_complete_batch` is to complete, and what came of it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_ending_t {
    /// The lease.
    pub lease: idem_lease_t,
    /// Its response; borrowed until the call returns.
    pub response: idem_bytes_t,
    /// Written: an `idem_status_t`, of this one.
    pub status: i32,
    /// Written, if that is `IDEM_OK`: an `idem_completion_t`.
    pub completion: u32,
}

/// What is known of a lease.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_lease_info_t {
    /// Until others may take over, in milliseconds; zero: they may.
    pub left_ms: u64,
    /// The hash that stands for the key in the listing and in events.
    pub key_hash: [u8; 16],
    /// Reserved; zero.
    pub more: [u64; 4],
}

/// What has become of a key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_peek_t {
    /// An `idem_state_t`.
    pub state: u32,
    /// An `idem_reason_t`, of what was cancelled or halted.
    pub reason: u32,
    /// Whether the response is an error that the owner shared and kept.
    pub is_error: u32,
    /// Whether there is a response; otherwise a completed key has a tombstone.
    pub has_response: u32,
    /// Names the halt of a halted key, to settle it by.
    pub halt: u32,
    /// Reserved; zero.
    pub reserved: u32,
    /// Bytes of the response.
    pub len: u64,
    /// Of the record.
    pub info: idem_info_t,
    /// Reserved; zero.
    pub more: [u64; 2],
}

/// What came of forgetting a key.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_removal_t {
    /// There was nothing to forget.
    IDEM_REMOVAL_VACANT = 1,
    /// Its record is gone.
    IDEM_REMOVAL_REMOVED = 2,
    /// It is in flight, and was left alone.
    IDEM_REMOVAL_IN_FLIGHT = 3,
    /// It is halted, and was left alone.
    IDEM_REMOVAL_HALTED = 4,
}

/// How a halted key is to be settled.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_resolution_t {
    /// It was done, and this is the response.
    IDEM_RESOLVE_COMPLETE = 1,
    /// It was not done: the key is free.
    IDEM_RESOLVE_RELEASE = 2,
    /// It stays halted, for the halted retention from now on.
    IDEM_RESOLVE_KEEP = 3,
}

/// A record of the listing.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_record_t {
    /// `IDEM_STATE_IN_FLIGHT` or `IDEM_STATE_HALTED`.
    pub state: u32,
    /// An `idem_reason_t`, of a halted one.
    pub reason: u32,
    /// Leases so far, the present one included; 0 of a halted one.
    pub attempt: u32,
    /// Those who wait for it.
    pub waiters: u32,
    /// Not under its key any more: an owner that finishes for its own waiters.
    pub is_detached: u32,
    /// Names the halt, to settle it by.
    pub halt: u32,
    /// Its times, and its owner's label.
    pub info: idem_info_t,
    /// The hash that stands for the key.
    pub key_hash: [u8; 16],
    /// Names the record in this engine: a key of kind `IDEM_KEY_LISTED` points to it.
    pub r#ref: [u64; 5],
    /// Reserved; zero.
    pub more: [u64; 2],
}

/// What an event is about: `idem_event_t::what`.
#[repr(u32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_what_t {
    /// Something that the header has no name for yet.
    IDEM_WHAT_OTHER = 0,
    /// A claim got the lease.
    IDEM_WHAT_EXECUTES = 1,
    /// A claim found an owner at work.
    IDEM_WHAT_IN_FLIGHT = 2,
    /// A claim got a response.
    IDEM_WHAT_REPLAYED = 3,
    /// A claim was told that it is done, without a response.
    IDEM_WHAT_DONE = 4,
    /// A claim had another fingerprint; `detail` is an `idem_state_t`.
    IDEM_WHAT_MISMATCHED = 5,
    /// A claim was told of a cancellation; `reason`.
    IDEM_WHAT_CANCELLED = 6,
    /// A claim was told of a halt; `reason`.
    IDEM_WHAT_HALTED = 7,
    /// A claim found no room; `detail` is an `idem_limit_t`.
    IDEM_WHAT_NO_ROOM = 8,
    /// A claim found the engine closed.
    IDEM_WHAT_CLOSED = 9,
    /// An owner completed; `detail` is an `idem_completion_t`.
    IDEM_WHAT_COMPLETED = 10,
    /// An owner gave up, or abandoned its lease; `detail` is an `idem_on_end_t`, and `reason`.
    IDEM_WHAT_GAVE_UP = 11,
    /// An owner moved its deadline.
    IDEM_WHAT_RENEWED = 12,
    /// An owner called, and its lease was over.
    IDEM_WHAT_STALE = 13,
    /// A lease ran out; `detail` is an `idem_on_end_t`.
    IDEM_WHAT_LEASE_EXPIRED = 14,
    /// A waiter got the lease.
    IDEM_WHAT_HANDED_OVER = 15,
    /// A lease was ended from outside; `reason`.
    IDEM_WHAT_FORCED = 16,
    /// A finished record was forgotten.
    IDEM_WHAT_FORGOTTEN = 17,
    /// A key was taken from its owner.
    IDEM_WHAT_DETACHED = 18,
    /// A halted record was settled.
    IDEM_WHAT_RESOLVED = 19,
}

/// Something that has happened to a key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_event_t {
    /// An `idem_what_t`; greater ones may come with later versions.
    pub what: u32,
    /// What `what` says.
    pub detail: u32,
    /// An `idem_reason_t`, or a code of the owner's own.
    pub reason: u32,
    /// Reserved; zero.
    pub reserved: u32,
    /// The hash that stands for the key.
    pub key_hash: [u8; 16],
    /// Reserved; zero.
    pub more: [u64; 2],
}

/// An end of a wait, or of a value, as `idem_poll` hands it out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct idem_ended_t {
    /// The caller's own, as it was given with the wait.
    pub tag: u64,
    /// What the wait came to.
    pub outcome: idem_outcome_t,
}

// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_claim_t {}
// SAFETY: the first field is its size.
unsafe impl Versioned for idem_claim_t {
    const LEAST: usize = 128;
}
// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_outcome_t {}
// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_response_t {}
// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_ending_t {}
// SAFETY: ffi.1 (integers and pointers).
unsafe impl Plain for idem_ended_t {}
