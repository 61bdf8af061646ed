//! The clients: they take the plan's requests in turn, each when it is due, and ask the engine
//! who executes.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use idem::{Claim, Completion, Engine, Lease, Outcome, Scope, WaitOutcome};

use crate::log::Identity;
use crate::plan::{Plan, Request};
use crate::upstream::{Upstream, response};

const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// What became of one request.
enum Served {
    Executed,
    /// Waited for the response of another request in flight.
    Coalesced,
    Replayed,
    Mismatched,
    /// Got a response, but not the one for this request.
    Wrong,
    /// Nothing in this run should lead here; says what did.
    Unexpected(String),
}

/// What became of all requests.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) executed: u64,
    pub(crate) coalesced: u64,
    pub(crate) replayed: u64,
    pub(crate) mismatched: u64,
    pub(crate) wrong: u64,
    pub(crate) unexpected: u64,
    /// The first unexpected outcome seen.
    pub(crate) example: Option<String>,
    /// The longest that a request was sent after it was due: timers are late, clients busy.
    pub(crate) behind: Duration,
}

impl Tally {
    pub(crate) fn requests(&self) -> u64 {
        let answered = self.executed + self.coalesced + self.replayed + self.mismatched;
        answered + self.wrong + self.unexpected
    }

    fn count(&mut self, served: Served) {
        match served {
            Served::Executed => self.executed += 1,
            Served::Coalesced => self.coalesced += 1,
            Served::Replayed => self.replayed += 1,
            Served::Mismatched => self.mismatched += 1,
            Served::Wrong => self.wrong += 1,
            Served::Unexpected(what) => {
                self.unexpected += 1;
                self.example.get_or_insert(what);
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.executed += other.executed;
        self.coalesced += other.coalesced;
        self.replayed += other.replayed;
        self.mismatched += other.mismatched;
        self.wrong += other.wrong;
        self.unexpected += other.unexpected;
        self.example = self.example.take().or(other.example);
        self.behind = self.behind.max(other.behind);
    }
}

/// What all clients share.
struct Run<'r, 'log> {
    plan: &'r Plan<'log>,
    upstream: &'r Upstream<'log>,
    /// None: the sabotage.
    engine: Option<&'r Engine>,
    start: Instant,
    /// The next request that nobody has taken.
    next: AtomicUsize,
}

/// Plays the whole plan. Without an engine every request goes straight to the upstream.
pub(crate) fn play<'log>(
    plan: &Plan<'log>,
    upstream: &Upstream<'log>,
    engine: Option<&Engine>,
    client_count: usize,
) -> Tally {
    let run = Run { plan, upstream, engine, start: Instant::now(), next: AtomicUsize::new(0) };
    thread::scope(|scope| {
        let (finished, tallies) = mpsc::channel();
        for _ in 0..client_count {
            let (run, finished) = (&run, finished.clone());
            // The receiver outlives the clients, so the send succeeds.
            scope.spawn(move || finished.send(run.client()));
        }
        // From here on only clients hold a sender: the channel closes when the last one is done.
        drop(finished);

        let mut total = Tally::default();
        loop {
            match tallies.recv_timeout(PROGRESS_INTERVAL) {
                Ok(tally) => total.add(tally),
                Err(RecvTimeoutError::Timeout) => run.show_progress(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        run.show_progress();
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
        total
    })
}

impl<'log> Run<'_, 'log> {
    /// The life of one client.
    fn client(&self) -> Tally {
        let mut tally = Tally::default();
        // Relaxed: the plan was there before the clients; the cursor only deals out its indices.
        while let Some(request) = self.plan.requests.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            tally.behind = tally.behind.max(self.wait_until_due(request));
            tally.count(match self.engine {
                Some(engine) => self.ask(engine, request),
                None => self.bypass(request),
            });
        }
        tally
    }

    /// Returns how late it is by now.
    fn wait_until_due(&self, request: &Request<'_>) -> Duration {
        loop {
            let elapsed = self.start.elapsed();
            match request.due.checked_sub(elapsed) {
                // A park may end early, hence the loop.
                Some(early) if !early.is_zero() => thread::park_timeout(early),
                _ => return elapsed - request.due,
            }
        }
    }

    /// The whole use of libidem: claim, then execute, wait or take the replay.
    fn ask(&self, engine: &Engine, request: &Request<'log>) -> Served {
        let claim = match name(engine, request) {
            Ok(claim) => claim,
            Err(error) => return Served::Unexpected(error.to_string()),
        };
        match engine.claim(claim) {
            Ok(Outcome::Execute(lease)) => self.execute(lease, request),
            Ok(Outcome::Replay(replay)) => checked(&replay, request, Served::Replayed),
            Ok(Outcome::InFlight(in_flight)) => match in_flight.wait() {
                WaitOutcome::Replay(replay) => checked(&replay, request, Served::Coalesced),
                WaitOutcome::Execute(lease) => self.execute(lease, request),
                other => Served::Unexpected(format!("wait: {other:?}")),
            },
            Ok(Outcome::Mismatch(_)) => Served::Mismatched,
            Ok(other) => Served::Unexpected(format!("claim: {other:?}")),
            Err(error) => Served::Unexpected(format!("claim: {error}")),
        }
    }

    fn execute(&self, lease: Lease, request: &Request<'log>) -> Served {
        let response = self.upstream.execute(request.identity, request.sender.body());
        match lease.complete(&response) {
            Ok(Completion::Stored) => Served::Executed,
            other => Served::Unexpected(format!("complete: {other:?}")),
        }
    }

    fn bypass(&self, request: &Request<'log>) -> Served {
        self.upstream.execute(request.identity, request.sender.body());
        Served::Executed
    }

    fn show_progress(&self) {
        let planned = self.plan.requests.len();
        // Relaxed: a figure for the eye. Every client takes one index past the end when it stops.
        let sent = self.next.load(Ordering::Relaxed).min(planned);
        let executions = self.upstream.counts().executions;
        let seconds = self.start.elapsed().as_secs_f64();
        // A terminal shows one line that changes, a file one line per second.
        let (before, after) = if io::stderr().is_terminal() { ("\r", "") } else { ("", "\n") };
        let line = format!(
            "{before}{seconds:5.1} s  {sent} of {planned} sent, {executions} executed{after}"
        );
        // Progress that cannot be shown is no reason to stop.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

/// The scope is the client, the key what it asks for; the fingerprint covers the body as well.
fn name(engine: &Engine, request: &Request<'_>) -> Result<Claim, idem::KeyError> {
    let Identity { client, method, target } = request.identity;
    let key = engine.key(Scope::Of(client), &request.identity.operation())?;
    let mut said = engine.fingerprint();
    said.field(method).field(target).field(request.sender.body());
    Ok(Claim::new(key).fingerprint(said.finish()))
}

fn checked(replay: &[u8], request: &Request<'_>, served: Served) -> Served {
    if replay == response(request.identity, request.sender.body()) { served } else { Served::Wrong }
}
