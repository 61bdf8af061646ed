//! Any bytes as calls of the exported functions: with objects that are alive, with null, misaligned and
//! made-up arguments. No call may do anything but what it says, and at the end nothing may be left.

mod http;

use core::ffi::c_void;
use core::ptr::{null, null_mut};

#[allow(clippy::wildcard_imports, reason = "all that the header has")]
use idem_ffi::{idem_status_t::*, *};

/// The bytes that decide.
struct Dice<'a>(&'a [u8]);

impl Dice<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One in so many.
    fn one_in(&mut self, count: u8) -> bool {
        self.byte().is_multiple_of(count)
    }

    fn word(&mut self) -> u64 {
        let bytes = core::array::from_fn(|_| self.byte());
        u64::from_le_bytes(bytes)
    }

    /// A small number, seldom one that is none.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => self.word(),
            byte => byte.into(),
        }
    }

    fn bytes(&mut self, pool: &[u8]) -> idem_bytes_t {
        let len = usize::from(self.byte()) % (pool.len() + 1);
        let data: *const c_void = if self.one_in(40) { null() } else { pool.as_ptr().cast() };
        idem_bytes_t { data, len: if self.one_in(60) { usize::MAX } else { len } }
    }

    /// A pointer as it is, or what should be refused.
    fn at<T>(&mut self, pointer: *mut T) -> *mut T {
        match self.byte() {
            255 => null_mut(),
            254 if align_of::<T>() > 1 => pointer.wrapping_byte_add(1),
            _ => pointer,
        }
    }

    fn pick<'b, T>(&mut self, list: &'b mut [T]) -> Option<&'b mut T> {
        let index = usize::from(self.byte());
        let count = list.len();
        if count == 0 { None } else { list.get_mut(index % count) }
    }

    fn take<T>(&mut self, list: &mut Vec<T>) -> Option<T> {
        let index = usize::from(self.byte());
        if list.is_empty() { None } else { Some(list.swap_remove(index % list.len())) }
    }
}

/// All that there is.
struct World {
    clock: *mut idem_clock_t,
    engine: *mut idem_engine_t,
    queue: *mut idem_queue_t,
    namespaces: Vec<*mut idem_namespace_t>,
    leases: Vec<idem_lease_t>,
    responses: Vec<idem_response_t>,
    waiters: Vec<*mut idem_waiter_t>,
    waits: Vec<*mut idem_pending_t>,
    http: http::Http,
    /// Leases that callbacks have got.
    called: Box<std::sync::Mutex<Vec<idem_lease_t>>>,
}

const POOL: &[u8] =
    b"\0\0\xff\xfean operation, or some part of it, as bytes that mean nothing here";

/// Whether it did what it says; anything but a status that there is is a defect, and so is a panic.
fn ok(status: idem_status_t) -> bool {
    assert_ne!(status, IDEM_ERR_PANIC);
    status == IDEM_OK
}

/// It must have.
fn sure(status: idem_status_t) {
    assert_eq!(status, IDEM_OK);
}

unsafe extern "C" fn on_end(user: *mut c_void, outcome: *const idem_outcome_t) {
    // SAFETY: both are what `wait` has passed on; the outcome is borrowed until this returns.
    let (called, mut outcome) =
        unsafe { (&*user.cast::<std::sync::Mutex<Vec<idem_lease_t>>>(), *outcome) };
    if outcome.kind == idem_outcome_kind_t::IDEM_EXECUTE as u32 {
        called.lock().expect("nobody panics with it").push(outcome.lease);
    }
    if outcome.kind == idem_outcome_kind_t::IDEM_REPLAY as u32 {
        // SAFETY: it is ours.
        sure(unsafe { idem_response_release(&raw mut outcome.response) });
    }
}

impl World {
    fn new() -> Self {
        let (mut clock, mut engine, mut queue) = (null_mut(), null_mut(), null_mut());
        // SAFETY: places for results; the clock is alive.
        unsafe {
            sure(idem_clock_new(&raw mut clock));
            let config = idem_config_t {
                struct_size: size_of::<idem_config_t>(),
                records: 24,
                bytes: 1 << 14,
                max_response: 1 << 12,
                waiters: 12,
                waiters_per_key: 6,
                lease_ms: 100,
                retention_ms: 50,
                clock,
                ..core::mem::zeroed()
            };
            sure(idem_engine_new(&raw const config, &raw mut engine));
            sure(idem_queue_new(&raw mut queue));
        }
        let called = Box::default();
        let (namespaces, leases, responses) = (Vec::new(), Vec::new(), Vec::new());
        let (waiters, waits, http) = (Vec::new(), Vec::new(), http::Http::new(engine));
        Self { clock, engine, queue, namespaces, leases, responses, waiters, waits, http, called }
    }

    fn key(&mut self, dice: &mut Dice<'_>) -> idem_key_t {
        let ns = if dice.one_in(4) { dice.pick(&mut self.namespaces).copied() } else { None };
        let kind = if dice.one_in(30) { dice.byte() } else { 1 + dice.byte() % 3 };
        let scope_kind = if dice.one_in(30) { dice.byte() } else { 1 + dice.byte() % 2 };
        let mut bits = [0; 16];
        bits[0] = dice.byte() % 4;
        // Kind 4 wants the words of a listing, of which there are none here.
        let kind = if kind == 4 { 5 } else { kind };
        idem_key_t {
            kind: kind.into(),
            scope_kind: scope_kind.into(),
            ns: ns.unwrap_or(null_mut()),
            scope: dice.bytes(&POOL[..3]),
            key: dice.bytes(&POOL[..4]),
            bits,
        }
    }

    fn claim(&mut self, dice: &mut Dice<'_>) -> idem_claim_t {
        let rare = |dice: &mut Dice<'_>, usual: u32| {
            if dice.one_in(50) { dice.word() as u32 } else { usual }
        };
        let key = self.key(dice);
        let flags = u32::from(dice.byte() % 8);
        let mut fingerprint = [0; 16];
        fingerprint[0] = u8::from(dice.one_in(10));
        idem_claim_t {
            struct_size: if dice.one_in(50) {
                usize::from(dice.byte())
            } else {
                size_of::<idem_claim_t>()
            },
            key,
            fingerprint,
            lease_ms: if dice.one_in(4) { dice.number() } else { 0 },
            retention_ms: if dice.one_in(4) { dice.number() } else { 0 },
            owner: dice.number(),
            flags: rare(dice, flags),
            on_expiry: rare(dice, 0),
            on_abandon: rare(dice, 0),
            reserved: 0,
        }
    }

    /// Takes over what an outcome has.
    fn take_in(&mut self, outcome: idem_outcome_t) {
        if outcome.kind == idem_outcome_kind_t::IDEM_EXECUTE as u32 {
            self.leases.push(outcome.lease);
        }
        if outcome.kind == idem_outcome_kind_t::IDEM_REPLAY as u32 {
            self.responses.push(outcome.response);
        }
        if !outcome.waiter.is_null() {
            self.waiters.push(outcome.waiter);
        }
    }

    /// One that was given, seldom changed.
    fn lease(&mut self, dice: &mut Dice<'_>) -> idem_lease_t {
        let given = dice.pick(&mut self.leases).copied();
        let mut lease = given.unwrap_or(idem_lease_t { opaque: [0; 8] });
        if dice.one_in(20) {
            lease.opaque[usize::from(dice.byte() % 8)] ^= 1 << (dice.byte() % 64);
        }
        lease
    }

    fn step(&mut self, dice: &mut Dice<'_>) {
        match dice.byte() % 22 {
            0..4 => self.claims(dice),
            4..7 => self.ends(dice),
            7..10 => self.waits(dice),
            10 | 11 => self.responses(dice),
            12 | 13 => self.operates(dice),
            14 => self.inspects(dice),
            16.. => self.http(dice),
            _ => self.passes(dice),
        }
    }

    fn claims(&mut self, dice: &mut Dice<'_>) {
        let engine = dice.at(self.engine);
        // SAFETY: what is alive, null or misaligned; structures of ours.
        unsafe {
            if dice.one_in(4) {
                let mut claims: Vec<_> = (0..dice.byte() % 20).map(|_| self.claim(dice)).collect();
                // The length that the first says is that of all.
                claims.iter_mut().for_each(|claim| claim.struct_size = size_of::<idem_claim_t>());
                let mut outcomes = vec![core::mem::zeroed(); claims.len()];
                let (from, to) = (claims.as_ptr(), outcomes.as_mut_ptr());
                if ok(idem_claim_batch(engine, from, claims.len(), to)) {
                    outcomes.into_iter().for_each(|outcome| self.take_in(outcome));
                }
                return;
            }
            // Room for what a structure says of itself to be.
            let claim = [self.claim(dice), core::mem::zeroed(), core::mem::zeroed()];
            let mut outcome = core::mem::zeroed();
            let (from, to) = (dice.at(claim.as_ptr().cast_mut()), dice.at(&raw mut outcome));
            if ok(idem_claim(engine, from, to)) {
                self.take_in(outcome);
            }
        }
    }

    fn ends(&mut self, dice: &mut Dice<'_>) {
        let (engine, lease) = (dice.at(self.engine), self.lease(dice));
        let mut completion = 0;
        let out = dice.at(&raw mut completion);
        let (reason, policy) = (dice.number() as u32, u32::from(dice.byte() % 5));
        // SAFETY: as above.
        unsafe {
            ok(match dice.byte() % 10 {
                0 | 1 => idem_complete(engine, lease, dice.bytes(POOL), dice.number(), out),
                2 => idem_fail(engine, lease, dice.bytes(POOL), dice.number(), out),
                3 => idem_cancel(engine, lease, policy, reason),
                4 => idem_halt(engine, lease, reason),
                5 => idem_abandon(engine, lease),
                6 => idem_renew(engine, lease, dice.number()),
                7 => {
                    let mut info = core::mem::zeroed();
                    idem_lease_info(engine, lease, dice.at(&raw mut info))
                }
                8 => {
                    let (value, weight) = (dice.word(), dice.number());
                    let queue = dice.at(self.queue);
                    idem_complete_value(engine, lease, value, weight, queue, dice.number(), out)
                }
                _ => {
                    let response = idem_bytes_t { data: POOL.as_ptr().cast(), len: POOL.len() };
                    let ending =
                        |lease| idem_ending_t { lease, response, status: 0, completion: 0 };
                    let mut endings: Vec<_> = self.leases.iter().copied().map(ending).collect();
                    idem_complete_batch(engine, endings.as_mut_ptr(), endings.len())
                }
            });
        }
    }

    fn waits(&mut self, dice: &mut Dice<'_>) {
        let user = (&raw const *self.called).cast_mut().cast();
        let mut outcome = bare();
        let mut wait = null_mut();
        let out = if dice.one_in(2) { null_mut() } else { &raw mut wait };
        // SAFETY: as above; a waiter is consumed once.
        unsafe {
            match dice.byte() % 6 {
                0 => {
                    if let Some(waiter) = dice.take(&mut self.waiters) {
                        sure(idem_wait(waiter, 0, &raw mut outcome));
                        self.take_in(outcome);
                    }
                }
                1 => {
                    if let Some(waiter) = dice.take(&mut self.waiters) {
                        sure(idem_wait_callback(waiter, Some(on_end), user, None, out));
                    }
                }
                2 => {
                    if let Some(waiter) = dice.take(&mut self.waiters) {
                        sure(idem_wait_in(waiter, self.queue, dice.word(), out));
                    }
                }
                3 => {
                    if let Some(wait) = dice.take(&mut self.waits) {
                        ok(if dice.one_in(2) {
                            idem_wait_cancel(wait)
                        } else {
                            idem_wait_free(wait)
                        });
                    }
                }
                4 => {
                    if let Some(waiter) = dice.take(&mut self.waiters) {
                        sure(idem_waiter_free(waiter));
                    }
                }
                _ => self.poll(usize::from(dice.byte() % 5)),
            }
        }
        if !wait.is_null() {
            self.waits.push(wait);
        }
    }

    fn poll(&mut self, count: usize) {
        // SAFETY: as above.
        unsafe {
            let mut events: Vec<idem_ended_t> = vec![core::mem::zeroed(); count];
            let mut taken = 0;
            sure(idem_poll(self.queue, events.as_mut_ptr(), count, &raw mut taken));
            events[..taken].iter().for_each(|event| self.take_in(event.outcome));
        }
    }

    fn responses(&mut self, dice: &mut Dice<'_>) {
        let mut buffer = [0_u8; 16];
        let (mut len, mut info) = (0, idem_info_t::default());
        let Some(response) = dice.pick(&mut self.responses) else { return };
        // SAFETY: as above; a response is read only while it is held.
        unsafe {
            match dice.byte() % 5 {
                0 => ok(idem_response_release(response)),
                1 => {
                    let mut other = core::mem::zeroed();
                    let held = ok(idem_response_retain(response, &raw mut other));
                    if held {
                        self.responses.push(other);
                    }
                    held
                }
                2 => ok(idem_response_copy(response, buffer.as_mut_ptr().cast(), 16, &raw mut len)),
                3 => ok(idem_response_info(response, dice.at(&raw mut info))),
                _ => {
                    let (data, len) = (idem_response_data(response), idem_response_len(response));
                    let sum = (0..len).fold(0_u8, |sum, at| sum ^ data.add(at).read());
                    core::hint::black_box(sum);
                    true
                }
            };
        }
    }

    fn operates(&mut self, dice: &mut Dice<'_>) {
        let (engine, key) = (dice.at(self.engine), self.key(dice));
        let claim = [self.claim(dice), claim_zero(), claim_zero()];
        let key = dice.at((&raw const key).cast_mut());
        let (mut flag, mut number) = (false, 0);
        // SAFETY: as above.
        unsafe {
            ok(match dice.byte() % 8 {
                0 => idem_forget(engine, key, dice.one_in(2), dice.at(&raw mut number)),
                1 => idem_detach(engine, key, dice.at(&raw mut flag)),
                2 => idem_force_end(engine, key, u32::from(dice.byte() % 5), &raw mut flag),
                3 => {
                    let halt = u32::from(dice.byte() % 4);
                    let (how, response) = (u32::from(dice.byte() % 5), dice.bytes(POOL));
                    idem_resolve(engine, key, halt, how, response, dice.number(), &raw mut number)
                }
                4 => idem_once(engine, claim.as_ptr(), dice.number(), dice.at(&raw mut flag)),
                5 => idem_clear(engine),
                6 => match dice.pick(&mut self.namespaces) {
                    Some(ns) => idem_namespace_clear(*ns),
                    None => IDEM_OK,
                },
                _ => {
                    let mut ns = null_mut();
                    let name = dice.bytes(&POOL[4..9]);
                    let status = idem_namespace_new(engine, name, null(), &raw mut ns);
                    if ok(status) {
                        self.namespaces.push(ns);
                    }
                    status
                }
            });
        }
    }

    fn inspects(&mut self, dice: &mut Dice<'_>) {
        let (engine, key) = (dice.at(self.engine), self.key(dice));
        let mut buffer = [0_u8; 16];
        // SAFETY: as above.
        unsafe {
            let mut peek = core::mem::zeroed();
            let key = dice.at((&raw const key).cast_mut());
            match dice.byte() % 4 {
                0 => ok(idem_peek(engine, key, dice.at(&raw mut peek))),
                1 => ok(idem_peek_copy(engine, key, &raw mut peek, buffer.as_mut_ptr().cast(), 16)),
                2 => {
                    let mut stats: idem_stats_t = core::mem::zeroed();
                    stats.struct_size = usize::from(dice.byte()) * 2;
                    stats.struct_size = stats.struct_size.min(size_of::<idem_stats_t>());
                    ok(idem_stats(engine, dice.at(&raw mut stats)))
                }
                _ => {
                    let mut listing = null_mut();
                    let listed = ok(idem_list(engine, &raw mut listing));
                    if listed {
                        let (mut records, mut taken) = ([core::mem::zeroed(); 5], 0);
                        let records = records.as_mut_ptr();
                        sure(idem_listing_next(listing, records, 5, &raw mut taken));
                        sure(idem_listing_free(listing));
                    }
                    listed
                }
            };
        }
    }

    fn passes(&mut self, dice: &mut Dice<'_>) {
        // SAFETY: as above.
        unsafe {
            sure(idem_clock_advance(self.clock, u64::from(dice.byte())));
            sure(idem_tick(self.engine, null_mut()));
        }
    }

    /// Lets go of everything, and sees that nothing is left.
    fn end(mut self) {
        // SAFETY: all of it is alive, and let go of once.
        unsafe {
            drop(self.http);
            self.waiters.drain(..).for_each(|waiter| sure(idem_waiter_free(waiter)));
            self.waits.drain(..).for_each(|wait| sure(idem_wait_free(wait)));
            sure(idem_queue_free(self.queue));
            for response in &mut self.responses {
                ok(idem_response_release(response));
            }
            self.namespaces.drain(..).for_each(|ns| sure(idem_namespace_free(ns)));
            // Leases run out, and callbacks that wait are handed them, which run out in turn.
            for round in 0..20 {
                let ms = if round == 0 { 400_000_000_000 } else { 1_000_000_000 };
                sure(idem_clock_advance(self.clock, ms));
                let mut more = true;
                while more {
                    sure(idem_tick(self.engine, &raw mut more));
                }
            }
            let mut stats: idem_stats_t = core::mem::zeroed();
            stats.struct_size = size_of::<idem_stats_t>();
            sure(idem_stats(self.engine, &raw mut stats));
            assert_eq!((stats.records, stats.bytes, stats.waiters), (0, 0, 0));
            sure(idem_engine_free(self.engine));
            sure(idem_clock_free(self.clock));
        }
    }
}

fn bare() -> idem_outcome_t {
    // SAFETY: integers and pointers.
    unsafe { core::mem::zeroed() }
}

fn claim_zero() -> idem_claim_t {
    // SAFETY: integers and pointers.
    unsafe { core::mem::zeroed() }
}

pub(crate) fn run(data: &[u8]) {
    let mut dice = Dice(data);
    let mut world = World::new();
    while !dice.0.is_empty() {
        world.step(&mut dice);
    }
    world.end();
}
