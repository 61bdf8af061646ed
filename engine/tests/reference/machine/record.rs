//! What the machine keeps of a key, and what it says of it.

use std::rc::Rc;

use idem::{Limit, OnEnd, Origin, Reason, State};

/// Names a lease, a waiter or a record. Never used twice for one of them.
pub(crate) type Id = u32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) lease: u64,
    pub(crate) retention: u64,
    pub(crate) on_abandon: OnEnd,
    pub(crate) on_expiry: OnEnd,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) key: u8,
    /// The namespace and the scope.
    pub(crate) place: (u8, Option<u8>),
    pub(crate) fingerprint: Option<u8>,
    pub(crate) terms: Terms,
    pub(crate) owner: u64,
    pub(crate) wait: bool,
    pub(crate) may_execute: bool,
}

/// Where a record belongs, and is counted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    pub(super) namespace: u8,
    pub(super) scope: Option<u8>,
    /// How often its namespace had been cleared when it began.
    pub(super) epoch: u32,
}

/// Memory in the engine, for as long as anything refers to it; in granules of 64 bytes.
#[derive(Debug)]
pub(crate) struct Body {
    pub(super) granules: u64,
    pub(super) home: Option<Home>,
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    /// What the engine gave, to be compared.
    pub(crate) fn seen(bytes: &[u8]) -> Rc<Self> {
        Rc::new(Self { granules: 0, home: None, bytes: bytes.to_vec() })
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

/// An outcome of a claim or a wait. Times are (age, left).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Execute {
        origin: Origin,
        attempt: u32,
    },
    /// `info` is age, left and owner; none while the record is being handed over.
    InFlight {
        waits: bool,
        info: Option<(u64, u64, u64)>,
    },
    Replay {
        body: Rc<Body>,
        is_error: bool,
        info: (u64, u64),
    },
    Done {
        info: (u64, u64),
    },
    Mismatch(State),
    Cancelled(Reason),
    Halted(Reason),
    Full(Limit),
    TimedOut,
    Closed,
}

/// What peek says. Times as in `Said`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Vacant,
    InFlight(Option<(u64, u64, u64)>),
    Response { body: Rc<Body>, is_error: bool, info: (u64, u64) },
    Tombstone { info: (u64, u64) },
    Cancelled(Reason, (u64, u64)),
    Halted(Reason, (u64, u64)),
}

#[derive(Clone, Copy)]
pub(crate) enum What {
    Response,
    Error,
    Tombstone,
    Cancelled(Reason),
    Halted(Reason),
}

#[derive(Clone)]
pub(super) struct Finished {
    pub(super) what: What,
    pub(super) body: Rc<Body>,
    pub(super) since: u64,
    pub(super) until: u64,
    /// Which halt it is, if it is one (L8).
    pub(super) incident: u32,
}

pub(super) enum Stage {
    Leased { lease: Id, on_expiry: OnEnd, owner: u64, since: u64, until: u64 },
    Offered { to: Id, reason: Reason, until: u64 },
    Finished(Finished),
}

pub(super) struct Record {
    pub(super) key: u8,
    pub(super) home: Home,
    pub(super) stage: Stage,
    pub(super) fingerprint: Option<u8>,
    pub(super) attempt: u32,
    pub(super) queue: Vec<Id>,
    pub(super) body: Rc<Body>,
    /// Its key was taken from it by detach.
    pub(super) is_severed: bool,
}

pub(super) struct Waiter {
    pub(super) ask: Ask,
    pub(super) record: Id,
    pub(super) told: Option<Finished>,
    /// It looks by itself as soon as there is something for it.
    pub(super) is_callback: bool,
}

impl Record {
    pub(super) fn until(&self) -> u64 {
        match &self.stage {
            Stage::Leased { until, .. } | Stage::Offered { until, .. } => *until,
            Stage::Finished(finished) => finished.until,
        }
    }

    pub(super) fn is_in_flight(&self) -> bool {
        !matches!(self.stage, Stage::Finished(_))
    }

    /// Age, left and owner; the contract does not say what they are between two owners.
    pub(super) fn info(&self, now: u64) -> Option<(u64, u64, u64)> {
        match self.stage {
            Stage::Leased { owner, since, until, .. } => {
                Some((now - since, until.saturating_sub(now), owner))
            }
            _ => None,
        }
    }

    pub(super) fn state(&self) -> State {
        match &self.stage {
            Stage::Leased { .. } | Stage::Offered { .. } => State::InFlight,
            Stage::Finished(Finished { what: What::Cancelled(_), .. }) => State::Cancelled,
            Stage::Finished(Finished { what: What::Halted(_), .. }) => State::Halted,
            Stage::Finished(_) => State::Completed,
        }
    }
}

impl Finished {
    fn info(&self, now: u64) -> (u64, u64) {
        (now - self.since, self.until.saturating_sub(now))
    }

    pub(super) fn say(&self, now: u64) -> Said {
        let (info, body) = (self.info(now), self.body.clone());
        match self.what {
            What::Response => Said::Replay { body, is_error: false, info },
            What::Error => Said::Replay { body, is_error: true, info },
            What::Tombstone => Said::Done { info },
            What::Cancelled(reason) => Said::Cancelled(reason),
            What::Halted(reason) => Said::Halted(reason),
        }
    }

    pub(super) fn show(&self, now: u64) -> Seen {
        let (info, body) = (self.info(now), self.body.clone());
        match self.what {
            What::Response => Seen::Response { body, is_error: false, info },
            What::Error => Seen::Response { body, is_error: true, info },
            What::Tombstone => Seen::Tombstone { info },
            What::Cancelled(reason) => Seen::Cancelled(reason, info),
            What::Halted(reason) => Seen::Halted(reason, info),
        }
    }
}
