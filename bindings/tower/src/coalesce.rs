//! Outgoing clients: identical calls at the same time go out once.

use core::time::Duration;

use idem::Engine;
use idem_http::{Gate, Policy, WhileInFlight, global};
use tower_layer::Layer;

use crate::layer::Idempotency;

/// Sends identical requests once: whoever asks while the first one is under way gets its response, or the error
/// that it shares. What is identical is what the [`coalesce`](Policy::coalesce) profile counts: method, address,
/// the headers that choose or authorize a response, and the body.
///
/// One request is told apart otherwise by [`Overrides`](idem_http::Overrides) in its extensions: with a key of
/// its own, another time to wait, a retention, or not at all.
#[derive(Clone)]
pub struct CoalesceLayer {
    engine: Engine,
    policy: Policy,
    is_enabled: bool,
}

impl CoalesceLayer {
    /// With the profile as it is: GET and HEAD, responses shared and not kept.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), policy: Policy::coalesce(), is_enabled: true }
    }

    /// As this policy says.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Off: every request goes out. For configurations.
    #[must_use]
    pub fn enabled(mut self, is_enabled: bool) -> Self {
        self.is_enabled = is_enabled;
        self
    }

    /// Methods besides those of the profile.
    #[must_use]
    pub fn methods(mut self, methods: &[&str]) -> Self {
        self.policy.methods.extend(methods.iter().map(|method| (*method).to_owned()));
        self
    }

    /// For how long a response is handed out once it is there.
    #[must_use]
    pub fn window(mut self, time: Duration) -> Self {
        self.policy.retention = time;
        for rule in &mut self.policy.fates {
            rule.fate = idem_http::Fate::Keep;
        }
        self
    }

    /// How long a request waits for another one's response. Then it is refused with 409.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.policy.while_in_flight = WhileInFlight::Wait(time);
        self
    }
}

impl<S> Layer<S> for CoalesceLayer {
    type Service = Idempotency<S>;

    fn layer(&self, inner: S) -> Idempotency<S> {
        let mut policy = self.policy.clone();
        if !self.is_enabled {
            policy.methods.clear();
        }
        Idempotency::by(inner, Gate::new(&self.engine, policy, global))
    }
}
