//! The right to execute a request, and what becomes of its response.

use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

use idem::{Completion, Lease, Reason, Stale};

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
    /// What became of it, or was to. Of what is kept it is said in `headers` if there was room for it.
    pub fate: Fate,
    /// Whether that came about: not, if the handler was too slow and somebody else has taken over.
    pub is_settled: bool,
}

impl Finished {
    /// Nothing is to be added to the response.
    fn bare(fate: Fate, is_settled: bool) -> Self {
        Self { headers: Fields::new(), fate, is_settled }
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

    /// Keeps the lease alive, for as long as the policy's lease from now on (L9). To be called at least three
    /// times within that time while the handler is at work, and no longer than the policy's `max_run`.
    ///
    /// # Errors
    /// The lease is over: somebody else may have taken over.
    pub fn renew(&self) -> Result<(), Stale> {
        let lease = self.lease.as_ref().ok_or(Stale)?;
        lease.renew(self.gate.0.policy.lease)
    }

    /// Settles the request by its response. That is to be sent only after this has returned: what is stored is
    /// stored then.
    pub fn finish(self, response: &Response) -> Finished {
        response.look(|response| self.finish_ref(response))
    }

    /// The same of a response that is somewhere else.
    pub fn finish_ref(mut self, response: ResponseRef<'_>) -> Finished {
        let fate = self.control.fate(self.policy(), response.deciding_status());
        let kept = self.kept(fate);
        // While the ticket has the lease: if a hook panics, it is an interrupted request.
        let bytes = kept.map(|_| bytes_of(&self.gate, response, self.client));
        let Some(lease) = self.lease.take() else { return Finished::bare(fate, false) };
        let Some((time, bytes)) = kept.zip(bytes) else {
            return Finished::bare(fate, give_up(lease, fate));
        };
        match lease.complete_owned_for(bytes, time) {
            Ok(Completion::Stored) => {
                let headers = first_headers(self.policy(), time);
                Finished { headers, fate, is_settled: true }
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
        let fate = self.control.fate(self.policy(), status);
        if was_cut_off {
            self.interrupt();
            return Finished::bare(fate, true);
        }
        // There is nothing to share.
        let kept = self.kept(fate).filter(|_| fate != Fate::Share && !self.is_repeatable());
        let is_settled = match (self.lease.take(), kept) {
            (None, _) => false,
            // No response of the wire format is empty: a replay of it is an answer that is not there.
            (Some(lease), Some(time)) => lease.complete_for(&[], time).is_ok(),
            (Some(lease), None) => give_up(lease, fate),
        };
        Finished::bare(fate, is_settled)
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

    fn interrupt(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let policy = &self.gate.0.policy;
        let fate = self.control.interrupted(policy);
        match self.kept(fate) {
            Some(time) => {
                let answer = || self.gate.refused(Refusal::Unknown, self.client);
                let bytes = || answer().look(|answer| bytes_of(&self.gate, answer, self.client));
                // A hook that panics while another panic is under way must not end the process.
                let bytes = catch_unwind(AssertUnwindSafe(bytes));
                let _ = match bytes {
                    Ok(bytes) => lease.complete_owned_for(bytes, time).is_ok(),
                    Err(_) => give_up(lease, Fate::Halt),
                };
            }
            None => drop(give_up(lease, fate)),
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

/// Whether the lease was the caller's still.
fn give_up(lease: Lease, fate: Fate) -> bool {
    match fate {
        Fate::Halt => lease.halt(Reason::Owner).is_ok(),
        _ => lease.cancel(Reason::Owner).is_ok(),
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
