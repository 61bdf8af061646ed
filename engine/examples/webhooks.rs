//! Webhooks that are delivered at least once, handled once. Two ways, for two kinds of handler:
//!
//! - `once`: mark first, then handle. Cheap, and nothing is stored but the mark. If handling fails, the
//!   mark is forgotten, and the sender's next delivery counts. A delivery that comes *while* the first is
//!   being handled is told "seen": right, if the sender tries again for the one that failed.
//! - a claim: handled first, marked when it is done. A delivery that comes meanwhile is told to come
//!   back, and one that comes later gets the first one's answer.
//!
//! ```text
//! cargo run -p idem --example webhooks
//! ```
//!
//! Fails if a delivery is handled twice, or one that failed is never handled.

use std::error::Error;
use std::time::Duration;

use idem::{Claim, Engine, Fingerprint, Outcome, Reason, Scope};

/// Longer than the sender goes on trying.
const RETENTION: Duration = Duration::from_secs(3 * 86_400);

#[derive(Clone, Copy)]
struct Delivery {
    shop: &'static str,
    id: &'static str,
    body: &'static str,
}

/// What the handler does to the world; it may fail.
struct Books {
    entries: Vec<String>,
    is_down: bool,
}

impl Books {
    fn enter(&mut self, delivery: Delivery) -> Result<(), &'static str> {
        if self.is_down {
            return Err("the books are closed");
        }
        self.entries.push(format!("{}: {}", delivery.shop, delivery.body));
        Ok(())
    }
}

/// The status that the sender gets: 2xx, or it tries again.
fn by_once(engine: &Engine, books: &mut Books, delivery: Delivery) -> Result<u16, Box<dyn Error>> {
    // Two shops may use one id: the shop is the scope.
    let key = engine.key(Scope::Of(delivery.shop.as_bytes()), delivery.id.as_bytes())?;
    if !engine.once(key, RETENTION)? {
        return Ok(200);
    }
    if books.enter(delivery).is_err() {
        // Nothing was done, so the next delivery is to be the first.
        engine.forget(key)?;
        return Ok(503);
    }
    Ok(200)
}

fn by_claim(engine: &Engine, books: &mut Books, delivery: Delivery) -> Result<u16, Box<dyn Error>> {
    let key = engine.key(Scope::Of(delivery.shop.as_bytes()), delivery.id.as_bytes())?;
    let body: Fingerprint = engine.fingerprint().http("POST", "/hook", delivery.body);
    let claim = Claim::new(key).fingerprint(body).retention(RETENTION).wait(false);
    Ok(match engine.claim(claim)? {
        // If handling panics the lease is dropped, and the next delivery executes.
        Outcome::Execute(lease) => match books.enter(delivery) {
            // Stale: it took longer than the lease, and another delivery was let in beside it.
            Ok(()) => lease.complete(b"entered").map_or(500, |_| 200),
            Err(_) => {
                lease.cancel(Reason::Owner)?;
                503
            }
        },
        Outcome::Replay(_) | Outcome::Done(_) => 200,
        Outcome::InFlight(_) => 409,
        // The same id with another body: a mistake of the sender's, or a forgery.
        Outcome::Mismatch(_) => 422,
        // Full, closed or halted: not handled. The sender tries again.
        _ => 503,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let paid = Delivery { shop: "north", id: "81", body: "order 17 paid" };
    let other_shop = Delivery { shop: "south", id: "81", body: "order 3 paid" };
    let forged = Delivery { body: "order 17 paid twice", ..paid };

    for (name, handle) in [("once", by_once as fn(&_, &mut _, _) -> _), ("claim", by_claim)] {
        let engine = Engine::new()?;
        let mut books = Books { entries: Vec::new(), is_down: true };
        let mut deliver = |is_down, delivery| {
            books.is_down = is_down;
            handle(&engine, &mut books, delivery)
        };
        // It fails, is delivered again, and again although it was handled.
        assert_eq!(deliver(true, paid)?, 503);
        assert_eq!(deliver(false, paid)?, 200);
        assert_eq!(deliver(false, paid)?, 200);
        assert_eq!(deliver(true, paid)?, 200, "it does not get as far as the books");
        assert_eq!(deliver(false, other_shop)?, 200);
        if name == "claim" {
            assert_eq!(deliver(false, forged)?, 422);
            // One that comes while the first is at it.
            let key = engine.key(Scope::Of(b"north"), b"82")?;
            let Outcome::Execute(_at_work) = engine.claim(key)? else { return Err("82".into()) };
            assert_eq!(deliver(false, Delivery { id: "82", ..paid })?, 409);
        }
        assert_eq!(books.entries, ["north: order 17 paid", "south: order 3 paid"]);
        println!("{name}: every delivery in the books once");
    }
    Ok(())
}
