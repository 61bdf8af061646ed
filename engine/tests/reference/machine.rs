//! The reference machine: what the contract says of one thread's calls, on a plain map.
//!
//! Time is in whole milliseconds. What time ends stays as it is until a call *acts* on it (L2): a
//! claim or a wait on that key, a tick, a claim or complete that finds the engine full (R2), or one
//! that nobody has ticked before for long. These last the contract leaves open; `take_pressed` says
//! when, and `run` ticks both sides.

use std::collections::HashMap;
use std::rc::{Rc, Weak};

use idem::{Completion, Limit, NoBody, OnEnd, Origin, Reason, Stale, State};

/// After so long without a tick a completion acts on what is due, in milliseconds.
const TICKS_LATE: u64 = 30;

/// Names a lease or a waiter. Never used twice.
pub(crate) type Id = u32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: usize,
    pub(crate) granules: u64,
    pub(crate) max_response: usize,
    pub(crate) waiters: usize,
    pub(crate) waiters_per_key: usize,
    pub(crate) cancelled_retention: u64,
    pub(crate) halted_retention: u64,
    pub(crate) accept_timeout: u64,
}

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
    pub(crate) fingerprint: Option<u8>,
    pub(crate) terms: Terms,
    pub(crate) owner: u64,
    pub(crate) wait: bool,
    pub(crate) may_execute: bool,
}

/// Memory in the engine, for as long as anything refers to it; in granules of 64 bytes.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) granules: u64,
    pub(crate) bytes: Vec<u8>,
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

#[derive(Clone, Copy)]
pub(crate) enum What {
    Response,
    Error,
    Tombstone,
    Cancelled(Reason),
    Halted(Reason),
}

#[derive(Clone)]
struct Finished {
    what: What,
    body: Rc<Body>,
    since: u64,
    until: u64,
}

enum Stage {
    Leased { lease: Id, on_expiry: OnEnd, owner: u64, since: u64, until: u64 },
    Offered { to: Id, reason: Reason, until: u64 },
    Finished(Finished),
}

struct Record {
    stage: Stage,
    fingerprint: Option<u8>,
    attempt: u32,
    queue: Vec<Id>,
    body: Rc<Body>,
}

struct Waiter {
    ask: Ask,
    told: Option<Finished>,
}

pub(crate) struct Machine {
    limits: Limits,
    pub(crate) now: u64,
    pub(crate) late: u64,
    pub(crate) stale: u64,
    closed: bool,
    pressed: bool,
    ticked: u64,
    records: HashMap<u8, Record>,
    waiters: HashMap<Id, Waiter>,
    leases: HashMap<Id, Ask>,
    bodies: Vec<Weak<Body>>,
}

impl Machine {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            now: 0,
            late: 0,
            stale: 0,
            closed: false,
            pressed: false,
            ticked: 0,
            records: HashMap::new(),
            waiters: HashMap::new(),
            leases: HashMap::new(),
            bodies: Vec::new(),
        }
    }

    /// K2. `id` becomes the lease's or the waiter's.
    pub(crate) fn claim(&mut self, ask: Ask, id: Id) -> Said {
        let (mut origin, mut attempt) = (Origin::Fresh, 1);
        let mut fingerprint = ask.fingerprint;
        if let Some(record) = self.records.get(&ask.key)
            && (record.is_in_flight() || !record.is_due(self.now))
        {
            // K4: before any takeover.
            if matches!((record.fingerprint, ask.fingerprint), (Some(a), Some(b)) if a != b) {
                return Said::Mismatch(record.state());
            }
            (origin, attempt) = (Origin::AfterExpiry, record.attempt + 1);
            fingerprint = ask.fingerprint.or(record.fingerprint);
        }
        // In a closed engine an expired record is nobody's to replace; a tick removes it.
        let is_over = |record: &Record| !record.is_in_flight() && record.is_due(self.now);
        if self.closed && self.records.get(&ask.key).is_some_and(is_over) {
            return Said::Closed;
        }
        let was_full = self.granules() >= self.limits.granules;
        self.act(ask.key, None);
        if let Some(record) = self.records.get_mut(&ask.key) {
            let info = match &record.stage {
                Stage::Finished(finished) => return finished.say(self.now),
                Stage::Offered { .. } => None,
                Stage::Leased { owner, since, until, .. } => {
                    Some((self.now - since, until - self.now, *owner))
                }
            };
            if !ask.wait {
                return Said::InFlight { waits: false, info };
            }
            if record.queue.len() >= self.limits.waiters_per_key
                || self.waiters.len() >= self.limits.waiters
            {
                return Said::Full(Limit::Waiters);
            }
            record.queue.push(id);
            self.waiters.insert(id, Waiter { ask, told: None });
            return Said::InFlight { waits: true, info };
        }
        if self.closed {
            return Said::Closed;
        }
        // The engine may take room for the new record before it gives back the expired one's.
        self.pressed |= was_full;
        // R2. If both limits are reached either may be named; the engine looks at records first.
        if !self.has_room(1, 1, None) {
            let no_record = self.records.len() >= self.limits.records;
            return Said::Full(if no_record { Limit::Records } else { Limit::Bytes });
        }
        let body = self.body(1, &[]);
        let stage = self.lease(&ask, id);
        let queue = Vec::new();
        self.records.insert(ask.key, Record { stage, fingerprint, attempt, queue, body });
        Said::Execute { origin, attempt }
    }

    /// A wait of no time: what has become of it, or `TimedOut`; the place is given back (W1).
    pub(crate) fn poll(&mut self, id: Id) -> Said {
        let ask = self.waiters[&id].ask;
        if self.waiters[&id].told.is_none() {
            self.act(ask.key, Some(id));
        }
        let said = match (&self.waiters[&id].told, self.records.get(&ask.key)) {
            (Some(told), _) => told.say(self.now),
            (None, Some(Record { stage: Stage::Offered { to, reason, .. }, attempt, .. }))
                if *to == id =>
            {
                let expired = *reason == Reason::LeaseExpired;
                let origin = if expired { Origin::AfterExpiry } else { Origin::AfterCancel };
                Said::Execute { origin, attempt: attempt + 1 }
            }
            _ => Said::TimedOut,
        };
        match said {
            Said::Execute { .. } if self.closed => {
                self.leave(id);
                Said::Closed
            }
            Said::Execute { attempt, .. } => {
                // The waiter's own settings; the record's fingerprint (K4).
                let stage = self.lease(&ask, id);
                let record = self.records.get_mut(&ask.key).expect("it was offered");
                (record.stage, record.attempt) = (stage, attempt);
                self.leave(id);
                said
            }
            _ => {
                self.leave(id);
                said
            }
        }
    }

    /// L7: the place is given back, and an offer passes on: this waiter's, or one that is due.
    pub(crate) fn leave(&mut self, id: Id) {
        let waiter = self.waiters.remove(&id).expect("a waiter leaves once");
        // Who has been told is in no queue any more, whatever has become of the key since.
        let Some(record) = self.records.get_mut(&waiter.ask.key) else { return };
        if waiter.told.is_some() {
            return;
        }
        record.queue.retain(|other| *other != id);
        match record.stage {
            Stage::Offered { to, reason, .. } if to == id => {
                self.offer(waiter.ask.key, reason, None);
            }
            Stage::Offered { .. } => self.act(waiter.ask.key, None),
            _ => {}
        }
    }

    /// L1; `retention` is what the call says, or else the claim's. `is_refused`: the engine had
    /// no run of memory for it; when that may be is left open, as nothing there is ever moved.
    pub(crate) fn complete(
        &mut self,
        lease: Id,
        what: What,
        bytes: &[u8],
        retention: Option<u64>,
        is_refused: bool,
    ) -> Result<Completion, Stale> {
        let key = self.owned(lease)?;
        let more = bytes.len().div_ceil(64) as u64;
        let in_pieces = more > 0 && !self.has_run(1 + more);
        self.pressed |= in_pieces;
        let (what, stored) = if bytes.len() > self.limits.max_response {
            (What::Tombstone, Completion::Tombstone(NoBody::TooLarge))
        } else if (in_pieces && is_refused) || (more > 0 && !self.has_room(0, more, Some(key))) {
            (What::Tombstone, Completion::Tombstone(NoBody::NoRoom))
        } else {
            (what, Completion::Stored)
        };
        let retention = retention.unwrap_or(self.leases[&lease].terms.retention);
        if stored == Completion::Stored {
            let body = self.body(1 + more, bytes);
            self.records.get_mut(&key).expect("it is owned").body = body;
        }
        self.count_late(key);
        self.finish(key, what, retention);
        Ok(stored)
    }

    /// Cancel, cancel_all, halt; or a drop, with no policy (L4).
    pub(crate) fn give_up(
        &mut self,
        lease: Id,
        policy: Option<OnEnd>,
        reason: Reason,
    ) -> Result<(), Stale> {
        let key = self.owned(lease)?;
        self.count_late(key);
        self.end(key, policy.unwrap_or(self.leases[&lease].terms.on_abandon), reason);
        Ok(())
    }

    pub(crate) fn renew(&mut self, lease: Id, time: u64) -> Result<(), Stale> {
        let key = self.owned(lease)?;
        let later = self.now + time;
        if let Stage::Leased { until, .. } = &mut self.records.get_mut(&key).expect("owned").stage {
            *until = later.max(*until);
        }
        Ok(())
    }

    /// Until when the lease holds; none if it is over.
    pub(crate) fn lease_until(&self, id: Id) -> Option<u64> {
        match self.records.get(&self.leases[&id].key)?.stage {
            Stage::Leased { lease, until, .. } if lease == id => Some(until),
            _ => None,
        }
    }

    pub(crate) fn tick(&mut self) {
        self.ticked = self.now;
        self.act_on_all(None);
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// All points in time at which something ends, in order.
    pub(crate) fn deadlines(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.records.values().map(Record::until).collect();
        all.sort_unstable();
        all
    }

    /// Records, bytes and waiters.
    pub(crate) fn used(&mut self) -> [u64; 3] {
        [self.records.len() as u64, self.granules() * 64, self.waiters.len() as u64]
    }

    /// Whether a limit, or ticks that are late, made the last calls act on what is due (R2).
    pub(crate) fn take_pressed(&mut self) -> bool {
        std::mem::take(&mut self.pressed)
    }

    /// What time has ended on this key, ends now. A waiter accepts an offer late as long as nobody
    /// has passed it on (L5).
    fn act(&mut self, key: u8, waiter: Option<Id>) {
        let Some(record) = self.records.get(&key).filter(|r| r.is_due(self.now)) else { return };
        match record.stage {
            Stage::Leased { on_expiry, .. } => self.end(key, on_expiry, Reason::LeaseExpired),
            Stage::Offered { to, .. } if Some(to) == waiter => {}
            Stage::Offered { to, reason, .. } => self.offer(key, reason, Some(to)),
            Stage::Finished(_) => {
                self.records.remove(&key);
            }
        }
    }

    fn act_on_all(&mut self, except: Option<u8>) {
        for key in self.records.keys().copied().collect::<Vec<_>>() {
            if Some(key) != except {
                self.act(key, None);
            }
        }
    }

    /// A lease ends without a result (L4 to L6, T3).
    fn end(&mut self, key: u8, policy: OnEnd, reason: Reason) {
        let Limits { cancelled_retention, halted_retention, .. } = self.limits;
        match policy {
            OnEnd::Halt => self.finish(key, What::Halted(reason), halted_retention),
            OnEnd::HandOver if cancelled_retention == 0 => self.offer(key, reason, None),
            _ => self.finish(key, What::Cancelled(reason), cancelled_retention),
        }
    }

    /// First come, first served; after the last comes the first again. Nobody there: cancelled.
    fn offer(&mut self, key: u8, reason: Reason, passed: Option<Id>) {
        let record = self.records.get_mut(&key).expect("in flight");
        let may = |id: &&Id| self.waiters[*id].ask.may_execute;
        let mut next = record.queue.iter().filter(may).skip_while(|id| passed != Some(**id));
        match next.nth(1).or(record.queue.iter().find(may)) {
            Some(&to) => {
                let until = self.now + self.limits.accept_timeout;
                record.stage = Stage::Offered { to, reason, until };
            }
            None => self.finish(key, What::Cancelled(reason), 0),
        }
    }

    /// The record ends in `what`; those who wait are told, and keep what they were told alive.
    fn finish(&mut self, key: u8, what: What, retention: u64) {
        self.pressed |= self.now >= self.ticked + TICKS_LATE;
        let record = self.records.get_mut(&key).expect("in flight");
        let (body, since) = (record.body.clone(), self.now);
        let finished = Finished { what, body, since, until: since + retention };
        for id in std::mem::take(&mut record.queue) {
            self.waiters.get_mut(&id).expect("queued").told = Some(finished.clone());
        }
        record.stage = Stage::Finished(finished);
        if retention == 0 {
            self.records.remove(&key);
        }
    }

    fn lease(&mut self, ask: &Ask, lease: Id) -> Stage {
        self.leases.insert(lease, *ask);
        let Terms { lease: time, on_expiry, .. } = ask.terms;
        let (since, until) = (self.now, self.now + time);
        Stage::Leased { lease, on_expiry, owner: ask.owner, since, until }
    }

    /// L2: fencing.
    fn owned(&mut self, lease: Id) -> Result<u8, Stale> {
        self.stale += u64::from(self.lease_until(lease).is_none());
        self.lease_until(lease).map(|_| self.leases[&lease].key).ok_or(Stale)
    }

    fn count_late(&mut self, key: u8) {
        self.late += u64::from(self.records[&key].is_due(self.now));
    }

    /// R1 and R2. The lease that `except` is about is not ended by its own owner's call (L2).
    fn has_room(&mut self, records: usize, granules: u64, except: Option<u8>) -> bool {
        if !self.fits(records, granules) {
            self.pressed = true;
            self.act_on_all(except);
        }
        self.fits(records, granules)
    }

    fn fits(&mut self, records: usize, granules: u64) -> bool {
        self.records.len() + records <= self.limits.records
            && self.granules() + granules <= self.limits.granules
    }

    /// Whether there must be a run of so many granules. The arena has a quarter more than the
    /// limit; what is free of it lies in at most one piece more than there are bodies.
    fn has_run(&mut self, granules: u64) -> bool {
        let free = self.limits.granules * 5 / 4 - self.granules();
        granules <= free / (self.bodies.len() as u64 + 1)
    }

    fn granules(&mut self) -> u64 {
        self.bodies.retain(|body| body.strong_count() > 0);
        self.bodies.iter().filter_map(Weak::upgrade).map(|body| body.granules).sum()
    }

    fn body(&mut self, granules: u64, bytes: &[u8]) -> Rc<Body> {
        let body = Rc::new(Body { granules, bytes: bytes.to_vec() });
        self.bodies.push(Rc::downgrade(&body));
        body
    }
}

impl Record {
    fn until(&self) -> u64 {
        match &self.stage {
            Stage::Leased { until, .. } | Stage::Offered { until, .. } => *until,
            Stage::Finished(finished) => finished.until,
        }
    }

    fn is_due(&self, now: u64) -> bool {
        self.until() <= now
    }

    fn is_in_flight(&self) -> bool {
        !matches!(self.stage, Stage::Finished(_))
    }

    fn state(&self) -> State {
        match &self.stage {
            Stage::Leased { .. } | Stage::Offered { .. } => State::InFlight,
            Stage::Finished(Finished { what: What::Cancelled(_), .. }) => State::Cancelled,
            Stage::Finished(Finished { what: What::Halted(_), .. }) => State::Halted,
            Stage::Finished(_) => State::Completed,
        }
    }
}

impl Finished {
    fn say(&self, now: u64) -> Said {
        let info = (now - self.since, self.until.saturating_sub(now));
        let body = self.body.clone();
        match self.what {
            What::Response => Said::Replay { body, is_error: false, info },
            What::Error => Said::Replay { body, is_error: true, info },
            What::Tombstone => Said::Done { info },
            What::Cancelled(reason) => Said::Cancelled(reason),
            What::Halted(reason) => Said::Halted(reason),
        }
    }
}
