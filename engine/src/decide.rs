//! From a claim to its outcome: sought, decided, counted, and told in the way the caller wants it.

use crate::claim::{Claim, ClaimError};
use crate::engine::Engine;
use crate::hook::What;
use crate::lease::{Lease, Token};
use crate::outcome::Outcome;
use crate::protocol::{Ask, Claimed, Refusal, Undecided, WINDOW};
use crate::record::response::Kind;
use crate::replay::Replay;
use crate::stats::Count;
use crate::waiter::{InFlight, Waiter};

/// Who is shown what a claim came to: [`Engine::claim_raw`]. The usual outcomes have a function each, so that
/// none is put together only to be taken apart.
pub trait OutcomeVisitor {
    /// What it makes of that.
    type Output;

    /// The caller executes. Nothing is abandoned if the token is lost; the lease runs out.
    fn visit_execute(&mut self, token: Token) -> Self::Output;

    /// The record has a response.
    fn visit_replay(&mut self, replay: Replay) -> Self::Output;

    /// Anything else.
    fn visit_other(&mut self, outcome: Outcome) -> Self::Output;
}

/// Makes an [`Outcome`], with a lease.
struct Whole<'a>(&'a Engine);

impl OutcomeVisitor for Whole<'_> {
    type Output = Outcome;

    #[inline(always)]
    fn visit_execute(&mut self, token: Token) -> Outcome {
        Outcome::Execute(Lease::new(self.0.anchor(), token.held))
    }

    #[inline(always)]
    fn visit_replay(&mut self, replay: Replay) -> Outcome {
        Outcome::Replay(replay)
    }

    #[inline(always)]
    fn visit_other(&mut self, outcome: Outcome) -> Outcome {
        outcome
    }
}

/// The same, of a batch.
struct All<'a>(Whole<'a>, Vec<Outcome>);

impl OutcomeVisitor for All<'_> {
    type Output = ();

    #[inline(always)]
    fn visit_execute(&mut self, token: Token) {
        self.1.push(self.0.visit_execute(token));
    }

    #[inline(always)]
    fn visit_replay(&mut self, replay: Replay) {
        self.1.push(self.0.visit_replay(replay));
    }

    #[inline(always)]
    fn visit_other(&mut self, outcome: Outcome) {
        self.1.push(self.0.visit_other(outcome));
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
        self.claim_raw(claim, &mut Whole(self))
    }

    /// As [`claim`](Self::claim), for bindings: shown to a visitor, with a lease as its token. Nothing is
    /// counted for a handle that nobody has.
    ///
    /// # Errors
    /// As `claim`; the visitor sees nothing then.
    #[inline(always)]
    pub fn claim_raw<T: OutcomeVisitor>(
        &self,
        claim: &Claim,
        visitor: &mut T,
    ) -> Result<T::Output, ClaimError> {
        let ask = claim.ask(self.id())?;
        if let Some((id, home)) = self.moved(ask.identity.id, ask.home) {
            return self.claim_moved(&claim.at(id, home), visitor);
        }
        Ok(self.visit(ask, self.core().seek(ask), visitor))
    }

    #[cold]
    fn claim_moved<T: OutcomeVisitor>(
        &self,
        claim: &Claim,
        visitor: &mut T,
    ) -> Result<T::Output, ClaimError> {
        self.claim_raw(claim, visitor)
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
        self.claim_batch_raw(claims, &mut all)?;
        Ok(all.1)
    }

    /// The same, as [`claim_raw`](Self::claim_raw): the visitor sees the outcome of each claim in turn.
    ///
    /// # Errors
    /// As `claim_batch`; the visitor sees nothing then.
    pub fn claim_batch_raw(
        &self,
        claims: &[Claim],
        visitor: &mut impl OutcomeVisitor<Output = ()>,
    ) -> Result<(), ClaimError> {
        for claim in claims {
            claim.ask(self.id())?;
        }
        let core = self.core();
        for window in claims.chunks(WINDOW) {
            let asks = window.iter().map(Claim::checked_ask);
            let prefetched = core.prefetch(asks.clone().map(|ask| ask.identity.id));
            for (index, ask) in asks.enumerate() {
                // Each in its turn: a hook that the one before has called may have cleared the namespace.
                match self.moved(ask.identity.id, ask.home) {
                    None => self.visit(ask, core.seek_in(&prefetched, index, ask), visitor),
                    Some((id, home)) => self.claim_moved(&window[index].at(id, home), visitor)?,
                }
            }
        }
        Ok(())
    }

    /// Shows the visitor what a claim came to. Outcomes are large: the usual one, a replay of what has bytes, is
    /// built where the caller wants it, so this is always inlined and the rest never.
    #[inline(always)]
    fn visit<T: OutcomeVisitor>(
        &self,
        ask: &Ask,
        sought: Result<u32, Undecided>,
        visitor: &mut T,
    ) -> T::Output {
        match sought {
            Ok(loc) if self.core().response(loc).kind().has_body() => {
                visitor.visit_replay(self.replay(loc, ask.identity.id))
            }
            sought => self.visit_undecided(ask, sought, visitor),
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
    fn visit_undecided<T: OutcomeVisitor>(
        &self,
        ask: &Ask,
        sought: Result<u32, Undecided>,
        visitor: &mut T,
    ) -> T::Output {
        match sought {
            Ok(loc) => self.visit_finished(loc, ask.identity.id, visitor),
            Err(undecided) => self.decide(undecided, ask, visitor),
        }
    }

    fn decide<T: OutcomeVisitor>(
        &self,
        undecided: Undecided,
        ask: &Ask,
        visitor: &mut T,
    ) -> T::Output {
        let (core, id) = (self.core(), ask.identity.id);
        let mut claimed = Claimed::Refused(Refusal::Closed);
        core.decide(undecided, ask, &mut claimed);
        let outcome = match claimed {
            Claimed::Execute(held) => {
                core.report(Count::Executes, What::Executes, id);
                return visitor.visit_execute(Token { engine: self.id(), held });
            }
            Claimed::Finished(loc) => return self.visit_finished(loc, id, visitor),
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
        visitor.visit_other(outcome)
    }

    /// What a finished record says; its hold is taken over, or let go of with the replay.
    fn visit_finished<T: OutcomeVisitor>(
        &self,
        loc: u32,
        id: [u64; 2],
        visitor: &mut T,
    ) -> T::Output {
        let core = self.core();
        let response = core.response(loc);
        let kind = response.kind();
        if kind.has_body() {
            return visitor.visit_replay(self.replay(loc, id));
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
        visitor.visit_other(outcome)
    }
}
