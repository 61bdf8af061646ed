//! An event loop: one thread, a thousand clients that wait, no async runtime. Each client asks for one of
//! ten reports. The loop claims it; if somebody else is at it, a callback puts the result into the
//! loop's own queue of events. One backend thread makes the reports, and gives up the first time.
//!
//! ```text
//! cargo run -p idem --example event_loop
//! ```
//!
//! Fails if a client gets no answer, or if a report is made twice.

use std::error::Error;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use idem::{Engine, Lease, Outcome, Reason, Replay, Scope, WaitOutcome};

const CLIENTS: usize = 1000;
const REPORTS: usize = 10;
/// An answer that takes longer is lost, and the program fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the loop is woken for.
enum Event {
    Answer(usize, Answer),
    /// The owner gave up, and this client is next.
    OurTurn(usize, Lease),
}

enum Answer {
    Report(Replay),
    Made,
    Failed,
}

/// A report to be made, for the client that began it.
type Task = (usize, Lease);

/// Claims for one client. Nothing here blocks.
fn ask(
    engine: &Engine,
    client: usize,
    (events, tasks): (&Sender<Event>, &Sender<Task>),
) -> Result<(), Box<dyn Error>> {
    let key = engine.key(Scope::None, &(client % REPORTS).to_le_bytes())?;
    match engine.claim(key)? {
        Outcome::Execute(lease) => tasks.send((client, lease))?,
        Outcome::Replay(report) => events.send(Event::Answer(client, Answer::Report(report)))?,
        Outcome::InFlight(other) => {
            let events = events.clone();
            let Some(waiter) = other.into_waiter() else { return Err("it was to wait".into()) };
            // Called by whoever ends the lease, here the backend: it only says what has come.
            waiter.on_end(move |outcome| {
                let event = match outcome {
                    WaitOutcome::Replay(report) => Event::Answer(client, Answer::Report(report)),
                    WaitOutcome::Execute(lease) => Event::OurTurn(client, lease),
                    _ => Event::Answer(client, Answer::Failed),
                };
                // The loop is gone: nobody is there to be answered.
                let _ = events.send(event);
            });
        }
        other => return Err(format!("client {client}: {other:?}").into()),
    }
    Ok(())
}

/// Makes reports until the loop hangs up.
fn run_backend(tasks: &Receiver<Task>, events: &Sender<Event>) {
    let mut is_first = true;
    for (client, lease) in tasks {
        let answer = if std::mem::take(&mut is_first) {
            // Hands over to the client that has waited longest, in this call.
            lease.cancel(Reason::Owner).map(|()| Answer::Failed)
        } else {
            lease.complete(b"the report").map(|_| Answer::Made)
        };
        let answer = answer.unwrap_or(Answer::Failed);
        if events.send(Event::Answer(client, answer)).is_err() {
            return;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().helper_thread(false).build()?;
    let (events, queue) = mpsc::channel();
    let (tasks, backlog) = mpsc::channel();
    let to_loop = events.clone();
    let backend = thread::spawn(move || run_backend(&backlog, &to_loop));

    for client in 0..CLIENTS {
        ask(&engine, client, (&events, &tasks))?;
    }
    let (mut answered, mut made, mut failed) = (vec![0; CLIENTS], 0, 0);
    while answered.contains(&0) {
        match queue.recv_timeout(PATIENCE)? {
            Event::OurTurn(client, lease) => tasks.send((client, lease))?,
            Event::Answer(client, answer) => {
                answered[client] += 1;
                match answer {
                    Answer::Report(report) => assert_eq!(&*report, b"the report"),
                    Answer::Made => made += 1,
                    Answer::Failed => failed += 1,
                }
            }
        }
        engine.tick();
    }
    drop(tasks);
    backend.join().map_err(|_| "the backend panicked")?;

    assert!(answered.iter().all(|times| *times == 1));
    assert_eq!((made, failed), (REPORTS, 1));
    let stats = engine.stats();
    assert_eq!((stats.completes, stats.waiters), (REPORTS as u64, 0));
    println!("{CLIENTS} clients on one thread, {made} reports made, {failed} failed");
    Ok(())
}
