//! Runs scenarios, once for each point that their thread can be stopped at.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Scenario;
use super::found::{Found, Sight, body};
use super::gate::{Gate, PATIENCE, Stop};
use super::others::{self, Way};
use super::world::{BODY, KEY, World};
use crate::sync::pause::Point;

/// Accesses of one run between which others interfere; then they let it be, for a thread that is
/// interfered with for ever never ends.
const STEPS: usize = 400;
/// Runs with interference, each in another order.
const ORDERS: usize = 8;

/// Stops each scenario at each of its accesses; prints what was covered. With `SCENARIO` set, only
/// those whose name has that text.
pub(super) fn stop_at_each(operation: &str, scenarios: &'static [Scenario]) {
    let _one = one_at_a_time();
    let only = std::env::var("SCENARIO").unwrap_or_default();
    for scenario in scenarios.iter().filter(|scenario| scenario.name.contains(&only)) {
        let (mut points, mut sights, mut change) = (Vec::new(), Vec::new(), None);
        loop {
            let number = points.len() * scenario.every;
            let Some((point, sight)) = stop_at(scenario, number, Way::AtOnce) else { break };
            for way in [Way::Keep, Way::UseUp] {
                let again = stop_at(scenario, number, way);
                assert_eq!(again, Some((point, sight)), "{}: it does not vary", scenario.name);
            }
            if sights.last() != Some(&sight) {
                change = points.last().copied();
                sights.push(sight);
            }
            points.push(point);
        }
        // It takes effect at one step, if others can see it: before it one, from then on another.
        let sees = &scenario.sees[..scenario.sees.len().min(sights.len().max(1))];
        assert_eq!(sights, sees, "{}: what claims came to meanwhile", scenario.name);
        assert!(sees.len() == scenario.sees.len() || scenario.every > 1, "{}", scenario.name);
        let more = (0..ORDERS).flat_map(|order| step(scenario, order)).collect();
        report(operation, scenario, &points, &more, change);
    }
}

/// Where the threads of these scenarios were stopped, alone and with others interfering.
pub(super) fn places(scenarios: &[&'static [Scenario]]) -> BTreeSet<Point> {
    let _one = one_at_a_time();
    let places = scenarios.iter().copied().flatten().flat_map(|scenario| {
        let alone = alone(scenario);
        (0..ORDERS).flat_map(|order| step(scenario, order)).chain(alone).collect::<Vec<_>>()
    });
    places.collect()
}

/// Threads of other tests would take numbers (`sync::thread`) in between, and so be in the way.
fn one_at_a_time() -> impl Sized {
    static ONE: Mutex<()> = Mutex::new(());
    // It guards nothing that a test which failed could have broken.
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(
    operation: &str,
    scenario: &Scenario,
    points: &[Point],
    interfered: &BTreeSet<Point>,
    change: Option<Point>,
) {
    let alone: BTreeSet<_> = points.iter().copied().collect();
    let more = interfered.difference(&alone).count();
    let change = change.map_or("-".into(), |at| {
        let file = at.place.file().rsplit("src/").next().unwrap_or_default();
        format!("{file}:{}", at.place.line())
    });
    let (name, every) = (scenario.name, scenario.every);
    let every = if every == 1 { String::new() } else { format!(", one of {every}") };
    let (points, places) = (points.len(), alone.len());
    println!("| {operation} | {name} | {points}{every} | {places} | {more} | {change} |");
}

/// The scenario's thread stops before this access, and goes on only when the others are through.
/// `None` if it ends before it comes there.
fn stop_at(scenario: &'static Scenario, number: usize, way: Way) -> Option<(Point, Sight)> {
    within_patience(scenario, move |at| {
        let run = Run::of(scenario, Stop::At(number));
        let Some(point) = run.until_stopped() else {
            run.finish();
            return None;
        };
        at.set(point);
        let (sight, mut lease) = others::go_on(&run.world, way);
        if scenario.rouse.is_some()
            && let Some(lease) = lease.take()
        {
            // The thread waits for the key itself: not for others that keep it.
            lease.complete(&body(KEY, BODY)).expect("the lease is theirs");
        }
        let stopped = run.world.clock.elapsed();
        run.gate.open();
        run.until_over();
        // What it found is checked while the others still own the key.
        let (world, found) = run.end();
        let found = world.checked(KEY, found);
        if let Some(lease) = lease {
            // The thread has not ended what is theirs (L2); but time may have passed, for one that
            // slept.
            let is_late = way == Way::AtOnce && world.clock.elapsed() > stopped;
            assert!(
                lease.complete(&body(KEY, BODY)).is_ok() || is_late || scenario.takes,
                "the lease is theirs"
            );
        }
        clean_up(&world, found);
        Some((point, sight))
    })
}

/// The scenario's thread stops before each access, and others interfere there. Where it stopped.
fn step(scenario: &'static Scenario, order: usize) -> Vec<Point> {
    within_patience(scenario, move |at| {
        let run = Run::of(scenario, Stop::Each);
        let mut turn = 0;
        while let Some(point) = run.until_stopped() {
            at.set(point);
            if turn == STEPS {
                run.gate.open();
                run.until_over();
                break;
            }
            // Every few accesses, and another few in each order.
            if turn % (order + 1) == order {
                others::interfere(&run.world, turn / (order + 1) + order);
            }
            turn += 1;
            run.gate.step();
        }
        run.finish()
    })
}

/// The scenario's accesses when nobody interferes.
fn alone(scenario: &'static Scenario) -> Vec<Point> {
    within_patience(scenario, move |_| {
        let run = Run::of(scenario, Stop::Never);
        assert_eq!(run.until_stopped(), None);
        run.finish()
    })
}

/// Runs `work`, in which others go on while a thread is stopped, and fails if they do not. It says
/// where the thread is stopped.
fn within_patience<T: Send + 'static>(
    scenario: &'static Scenario,
    work: impl FnOnce(&At) -> T + Send + 'static,
) -> T {
    let at = Arc::new(At::default());
    let (its, (through, is_through)) = (at.clone(), channel::<()>());
    let worker = std::thread::spawn(move || {
        // Dropped when it is through, or panics.
        let _through = through;
        work(&its)
    });
    let is_late = is_through.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
    let result = if is_late { None } else { Some(worker.join()) };
    if !matches!(result, Some(Ok(_))) {
        eprintln!("{}: the thread is stopped at {:?}", scenario.name, at.0.lock());
    }
    let result = result.expect("the others go on while the thread is stopped (P1)");
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Where a thread is stopped.
#[derive(Default)]
struct At(Mutex<Option<Point>>);

impl At {
    fn set(&self, point: Point) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(point);
    }
}

/// One run of a scenario.
struct Run {
    scenario: &'static Scenario,
    world: World,
    gate: Arc<Gate>,
    thread: JoinHandle<Found>,
    is_roused: Cell<bool>,
}

impl Run {
    fn of(scenario: &'static Scenario, stop: Stop) -> Self {
        let (world, work) = World::of(scenario);
        let gate = Gate::new(stop);
        let (its_world, its_gate) = (world.clone(), gate.clone());
        let thread = std::thread::spawn(move || its_gate.pass(|| work(&its_world)));
        Self { scenario, world, gate, thread, is_roused: Cell::new(false) }
    }

    /// Where the thread stopped; `None`: it is through. If it sleeps, it is roused, as the scenario
    /// says.
    fn until_stopped(&self) -> Option<Point> {
        let Some(rouse) = self.scenario.rouse else { return self.gate.until_stopped(None) };
        let idle = || {
            if self.world.clock.sleepers() == 0 {
                return;
            }
            if !self.is_roused.replace(true) {
                self.gate.hold(|| rouse(&self.world));
            } else if self.gate.is_stopped_often() {
                // Others may have made it sleep again.
                self.world.pass_millis(1);
            }
        };
        self.gate.until_stopped(Some(&idle))
    }

    /// The thread, which stops no more, must come to its end; if it sleeps, time passes.
    fn until_over(&self) {
        let pass = || {
            if self.world.clock.sleepers() > 0 {
                self.world.pass_millis(1);
            }
        };
        assert_eq!(self.gate.until_stopped(Some(&pass)), None, "it stops no more");
    }

    fn end(self) -> (World, Found) {
        let found = self.thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        (self.world, found)
    }

    /// The thread is through; what it has found is put away. Where it stopped.
    fn finish(self) -> Vec<Point> {
        let points = self.gate.seen();
        let (world, found) = self.end();
        let found = world.checked(KEY, found);
        clean_up(&world, found);
        points
    }
}

/// Nothing of the scenario must be left when it is over.
fn clean_up(world: &World, found: Found) {
    world.put_away(KEY, found);
    world.join_beside();
    assert_eq!(world.untold(), [0, 0], "some who wait were never told");
    others::find_it_whole(world);
}
