//! The part of it that is about requests over HTTP.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

#[allow(clippy::wildcard_imports, reason = "all that the header has")]
use idem_ffi::*;

use super::{Dice, POOL, World, bare, ok, sure};

const POLICIES: [&str; 4] = [
    r#"{"profile": "ietf", "body_max": 40, "while_in_flight": {"wait_ms": 60}, "syntax": "lenient"}"#,
    r#"{"profile": "stripe_v1", "interrupted": {"keep_for_ms": 30}, "lifetime_header": "x-left"}"#,
    r#"{"profile": "coalesce", "methods": ["POST", "GET"], "says": {"body": {"json": {"except": ["at"]}}}}"#,
    r#"{"profile": "ietf", "lease_ms": 0}"#,
];

const KEYS: [&str; 4] = ["a", "b", "c", "\""];

/// Gates, and requests on their way through them.
pub(super) struct Http {
    gates: Vec<*mut idem_http_gate_t>,
    requests: Vec<*mut idem_http_request_t>,
}

impl Http {
    /// A gate of each policy that is one.
    pub(super) fn new(engine: *const idem_engine_t) -> Self {
        let gate = |policy: &&str| {
            let mut gate = null_mut();
            // SAFETY: a place for a result; the engine is alive.
            sure(unsafe { idem_http_gate_new(engine, null(), of(policy), &raw mut gate) });
            gate
        };
        Self { gates: POLICIES[..3].iter().map(gate).collect(), requests: Vec::new() }
    }
}

fn of(text: &str) -> idem_bytes_t {
    idem_bytes_t { data: text.as_ptr().cast::<c_void>(), len: text.len() }
}

/// Reads what is shown: what is not there any more would be seen by a sanitizer.
unsafe fn read_bytes(bytes: idem_bytes_t) {
    assert_eq!(bytes.data.is_null(), bytes.len == 0);
    // SAFETY: the request that shows it is alive.
    let read = |at| unsafe { bytes.data.cast::<u8>().add(at).read() };
    core::hint::black_box((0..bytes.len).fold(0, |sum, at| sum ^ read(at)));
}

unsafe fn read_fields(fields: *const idem_http_field_t, count: usize) {
    assert_eq!(fields.is_null(), count == 0);
    for at in 0..count {
        // SAFETY: as above.
        unsafe {
            let field = fields.add(at).read();
            read_bytes(field.name);
            read_bytes(field.value);
        }
    }
}

unsafe fn read(decision: &idem_http_decision_t) {
    if decision.kind != idem_http_decision_kind_t::IDEM_HTTP_ANSWER as u32 {
        return;
    }
    // SAFETY: as above.
    unsafe {
        let answer = &*decision.answer;
        read_fields(answer.headers, answer.header_count);
        read_fields(answer.trailers, answer.trailer_count);
        read_bytes(answer.body);
        read_bytes(answer.refusal);
        assert!((100..600).contains(&answer.status));
    }
}

impl World {
    pub(super) fn http(&mut self, dice: &mut Dice<'_>) {
        match dice.byte() % 16 {
            0 => self.gate(dice),
            1..6 => self.admits(dice),
            _ => self.steps(dice),
        }
    }

    fn gate(&mut self, dice: &mut Dice<'_>) {
        let (mut gate, mut buffer, mut len) = (null_mut(), [0_u8; 64], 0);
        let policy = of(POLICIES[usize::from(dice.byte() % 4)]);
        let policy = if dice.one_in(20) { dice.bytes(POOL) } else { policy };
        let ns = dice.pick(&mut self.namespaces).copied().unwrap_or(null_mut());
        // SAFETY: what is alive, null or misaligned; structures of ours.
        unsafe {
            let (text, capacity) = (buffer.as_mut_ptr().cast(), usize::from(dice.byte() % 64));
            ok(idem_http_policy(policy, text, capacity, &raw mut len));
            if self.http.gates.len() == 3
                && let Some(gate) = dice.take(&mut self.http.gates)
            {
                sure(idem_http_gate_free(gate));
            }
            if ok(idem_http_gate_new(dice.at(self.engine), ns, policy, dice.at(&raw mut gate))) {
                self.http.gates.push(gate);
            }
        }
    }

    fn admits(&mut self, dice: &mut Dice<'_>) {
        let gate = dice.pick(&mut self.http.gates).copied().unwrap_or(null_mut());
        let key = idem_http_field_t {
            name: of("Idempotency-Key"),
            value: of(KEYS[usize::from(dice.byte() % 4)]),
        };
        let other = idem_http_field_t { name: dice.bytes(POOL), value: dice.bytes(POOL) };
        let fields = [key, if dice.one_in(10) { other } else { key }];
        let absent = idem_bytes_t { data: null(), len: 0 };
        let method = of(["POST", "POST", "GET", "HEAD"][usize::from(dice.byte() % 4)]);
        let head = idem_http_head_t {
            struct_size: if dice.one_in(50) {
                usize::from(dice.byte())
            } else {
                size_of::<idem_http_head_t>()
            },
            method,
            authority: absent,
            path: of("/"),
            query: if dice.one_in(8) { dice.bytes(&POOL[6..9]) } else { absent },
            fields: fields.as_ptr(),
            field_count: usize::from(!dice.one_in(8)) + usize::from(dice.one_in(20)),
            scope_kind: if dice.one_in(30) { dice.byte().into() } else { 1 },
            flags: u32::from(dice.one_in(20)),
            scope: dice.bytes(&POOL[..3]),
            key: if dice.one_in(8) { dice.bytes(&POOL[..4]) } else { absent },
            retention_ms: if dice.one_in(4) { dice.number() } else { 0 },
            wait_ms: if dice.one_in(4) { dice.number() } else { 0 },
        };
        // Room for what a structure says of itself to be.
        // SAFETY: integers and pointers.
        let head = [head, unsafe { core::mem::zeroed() }];
        let (head, mut request) = (dice.at(head.as_ptr().cast_mut()), null_mut());
        // SAFETY: as above.
        unsafe {
            let mut decision = core::mem::zeroed();
            if ok(idem_http_admit(gate, head, dice.at(&raw mut request), &raw mut decision)) {
                read(&decision);
                let passes = decision.kind == idem_http_decision_kind_t::IDEM_HTTP_PASS as u32;
                assert_eq!(passes, request.is_null());
                self.http.requests.extend((!passes).then_some(request));
            }
            let mut bits = [0; 16];
            ok(idem_http_fingerprint(gate, head, of("body"), bits.as_mut_ptr()));
            idem_http_passes(gate, method, of("/"), 1);
        }
    }

    fn steps(&mut self, dice: &mut Dice<'_>) {
        let Some(request) = dice.pick(&mut self.http.requests).copied() else { return };
        let at = dice.at(request);
        // SAFETY: as above; a request is freed once, and what it shows is read before.
        unsafe {
            let mut decision: idem_http_decision_t = core::mem::zeroed();
            let mut finished: idem_http_finished_t = core::mem::zeroed();
            let (to, done) = (&raw mut decision, dice.at(&raw mut finished));
            let is_decided = match dice.byte() % 13 {
                0 => ok(idem_http_body(at, dice.bytes(POOL), to)),
                1..4 => ok(idem_http_claim(at, dice.bytes(&POOL[..2]), to)),
                4 => ok(idem_http_refuse(at, dice.number() as u32, to)),
                5 | 6 => self.waited(at, dice, to),
                7 => {
                    ok(idem_http_renew(at));
                    ok(idem_http_side_effects_began(at));
                    ok(idem_http_say(at, u32::from(dice.byte() % 7), dice.number()));
                    false
                }
                8 | 9 => {
                    let field = idem_http_field_t {
                        name: of(["x-a", "Content-Length", "x a"][usize::from(dice.byte() % 3)]),
                        value: dice.bytes(&POOL[6..]),
                    };
                    let mut response: idem_http_response_t = core::mem::zeroed();
                    response.struct_size = size_of::<idem_http_response_t>();
                    response.status = 200 + u32::from(dice.byte()) * 2;
                    (response.headers, response.header_count) = (&raw const field, 1);
                    (response.trailers, response.trailer_count) = (&raw const field, 1);
                    response.body = dice.bytes(POOL);
                    ok(idem_http_finish(at, &raw const response, done));
                    read_fields(finished.headers, finished.header_count);
                    false
                }
                10 => {
                    ok(idem_http_lose(at, 200, i32::from(dice.byte() % 2), done));
                    false
                }
                11 => {
                    ok(idem_http_fail(at));
                    false
                }
                _ => {
                    self.http.requests.retain(|known| *known != request);
                    sure(idem_http_request_free(request));
                    false
                }
            };
            if is_decided {
                read(&decision);
            }
            if !decision.waiter.is_null() {
                self.waiters.push(decision.waiter);
            }
        }
    }

    /// With no outcome, or with one of whatever wait, which need not be this one's.
    unsafe fn waited(
        &mut self,
        request: *mut idem_http_request_t,
        dice: &mut Dice<'_>,
        to: *mut idem_http_decision_t,
    ) -> bool {
        let mut outcome = bare();
        // SAFETY: as above; a waiter is consumed once, and what an outcome has taken in or handed over.
        unsafe {
            let waiter = if dice.one_in(4) { None } else { dice.take(&mut self.waiters) };
            let Some(waiter) = waiter else {
                return ok(idem_http_waited(request, null_mut(), to));
            };
            sure(idem_wait(waiter, 0, &raw mut outcome));
            let is_taken = ok(idem_http_waited(request, &raw mut outcome, to));
            if !is_taken {
                self.take_in(outcome);
            }
            is_taken
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // SAFETY: all of it is alive, and let go of once.
        unsafe {
            self.requests.drain(..).for_each(|request| sure(idem_http_request_free(request)));
            self.gates.drain(..).for_each(|gate| sure(idem_http_gate_free(gate)));
        }
    }
}
