//! Hooks: telling an embedder of every outcome (O3).

use core::fmt;
use std::sync::Arc;

use crate::key::hash_of;
use crate::outcome::{Completion, Limit, OnEnd, Reason, State};
use crate::wait::alarm::contain;

/// Something that has happened to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub what: What,
    /// The hash that stands for the key (H5), [`Key::hash`](crate::Key::hash).
    pub key_hash: u128,
}

/// What has happened. The first nine are what claims came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum What {
    /// A claim got the lease.
    Executes,
    /// A claim found an owner at work.
    InFlight,
    /// A claim got a response replayed.
    Replayed,
    /// A claim was told that it is done, without a response.
    Done,
    /// A claim had another fingerprint.
    Mismatched(State),
    /// A claim was told of a cancellation.
    Cancelled(Reason),
    /// A claim was told of a halt.
    Halted(Reason),
    /// A claim found no room.
    Full(Limit),
    /// A claim found the engine closed.
    Closed,
    /// An owner completed.
    Completed(Completion),
    /// An owner gave up, or dropped its lease, and this policy was followed.
    GaveUp(OnEnd, Reason),
    /// An owner moved its deadline.
    Renewed,
    /// An owner called, and its lease was over.
    Stale,
    /// A lease ended for its age, and this policy was followed.
    LeaseExpired(OnEnd),
    /// A waiter got the lease.
    HandedOver,
    /// A lease was ended from outside: by force, with its key forgotten, or as the engine closed.
    Forced(Reason),
    /// A finished record was forgotten.
    Forgotten,
    /// A key was taken from its owner.
    Detached,
    /// A halted record was settled.
    Resolved,
}

/// What is called with each event.
#[derive(Clone)]
pub(crate) struct Hook(Arc<dyn Fn(Event) + Send + Sync>);

impl Hook {
    pub(crate) fn new(hook: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// Calls the hook; its panic is contained (W5).
    #[cold]
    pub(crate) fn call(&self, what: What, id: [u64; 2]) {
        let key_hash = hash_of(id);
        contain(|| (self.0)(Event { what, key_hash }));
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}
