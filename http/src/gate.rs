//! The gate: from a request to the decision what becomes of it, and from its response to what is stored.
//!
//! ```text
//! head -> admit -> Pass                      not for us: as if we were not there
//!               -> Answer                    refused
//!               -> Keyed -> (body) -> claim -> Answer         replayed, or refused
//!                                           -> Wait           somebody else is at it
//!                                           -> Execute        a ticket: run the handler, then finish
//! ```
//!
//! Nothing here does I/O, waits or knows what time it is.

use core::time::Duration;
use std::sync::Arc;

use idem::{Claim, Engine, Fingerprint, Key, Lease, Namespace, Replay, Scope};

use crate::answer::Answer;
use crate::check::PolicyError;
use crate::fingerprint::Unfinished;
use crate::head::{Client, Head};
use crate::header_key::{self, KeyFault};
use crate::keyed::{Decision, Keyed};
use crate::policy::{Identity, Policy};
use crate::problem::Refusal;
use crate::response::Response;
use crate::ticket::Ticket;

/// Whose keys a request's is among: a stable name of the user, tenant or account; `None` where keys are global.
pub type ScopeOf = dyn Fn(&Head<'_>) -> Option<Vec<u8>> + Send + Sync;

/// What one request has otherwise than its policy.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Its key, whatever its header says.
    pub key: Option<Vec<u8>>,
    /// Whose keys its is among, where the head does not say: what authentication has found out.
    pub scope: Option<Vec<u8>>,
    /// How long its answer is kept; at most ten years.
    pub retention: Option<Duration>,
    /// How long a duplicate waits.
    pub wait: Option<Duration>,
    /// It passes through.
    pub is_off: bool,
}

/// A policy at work: an engine, a namespace of it, and whose keys they are. A route has one. Clones are the
/// same.
#[derive(Clone)]
pub struct Gate(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    namespace: Option<Namespace>,
    pub(crate) policy: Policy,
    scope: Box<ScopeOf>,
    pub(crate) hooks: Hooks,
}

/// What an embedder does itself.
#[derive(Default)]
pub(crate) struct Hooks {
    key: Option<Box<KeyOf>>,
    pub(crate) says: Option<Box<SaysOf>>,
    pub(crate) render: Option<Box<Render>>,
    pub(crate) redact: Option<Box<Redact>>,
    pub(crate) seal: Option<(Box<Seal>, Box<Open>)>,
}

/// The key of a request, whatever its header says; `None`: as the policy has it.
pub type KeyOf = dyn Fn(&Head<'_>) -> Option<Vec<u8>> + Send + Sync;

/// What counts of a request besides its policy's choice, by its head and its body.
pub type SaysOf = dyn Fn(&Head<'_>, &[u8]) -> Vec<u8> + Send + Sync;

/// The media type and body of a refusal; `None`: problem details as always.
pub type Render = dyn Fn(Refusal, u16) -> Option<(String, Vec<u8>)> + Send + Sync;

/// Changes a response before it is stored. What the first client gets is not changed.
pub type Redact = dyn Fn(&mut Response) + Send + Sync;

/// Makes what is stored of a response's bytes, as by encryption.
pub type Seal = dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync;

/// The reverse; `None` if it cannot be had any more.
pub type Open = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

/// A gate in the making.
#[must_use]
pub struct GateBuilder {
    engine: Engine,
    namespace: Option<Namespace>,
    policy: Policy,
    scope: Box<ScopeOf>,
    hooks: Hooks,
}

impl GateBuilder {
    /// In a namespace, whose keys are apart from those of others.
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Keys that are found otherwise: in another header, in the path.
    pub fn key_with(
        mut self,
        key: impl Fn(&Head<'_>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.key = Some(Box::new(key));
        self
    }

    /// More that counts of a request, after what the policy says: a hash of the embedder's, or a field that the
    /// policy does not know. It is given the body, which is held in memory for it.
    pub fn fingerprint_with(
        mut self,
        says: impl Fn(&Head<'_>, &[u8]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.says = Some(Box::new(says));
        self
    }

    /// Renders refusals otherwise than as problem details.
    pub fn render_with(
        mut self,
        render: impl Fn(Refusal, u16) -> Option<(String, Vec<u8>)> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.render = Some(Box::new(render));
        self
    }

    /// Changes responses before they are stored: what must not be at rest is taken out, and is then missing in
    /// replays.
    pub fn redact_with(mut self, redact: impl Fn(&mut Response) + Send + Sync + 'static) -> Self {
        self.hooks.redact = Some(Box::new(redact));
        self
    }

    /// Seals what is stored, and opens it for replays. What does not open is answered as an unknown outcome.
    pub fn seal_with(
        mut self,
        seal: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
        open: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.seal = Some((Box::new(seal), Box::new(open)));
        self
    }

    /// The gate.
    ///
    /// # Errors
    /// A policy that [cannot be carried out](Policy::check), or a namespace of another engine.
    pub fn build(self) -> Result<Gate, PolicyError> {
        let Self { engine, namespace, policy, scope, hooks } = self;
        policy.check()?;
        let probe = |space: &Namespace| engine.check_claim(&Claim::new(space.raw_key(0)));
        if namespace.as_ref().is_some_and(|space| probe(space).is_err()) {
            return Err(PolicyError::new("namespace", "is another engine's"));
        }
        Ok(Gate(Arc::new(Shared { engine, namespace, policy, scope, hooks })))
    }
}

/// The scope of a gate whose keys are global: clients that choose the same key then share it. For services
/// with one tenant, or behind one that scopes keys itself.
#[must_use]
pub fn global(_: &Head<'_>) -> Option<Vec<u8>> {
    None
}

/// What is known of a request by its head.
#[must_use]
pub enum Admission {
    /// It is not for us.
    Pass,
    /// It is refused.
    Refused(Answer),
    /// It has a key; its body may count.
    Keyed(Box<Keyed>),
}

impl Gate {
    /// A gate whose keys are those of the scope that `scope` says.
    pub fn builder(
        engine: &Engine,
        policy: Policy,
        scope: impl Fn(&Head<'_>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> GateBuilder {
        let (engine, hooks) = (engine.clone(), Hooks::default());
        GateBuilder { engine, namespace: None, policy, scope: Box::new(scope), hooks }
    }

    /// The same with nothing else said.
    ///
    /// # Errors
    /// A policy that [cannot be carried out](Policy::check).
    pub fn new(
        engine: &Engine,
        policy: Policy,
        scope: impl Fn(&Head<'_>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Result<Self, PolicyError> {
        Self::builder(engine, policy, scope).build()
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The fingerprint of a request: for tests, and for whoever wants to know.
    #[must_use]
    pub fn fingerprint(&self, head: &Head<'_>, body: &[u8]) -> Fingerprint {
        let Shared { policy, hooks, engine, .. } = &*self.0;
        let mut fingerprint = Unfinished::of(engine, policy, head, hooks.says.is_some());
        fingerprint.update(body);
        fingerprint.finish(policy, hooks.says.as_deref())
    }

    pub(crate) fn refused(&self, refusal: Refusal, client: Client) -> Answer {
        let Shared { policy, hooks, .. } = &*self.0;
        Answer::refusal(policy, refusal, client, hooks.render.as_deref())
    }

    /// Whether a request without [`Overrides`] is certain to pass, by as little as can be looked at: for
    /// bindings, before they put its head together. `has` says whether it has a header field of that name.
    #[must_use]
    pub fn passes(&self, method: &str, path: &str, has: impl FnOnce(&str) -> bool) -> bool {
        let Shared { policy, hooks, .. } = &*self.0;
        let wants_header =
            policy.identity == Identity::Header && !policy.require_key && hooks.key.is_none();
        !policy.applies(method, path) || (wants_header && !has(&policy.header))
    }

    /// What is known of a request by its head.
    pub fn admit(&self, head: &Head<'_>, overrides: Overrides) -> Admission {
        let Shared { policy, hooks, engine, .. } = &*self.0;
        if overrides.is_off || !policy.applies(head.method, head.path) {
            return Admission::Pass;
        }
        let client = Client::of(head);
        let refused = |refusal| Admission::Refused(self.refused(refusal, client));
        let own = || hooks.key.as_ref().and_then(|key| key(head));
        let key = match (overrides.key.clone().or_else(own), policy.identity) {
            (Some(key), _) => Some(key),
            (None, Identity::Fingerprint) => None,
            (None, Identity::Header | Identity::HeaderElseFingerprint) => {
                let lines = head.values(&policy.header);
                match header_key::parse(lines, policy.syntax, policy.key_length_max) {
                    Ok(key) => key,
                    Err(fault) => return refused(refusal_of(fault)),
                }
            }
        };
        if key.is_none() && policy.identity == Identity::Header {
            return if policy.require_key { refused(Refusal::Missing) } else { Admission::Pass };
        }
        // Nobody's answer but its own could be of use to it. One with a key of its own is a request like others:
        // clients that know HTTP/2 offer that with each.
        if key.is_none() && head.values("upgrade").next().is_some() {
            return Admission::Pass;
        }
        Admission::Keyed(Box::new(Keyed {
            gate: self.clone(),
            key,
            scope: overrides.scope.clone().or_else(|| (self.0.scope)(head)),
            fingerprint: Unfinished::of(engine, policy, head, hooks.says.is_some()),
            room: policy.body_max,
            overrides,
            client,
        }))
    }

    /// The answer that a stored response is.
    pub(crate) fn replayed(&self, replay: &Replay, client: Client) -> Decision {
        let Shared { policy, hooks, .. } = &*self.0;
        // An empty one was done, and its response not kept.
        if !policy.replay || replay.is_empty() {
            return Decision::Answered(self.refused(Refusal::Answered, client));
        }
        let answer = match &hooks.seal {
            None => Answer::held(policy, replay.clone(), client).ok(),
            Some((_, open)) => {
                open(replay).and_then(|bytes| Answer::opened(policy, bytes, replay, client).ok())
            }
        };
        // Of another version than is known here, or sealed with what is lost: what it says is not known.
        let answer = answer.unwrap_or_else(|| self.refused(Refusal::Unknown, client));
        Decision::Answered(answer)
    }

    pub(crate) fn execute(
        &self,
        lease: Lease,
        retention: Option<Duration>,
        client: Client,
    ) -> Decision {
        Decision::Execute(Ticket::new(self.clone(), lease, retention, client))
    }

    /// The key of a request: the client's, or what the request says.
    pub(crate) fn key_of(
        &self,
        keyed: &Keyed,
        fingerprint: idem::Fingerprint,
    ) -> Result<Key, Refusal> {
        let scope = keyed.scope.as_deref().map_or(Scope::None, Scope::Of);
        let (engine, namespace) = (&self.0.engine, &self.0.namespace);
        let made = match (&keyed.key, namespace) {
            (Some(key), None) => engine.key(scope, key),
            (Some(key), Some(namespace)) => namespace.key(scope, key),
            (None, None) => engine.fingerprint_key(scope, fingerprint),
            (None, Some(namespace)) => namespace.fingerprint_key(scope, fingerprint),
        };
        // Empty or too long, of a key or a scope of the embedder's own.
        made.map_err(|_| Refusal::Malformed)
    }
}

fn refusal_of(fault: KeyFault) -> Refusal {
    match fault {
        KeyFault::Repeated => Refusal::Repeated,
        KeyFault::Malformed | KeyFault::Empty => Refusal::Malformed,
        KeyFault::TooLong => Refusal::TooLong,
    }
}
