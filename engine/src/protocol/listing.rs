//! Listing what is in flight and what is halted (O2).

use crate::protocol::Core;
use crate::realms::Realm;
use crate::record::fate::Fate;
use crate::record::flight::Facts;
use crate::record::response::{Glance, Kind};
use crate::record::term::Term;

/// One entry: a record as it was at some moment of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    InFlight {
        id: [u64; 2],
        realm: Realm,
        facts: Facts,
        term: Term,
        waiters: u32,
        is_detached: bool,
    },
    Halted {
        id: [u64; 2],
        glance: Glance,
    },
}

/// Where a listing goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cursor {
    /// At this word of flights.
    Flights(u32),
    /// At this line of the table.
    Lines(u32),
    End,
}

/// Lines that one step looks through.
const STEP_LINES: u32 = 256;

impl Core {
    /// Adds what one slice of the engine has to `entries`, and says where the next begins.
    pub(crate) fn list(&self, at: Cursor, entries: &mut Vec<Entry>) -> Cursor {
        match at {
            Cursor::Flights(word) if word < self.flights.active_word_count() => {
                self.list_flights(word, entries);
                Cursor::Flights(word + 1)
            }
            Cursor::Flights(_) => Cursor::Lines(0),
            Cursor::Lines(line) if line < self.table.line_count() => {
                let end = self.table.line_count().min(line + STEP_LINES);
                (line..end).for_each(|line| self.list_halted(line, entries));
                Cursor::Lines(end)
            }
            Cursor::Lines(_) | Cursor::End => Cursor::End,
        }
    }

    fn list_flights(&self, word: u32, entries: &mut Vec<Entry>) {
        for index in self.flights.in_use(word) {
            let flight = self.flights.get(index);
            let tenancy = flight.tenancy();
            let (id, fate, term) = (flight.id(), flight.fate(), flight.term());
            let (facts, waiters) = (flight.facts(), flight.waiting());
            let is_severed = fate.is_severed();
            let realm = flight.realm();
            let is_detached = is_severed || self.realms.is_cleared(realm);
            let is_in_flight = matches!(fate, Fate::Leased { .. } | Fate::Vacated { .. });
            // A lease that the table does not name may be a draft (fate.5).
            let is_record = is_in_flight && (is_severed || self.is_published(index, tenancy));
            if is_record && flight.still(tenancy) {
                entries.push(Entry::InFlight { id, realm, facts, term, waiters, is_detached });
            }
        }
    }

    fn list_halted(&self, line: u32, entries: &mut Vec<Entry>) {
        let now = self.clock.now();
        for hit in self.table.scan_line(line) {
            let halted = self.with_glance(hit, |glance, id| {
                let is_halted = glance.kind() == Kind::Halted
                    && glance.deadline() > now
                    && !self.realms.is_cleared(glance.realm());
                is_halted.then_some(Entry::Halted { id, glance })
            });
            entries.extend(halted);
        }
    }
}
