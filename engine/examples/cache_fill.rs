//! A cache that fills itself: of all who ask for a page at once one renders it, the others get the same
//! bytes. Pages are kept for a minute; errors are shared with those who wait, and not kept.
//!
//! ```text
//! cargo run -p idem --example cache_fill
//! ```
//!
//! Fails if a page is rendered once too often or too seldom.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use idem::{Clock, Engine, ManualClock, Ran, Removal, Scope};

const RETENTION: Duration = Duration::from_secs(60);
const THREADS: usize = 8;
const ROUNDS: usize = 50;
const PAGES: [&str; 4] = ["index", "news", "about", "contact"];

type Failure = Box<dyn Error + Send + Sync>;

struct Pages {
    engine: Engine,
    /// How often each page was rendered.
    rendered: Mutex<HashMap<String, u32>>,
}

impl Pages {
    fn render(&self, name: &str) -> Result<String, String> {
        *self.rendered.lock().expect("nobody panics").entry(name.into()).or_default() += 1;
        match name {
            "missing" => Err(format!("no page {name}")),
            _ => Ok(format!("<h1>{name}</h1>")),
        }
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let key = self.engine.key(Scope::None, name.as_bytes())?;
        match self.engine.run(key, || self.render(name))? {
            Ran::Executed(page, _stored) => Ok(page.into()),
            Ran::Failed(error) => Err(error.into()),
            Ran::Replayed(error) if error.is_error() => {
                Err(String::from_utf8_lossy(&error).as_ref().into())
            }
            // To be sent without a copy, keep the replay itself.
            Ran::Replayed(page) => Ok(page.to_vec()),
            // Too many pages, too many who wait, or too long a page: answer all the same.
            Ran::Full(_) | Ran::Done(_) => Ok(self.render(name)?.into()),
            other => Err(format!("{name}: {other:?}").into()),
        }
    }

    /// The page has changed: what is kept is old, and what is being rendered now is as well.
    fn invalidate(&self, name: &str) -> Result<(), Failure> {
        let key = self.engine.key(Scope::None, name.as_bytes())?;
        // In flight at the first call and completed at the second: then it is there to be forgotten.
        while self.engine.forget(key)? == Removal::InFlight && !self.engine.detach(key)? {}
        Ok(())
    }

    /// Says how often a page has been rendered so far.
    fn expect(&self, name: &str, times: u32) -> Result<(), Failure> {
        let found = self.rendered.lock().expect("nobody panics").get(name).copied().unwrap_or(0);
        if found == times {
            return Ok(());
        }
        Err(format!("{name} was rendered {found} times, not {times}").into())
    }
}

fn main() -> Result<(), Failure> {
    // A clock that we move, so that a minute takes no time. A server has the default clock.
    let clock = ManualClock::new();
    let engine = Engine::builder().retention(RETENTION).clock(Clock::manual(&clock)).build()?;
    let pages = Pages { engine, rendered: Mutex::default() };

    thread::scope(|scope| {
        let ask = || {
            for round in 0..ROUNDS {
                let name = PAGES[round % PAGES.len()];
                assert_eq!(pages.get(name)?, format!("<h1>{name}</h1>").into_bytes());
            }
            Ok(())
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
    .and_then(|()| PAGES.iter().try_for_each(|name| pages.expect(name, 1)))?;
    println!("{} requests, each of {} pages rendered once", THREADS * ROUNDS, PAGES.len());

    // An error goes to those who wait at that moment; the next one who asks tries again.
    assert!(pages.get("missing").is_err() && pages.get("missing").is_err());
    pages.expect("missing", 2)?;

    pages.invalidate("news")?;
    pages.get("news")?;
    pages.expect("news", 2)?;

    // After its retention a page is rendered anew, with or without a tick.
    clock.advance(RETENTION);
    pages.get("index")?;
    pages.expect("index", 2)?;
    println!("errors are not kept; what is invalidated or a minute old is rendered again");
    Ok(())
}
