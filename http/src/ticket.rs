//! The right to execute a request, and what becomes of its response.

use core::time::Duration;

use idem::{Lease, Reason, Stale};

use crate::answer::field;
use crate::control::Control;
use crate::gate::{Gate, Shared};
use crate::head::Client;
use crate::policy::{Fate, Policy};
use crate::problem::Refusal;
use crate::response::{Fields, Response};

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
    pub fn finish(mut self, response: &Response) -> Finished {
        let gate = self.gate.clone();
        let Shared { policy, hooks, .. } = &*gate.0;
        let fate = self.control.fate(policy, response.deciding_status());
        let Some(lease) = self.lease.take() else {
            return Finished { headers: Fields::new(), fate, is_settled: false };
        };
        let kept = match fate {
            Fate::Keep => Some(self.retention.unwrap_or(policy.retention)),
            Fate::KeepFor(time) => Some(time),
            Fate::Share => Some(Duration::ZERO),
            Fate::Release | Fate::Halt => None,
        };
        let is_settled = match kept {
            Some(time) => {
                let mut redacted = hooks.redact.as_ref().map(|redact| {
                    let mut response = response.clone();
                    redact(&mut response);
                    response
                });
                let response = redacted.as_mut().map_or(response, |response| &*response);
                store(&gate, lease, response, time)
            }
            None => give_up(lease, fate),
        };
        Finished { headers: first_headers(policy, kept.unwrap_or_default()), fate, is_settled }
    }

    /// Settles the request as done, its response having been lost on the way: longer than what is kept, or cut
    /// off (H4). Duplicates are told that it was done; or, if that cannot be known, what the policy says of
    /// interrupted requests.
    pub fn finish_without_body(mut self, status: u16, was_cut_off: bool) -> Finished {
        let gate = self.gate.clone();
        let policy = &gate.0.policy;
        let fate = self.control.fate(policy, status);
        if was_cut_off {
            self.interrupt();
            return Finished { headers: Fields::new(), fate, is_settled: true };
        }
        let is_settled = match (self.lease.take(), fate) {
            (None, _) => false,
            (Some(lease), Fate::Release | Fate::Halt) => give_up(lease, fate),
            (Some(lease), Fate::Share) => give_up(lease, Fate::Release),
            (Some(lease), Fate::Keep | Fate::KeepFor(_)) => {
                let time = match fate {
                    Fate::KeepFor(time) => time,
                    _ => self.retention.unwrap_or(policy.retention),
                };
                // No response of the wire format is empty: a replay of it is an answer that is not there.
                lease.complete_for(&[], time).is_ok()
            }
        };
        Finished { headers: Fields::new(), fate, is_settled }
    }

    fn interrupt(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let policy = &self.gate.0.policy;
        match self.control.interrupted(policy) {
            Fate::Keep | Fate::KeepFor(_) | Fate::Share => {
                let answer = self.gate.refused(Refusal::Unknown, self.client);
                let _ = store(&self.gate, lease, &answer.to_response(), policy.retention);
            }
            fate => drop(give_up(lease, fate)),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.interrupt();
    }
}

/// Whether the lease was the caller's still.
fn store(gate: &Gate, lease: Lease, response: &Response, time: Duration) -> bool {
    // Longer than 4 GiB: done, and not kept.
    let bytes = response.write(&gate.0.policy).unwrap_or_default();
    let bytes = match &gate.0.hooks.seal {
        Some((seal, _)) => seal(bytes),
        None => bytes,
    };
    lease.complete_owned_for(bytes, time).is_ok()
}

/// The same.
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
