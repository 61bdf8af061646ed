//! A request that has a key: its body, its claim, and what it gets.

use core::time::Duration;

use idem::{Claim, Fingerprint, Limit, OnEnd, Outcome, WaitOutcome, Waiter};

use crate::answer::Answer;
use crate::fingerprint::Unfinished;
use crate::gate::{Gate, Overrides};
use crate::head::Client;
use crate::policy::{Body, Fate, Identity, Policy, WhileInFlight};
use crate::problem::Refusal;
use crate::ticket::Ticket;

/// A request that has a key, or will have one when its body is known.
pub struct Keyed {
    pub(crate) gate: Gate,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) scope: Option<Vec<u8>>,
    pub(crate) fingerprint: Unfinished,
    /// Bytes of body that may still come.
    pub(crate) room: usize,
    pub(crate) overrides: Overrides,
    pub(crate) client: Client,
}

/// What becomes of a request.
#[must_use]
pub enum Decision {
    /// It is executed here, and by nobody else.
    Execute(Ticket),
    /// Somebody else executes it: wait.
    Wait(Waiting),
    /// It is answered.
    Answered(Answer),
}

/// A request that waits for the first one with its key.
#[must_use]
pub struct Waiting {
    gate: Gate,
    waiter: Waiter,
    time: Duration,
    retention: Option<Duration>,
    client: Client,
}

/// What a wait's end is given to.
#[must_use]
pub struct Waited {
    gate: Gate,
    retention: Option<Duration>,
    client: Client,
}

impl Keyed {
    /// Whether the body counts, and is to be given by [`update`](Self::update) before the claim.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        self.gate.0.policy.says.body != Body::Ignored || self.gate.0.hooks.says.is_some()
    }

    /// Bytes of body that may still come: with more the request is refused.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room
    }

    /// A piece of the body; nothing, if that does not count.
    ///
    /// # Errors
    /// The answer to a body that is too large.
    pub fn update(&mut self, piece: &[u8]) -> Result<(), Answer> {
        if !self.needs_body() {
            return Ok(());
        }
        match self.room.checked_sub(piece.len()) {
            Some(room) => self.room = room,
            None => return Err(self.too_large()),
        }
        self.fingerprint.update(piece);
        Ok(())
    }

    /// The answer to a request whose body did not come in time.
    pub fn too_slow(&self) -> Answer {
        self.gate.refused(Refusal::BodyTooSlow, self.client)
    }

    /// The answer to a request whose body has more bytes than there is room for.
    pub fn too_large(&self) -> Answer {
        self.gate.refused(Refusal::BodyTooLarge, self.client)
    }

    /// The answer to a request whose body was cut off.
    pub fn cut_off(&self) -> Answer {
        self.gate.refused(Refusal::BodyCutOff, self.client)
    }

    /// More that counts of the request, after its body: what the embedder has found out by itself.
    pub fn says(&mut self, bytes: &[u8]) {
        self.fingerprint.add(bytes);
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.gate.0.policy
    }

    /// Claims the key, the body being over.
    pub fn claim(mut self) -> Decision {
        let shared = &self.gate.0;
        let fingerprint = self.fingerprint.finish(&shared.policy, shared.hooks.says.as_deref());
        self.claimed(fingerprint)
            .unwrap_or_else(|refusal| Decision::Answered(self.gate.refused(refusal, self.client)))
    }

    fn claimed(&self, fingerprint: Fingerprint) -> Result<Decision, Refusal> {
        let (gate, client) = (&self.gate, self.client);
        let policy = &gate.0.policy;
        let key = gate.key_of(self, fingerprint)?;
        let wait = match (self.overrides.wait, policy.while_in_flight) {
            (Some(time), _) | (None, WhileInFlight::Wait(time)) => Some(time),
            (None, WhileInFlight::Refuse) => None,
        };
        let retention = self.overrides.retention.map(|time| time.min(Policy::LONGEST));
        let mut claim = Claim::new(key).lease(policy.lease).wait(wait.is_some());
        claim = claim.retention(retention.unwrap_or(policy.retention));
        // A lease runs out under an owner that is still at work: whoever gave up has said so.
        if policy.interrupted != Fate::Release {
            claim = claim.on_expiry(OnEnd::Halt);
        }
        // Where the fingerprint would have been the key, a key that stands for it says all there is to say.
        if self.key.is_some() && policy.identity != Identity::Fingerprint {
            claim = claim.fingerprint(fingerprint);
        }
        // Not to be had: its terms were checked when the gate was made.
        let ask = || gate.0.engine.claim(claim).map_err(|_| Refusal::Malformed);
        let mut outcome = ask()?;
        // Done, without a response that could be handed out: where the request is its own key it is just made again.
        if matches!(outcome, Outcome::Done(_)) && policy.identity == Identity::Fingerprint {
            gate.0.engine.forget(key).map_err(|_| Refusal::Answered)?;
            outcome = ask()?;
        }
        Err(match outcome {
            Outcome::Execute(lease) => return Ok(gate.execute(lease, retention, client)),
            Outcome::Replay(replay) => return Ok(gate.replayed(&replay, client)),
            Outcome::InFlight(other) => match (other.into_waiter(), wait) {
                (Some(waiter), Some(time)) => {
                    let gate = gate.clone();
                    return Ok(Decision::Wait(Waiting { gate, waiter, time, retention, client }));
                }
                _ => Refusal::Outstanding,
            },
            Outcome::Done(_) => Refusal::Answered,
            Outcome::Mismatch(_) => Refusal::Reused,
            Outcome::Cancelled(_) => Refusal::GivenUp,
            Outcome::Halted(_) => Refusal::Unknown,
            Outcome::Full(limit) => Refusal::Full { own: limit == Limit::Scope },
            _ => Refusal::Closing,
        })
    }

    /// What this request has otherwise than its policy.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }
}

impl Waiting {
    /// What to wait with (a future, or a call that blocks), for how long, and what to give the outcome to. Where
    /// the time is up first, the outcome is [`WaitOutcome::TimedOut`].
    pub fn into_parts(self) -> (Waiter, Duration, Waited) {
        let Self { gate, waiter, time, retention, client } = self;
        (waiter, time, Waited { gate, retention, client })
    }

    /// Blocks this thread.
    pub fn wait(self) -> Decision {
        let (waiter, time, waited) = self.into_parts();
        waited.ended(waiter.wait_for(time))
    }
}

impl Waited {
    /// What becomes of the request, after this wait. Not `Wait`.
    pub fn ended(self, outcome: WaitOutcome) -> Decision {
        let Self { gate, retention, client } = self;
        let refusal = match outcome {
            WaitOutcome::Replay(replay) => return gate.replayed(&replay, client),
            WaitOutcome::Execute(lease) => return gate.execute(lease, retention, client),
            WaitOutcome::Done(_) => Refusal::Answered,
            WaitOutcome::Cancelled(_) => Refusal::GivenUp,
            WaitOutcome::Halted(_) => Refusal::Unknown,
            WaitOutcome::TimedOut => Refusal::Outstanding,
            _ => Refusal::Closing,
        };
        Decision::Answered(gate.refused(refusal, client))
    }
}
