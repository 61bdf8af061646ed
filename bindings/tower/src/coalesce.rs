//! Outgoing clients: identical calls at the same time go out once.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use idem::Engine;
use idem_http::{Gate, Policy, Routes, WhileInFlight};
use tower_layer::Layer;

use crate::layer::Idempotency;

/// Services that were made: the number of each is the scope of its keys.
static SERVICES: AtomicU64 = AtomicU64::new(0);

/// Sends identical requests once: whoever asks while the first one is under way gets its response, or the error
/// that it shares. What is identical is what the [`coalesce`](Policy::coalesce) profile counts: method, address,
/// the headers that choose or authorize a response, and the body.
///
/// The clones of one service share; two services do not, since credentials that are added further in may be each
/// its own. What is added there for one tenant must be for all whose requests go through.
///
/// A call that seems to hang is waited for as long as the profile's `max_run`, 30 seconds: then the next one goes out.
///
/// One request is told apart otherwise by [`Overrides`](idem_http::Overrides) in its extensions: with a key of
/// its own, another time to wait, a retention, or not at all. With a scope, a namespace, hooks or a policy of one's
/// own it is an [`IdempotencyLayer`](crate::IdempotencyLayer) around the client, of a gate made as usual.
///
/// hyper-util's client is such a service as it is. reqwest's becomes one by two conversions:
///
/// ```
/// use idem_tower::{CoalesceLayer, RequestBody};
/// use tower::{Layer, service_fn};
///
/// # type Body = http_body_util::Full<bytes::Bytes>;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (engine, client) = (idem::Engine::new()?, reqwest::Client::new());
/// let send = service_fn(move |request: http::Request<RequestBody<Body>>| {
///     let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
///     let client = client.clone();
///     async move { client.execute(request?).await.map(http::Response::<reqwest::Body>::from) }
/// });
/// let client = CoalesceLayer::new(&engine).layer(send);
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
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

    /// Off: every request goes out. For configurations.
    #[must_use]
    pub fn enabled(mut self, is_enabled: bool) -> Self {
        self.is_enabled = is_enabled;
        self
    }

    /// Methods besides those of the profile. What is no method is that of no request.
    #[must_use]
    pub fn methods(mut self, methods: &[&str]) -> Self {
        self.policy.methods.extend(methods.iter().map(|method| (*method).to_owned()));
        self
    }

    /// For how long a response is handed out once it is there; at most ten years.
    #[must_use]
    pub fn window(mut self, time: Duration) -> Self {
        self.policy.retention = time.min(Policy::LONGEST);
        for rule in &mut self.policy.fates {
            rule.fate = idem_http::Fate::Keep;
        }
        self
    }

    /// How long a request waits for another one's response. Then it is refused with 504.
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
        policy.methods.retain(|method| {
            self.is_enabled && http::Method::from_bytes(method.as_bytes()).is_ok()
        });
        // Relaxed: a number.
        let number = SERVICES.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let gate = Gate::new(&self.engine, policy, move |_| Some(number.to_vec()));
        // With a policy that cannot be carried out, which this one cannot be, every request would go out.
        Idempotency::by(inner, Routes::new(gate.ok()))
    }
}
