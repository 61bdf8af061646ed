//! From a claim to its outcome: sought, decided, counted, and told in the way the caller wants it.

use crate::claim::{Claim, ClaimError};
use crate::engine::Engine;
use crate::hook::What;
use crate::lease::{Lease, Token};
use crate::outcome::Outcome;
use crate::protocol::{Ask, Claimed, Refusal, Undecided, WINDOW};
use crate::raw::Told;
use crate::record::response::Kind;
use crate::replay::Replay;
use crate::stats::Count;
use crate::waiter::{InFlight, Waiter};

/// Tells outcomes whole, with a lease.
struct Whole<'a>(&'a Engine);

impl Told for Whole<'_> {
    type Is = Outcome;

    #[inline(always)]
    fn executes(&mut self, token: Token) -> Outcome {
        Outcome::Execute(Lease::new(self.0.anchor(), token.held))
    }

    #[inline(always)]
    fn replays(&mut self, replay: Replay) -> Outcome {
        Outcome::Replay(replay)
    }

    #[inline(always)]
    fn other(&mut self, outcome: Outcome) -> Outcome {
        outcome
    }
}

/// The same, of a batch.
struct All<'a>(Whole<'a>, Vec<Outcome>);

impl Told for All<'_> {
    type Is = ();

    #[inline(always)]
    fn executes(&mut self, token: Token) {
        self.1.push(self.0.executes(token));
    }

    #[inline(always)]
    fn replays(&mut self, replay: Replay) {
        self.1.push(self.0.replays(replay));
    }

    #[inline(always)]
    fn other(&mut self, outcome: Outcome) {
        self.1.push(self.0.other(outcome));
    }
}

impl Engine {
    /// Claims a key: decides, in one linearizable step, whether the caller executes.
    ///
    /// Does not block. A claim that finds an owner at work is registered as a waiter there and
    /// then, unless it says otherwise.
    ///
    /// # Errors
    /// A key of another engine, or terms out of bounds.
    #[inline]
    pub fn claim(&self, claim: impl Into<Claim>) -> Result<Outcome, ClaimError> {
        self.claim_on(&claim.into())
    }

    /// By reference: a claim that has just been put together is slow to copy (the processor waits
    /// for its words to leave the store buffer before it can load two of them at once).
    fn claim_on(&self, claim: &Claim) -> Result<Outcome, ClaimError> {
        self.claim_told(claim, &mut Whole(self))
    }

    #[inline(always)]
    pub(crate) fn claim_told<T: Told>(
        &self,
        claim: &Claim,
        told: &mut T,
    ) -> Result<T::Is, ClaimError> {
        let ask = claim.ask(self.id())?;
        if let Some((id, home)) = self.moved(ask.identity.id, ask.home) {
            return self.claim_moved(&claim.at(id, home), told);
        }
        Ok(self.tell(ask, self.core().seek(ask), told))
    }

    #[cold]
    fn claim_moved<T: Told>(&self, claim: &Claim, told: &mut T) -> Result<T::Is, ClaimError> {
        self.claim_told(claim, told)
    }

    /// Claims many keys in one call: faster than one by one, since their cache misses overlap. For
    /// consumers of queues, and for whoever sits behind a boundary that is slow to cross.
    ///
    /// The outcomes are in the order of the claims, and each is what it would be alone. They are
    /// decided one after the other and not in one step: of a key that is in the batch twice, the
    /// second claim finds the first one's lease, and gets [`Outcome::InFlight`] (K9). Such a claim
    /// should say [`wait(false)`](Claim::wait), or it waits for its own caller.
    ///
    /// # Errors
    /// As [`claim`](Self::claim), for the first claim that is wrong; nothing has been claimed then.
    ///
    /// ```
    /// use idem::{Claim, Engine, Lease, Outcome, Scope};
    /// let engine = Engine::new()?;
    /// let claims: Vec<_> = ["a", "b", "c"]
    ///     .iter()
    ///     .map(|message| engine.key(Scope::None, message.as_bytes()).map(Claim::new))
    ///     .collect::<Result<_, _>>()?;
    /// let mut done: Vec<(Lease, &[u8])> = Vec::new();
    /// for outcome in engine.claim_batch(&claims)? {
    ///     if let Outcome::Execute(lease) = outcome {
    ///         done.push((lease, b"handled"));
    ///     }
    /// }
    /// assert!(Lease::complete_batch(done).iter().all(Result::is_ok));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn claim_batch(&self, claims: &[Claim]) -> Result<Vec<Outcome>, ClaimError> {
        let mut all = All(Whole(self), Vec::with_capacity(claims.len()));
        self.claim_each(claims, &mut all)?;
        Ok(all.1)
    }

    /// The same, told in the caller's way.
    pub(crate) fn claim_each(
        &self,
        claims: &[Claim],
        told: &mut impl Told<Is = ()>,
    ) -> Result<(), ClaimError> {
        let mut is_moved = false;
        for claim in claims {
            let ask = claim.ask(self.id())?;
            is_moved |= self.moved(ask.identity.id, ask.home).is_some();
        }
        if is_moved {
            return claims.iter().try_for_each(|claim| self.claim_moved(claim, told));
        }
        let core = self.core();
        for window in claims.chunks(WINDOW) {
            let asks = window.iter().map(Claim::checked_ask);
            let prefetched = core.prefetch(asks.clone().map(|ask| ask.identity.id));
            for (index, ask) in asks.enumerate() {
                self.tell(ask, core.seek_in(&prefetched, index, ask), told);
            }
        }
        Ok(())
    }

    /// Tells what a claim comes to, which was sought. Most claims are replays, of what has bytes. Outcomes are
    /// large: where this is called, the usual one is made in its place, and not put together before.
    #[inline(always)]
    fn tell<T: Told>(&self, ask: &Ask, sought: Result<u32, Undecided>, told: &mut T) -> T::Is {
        match sought {
            Ok(loc) if self.core().response(loc).kind().has_body() => {
                told.replays(self.replay(loc, ask.identity.id))
            }
            sought => self.tell_other(ask, sought, told),
        }
    }

    /// A replay of the response at `loc`, which the caller holds and which has bytes: what most claims
    /// come to.
    #[inline(always)]
    fn replay(&self, loc: u32, id: [u64; 2]) -> Replay {
        self.core().report(Count::Replays, What::Replayed, id);
        Replay::new(self.anchor(), loc)
    }

    #[inline(never)]
    fn tell_other<T: Told>(
        &self,
        ask: &Ask,
        sought: Result<u32, Undecided>,
        told: &mut T,
    ) -> T::Is {
        match sought {
            Ok(loc) => self.tell_finished(loc, ask.identity.id, told),
            Err(undecided) => self.decide(undecided, ask, told),
        }
    }

    fn decide<T: Told>(&self, undecided: Undecided, ask: &Ask, told: &mut T) -> T::Is {
        let (core, id) = (self.core(), ask.identity.id);
        let mut claimed = Claimed::Refused(Refusal::Closed);
        core.decide(undecided, ask, &mut claimed);
        let outcome = match claimed {
            Claimed::Execute(held) => {
                core.report(Count::Executes, What::Executes, id);
                return told.executes(Token { engine: self.id(), held });
            }
            Claimed::Finished(loc) => return self.tell_finished(loc, id, told),
            Claimed::InFlight(waiting, facts, term) => {
                core.report(Count::InFlight, What::InFlight, id);
                let waiter = waiting.map(|waiting| Waiter::new(self.anchor(), waiting));
                Outcome::InFlight(InFlight::new(core, waiter, facts, term))
            }
            Claimed::Mismatch(state) => {
                core.report(Count::Mismatches, What::Mismatched(state), id);
                Outcome::Mismatch(state)
            }
            Claimed::Refused(Refusal::Full(limit)) => {
                core.report(Count::full(limit), What::Full(limit), id);
                Outcome::Full(limit)
            }
            Claimed::Refused(Refusal::Closed) => {
                core.report(Count::Closed, What::Closed, id);
                Outcome::Closed
            }
        };
        told.other(outcome)
    }

    /// What a finished record says; its hold is taken over, or let go of with the replay.
    fn tell_finished<T: Told>(&self, loc: u32, id: [u64; 2], told: &mut T) -> T::Is {
        let core = self.core();
        let response = core.response(loc);
        let kind = response.kind();
        if kind.has_body() {
            return told.replays(self.replay(loc, id));
        }
        let (reason, record) = (response.reason(), Replay::new(self.anchor(), loc));
        let (count, what, outcome) = match kind {
            Kind::Cancelled => {
                (Count::Cancelled, What::Cancelled(reason), Outcome::Cancelled(reason))
            }
            Kind::Halted => (Count::Halted, What::Halted(reason), Outcome::Halted(reason)),
            _ => (Count::Done, What::Done, Outcome::Done(record.info())),
        };
        core.report(count, what, id);
        drop(record);
        told.other(outcome)
    }
}
