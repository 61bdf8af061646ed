//! What a claim or a wait can come to, where results are values.

use core::fmt;

use super::{InFlight, Lease, Value, Weigh};
use crate::outcome::{Info, Limit, Reason, State};
use crate::record::response::Kind;
use crate::replay::Replay;

/// As [`Outcome`](crate::Outcome): what a claim came to (K2).
#[must_use]
#[non_exhaustive]
pub enum Outcome<V, E> {
    /// The caller executes; nobody else does until the lease ends (K3).
    Execute(Lease<V, E>),
    /// Somebody else executes.
    InFlight(InFlight<V, E>),
    /// It was done: here is the value.
    Replay(Value<V>),
    /// It failed, and the owner kept the error.
    Failed(Value<E>),
    /// It was done; the value was not kept, or is not of this view's types.
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

/// As [`WaitOutcome`](crate::WaitOutcome): what a wait came to (W2).
#[must_use]
#[non_exhaustive]
pub enum WaitOutcome<V, E> {
    /// The owner completed: here is the value.
    Replay(Value<V>),
    /// The owner shared an error.
    Failed(Value<E>),
    /// The owner completed; the value was not kept, or is not of this view's types.
    Done(Info),
    /// The owner ended without a result and the waiter is next.
    Execute(Lease<V, E>),
    /// The owner gave up, and nobody takes over.
    Cancelled(Reason),
    /// The owner ended and the outcome is unknown.
    Halted(Reason),
    /// The time the caller gave is up.
    TimedOut,
    /// The engine was closed.
    Closed,
}

/// What is stored of a key, in a view.
pub(super) enum Stored<V, E> {
    Value(Value<V>),
    Failed(Value<E>),
    Other(Info),
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> Stored<V, E> {
    pub(super) fn of(replay: Replay) -> Self {
        let replay = match Value::of(replay, Kind::Value) {
            Ok(value) => return Self::Value(value),
            Err(replay) => replay,
        };
        match Value::of(replay, Kind::Failure) {
            Ok(error) => Self::Failed(error),
            Err(replay) => Self::Other(replay.info()),
        }
    }
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> Outcome<V, E> {
    pub(super) fn of(outcome: crate::Outcome, weigh: Weigh<V, E>) -> Self {
        use crate::Outcome as Of;
        match outcome {
            Of::Execute(lease) => Self::Execute(Lease::new(lease, weigh)),
            Of::InFlight(other) => Self::InFlight(InFlight::new(other, weigh)),
            Of::Replay(replay) => match Stored::of(replay) {
                Stored::Value(value) => Self::Replay(value),
                Stored::Failed(error) => Self::Failed(error),
                Stored::Other(info) => Self::Done(info),
            },
            Of::Done(info) => Self::Done(info),
            Of::Mismatch(state) => Self::Mismatch(state),
            Of::Cancelled(reason) => Self::Cancelled(reason),
            Of::Halted(reason) => Self::Halted(reason),
            Of::Full(limit) => Self::Full(limit),
            Of::Closed => Self::Closed,
        }
    }
}

impl<V: Send + Sync + 'static, E: Send + Sync + 'static> WaitOutcome<V, E> {
    pub(super) fn of(outcome: crate::WaitOutcome, weigh: Weigh<V, E>) -> Self {
        use crate::WaitOutcome as Of;
        match outcome {
            Of::Replay(replay) => match Stored::of(replay) {
                Stored::Value(value) => Self::Replay(value),
                Stored::Failed(error) => Self::Failed(error),
                Stored::Other(info) => Self::Done(info),
            },
            Of::Done(info) => Self::Done(info),
            Of::Execute(lease) => Self::Execute(Lease::new(lease, weigh)),
            Of::Cancelled(reason) => Self::Cancelled(reason),
            Of::Halted(reason) => Self::Halted(reason),
            Of::TimedOut => Self::TimedOut,
            Of::Closed => Self::Closed,
        }
    }
}

impl<V, E> fmt::Debug for Outcome<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Execute(lease) => f.debug_tuple("Execute").field(lease).finish(),
            Self::InFlight(other) => f.debug_tuple("InFlight").field(other).finish(),
            Self::Replay(value) => f.debug_tuple("Replay").field(value).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Done(info) => f.debug_tuple("Done").field(info).finish(),
            Self::Mismatch(state) => f.debug_tuple("Mismatch").field(state).finish(),
            Self::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
            Self::Halted(reason) => f.debug_tuple("Halted").field(reason).finish(),
            Self::Full(limit) => f.debug_tuple("Full").field(limit).finish(),
            Self::Closed => f.write_str("Closed"),
        }
    }
}

impl<V, E> fmt::Debug for WaitOutcome<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replay(value) => f.debug_tuple("Replay").field(value).finish(),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Done(info) => f.debug_tuple("Done").field(info).finish(),
            Self::Execute(lease) => f.debug_tuple("Execute").field(lease).finish(),
            Self::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
            Self::Halted(reason) => f.debug_tuple("Halted").field(reason).finish(),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::Closed => f.write_str("Closed"),
        }
    }
}
