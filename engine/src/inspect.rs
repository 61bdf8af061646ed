//! Looking at keys without claiming them: peek, and the listing for operators.

use core::time::Duration;

use crate::claim::ClaimError;
use crate::engine::Engine;
use crate::key::Key;
use crate::outcome::{Info, Reason};
use crate::protocol::{Cursor, Entry, Peeked};
use crate::record::flight::Facts;
use crate::record::response::{Glance, Kind};
use crate::record::term::Term;
use crate::record::value::drop_pending;

/// What has become of a key, as [`Engine::peek`] found it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Status {
    /// It has no record.
    Vacant,
    /// An owner is at work, or it is being handed over to one. Its lease may have run out without
    /// anybody having acted on that: then no time is left.
    InFlight(Info),
    /// It is done.
    #[non_exhaustive]
    Completed {
        /// Its age, and how long it is kept.
        info: Info,
        /// Bytes of the response, or the weight of a [typed](crate::Typed) value; `None` if it was not
        /// kept.
        length: Option<usize>,
        /// Whether it is an error that the owner shared and kept.
        is_error: bool,
    },
    /// It was given up, and is kept so.
    Cancelled(Reason, Info),
    /// Its outcome is unknown; the token is what settles it ([`Engine::resolve`]).
    Halted(Reason, Info, HaltToken),
}

/// Names one halt of a key: settling by it never settles another one. Good in the engine that gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct HaltToken(pub(crate) u32);

/// A record of the [listing](Engine::listing).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Names the record in this engine: to force its end, to settle or to forget it.
    pub key: Key,
    /// In flight or halted, with its times; of what is in flight, its owner's label.
    pub status: Status,
    /// Leases so far, the present one included; 0 of a halted record.
    pub attempt: u32,
    /// Those who wait for it.
    pub waiters: u32,
    /// In flight, but not under its key any more: an owner that finishes for its own waiters.
    pub is_detached: bool,
}

/// What is in flight and what is halted; see [`Engine::listing`].
#[derive(Debug)]
pub struct Listing<'a> {
    engine: &'a Engine,
    cursor: Cursor,
    /// Of the slice that was read last; taken from the end.
    entries: Vec<Entry>,
}

impl Engine {
    /// What has become of a key, without claiming it: nobody is registered, nothing is counted and no
    /// word that others use is written. Past its retention a record is [`Status::Vacant`]. Does not
    /// block.
    ///
    /// It says what was: by the time the caller acts, another claim may have changed it. To act, claim.
    ///
    /// # Errors
    /// A key of another engine.
    ///
    /// ```
    /// use idem::{Engine, Scope, Status};
    /// let engine = Engine::new()?;
    /// let key = engine.key(Scope::None, b"export-9")?;
    /// assert_eq!(engine.peek(key)?, Status::Vacant);
    /// engine.run(key, || Ok::<_, String>("made"))?;
    /// assert!(matches!(engine.peek(key)?, Status::Completed { length: Some(4), .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self, key: Key) -> Result<Status, ClaimError> {
        self.peek_with(key, None)
    }

    /// As [`peek`](Self::peek), and adds the bytes of a response to the end of `body`. If there are
    /// none to be had, `body` stays as it is.
    ///
    /// A [`Replay`](crate::Replay) shares the bytes instead, for the price of being counted as a
    /// holder; for short responses that many threads ask for, copying is faster.
    ///
    /// # Errors
    /// A key of another engine.
    #[inline]
    pub fn peek_into(&self, key: Key, body: &mut Vec<u8>) -> Result<Status, ClaimError> {
        self.peek_with(key, Some(body))
    }

    #[inline]
    fn peek_with(&self, key: Key, body: Option<&mut Vec<u8>>) -> Result<Status, ClaimError> {
        let id = self.id_of(key)?;
        let now = self.core().clock.now();
        Ok(match self.core().peek(id, now, body) {
            Peeked::Vacant => Status::Vacant,
            Peeked::InFlight(facts, term) => Status::InFlight(info_of(facts, term, now)),
            Peeked::Finished(glance) => finished_status(&glance, now),
        })
    }

    /// What is in flight and what is halted, in no order. Does not block, and stops nobody: what
    /// changes meanwhile may be in it or not, and what is in it was so at one moment of the listing.
    ///
    /// Looks through all flights and all of the table; it is for operators, not for every request.
    #[must_use]
    pub fn listing(&self) -> Listing<'_> {
        Listing { engine: self, cursor: Cursor::Flights(0), entries: Vec::new() }
    }
}

#[inline]
fn finished_status(glance: &Glance, now: u64) -> Status {
    let info = info(glance.finished(), glance.deadline(), 0, now);
    let kind = glance.kind();
    match kind {
        Kind::Response | Kind::Error | Kind::Value | Kind::Failure | Kind::Tombstone => {
            Status::Completed { info, length: glance.length(), is_error: kind.is_error() }
        }
        Kind::Cancelled => Status::Cancelled(glance.reason(), info),
        Kind::Halted => Status::Halted(glance.reason(), info, HaltToken(glance.incident())),
    }
}

fn info_of(facts: Facts, term: Term, now: u64) -> Info {
    info(facts.started, term.deadline(), facts.owner, now)
}

#[inline]
fn info(since: u64, until: u64, owner: u64, now: u64) -> Info {
    Info {
        age: Duration::from_millis(now.saturating_sub(since)),
        left: Duration::from_millis(until.saturating_sub(now)),
        owner,
    }
}

impl Iterator for Listing<'_> {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        let engine = self.engine;
        while self.entries.is_empty() && !matches!(self.cursor, Cursor::End) {
            self.cursor = engine.core().list(self.cursor, &mut self.entries);
            drop_pending();
        }
        let now = engine.core().clock.now();
        Some(match self.entries.pop()? {
            Entry::InFlight { id, realm, facts, term, waiters, is_detached } => Listed {
                key: engine.key_of(id, realm),
                status: Status::InFlight(info_of(facts, term, now)),
                attempt: facts.attempt,
                waiters,
                is_detached,
            },
            Entry::Halted { id, glance } => Listed {
                key: engine.key_of(id, glance.realm()),
                status: finished_status(&glance, now),
                attempt: 0,
                waiters: 0,
                is_detached: false,
            },
        })
    }
}
