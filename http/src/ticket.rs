//! The right to execute a request, and what becomes of its response.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

use idem::{Completion, Lease, Origin, Reason, Stale, Token};

use crate::answer::field;
use crate::control::Control;
use crate::gate::{Gate, Shared};
use crate::head::Client;
use crate::policy::{Fate, Identity, Policy};
use crate::problem::Refusal;
use crate::response::{Fields, Response, ResponseRef};

/// The right to execute a request, and the duty to say what came of it. Dropped, it is an interrupted one.
#[must_use = "a dropped ticket is an interrupted request"]
pub struct Ticket {
    gate: Gate,
    lease: Option<Lease>,
    control: Control,
    retention: Option<Duration>,
    client: Client,
}

/// What a response is to have besides, and what became of it.
#[derive(Debug)]
pub struct Finished {
    /// Header fields to add to the response that is sent.
    pub headers: Fields,
    /// What became of it, or was to.
    pub fate: Fate,
    /// Whether that came about: not, if the handler was too slow and somebody else has taken over.
    pub is_settled: bool,
    /// Whether the response is there for others. Otherwise they are told that it was done, if it is kept.
    pub is_stored: bool,
}

impl Finished {
    /// Nothing is to be added to the response.
    fn bare(fate: Fate, is_settled: bool) -> Self {
        Self { headers: Fields::new(), fate, is_settled, is_stored: false }
    }
}

/// By which a lease is kept alive from elsewhere, while its ticket is with whoever executes.
#[derive(Clone)]
pub struct Renewal {
    gate: Gate,
    token: Token,
}

impl Renewal {
    /// See [`Ticket::renew`].
    ///
    /// # Errors
    /// The lease is over: the request was settled, or somebody else may have taken over.
    pub fn renew(&self) -> Result<(), Stale> {
        let Shared { engine, policy, .. } = &*self.gate.0;
        let lease = engine.lease_raw(self.token).map_err(|_| Stale)?;
        let renewed = lease.renew(policy.lease);
        // It goes on: it is the ticket's.
        let _ = lease.into_token();
        renewed
    }
}

impl Ticket {
    pub(crate) fn new(
        gate: Gate,
        lease: Lease,
        retention: Option<Duration>,
        client: Client,
    ) -> Self {
        Self { gate, lease: Some(lease), control: Control::default(), retention, client }
    }

    /// For the handler.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.gate.0.policy
    }

    /// By which others may keep the lease alive.
    ///
    /// # Errors
    /// The lease is over.
    pub fn renewal(&self) -> Result<Renewal, Stale> {
        let lease = self.lease.as_ref().ok_or(Stale)?;
        Ok(Renewal { gate: self.gate.clone(), token: lease.token() })
    }

    /// How it came by its lease.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.lease.as_ref().map_or(Origin::Fresh, Lease::origin)
    }

    /// 1 for the first execution of a key, as [`Lease::attempt`] has it.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.lease.as_ref().map_or(1, Lease::attempt)
    }

    /// Keeps the lease alive, for as long as the policy's lease from now on (L9). To be called at least three
    /// times within that time while the handler is at work, and no longer than the policy's `max_run`.
    ///
    /// # Errors
    /// The lease is over: somebody else may have taken over.
    pub fn renew(&self) -> Result<(), Stale> {
        self.renewal()?.renew()
    }

    /// Settles the request by its response. That is to be sent only after this has returned: what is stored is
    /// stored then. A response whose body is longer than is kept, or has another length than its head says, is
    /// [finished without its body](Self::finish_without_body).
    pub fn finish(self, response: &Response) -> Finished {
        response.look(|response| self.finish_ref(response))
    }

    /// The same of a response that is somewhere else.
    pub fn finish_ref(mut self, response: ResponseRef<'_>) -> Finished {
        let is_whole = response.is_whole(self.client);
        if !is_whole || response.body.len() > self.policy().response_max {
            return self.finish_without_body(response.deciding_status(), !is_whole);
        }
        let fate = self.control.fate(self.policy(), response.deciding_status());
        let kept = self.kept(fate);
        // While the ticket has the lease: if a hook panics, it is an interrupted request.
        let bytes = kept.map(|_| bytes_of(&self.gate, response, self.client));
        let Some(lease) = self.lease.take() else { return Finished::bare(fate, false) };
        let Some((time, bytes)) = kept.zip(bytes) else {
            return given_up(lease, fate);
        };
        match lease.complete_owned_for(bytes, time) {
            Ok(Completion::Stored) => {
                let headers = first_headers(self.policy(), time);
                Finished { headers, fate, is_settled: true, is_stored: true }
            }
            // Done, and its response is not there to be replayed.
            Ok(_) => Finished::bare(fate, true),
            Err(_) => Finished::bare(fate, false),
        }
    }

    /// Settles a request that could not be handled at all, as by a client whose connection failed. Where the
    /// request itself is the key, those who wait share that; otherwise it is an interrupted one.
    pub fn fail(mut self) {
        if self.is_repeatable() {
            // Stale: somebody else has taken over.
            let _ = self.lease.take().map(|lease| lease.cancel_all(Reason::Owner));
        }
    }

    /// Settles the request as done, its response having been lost on the way: longer than what is kept, or cut
    /// off (H4). Duplicates are told that it was done; or, if that cannot be known, what the policy says of
    /// interrupted requests. The status that counts is HTTP's, for gRPC as well: its own has not come yet.
    pub fn finish_without_body(mut self, status: u16, was_cut_off: bool) -> Finished {
        if was_cut_off {
            return self.interrupt();
        }
        let fate = self.control.fate(self.policy(), status);
        // There is nothing to share.
        let kept = self.kept(fate).filter(|_| fate != Fate::Share && !self.is_repeatable());
        match (self.lease.take(), kept) {
            (None, _) => Finished::bare(fate, false),
            // No response of the wire format is empty: a replay of it is an answer that is not there.
            (Some(lease), Some(time)) => {
                Finished::bare(fate, lease.complete_for(&[], time).is_ok())
            }
            (Some(lease), None) => given_up(lease, fate),
        }
    }

    /// Whether the request is its own key, and has had no effects: it may be made again.
    fn is_repeatable(&self) -> bool {
        self.policy().identity == Identity::Fingerprint && !self.control.has_begun()
    }

    /// For how long a response is kept, if it is stored at all.
    fn kept(&self, fate: Fate) -> Option<Duration> {
        match fate {
            Fate::Keep => Some(self.retention.unwrap_or(self.policy().retention)),
            Fate::KeepFor(time) => Some(time.min(Policy::LONGEST)),
            Fate::Share => Some(self.retention.unwrap_or_default()),
            Fate::Release | Fate::Halt => None,
        }
    }

    fn interrupt(&mut self) -> Finished {
        let fate = self.control.interrupted(self.policy());
        let Some(lease) = self.lease.take() else { return Finished::bare(fate, false) };
        let Some(time) = self.kept(fate) else { return given_up(lease, fate) };
        let answer = || self.gate.refused(Refusal::Unknown, self.client);
        let bytes = || answer().look(|answer| bytes_of(&self.gate, answer, self.client));
        // A hook that panics while another panic is under way must not end the process.
        match catch_unwind(AssertUnwindSafe(bytes)) {
            Ok(bytes) => Finished::bare(fate, lease.complete_owned_for(bytes, time).is_ok()),
            Err(_) => given_up(lease, Fate::Halt),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.interrupt();
    }
}

/// A response as it is stored.
fn bytes_of(gate: &Gate, response: ResponseRef<'_>, client: Client) -> Vec<u8> {
    let Shared { policy, hooks, .. } = &*gate.0;
    let written = match &hooks.redact {
        None => response.write(policy, client),
        Some(redact) => {
            let mut response = response.to_owned();
            redact(&mut response);
            response.look(|response| response.write(policy, client))
        }
    };
    // Longer than 4 GiB: done, and not kept.
    let bytes = written.unwrap_or_default();
    match &hooks.seal {
        Some((seal, _)) if !bytes.is_empty() => seal(bytes),
        _ => bytes,
    }
}

/// Nothing is kept, and nobody gets anything.
fn given_up(lease: Lease, fate: Fate) -> Finished {
    match fate {
        Fate::Halt => Finished::bare(fate, lease.halt(Reason::Owner).is_ok()),
        _ => Finished::bare(Fate::Release, lease.cancel(Reason::Owner).is_ok()),
    }
}

/// What a first answer is marked with.
fn first_headers(policy: &Policy, kept: Duration) -> Fields {
    let mut headers = Fields::new();
    if let Some((name, _, Some(first))) = &policy.replay_header {
        headers.push(field(name, first));
    }
    if let Some(name) = policy.lifetime_header.as_ref().filter(|_| !kept.is_zero()) {
        headers.push(field(name, &kept.as_secs().to_string()));
    }
    headers
}
