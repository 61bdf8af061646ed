//! The payments service.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Json, Query, State};
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use idem::{Engine, Status};
use idem_http::{Control, Gate, Policy};
use idem_tower::IdempotencyLayer;
use serde::Deserialize;

use crate::ledger::Ledger;

/// What handlers share.
#[derive(Clone)]
pub struct Shop {
    engine: Engine,
    ledger: Arc<Ledger>,
    executions: Arc<AtomicU64>,
}

/// What a client buys, and how the handler is to behave for it.
#[derive(Clone, Debug, Deserialize)]
pub struct Purchase {
    purchase: String,
    #[serde(default)]
    delay_ms: u64,
    /// "after": it panics when it has charged; "before": when it has not.
    #[serde(default)]
    panics: String,
}

impl Shop {
    /// A shop that nobody has bought in.
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        let (ledger, executions) = (Arc::default(), Arc::default());
        Self { engine: engine.clone(), ledger, executions }
    }

    /// What was charged.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How often a handler was called.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.executions.load(Ordering::Relaxed)
    }

    /// The service: behind a layer with this policy, or behind none.
    pub fn router(&self, policy: Option<Policy>) -> Router {
        let mut shop = Router::new()
            .route("/charges", post(charge))
            .route("/charge", get(execute).post(execute));
        if let Some(policy) = policy {
            // Keys are an account's own. A real service takes what its authentication has found out.
            let gate = Gate::new(&self.engine, policy, |head| {
                let account = head.values("authorization").next();
                Some(account.filter(|account| !account.is_empty()).unwrap_or(b"nobody").to_vec())
            })
            .expect("the profiles are right");
            shop = shop.layer(IdempotencyLayer::of(gate));
        }
        shop.route("/metrics", get(metrics)).route("/admin", get(admin)).with_state(self.clone())
    }
}

async fn charge(
    State(shop): State<Shop>,
    control: Option<Extension<Control>>,
    Json(purchase): Json<Purchase>,
) -> impl IntoResponse {
    let number = shop.executions.fetch_add(1, Ordering::Relaxed) + 1;
    if purchase.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(purchase.delay_ms)).await;
    }
    assert!(purchase.panics != "before", "a planned panic, before the charge");
    if let Some(Extension(control)) = &control {
        // From here on money has moved, or may have: a retry must not run this again.
        control.side_effects_began();
    }
    shop.ledger.charge(&purchase.purchase);
    assert!(purchase.panics != "after", "a planned panic, after the charge");
    (StatusCode::CREATED, format!("{{\"charge\":{number},\"purchase\":\"{}\"}}", purchase.purchase))
}

/// How an execution is to go.
#[derive(Debug, Deserialize)]
struct Wish {
    status: Option<u16>,
    #[serde(default)]
    delay_ms: u64,
}

/// For the conformance kit: each execution has a body of its own.
async fn execute(State(shop): State<Shop>, Query(wish): Query<Wish>) -> impl IntoResponse {
    let number = shop.executions.fetch_add(1, Ordering::Relaxed) + 1;
    if wish.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(wish.delay_ms.min(5000))).await;
    }
    let status = wish.status.and_then(|status| StatusCode::from_u16(status).ok());
    let headers = [("x-repeated", "one"), ("x-repeated", "two"), ("set-cookie", "session=secret")];
    (status.unwrap_or(StatusCode::CREATED), AppendHeaders(headers), format!("execution {number}"))
}

/// Prometheus text.
async fn metrics(State(shop): State<Shop>) -> String {
    let stats = shop.engine.stats();
    let counters = [
        ("executes", stats.executes),
        ("replays", stats.replays),
        ("in_flight", stats.in_flight),
        ("mismatches", stats.mismatches),
        ("completes", stats.completes),
        ("cancels", stats.cancels),
        ("halts", stats.halts),
        ("hand_overs", stats.hand_overs),
        ("lease_expiries", stats.lease_expiries),
        ("stale", stats.stale),
    ];
    let gauges = [("records", stats.records), ("bytes", stats.bytes), ("waiters", stats.waiters)];
    let mut text = String::new();
    for (name, value) in counters {
        text += &format!("# TYPE idem_{name}_total counter\nidem_{name}_total {value}\n");
    }
    for (name, value) in gauges {
        text += &format!("# TYPE idem_{name} gauge\nidem_{name} {value}\n");
    }
    text
}

/// What is in flight and what is halted; keys as hashes (H5).
async fn admin(State(shop): State<Shop>) -> Json<serde_json::Value> {
    let records: Vec<_> = shop
        .engine
        .listing()
        .take(1000)
        .map(|record| {
            let (state, age) = match record.status {
                Status::InFlight(info) => ("in flight", info.age),
                Status::Halted(_, info, _) => ("halted", info.age),
                _ => ("between", Duration::ZERO),
            };
            serde_json::json!({
                "key": format!("{:032x}", record.key.hash()),
                "state": state,
                "age_ms": u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
                "attempt": record.attempt,
                "waiters": record.waiters,
            })
        })
        .collect();
    Json(serde_json::json!({ "records": records }))
}
