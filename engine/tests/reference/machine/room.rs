//! What may be in use: of the engine (R1, R2), of the other namespace and of its scopes (R5).

use std::rc::{Rc, Weak};

use idem::Limit;

use super::record::{Ask, Body, Home, Id};
use super::{Machine, TICKS_LATE};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: u64,
    pub(crate) granules: u64,
    pub(crate) max_response: usize,
    pub(crate) waiters: usize,
    pub(crate) waiters_per_key: usize,
    pub(crate) cancelled_retention: u64,
    pub(crate) halted_retention: u64,
    pub(crate) accept_timeout: u64,
    pub(crate) space: Space,
}

/// Limits of the other namespace and of each scope in it; zero is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Space {
    pub(crate) records: u64,
    pub(crate) granules: u64,
    pub(crate) scope_records: u64,
    pub(crate) scope_granules: u64,
}

impl Space {
    pub(crate) const NONE: Self =
        Self { records: 0, granules: 0, scope_records: 0, scope_granules: 0 };
}

impl Machine {
    /// Records, bytes and waiters.
    pub(crate) fn used(&mut self) -> [u64; 3] {
        let (records, granules) = self.used_by(|_| true);
        [records, granules * 64, self.waiters.len() as u64]
    }

    /// Whether a limit, ticks that are late, or a callback that was woken for nothing made the last
    /// calls act on what is due.
    pub(crate) fn take_pressed(&mut self) -> bool {
        std::mem::take(&mut self.pressed)
    }

    /// Whether calls that need so much will not be pressed for room, whatever they are about.
    pub(crate) fn is_roomy(&mut self, records: u64, granules: u64) -> bool {
        let (used_records, used_granules) = self.used_by(|_| true);
        let has_run = self.has_run(granules);
        has_run
            && self.limits.space == Space::NONE
            && used_records + records <= self.limits.records
            && used_granules + granules < self.limits.granules
            && self.now < self.ticked + TICKS_LATE
    }

    /// Whether it is left open how a response of so many bytes is stored, and nobody says how: the
    /// lease's key was taken from it.
    pub(crate) fn is_untold(&mut self, lease: Id, size: usize) -> bool {
        let record = self.leases[&lease].1;
        let is_away = self.records.get(&record).is_some_and(|record| self.is_away(record));
        is_away && !self.has_run(1 + size.div_ceil(64) as u64)
    }

    pub(super) fn home(&self, ask: &Ask) -> Home {
        let (namespace, scope) = ask.place;
        Home { namespace, scope, epoch: self.epochs[usize::from(namespace)] }
    }

    /// R1, R2, R5. The lease that `except` is about is not ended by its own owner's call (L2).
    pub(super) fn has_room(
        &mut self,
        records: u64,
        granules: u64,
        home: Home,
        except: Option<Id>,
    ) -> Result<(), Limit> {
        if self.fits(records, granules, home).is_err() {
            self.pressed = true;
            self.act_on_all(except);
        }
        self.fits(records, granules, home)
    }

    /// If several limits are reached any of them may be named; the engine looks at the scope's first,
    /// then the namespace's, then its own.
    pub(super) fn fits(&mut self, records: u64, granules: u64, home: Home) -> Result<(), Limit> {
        let Limits { records: records_max, granules: granules_max, space, .. } = self.limits;
        let within = |(used_records, used_granules): (u64, u64), records_max, granules_max| {
            (records_max == 0 || used_records + records <= records_max)
                && (granules_max == 0 || used_granules + granules <= granules_max)
        };
        // What belongs to an epoch that is over is not counted (R4).
        if home.namespace == 1 && home.epoch == self.epochs[1] {
            let of_scope = self.used_by(|other| other == home);
            if home.scope.is_some() && !within(of_scope, space.scope_records, space.scope_granules)
            {
                return Err(Limit::Scope);
            }
            let in_namespace = |other: Home| (other.namespace, other.epoch) == (1, home.epoch);
            if !within(self.used_by(in_namespace), space.records, space.granules) {
                return Err(Limit::Namespace);
            }
        }
        let (used_records, used_granules) = self.used_by(|_| true);
        if used_records + records > records_max {
            return Err(Limit::Records);
        }
        if used_granules + granules > granules_max { Err(Limit::Bytes) } else { Ok(()) }
    }

    /// Records and granules.
    fn used_by(&mut self, belongs: impl Fn(Home) -> bool) -> (u64, u64) {
        let records = self.records.values();
        let count = records.filter(|record| !record.is_severed && belongs(record.home)).count();
        self.bodies.retain(|body| body.strong_count() > 0);
        let bodies = self.bodies.iter().filter_map(Weak::upgrade);
        let counted = bodies.filter(|body| body.home.is_some_and(&belongs));
        (count as u64, counted.map(|body| body.granules).sum())
    }

    /// Whether there must be a run of so many granules. The arena has a quarter more than the
    /// limit; what is free of it lies in at most one piece more than there are bodies.
    pub(super) fn has_run(&mut self, granules: u64) -> bool {
        let (_, used) = self.used_by(|_| true);
        let free = self.limits.granules * 5 / 4 - used;
        granules <= free / (self.bodies.len() as u64 + 1)
    }

    pub(super) fn body(&mut self, granules: u64, home: Home, bytes: &[u8]) -> Rc<Body> {
        let body = Rc::new(Body { granules, home: Some(home), bytes: bytes.to_vec() });
        self.bodies.push(Rc::downgrade(&body));
        body
    }
}
