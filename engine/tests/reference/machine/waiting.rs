//! Those who wait: by looking once, as a future, or with a callback (W1, W2, L5, L7).

use std::collections::HashMap;

use idem::{Origin, Reason};

use super::Machine;
use super::record::{Id, Said, Stage};

impl Machine {
    /// A wait of no time: what has become of it, or `TimedOut`; the place is given back (W1).
    pub(crate) fn wait(&mut self, id: Id) -> Said {
        self.look(id).unwrap_or_else(|| {
            self.leave(id);
            Said::TimedOut
        })
    }

    /// A poll: what has become of it, which gives the place back, or nothing yet.
    pub(crate) fn look(&mut self, id: Id) -> Option<Said> {
        let (ask, record) = (self.waiters[&id].ask, self.waiters[&id].record);
        if self.waiters[&id].told.is_none() {
            self.shut_if_due(record);
            self.act(record, Some(id));
        }
        let said = match (&self.waiters[&id].told, self.records.get(&record)) {
            (Some(told), _) => told.say(self.now),
            (None, Some(record)) => match record.stage {
                Stage::Offered { to, .. } if to == id && self.closed => Said::Closed,
                Stage::Offered { to, reason, .. } if to == id => {
                    let expired = reason == Reason::LeaseExpired;
                    let origin = if expired { Origin::AfterExpiry } else { Origin::AfterCancel };
                    Said::Execute { origin, attempt: record.attempt + 1 }
                }
                _ => return None,
            },
            (None, None) => unreachable!("W2: who is in a queue is told of its end"),
        };
        if let Said::Execute { attempt, .. } = said {
            // The waiter's own settings; the record's fingerprint (K4).
            let stage = self.lease(&ask, id, record);
            let record = self.records.get_mut(&record).expect("it was offered");
            (record.stage, record.attempt) = (stage, attempt);
        }
        self.leave(id);
        Some(said)
    }

    /// Whether a waiter that was polled must have been woken since (W2).
    pub(crate) fn is_ready(&self, id: Id) -> bool {
        let waiter = &self.waiters[&id];
        let stage = self.records.get(&waiter.record).map(|record| &record.stage);
        waiter.told.is_some() || matches!(stage, Some(Stage::Offered { to, .. }) if *to == id)
    }

    /// L7: the place is given back, and an offer passes on: this waiter's, or one that is due.
    pub(crate) fn leave(&mut self, id: Id) {
        let waiter = self.waiters.remove(&id).expect("a waiter leaves once");
        // Who has been told is in no queue any more, whatever has become of the key since.
        if waiter.told.is_some() {
            return;
        }
        let record = self.records.get_mut(&waiter.record).expect("who is not told is in its queue");
        record.queue.retain(|other| *other != id);
        // Who leaves may wake another to watch; a callback looks then, and acts on what is due.
        self.pressed |= record.queue.iter().any(|other| self.waiters[other].is_callback);
        match record.stage {
            Stage::Offered { to, reason, .. } if to == id => {
                self.offer(waiter.record, reason, None);
            }
            Stage::Offered { .. } => self.act(waiter.record, None),
            _ => {}
        }
    }

    /// From now on the waiter looks by itself. What it came to is in `take_called`.
    pub(crate) fn call_back(&mut self, id: Id) {
        match self.look(id) {
            Some(said) => {
                self.called.insert(id, said);
            }
            None => self.waiters.get_mut(&id).expect("it waits").is_callback = true,
        }
    }

    /// Something happened to those of these that are callbacks: they look.
    pub(super) fn rouse(&mut self, ids: &[Id]) {
        for id in ids {
            if let Some(waiter) = self.waiters.get_mut(id)
                && std::mem::take(&mut waiter.is_callback)
            {
                self.call_back(*id);
            }
        }
    }

    /// False: it was called.
    pub(crate) fn cancel_callback(&mut self, id: Id) -> bool {
        let waits = self.waiters.contains_key(&id);
        if waits {
            self.leave(id);
        }
        waits
    }

    /// The callbacks that were called since the last time.
    pub(crate) fn take_called(&mut self) -> HashMap<Id, Said> {
        std::mem::take(&mut self.called)
    }
}
