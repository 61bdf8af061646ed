//! What a claim, a wait or a lease can come to: the words of the contract as types.

use core::time::Duration;

use crate::{InFlight, Lease, Replay};

/// Why a record was cancelled or halted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The owner gave up.
    Owner,
    /// The lease was dropped without an end.
    Dropped,
    /// The owner's thread unwound from a panic.
    Panicked,
    /// The lease's deadline passed and somebody acted on it.
    LeaseExpired,
    /// The engine was closed.
    Shutdown,
    /// An operator ended it.
    Forced,
    /// The key was forgotten.
    Forgotten,
    /// The namespace was cleared.
    Cleared,
    /// The caller's own code.
    Code(u16),
}

impl Reason {
    pub(crate) const BITS: u32 = 24;

    pub(crate) const fn pack(self) -> u64 {
        match self {
            Reason::Owner => 0,
            Reason::Dropped => 1,
            Reason::Panicked => 2,
            Reason::LeaseExpired => 3,
            Reason::Shutdown => 4,
            Reason::Forced => 5,
            Reason::Forgotten => 6,
            Reason::Cleared => 7,
            Reason::Code(code) => 8 | (code as u64) << 8,
        }
    }

    /// As an owner may say it: what the engine alone can know is not an owner's to say.
    pub(crate) const fn by_owner(self) -> Self {
        match self {
            Reason::Code(_) => self,
            _ => Reason::Owner,
        }
    }

    pub(crate) const fn unpack(bits: u64) -> Self {
        match bits & 0xFF {
            0 => Reason::Owner,
            1 => Reason::Dropped,
            2 => Reason::Panicked,
            3 => Reason::LeaseExpired,
            4 => Reason::Shutdown,
            5 => Reason::Forced,
            6 => Reason::Forgotten,
            7 => Reason::Cleared,
            _ => Reason::Code((bits >> 8) as u16),
        }
    }
}

/// What happens to the key when its lease ends without a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum OnEnd {
    /// The longest waiting waiter executes next; without one the key is free.
    #[default]
    HandOver,
    /// Every waiter gets [`WaitOutcome::Cancelled`]; the key is free.
    FailWaiters,
    /// The outcome is unknown: nobody executes until the halted retention ends.
    Halt,
}

impl OnEnd {
    pub(crate) const fn unpack(bits: u64) -> Self {
        match bits {
            0 => OnEnd::HandOver,
            1 => OnEnd::FailWaiters,
            _ => OnEnd::Halt,
        }
    }
}

/// What [`Engine::run`](crate::Engine::run) does with an error that the function returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnError {
    /// Every registered waiter gets it; nothing is kept.
    #[default]
    Share,
    /// Nobody gets it; the longest waiting waiter executes next.
    HandOver,
    /// Like a response: kept for this long and replayed.
    Keep(Duration),
    /// The outcome is unknown: see [`OnEnd::Halt`].
    Halt,
}

/// The state of a record, as far as a caller may see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum State {
    /// An owner holds the lease, or it is being handed over.
    InFlight,
    /// Finished, with or without its bytes.
    Completed,
    /// Given up, and kept so for the cancelled retention.
    Cancelled,
    /// Of unknown outcome.
    Halted,
}

/// Which limit a claim ran into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Limit {
    /// Keys with a record.
    Records,
    /// Bytes of stored responses.
    Bytes,
    /// Waiters, of this key or in all.
    Waiters,
    /// What the key's namespace may have of records or bytes.
    Namespace,
    /// What the key's scope may have of records or bytes.
    Scope,
}

/// When a record began, how long it has left, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Info {
    /// In flight: since the lease began. Finished: since it was finished.
    pub age: Duration,
    /// In flight: until the lease may be taken over. Finished: until the record ends.
    pub left: Duration,
    /// The label that the owner gave in its claim; 0 if none, and for finished records.
    pub owner: u64,
}

/// How an owner came by its lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Origin {
    /// The key had no record.
    Fresh,
    /// An earlier owner gave up.
    AfterCancel,
    /// An earlier owner's lease expired.
    AfterExpiry,
}

/// What a claim came to (K2).
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Outcome {
    /// The caller executes; nobody else does until the lease ends (K3).
    Execute(Lease),
    /// Somebody else executes.
    InFlight(InFlight),
    /// It was done: here is the response.
    Replay(Replay),
    /// It was done; the response was not kept.
    Done(Info),
    /// The key was used with another fingerprint; the record's state is told, nothing else (K4).
    Mismatch(State),
    /// It was given up, and is kept so.
    Cancelled(Reason),
    /// Its outcome is unknown.
    Halted(Reason),
    /// There is no room for a new record (R2) or waiter (W3).
    Full(Limit),
    /// The engine is closed to new keys.
    Closed,
}

/// What a wait came to (W2).
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum WaitOutcome {
    /// The owner completed: here is the response.
    Replay(Replay),
    /// The owner completed; the response was not kept.
    Done(Info),
    /// The owner ended without a result and the waiter is next.
    Execute(Lease),
    /// The owner gave up, and nobody takes over.
    Cancelled(Reason),
    /// The owner ended and the outcome is unknown.
    Halted(Reason),
    /// The time the caller gave is up.
    TimedOut,
    /// The engine was closed.
    Closed,
}

/// How a completion was stored (L1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Completion {
    /// With its bytes.
    Stored,
    /// Without: the key is done, waiters and replays get no body.
    Tombstone(NoBody),
    /// Not at all, only given to those who waited: the key was taken from this lease, by
    /// [`Engine::detach`](crate::Engine::detach) or as its namespace was cleared.
    Detached,
}

/// Why a response was not kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NoBody {
    /// Longer than the limit of one response.
    TooLarge,
    /// The byte limit left no room.
    NoRoom,
}

/// What came of forgetting a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Removal {
    /// There was nothing to forget.
    Vacant,
    /// Its record is gone, and the key is vacant.
    Removed,
    /// It is in flight, and was left alone.
    InFlight,
    /// It is halted, and was left alone.
    Halted,
}

/// The lease is over: somebody acted after its deadline, or it was ended before. Nothing was
/// overwritten (L2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stale;

impl core::fmt::Display for Stale {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the lease is over: it expired and was acted on, or was ended before")
    }
}

impl core::error::Error for Stale {}
