//! The reference machine: what the contract says of one thread's calls, on a plain map.
//!
//! Time is in whole milliseconds. What time ends stays as it is until a call *acts* on it (L2): a
//! claim or a wait on that key, a tick, a claim or complete that finds the engine full (R2), or one
//! that nobody has ticked before for long; or a callback on that key that is woken, be it for nothing.
//! These last the contract leaves open; `take_pressed` says when, and `run` ticks both sides.
//!
//! A record is apart from the key that has it: detach and clear take the key from it (K8, R4), and it
//! goes on for those who wait for it.

mod outside;
mod record;
mod room;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::rc::Weak;

use idem::{Completion, Limit, NoBody, OnEnd, Origin, Reason, Stale};

use record::{Finished, Record, Stage, Waiter};

pub(crate) use outside::Settlement;
pub(crate) use record::{Ask, Body, Id, Said, Seen, Terms, What};
pub(crate) use room::{Limits, Space};

/// After so long without a tick a completion acts on what is due, in milliseconds.
const TICKS_LATE: u64 = 30;

/// What the engine counts as well.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Counts {
    pub(crate) late: u64,
    pub(crate) stale: u64,
    pub(crate) detached: u64,
    pub(crate) forced: u64,
    pub(crate) forgotten: u64,
    pub(crate) resolved: u64,
    pub(crate) shutdowns: u64,
}

pub(crate) struct Machine {
    limits: Limits,
    pub(crate) now: u64,
    pub(crate) counts: Counts,
    closed: bool,
    /// When leases end, since the engine was closed (P4).
    closing: Option<u64>,
    pressed: bool,
    ticked: u64,
    /// The record that a key has; and all there are, also those whose key was taken from them.
    names: HashMap<u8, Id>,
    records: BTreeMap<Id, Record>,
    waiters: HashMap<Id, Waiter>,
    /// With the record that each is of.
    leases: HashMap<Id, (Ask, Id)>,
    bodies: Vec<Weak<Body>>,
    /// How often each namespace was cleared.
    epochs: [u32; 2],
    called: HashMap<Id, Said>,
    incidents: u32,
}

impl Machine {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            now: 0,
            counts: Counts::default(),
            closed: false,
            closing: None,
            pressed: false,
            ticked: 0,
            names: HashMap::new(),
            records: BTreeMap::new(),
            waiters: HashMap::new(),
            leases: HashMap::new(),
            bodies: Vec::new(),
            epochs: [0; 2],
            called: HashMap::new(),
            incidents: 0,
        }
    }

    /// K2. `id` becomes the lease's or the waiter's, and the record's if there is none.
    pub(crate) fn claim(&mut self, ask: Ask, id: Id) -> Said {
        let (mut origin, mut attempt) = (Origin::Fresh, 1);
        let mut fingerprint = ask.fingerprint;
        let before = self.named(ask.key).map(|at| &self.records[&at]);
        if let Some(record) = before
            && (record.is_in_flight() || !self.is_due(record))
        {
            // K4: before any takeover.
            if matches!((record.fingerprint, ask.fingerprint), (Some(a), Some(b)) if a != b) {
                return Said::Mismatch(record.state());
            }
            (origin, attempt) = (Origin::AfterExpiry, record.attempt + 1);
            fingerprint = ask.fingerprint.or(record.fingerprint);
        }
        // In a closed engine an expired record is nobody's to replace; a tick removes it.
        let is_over = |record: &Record| !record.is_in_flight() && self.is_due(record);
        if self.closed && before.is_some_and(is_over) {
            return Said::Closed;
        }
        let home = self.home(&ask);
        let was_full = self.fits(0, 1, home).is_err();
        if let Some(at) = self.named(ask.key) {
            self.act(at, None);
        }
        if let Some(at) = self.named(ask.key) {
            return self.join(at, ask, id);
        }
        if self.closed {
            return Said::Closed;
        }
        // The engine may take room for the new record before it gives back the expired one's.
        self.pressed |= was_full;
        if let Err(limit) = self.has_room(1, 1, home, None) {
            return Said::Full(limit);
        }
        let body = self.body(1, home, &[]);
        let stage = self.lease(&ask, id, id);
        let (key, queue) = (ask.key, Vec::new());
        let is_severed = false;
        let record = Record { key, home, stage, fingerprint, attempt, queue, body, is_severed };
        self.records.insert(id, record);
        self.names.insert(key, id);
        Said::Execute { origin, attempt }
    }

    /// What a claim comes to that found a record.
    fn join(&mut self, at: Id, ask: Ask, id: Id) -> Said {
        let record = self.records.get_mut(&at).expect("it is named");
        if let Stage::Finished(finished) = &record.stage {
            return finished.say(self.now);
        }
        let info = record.info(self.now);
        if !ask.wait {
            return Said::InFlight { waits: false, info };
        }
        if record.queue.len() >= self.limits.waiters_per_key
            || self.waiters.len() >= self.limits.waiters
        {
            return Said::Full(Limit::Waiters);
        }
        record.queue.push(id);
        self.waiters.insert(id, Waiter { ask, record: at, told: None, is_callback: false });
        Said::InFlight { waits: true, info }
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
        let at = self.owned(lease)?;
        let home = self.records[&at].home;
        let more = bytes.len().div_ceil(64) as u64;
        let in_pieces = more > 0 && !self.has_run(1 + more);
        self.pressed |= in_pieces;
        let (what, stored) = if bytes.len() > self.limits.max_response {
            (What::Tombstone, Completion::Tombstone(NoBody::TooLarge))
        } else if (in_pieces && is_refused)
            || (more > 0 && self.has_room(0, more, home, Some(at)).is_err())
        {
            (What::Tombstone, Completion::Tombstone(NoBody::NoRoom))
        } else {
            (what, Completion::Stored)
        };
        let retention = retention.unwrap_or(self.leases[&lease].0.terms.retention);
        if stored == Completion::Stored {
            let body = self.body(1 + more, home, bytes);
            self.records.get_mut(&at).expect("it is owned").body = body;
        }
        let is_away = self.is_away(&self.records[&at]);
        self.count_late(at);
        self.counts.detached += u64::from(is_away);
        self.finish(at, what, retention);
        Ok(if is_away { Completion::Detached } else { stored })
    }

    /// Cancel, cancel_all, halt; or a drop, with no policy (L4).
    pub(crate) fn give_up(
        &mut self,
        lease: Id,
        policy: Option<OnEnd>,
        reason: Reason,
    ) -> Result<(), Stale> {
        let at = self.owned(lease)?;
        self.count_late(at);
        self.end(at, policy.unwrap_or(self.leases[&lease].0.terms.on_abandon), reason);
        Ok(())
    }

    pub(crate) fn renew(&mut self, lease: Id, time: u64) -> Result<(), Stale> {
        let at = self.owned(lease)?;
        let later = self.now + time;
        if let Stage::Leased { until, .. } = &mut self.records.get_mut(&at).expect("owned").stage {
            *until = later.max(*until);
        }
        Ok(())
    }

    /// Until when the lease holds; none if it is over.
    pub(crate) fn lease_until(&self, id: Id) -> Option<u64> {
        match self.records.get(&self.leases[&id].1)?.stage {
            Stage::Leased { lease, until, .. } if lease == id => Some(until),
            _ => None,
        }
    }

    pub(crate) fn tick(&mut self) {
        self.ticked = self.now;
        self.act_on_all(None);
    }

    /// P4; closing again can only bring the deadline forward.
    pub(crate) fn close(&mut self, time: Option<u64>) {
        self.closed = true;
        let deadline = time.map(|time| self.now + time);
        self.closing = self.closing.into_iter().chain(deadline).min();
        // Waiters are woken to look at the deadline, and callbacks look then.
        self.pressed |= deadline.is_some();
    }

    /// All points in time at which something ends, in order.
    pub(crate) fn deadlines(&self) -> Vec<u64> {
        let closing = self.closing.filter(|deadline| *deadline > self.now);
        let mut all: Vec<u64> = self.records.values().map(Record::until).chain(closing).collect();
        all.sort_unstable();
        all
    }

    /// The record of a key.
    fn named(&self, key: u8) -> Option<Id> {
        self.names.get(&key).copied()
    }

    /// What was cleared goes as soon as anybody acts on it; but a lease there goes on.
    fn is_due(&self, record: &Record) -> bool {
        let is_leased = matches!(record.stage, Stage::Leased { .. });
        record.until() <= self.now || (!is_leased && self.is_cleared(record))
    }

    fn is_cleared(&self, record: &Record) -> bool {
        record.home.epoch != self.epochs[usize::from(record.home.namespace)]
    }

    /// The key was taken from its lease, which ends for its own waiters only (K8, R4).
    fn is_away(&self, record: &Record) -> bool {
        record.is_severed || self.is_cleared(record)
    }

    /// What time has ended of this record, ends now. A waiter accepts an offer late as long as nobody
    /// has passed it on (L5), or cleared the namespace (R4); in a closed engine it is told of that.
    fn act(&mut self, at: Id, waiter: Option<Id>) {
        let Some(record) = self.records.get(&at).filter(|record| self.is_due(record)) else {
            return;
        };
        let is_void = self.is_cleared(record) && !self.closed;
        match record.stage {
            Stage::Leased { on_expiry, .. } => self.end(at, on_expiry, Reason::LeaseExpired),
            Stage::Offered { to, .. } if Some(to) == waiter && !is_void => {}
            Stage::Offered { to, reason, .. } => self.offer(at, reason, Some(to)),
            Stage::Finished(_) => self.remove(at),
        }
    }

    fn act_on_all(&mut self, except: Option<Id>) {
        for at in self.records.keys().copied().collect::<Vec<_>>() {
            if Some(at) != except {
                self.shut_if_due(at);
                self.act(at, None);
            }
        }
    }

    /// P4: at the deadline of the closed engine a lease ends, halted where its age would halt it.
    fn shut_if_due(&mut self, at: Id) {
        if self.closing.is_none_or(|deadline| deadline > self.now) {
            return;
        }
        match self.records.get(&at).map(|record| &record.stage) {
            Some(Stage::Leased { on_expiry, .. }) => {
                let halts = *on_expiry == OnEnd::Halt;
                self.counts.shutdowns += 1;
                let policy = if halts { OnEnd::Halt } else { OnEnd::FailWaiters };
                self.end(at, policy, Reason::Shutdown);
            }
            Some(Stage::Offered { .. }) => self.finish(at, What::Cancelled(Reason::Shutdown), 0),
            Some(Stage::Finished(_)) | None => {}
        }
    }

    /// A lease, or an offer, ends without a result (L4 to L6, T3).
    fn end(&mut self, at: Id, policy: OnEnd, reason: Reason) {
        let Limits { cancelled_retention, halted_retention, .. } = self.limits;
        match policy {
            OnEnd::Halt => self.finish(at, What::Halted(reason), halted_retention),
            OnEnd::HandOver if cancelled_retention == 0 && !self.is_away(&self.records[&at]) => {
                self.offer(at, reason, None);
            }
            _ => self.finish(at, What::Cancelled(reason), cancelled_retention),
        }
    }

    /// First come, first served; after the last comes the first again. Nobody there: cancelled.
    fn offer(&mut self, at: Id, reason: Reason, passed: Option<Id>) {
        if self.is_cleared(&self.records[&at]) {
            // R4: nobody takes over in an epoch that is over.
            return self.finish(at, What::Cancelled(Reason::Cleared), 0);
        }
        let record = self.records.get_mut(&at).expect("in flight");
        let may = |id: &&Id| self.waiters[*id].ask.may_execute;
        let mut next = record.queue.iter().filter(may).skip_while(|id| passed != Some(**id));
        match next.nth(1).or(record.queue.iter().find(may)) {
            Some(&to) => {
                let until = self.now + self.limits.accept_timeout;
                record.stage = Stage::Offered { to, reason, until };
                self.rouse(&[to]);
            }
            None => self.finish(at, What::Cancelled(reason), 0),
        }
    }

    /// The record ends in `what`; those who wait are told, and keep what they were told alive.
    fn finish(&mut self, at: Id, what: What, retention: u64) {
        self.pressed |= self.now >= self.ticked + TICKS_LATE;
        self.incidents += 1;
        let is_kept = retention > 0 && !self.is_away(&self.records[&at]);
        let record = self.records.get_mut(&at).expect("in flight");
        let (body, since, incident) = (record.body.clone(), self.now, self.incidents);
        // Also of what is not kept the engine says how long it would be; that is left open.
        let finished = Finished { what, body, since, until: since + retention, incident };
        let told = std::mem::take(&mut record.queue);
        for id in &told {
            self.waiters.get_mut(id).expect("queued").told = Some(finished.clone());
        }
        record.stage = Stage::Finished(finished);
        if !is_kept {
            self.remove(at);
        }
        self.rouse(&told);
    }

    fn remove(&mut self, at: Id) {
        let record = self.records.remove(&at).expect("it is there");
        if self.names.get(&record.key) == Some(&at) {
            self.names.remove(&record.key);
        }
    }

    fn lease(&mut self, ask: &Ask, lease: Id, record: Id) -> Stage {
        self.leases.insert(lease, (*ask, record));
        let Terms { lease: time, on_expiry, .. } = ask.terms;
        let (since, until) = (self.now, self.now + time);
        Stage::Leased { lease, on_expiry, owner: ask.owner, since, until }
    }

    /// L2: fencing. An owner that comes after the deadline of a closed engine ends its own lease.
    fn owned(&mut self, lease: Id) -> Result<Id, Stale> {
        let at = self.leases[&lease].1;
        if self.lease_until(lease).is_some() {
            self.shut_if_due(at);
        }
        let is_owned = self.lease_until(lease).is_some();
        self.counts.stale += u64::from(!is_owned);
        is_owned.then_some(at).ok_or(Stale)
    }

    fn count_late(&mut self, at: Id) {
        self.counts.late += u64::from(self.records[&at].until() <= self.now);
    }
}
