//! Runs operations on the engine and on the machine, and compares everything that can be seen.

mod claiming;
mod ending;
mod outside;
mod waiting;

use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use idem::{
    Callback, Clock, Engine, Fingerprint, HaltToken, Info, Key, Lease, ManualClock, Namespace,
    NamespaceOptions, Reason, Replay, Scope, Token, TokenError, WaitOutcome,
};

use crate::reference::grammar::{Case, Op, Pick, Setup, place_of};
use crate::reference::machine::{Body, Counts, Id, Machine};
use waiting::Waiting;

/// The sides, and the handles the operations choose from.
struct SideBySide {
    setup: Setup,
    clock: ManualClock,
    engine: Engine,
    other: Namespace,
    machine: Machine,
    leases: Vec<(Lease, Id)>,
    tokens: Vec<(Token, Id)>,
    waiters: Vec<Waiting>,
    callbacks: Vec<(Callback, Id)>,
    /// Where callbacks put what they were called with.
    calls: (Sender<(Id, WaitOutcome)>, Receiver<(Id, WaitOutcome)>),
    replays: Vec<(Replay, Rc<Body>)>,
    /// Every halt that was seen; the machine's number for it is another.
    halts: Vec<(HaltToken, u32)>,
    /// Made before anything was cleared.
    keys: Vec<Key>,
    next_id: Id,
    written: u8,
}

/// Runs them all, then lets go of everything and sees the engine empty.
pub(crate) fn run(case: &Case) {
    let mut sides = SideBySide::new(&case.setup);
    for op in &case.ops {
        sides.apply(*op);
        sides.settle();
    }
    sides.end();
}

impl SideBySide {
    fn new(setup: &Setup) -> Self {
        let clock = ManualClock::new();
        let engine = build(setup, &clock);
        let other = define_other(setup, &engine);
        let mut sides = Self {
            setup: setup.clone(),
            clock,
            engine,
            other,
            machine: Machine::new(setup.limits),
            leases: Vec::new(),
            tokens: Vec::new(),
            waiters: Vec::new(),
            callbacks: Vec::new(),
            calls: channel(),
            replays: Vec::new(),
            halts: Vec::new(),
            keys: Vec::new(),
            next_id: 0,
            written: 0,
        };
        sides.keys = (0..setup.key_count).map(|number| sides.new_key(number)).collect();
        sides
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Claim(wish) => self.claim(wish),
            Op::ClaimBatch(wishes) => self.claim_batch(&wishes),
            Op::Once { key, retention } => self.once(key, retention),
            Op::Peek { key } => self.peek(key),
            Op::Forget { key, forced } => self.forget(key, forced),
            Op::Detach { key } => self.detach(key),
            Op::ForceEnd { key, policy } => self.force_end(key, policy),
            Op::Resolve { key, token, how } => self.resolve(key, token, how),
            Op::Clear { namespace } => self.clear(namespace),
            Op::Complete { .. } | Op::CompleteBatch { .. } | Op::Fail { .. } => self.complete(op),
            Op::GiveUp { lease, policy, reason } => self.give_up(lease, policy, reason),
            Op::Renew { lease, time } => {
                let Some((lease, id)) = pick(&self.leases, lease) else { return };
                assert_eq!(lease.renew(millis(time)), self.machine.renew(*id, time));
            }
            Op::DropLease { lease } => {
                let Some((lease, id)) = take(&mut self.leases, lease) else { return };
                drop(lease);
                let _ = self.machine.give_up(id, None, Reason::Dropped);
            }
            Op::IntoToken { lease } => {
                let Some((lease, id)) = take(&mut self.leases, lease) else { return };
                self.tokens.push((lease.into_token(), id));
            }
            Op::FromToken { token } => self.take_up_token(token),
            Op::Wait { waiter } => self.wait(waiter),
            Op::Poll { waiter } => self.poll(waiter),
            Op::OnEnd { waiter } => self.on_end(waiter),
            Op::CancelCallback { callback } => self.cancel_callback(callback),
            Op::DropWaiter { waiter } => self.drop_waiter(waiter),
            Op::CloneReplay { replay } => {
                let Some((replay, body)) = pick(&self.replays, replay) else { return };
                let cloned = (replay.clone(), body.clone());
                self.replays.push(cloned);
            }
            Op::DropReplay { replay } => {
                let Some((replay, body)) = take(&mut self.replays, replay) else { return };
                assert_eq!(*replay, *body.bytes, "a replay that is held does not change");
            }
            Op::AdvanceTo { deadline, early } => {
                let Some(&until) = pick(&self.machine.deadlines(), deadline) else { return };
                self.advance(until.saturating_sub(self.machine.now + early));
            }
            Op::Advance { time } => self.advance(time),
            Op::Tick => self.tick(),
            Op::Close => {
                self.engine.close();
                self.machine.close(None);
            }
            Op::CloseWithin { time } => {
                self.engine.close_within(millis(time));
                self.machine.close(Some(time));
            }
        }
    }

    /// R2 leaves open whether a call on one key acts on what is due on others, when there is little
    /// room. So then both sides act on all of it. After that nothing is open any more.
    fn settle(&mut self) {
        if self.machine.take_pressed() {
            self.tick();
        }
        self.compare_calls();
        let stats = self.engine.stats();
        let used = [stats.records, stats.bytes, stats.waiters];
        assert_eq!(used, self.machine.used(), "records, bytes, waiters");
        let counts = Counts {
            late: stats.late,
            stale: stats.stale,
            detached: stats.detached,
            forced: stats.forced,
            forgotten: stats.forgotten,
            resolved: stats.resolved,
            shutdowns: stats.shutdowns,
        };
        assert_eq!(counts, self.machine.counts);
        for (lease, id) in &self.leases {
            let until = self.machine.lease_until(*id);
            let left = until.map(|until| millis(until.saturating_sub(self.machine.now)));
            assert_eq!(lease.time_left(), left);
        }
        self.assert_futures_are_woken();
    }

    fn take_up_token(&mut self, token: Pick) {
        // The token stays: two leases of one token are the same lease.
        let Some(&(token, id)) = pick(&self.tokens, token) else { return };
        let lease = self.engine.lease(token);
        assert_eq!(lease.is_ok(), self.machine.lease_until(id).is_some());
        match lease {
            Ok(lease) => self.leases.push((lease, id)),
            Err(error) => assert_eq!(error, TokenError::Stale),
        }
    }

    fn advance(&mut self, time: u64) {
        self.clock.advance(millis(time));
        self.machine.now += time;
    }

    fn tick(&mut self) {
        // After a jump over weeks a distant reminder is put off, three days at a time.
        let slices = (0..10_000).take_while(|_| self.engine.tick()).count();
        assert!(slices < 10_000, "ticking comes to an end");
        self.machine.tick();
    }

    /// W1, W2, R3: all handles are dropped, all time passes, and nothing is left.
    fn end(mut self) {
        self.tokens.clear();
        let all =
            [Op::Wait { waiter: 0 }, Op::DropReplay { replay: 0 }, Op::DropLease { lease: 0 }];
        // A lease that only a token named ends by its age: it may leave a halted record, or pass to
        // one callback after the other.
        for _ in 0..3 {
            while self.replays.len() + self.waiters.len() + self.leases.len() > 0 {
                for op in all {
                    self.apply(op);
                    self.settle();
                }
            }
            let last = self.machine.deadlines().last().copied().unwrap_or(0);
            self.advance(last.saturating_sub(self.machine.now));
            self.tick();
            self.settle();
        }
        let stats = self.engine.stats();
        assert_eq!([stats.records, stats.bytes, stats.waiters], [0; 3], "nothing is left");
    }

    /// Made now, or before anything was cleared: it is the same key (R4).
    fn key(&self, number: u8) -> Key {
        match self.next_id % 2 {
            0 => self.keys[usize::from(number)],
            _ => self.new_key(number),
        }
    }

    /// Every way to name a key, and the same bytes in different ways.
    fn new_key(&self, number: u8) -> Key {
        let (engine, other) = (&self.engine, &self.other);
        let name = [number / 4 + 1; 3];
        let (namespace, scope) = place_of(number);
        let scope_name = scope.map(|scope| [scope; 3]);
        let scope = scope_name.as_ref().map_or(Scope::None, |name| Scope::Of(name));
        let key = match (namespace, number % 4) {
            (0, 2) => engine.fingerprint_key(scope, self.fingerprint(number)),
            (0, 3) => Ok(engine.raw_key(number.into())),
            (0, _) => engine.key(scope, &name),
            (_, 1) => other.key(scope, &name),
            (_, 3) => Ok(other.raw_key(number.into())),
            _ => other.fingerprint_key(scope, self.fingerprint(number)),
        };
        key.expect("a good key")
    }

    fn fingerprint(&self, number: u8) -> Fingerprint {
        self.engine.fingerprint().http("POST", "/charge", [number])
    }
}

fn build(setup: &Setup, clock: &ManualClock) -> Engine {
    let (limits, terms) = (setup.limits, setup.terms);
    Engine::builder()
        .clock(Clock::manual(clock))
        // The same run again has the same keys in the same places.
        .secret([7; 16])
        .records(limits.records as usize)
        .bytes(limits.granules * 64)
        .max_response(limits.max_response)
        .waiters(limits.waiters)
        .waiters_per_key(limits.waiters_per_key)
        .cancelled_retention(millis(limits.cancelled_retention))
        .halted_retention(millis(limits.halted_retention))
        .accept_timeout(millis(limits.accept_timeout))
        .lease(millis(terms.lease))
        .retention(millis(terms.retention))
        .on_abandon(terms.on_abandon)
        .on_expiry(terms.on_expiry)
        .build()
        .expect("limits within bounds")
}

fn define_other(setup: &Setup, engine: &Engine) -> Namespace {
    let (terms, space) = (setup.terms_of(1), setup.limits.space);
    let mut options = NamespaceOptions::default()
        .lease(millis(terms.lease))
        .retention(millis(terms.retention))
        .on_abandon(terms.on_abandon)
        .on_expiry(terms.on_expiry);
    if space.records > 0 {
        options = options.records(space.records);
    }
    if space.granules > 0 {
        options = options.bytes(space.granules * 64);
    }
    if space.scope_records > 0 {
        options = options.records_per_scope(space.scope_records);
    }
    if space.scope_granules > 0 {
        options = options.bytes_per_scope(space.scope_granules * 64);
    }
    engine.define_namespace("other", options).expect("good options")
}

fn millis(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn times(info: Info) -> (u64, u64) {
    let millis = |time: Duration| time.as_millis() as u64;
    (millis(info.age), millis(info.left))
}

fn pick<T>(all: &[T], at: Pick) -> Option<&T> {
    all.get(usize::from(at).checked_rem(all.len())?)
}

fn take<T>(all: &mut Vec<T>, at: Pick) -> Option<T> {
    let at = usize::from(at).checked_rem(all.len())?;
    Some(all.swap_remove(at))
}
