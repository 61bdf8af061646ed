//! The record of peers whose values are shared and immutable: whatever changes is set once.
//!
//! Completing sets the outcome in place, which saves a second insertion. Taking over an expired
//! lease first sets the outcome to revoked, so that exactly one of the late owner and the taker
//! wins, and then replaces the record in the map.

use std::sync::{Arc, OnceLock};

use crate::keys::Fingerprint;

/// A record that is replaced as a whole when its time is over.
pub(crate) struct Record {
    fingerprint: Fingerprint,
    lease_end: u64,
    token: u64,
    outcome: OnceLock<Outcome>,
}

enum Outcome {
    Completed {
        retention_end: u64,
        /// Nothing for a tombstone.
        body: Option<Arc<[u8]>>,
    },
    Revoked,
}

/// What a claim finds.
pub(crate) enum Found<'a> {
    /// The record's time is over: it may be replaced after `revoke`.
    Over,
    /// A live lease.
    InFlight,
    /// A response to replay.
    Body(&'a Arc<[u8]>),
    /// Completed without a body.
    Done,
    /// Another fingerprint.
    Mismatch,
}

impl Record {
    /// A record in flight.
    pub(crate) fn in_flight(fingerprint: Fingerprint, lease_end: u64, token: u64) -> Self {
        Self { fingerprint, lease_end, token, outcome: OnceLock::new() }
    }

    /// The fencing token of the lease that the record was made for.
    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// What a claim gets.
    pub(crate) fn find(&self, fingerprint: Fingerprint, now_ms: u64) -> Found<'_> {
        match self.outcome.get() {
            Some(Outcome::Completed { retention_end, .. }) if *retention_end <= now_ms => {
                Found::Over
            }
            _ if fingerprint != self.fingerprint => Found::Mismatch,
            Some(Outcome::Completed { body, .. }) => body.as_ref().map_or(Found::Done, Found::Body),
            Some(Outcome::Revoked) => Found::Over,
            None if self.lease_end <= now_ms => Found::Over,
            None => Found::InFlight,
        }
    }

    /// Copies the bytes of a completed key whose time is not over.
    pub(crate) fn copy(&self, now_ms: u64, into: &mut Vec<u8>) -> bool {
        let found = self.find(self.fingerprint, now_ms);
        if let Found::Body(body) = found {
            into.extend_from_slice(body);
        }
        matches!(found, Found::Body(_))
    }

    /// Ends the lease and takes `body`; false if the lease has been revoked.
    pub(crate) fn complete(&self, retention_end: u64, body: &mut Option<Arc<[u8]>>) -> bool {
        let outcome = Outcome::Completed { retention_end, body: body.take() };
        match self.outcome.set(outcome) {
            Ok(()) => true,
            Err(Outcome::Completed { body: back, .. }) => {
                *body = back;
                false
            }
            Err(Outcome::Revoked) => unreachable!("not what was set"),
        }
    }

    /// Makes a record that `find` called over replaceable; false if its owner completed it.
    pub(crate) fn revoke(&self, now_ms: u64) -> bool {
        match self.outcome.get_or_init(|| Outcome::Revoked) {
            Outcome::Revoked => true,
            Outcome::Completed { retention_end, .. } => *retention_end <= now_ms,
        }
    }

    /// The stored bytes.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        match self.outcome.get() {
            Some(Outcome::Completed { body, .. }) => body.as_deref(),
            _ => None,
        }
    }
}
