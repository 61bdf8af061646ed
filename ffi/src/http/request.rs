//! A request on its way through a gate.
//!
//! ```text
//! admitted: keyed --claim--> waits --waited--> executes --finish, lose, fail--> over
//!              |  \------------------------------^                               ^
//!              \----- answered ---------------------------------------------------/
//! ```
//!
//! A step takes the state out, and is done without the lock: it may call callbacks, which may call for the same
//! request. What C is told of by pointers (`told`, `added`) is written once, and stays where it is until the request is
//! freed, for C has the request's place and not the request.

use core::ffi::c_int;
use core::mem::ManuallyDrop;
use core::time::Duration;
use std::sync::OnceLock;

use idem::{Info, Reason, WaitOutcome};
use idem_http::{
    Admission, Answer, Control, Decision, Fate, Finished, Gate, Keyed, Renewal, ResponseRef,
    Ticket, Waited,
};
use parking_lot::Mutex;

use crate::boundary::{Border, Called, call, give, tell};
use crate::convert::{bounded, millis, of_origin};
use crate::http::idem_http_decision_kind_t::*;
use crate::http::shown::{Added, Told, first};
use crate::http::{
    idem_http_decision_t, idem_http_fate_t, idem_http_fault_t, idem_http_field_t,
    idem_http_finished_t, idem_http_response_t,
};
use crate::lease::token_of;
use crate::response::NO_RESPONSE;
use crate::status::idem_status_t::{self, *};
use crate::types::{idem_bytes_t, idem_lease_t, idem_outcome_kind_t, idem_outcome_t};
use crate::wait::idem_waiter_t;

/// A request on its way through a gate. Its steps are taken one after the other, and each once.
pub struct idem_http_request_t {
    gate: Gate,
    step: Mutex<Step>,
    executes: OnceLock<Executing>,
    told: OnceLock<Told>,
    added: OnceLock<Added>,
}

enum Step {
    Keyed(Box<Keyed>),
    Waits(Waited),
    Executes(Ticket),
    Over,
}

/// What is called for it from anywhere, while it is executed.
struct Executing {
    control: Control,
    renewal: Renewal,
}

const NO_LEASE: idem_lease_t = idem_lease_t { opaque: [0; 8] };

/// Nothing is decided.
const UNDECIDED: idem_http_decision_t = idem_http_decision_t {
    kind: 0,
    needs_body: 0,
    room: 0,
    time_ms: 0,
    max_run_ms: 0,
    response_max: 0,
    answer: core::ptr::null(),
    waiter: core::ptr::null_mut(),
    origin: 0,
    attempt: 0,
    more: [0; 4],
};

/// Of a request that has this time for its body.
fn keyed(keyed: &Keyed, time: Duration) -> idem_http_decision_t {
    let decision = idem_http_decision_t { kind: IDEM_HTTP_KEYED as u32, ..UNDECIDED };
    if !keyed.needs_body() {
        return decision;
    }
    let (room, time_ms) = (keyed.room() as u64, millis(time));
    idem_http_decision_t { needs_body: 1, room, time_ms, ..decision }
}

impl idem_http_request_t {
    /// A request for C, unless it passes, and what becomes of it.
    pub(crate) fn admitted(
        c: &Border,
        gate: &Gate,
        admission: Admission,
    ) -> Called<(*mut Self, idem_http_decision_t)> {
        let at = |step| {
            give(Self {
                gate: gate.clone(),
                step: Mutex::new(step),
                executes: OnceLock::new(),
                told: OnceLock::new(),
                added: OnceLock::new(),
            })
        };
        Ok(match admission {
            Admission::Pass => {
                let pass = idem_http_decision_t { kind: IDEM_HTTP_PASS as u32, ..UNDECIDED };
                (core::ptr::null_mut(), pass)
            }
            Admission::Refused(answer) => {
                let request = at(Step::Over);
                (request, c.object(request)?.answer(answer))
            }
            Admission::Keyed(request) => {
                let decision = keyed(&request, request.policy().body_timeout);
                (at(Step::Keyed(request)), decision)
            }
        })
    }

    /// Takes out the step that it is at, if it is one of these.
    fn take<T>(&self, is_it: impl FnOnce(Step) -> Result<T, Step>) -> Called<T> {
        let mut step = self.step.lock();
        is_it(core::mem::replace(&mut step, Step::Over)).map_err(|other| {
            *step = other;
            IDEM_ERR_STATE
        })
    }

    fn answer(&self, answer: Answer) -> idem_http_decision_t {
        let answer = &raw const self.told.get_or_init(|| Told::new(answer)).seen;
        idem_http_decision_t { kind: IDEM_HTTP_ANSWER as u32, answer, ..UNDECIDED }
    }

    fn decided(&self, decision: Decision) -> idem_http_decision_t {
        match decision {
            Decision::Answered(answer) => self.answer(answer),
            Decision::Wait(waiting) => {
                let (waiter, time, waited) = waiting.into_parts();
                *self.step.lock() = Step::Waits(waited);
                idem_http_decision_t {
                    kind: IDEM_HTTP_WAIT as u32,
                    time_ms: millis(time),
                    waiter: give(idem_waiter_t::new(waiter)),
                    ..UNDECIDED
                }
            }
            Decision::Execute(ticket) => {
                if let Ok(renewal) = ticket.renewal() {
                    let control = ticket.control();
                    self.executes.get_or_init(|| Executing { control, renewal });
                }
                let policy = ticket.policy();
                let decision = idem_http_decision_t {
                    kind: IDEM_HTTP_EXECUTE as u32,
                    time_ms: millis(policy.lease),
                    max_run_ms: millis(policy.max_run),
                    response_max: policy.response_max as u64,
                    origin: of_origin(ticket.origin()),
                    attempt: ticket.attempt(),
                    ..UNDECIDED
                };
                *self.step.lock() = Step::Executes(ticket);
                decision
            }
        }
    }

    fn control(&self) -> Called<&Control> {
        self.executes.get().map(|executing| &executing.control).ok_or(IDEM_ERR_STATE)
    }

    fn finished(&self, finished: Finished) -> idem_http_finished_t {
        let added = self.added.get_or_init(|| Added::new(finished.headers));
        idem_http_finished_t {
            fate: of_fate(finished.fate) as u32,
            is_settled: finished.is_settled.into(),
            is_stored: finished.is_stored.into(),
            reserved: 0,
            headers: first(&added.seen),
            header_count: added.seen.len(),
            more: [0; 4],
        }
    }
}

fn of_fate(fate: Fate) -> idem_http_fate_t {
    use idem_http_fate_t::*;
    match fate {
        Fate::Keep => IDEM_HTTP_KEEP,
        Fate::KeepFor(_) => IDEM_HTTP_KEEP_FOR,
        Fate::Share => IDEM_HTTP_SHARE,
        Fate::Release => IDEM_HTTP_RELEASE,
        Fate::Halt => IDEM_HTTP_HALT,
    }
}

fn only_keyed(step: Step) -> Result<Box<Keyed>, Step> {
    match step {
        Step::Keyed(keyed) => Ok(keyed),
        other => Err(other),
    }
}

fn only_waiting(step: Step) -> Result<Waited, Step> {
    match step {
        Step::Waits(waited) => Ok(waited),
        other => Err(other),
    }
}

fn only_executing(step: Step) -> Result<Ticket, Step> {
    match step {
        Step::Executes(ticket) => Ok(ticket),
        other => Err(other),
    }
}

/// A piece of the body of a keyed request; how it is cut does not matter.
///
/// Ownership: both are borrowed.
/// Threads: one at a time.
/// Blocks: no.
/// Returns: IDEM_OK, and the decision IDEM_HTTP_KEYED: go on; or IDEM_HTTP_ANSWER: it is too large;
///   IDEM_ERR_STATE: it is not keyed, or was claimed; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_body(
    request: *const idem_http_request_t,
    piece: idem_bytes_t,
    decision: *mut idem_http_decision_t,
) -> idem_status_t {
    call(|c| {
        let (request, out) = (c.object(request)?, c.out(decision)?);
        let piece = c.bytes(piece)?;
        let mut step = request.step.lock();
        let Step::Keyed(at) = &mut *step else { return Err(IDEM_ERR_STATE) };
        let decided = match at.update(piece) {
            Ok(()) => keyed(at, Duration::ZERO),
            Err(answer) => {
                *step = Step::Over;
                request.answer(answer)
            }
        };
        out.write(decided);
        Ok(())
    })
}

/// The body of a keyed request did not come as it should (an idem_http_fault_t): its answer.
///
/// Ownership: `request` is borrowed.
/// Threads: one at a time.
/// Blocks: no.
/// Returns: IDEM_OK, and the decision IDEM_HTTP_ANSWER; IDEM_ERR_STATE: it is not keyed, or was claimed;
///   IDEM_ERR_VALUE, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_refuse(
    request: *const idem_http_request_t,
    fault: u32,
    decision: *mut idem_http_decision_t,
) -> idem_status_t {
    call(|c| {
        let (request, out) = (c.object(request)?, c.out(decision)?);
        let answer: fn(&Keyed) -> Answer = match fault {
            fault if fault == idem_http_fault_t::IDEM_HTTP_TOO_SLOW as u32 => Keyed::too_slow,
            fault if fault == idem_http_fault_t::IDEM_HTTP_CUT_OFF as u32 => Keyed::cut_off,
            fault if fault == idem_http_fault_t::IDEM_HTTP_TOO_LARGE as u32 => Keyed::too_large,
            _ => return Err(IDEM_ERR_VALUE),
        };
        let keyed = request.take(only_keyed)?;
        out.write(request.answer(answer(&keyed)));
        Ok(())
    })
}

/// Claims the key of a keyed request, its body being over. `says` are bytes that count in its fingerprint besides
/// what its policy says; there need be none.
///
/// Ownership: `request` and `says` are borrowed; a waiter in the decision is the caller's.
/// Threads: one at a time.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK, and the decision IDEM_HTTP_EXECUTE, IDEM_HTTP_WAIT or IDEM_HTTP_ANSWER; IDEM_ERR_STATE: it is not
///   keyed, or was claimed; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_claim(
    request: *const idem_http_request_t,
    says: idem_bytes_t,
    decision: *mut idem_http_decision_t,
) -> idem_status_t {
    call(|c| {
        let (request, out) = (c.object(request)?, c.out(decision)?);
        let says = c.bytes(says)?;
        let mut keyed = request.take(only_keyed)?;
        if !says.is_empty() {
            keyed.says(says);
        }
        out.write(request.decided(keyed.claim()));
        Ok(())
    })
}

/// What becomes of a request that waited. `outcome` is what the wait came to, however it was waited; null: its time
/// was up, and the wait was cancelled, or its waiter freed.
///
/// Ownership: `request` is borrowed; what `*outcome` has is consumed, and the structure emptied; copy that of a
///   callback first.
/// Threads: one at a time.
/// Blocks: no; may call callbacks of others.
/// Returns: IDEM_OK, and the decision IDEM_HTTP_EXECUTE or IDEM_HTTP_ANSWER; IDEM_ERR_STATE: it does not wait;
///   IDEM_ERR_VALUE: no wait comes to this; IDEM_STALE: no lease is this; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_RELEASED,
///   IDEM_ERR_NULL. With any of these nothing is consumed.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_waited(
    request: *const idem_http_request_t,
    outcome: *mut idem_outcome_t,
    decision: *mut idem_http_decision_t,
) -> idem_status_t {
    call(|c| {
        let (request, out) = (c.object(request)?, c.out(decision)?);
        let mut outcome = if outcome.is_null() { None } else { Some(c.change(outcome)?) };
        // First: what of the outcome is taken must have somewhere to go.
        let waited = request.take(only_waiting)?;
        let told = outcome.as_deref();
        let ended = match told.map_or(Ok(WaitOutcome::TimedOut), |told| ended(c, request, told)) {
            Ok(ended) => ended,
            Err(status) => {
                *request.step.lock() = Step::Waits(waited);
                return Err(status);
            }
        };
        if let Some(told) = &mut outcome {
            (told.kind, told.lease, told.response) = (0, NO_LEASE, NO_RESPONSE);
        }
        out.write(request.decided(waited.ended(ended)));
        Ok(())
    })
}

/// What C was told of a wait's end.
fn ended(c: &Border, request: &idem_http_request_t, told: &idem_outcome_t) -> Called<WaitOutcome> {
    use idem_outcome_kind_t::*;
    const KINDS: [idem_outcome_kind_t; 7] = [
        IDEM_EXECUTE,
        IDEM_REPLAY,
        IDEM_DONE,
        IDEM_CANCELLED,
        IDEM_HALTED,
        IDEM_CLOSED,
        IDEM_WAIT_OVER,
    ];
    let kind = KINDS.into_iter().find(|kind| *kind as u32 == told.kind);
    Ok(match kind.ok_or(IDEM_ERR_VALUE)? {
        IDEM_EXECUTE => {
            let lease = request.gate.engine().lease_raw(token_of(&told.lease)?)?;
            // It may have been on its way for long: now it has all its time, or is over and somebody else's.
            match lease.renew(request.gate.policy().lease) {
                Ok(()) => WaitOutcome::Execute(lease),
                Err(_) => WaitOutcome::TimedOut,
            }
        }
        IDEM_REPLAY => WaitOutcome::Replay(ManuallyDrop::into_inner(c.replay(&told.response)?)),
        // What became of it is said by the kind; the rest is for people.
        IDEM_DONE => WaitOutcome::Done(Info::default()),
        IDEM_CANCELLED => WaitOutcome::Cancelled(Reason::Owner),
        IDEM_HALTED => WaitOutcome::Halted(Reason::Owner),
        IDEM_CLOSED => WaitOutcome::Closed,
        _ => WaitOutcome::TimedOut,
    })
}

/// Keeps the lease of a request that is being executed alive, for the time of the decision (`time_ms`) from now on.
///
/// Ownership: `request` is borrowed.
/// Threads: any, also while others take its steps.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_STALE: it is not executed, or not any more, or somebody else has taken over; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_renew(request: *const idem_http_request_t) -> idem_status_t {
    call(|c| {
        // Without the lock: it may call hooks.
        let executing = c.object(request)?.executes.get().ok_or(IDEM_STALE)?;
        Ok(executing.renewal.renew()?)
    })
}

/// From here on a request that is being executed has effects that cannot be taken back: if its handler is interrupted,
/// the key is not simply free again, but what the policy says of interrupted requests.
///
/// Ownership: `request` is borrowed.
/// Threads: any, also while others take its steps.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_side_effects_began(
    request: *const idem_http_request_t,
) -> idem_status_t {
    call(|c| {
        c.object(request)?.control()?.side_effects_began();
        Ok(())
    })
}

/// Says what becomes of the response (an idem_http_fate_t), whatever its status; with IDEM_HTTP_KEEP_FOR for `ms`.
/// Saying it again replaces what was said; after the response nothing changes any more.
///
/// Ownership: `request` is borrowed.
/// Threads: any, also while others take its steps.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed; IDEM_ERR_VALUE, IDEM_ERR_RANGE: more than ten years;
///   IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_say(
    request: *const idem_http_request_t,
    fate: u32,
    ms: u64,
) -> idem_status_t {
    use idem_http_fate_t::*;
    call(|c| {
        let control = c.object(request)?.control()?;
        match fate {
            fate if fate == IDEM_HTTP_KEEP as u32 => control.keep(),
            fate if fate == IDEM_HTTP_KEEP_FOR as u32 => {
                control.keep_for(bounded(ms)?.unwrap_or_default());
            }
            fate if fate == IDEM_HTTP_SHARE as u32 => control.share(),
            fate if fate == IDEM_HTTP_RELEASE as u32 => control.release(),
            fate if fate == IDEM_HTTP_HALT as u32 => control.halt(),
            _ => return Err(IDEM_ERR_VALUE),
        }
        Ok(())
    })
}

/// Settles a request by its response. That is to be sent only after this has returned, with the header fields in
/// `*finished` (unless that is null) added. One whose body is longer than is kept, or has another length than its
/// `content-length` says, is settled as by idem_http_lose. Fields that HTTP has no place for are not stored.
///
/// Ownership: `request`, `response` and all it points to are borrowed; the bytes are copied.
/// Threads: one at a time.
/// Blocks: no; calls the callbacks of those who wait.
/// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed, or not any more; IDEM_ERR_RANGE: no status; IDEM_ERR_SIZE,
///   IDEM_ERR_UNSUPPORTED, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_finish(
    request: *const idem_http_request_t,
    response: *const idem_http_response_t,
    finished: *mut idem_http_finished_t,
) -> idem_status_t {
    call(|c| {
        let (request, out) = (c.object(request)?, c.optional_out(finished)?);
        let response = c.sized(response)?;
        if response.reserved != 0 {
            return Err(IDEM_ERR_UNSUPPORTED);
        }
        let fields = |fields, count| -> Called<Vec<_>> {
            let field =
                |field: &idem_http_field_t| Ok((c.bytes(field.name)?, c.bytes(field.value)?));
            c.array(fields, count)?.iter().map(field).collect()
        };
        let headers = &fields(response.headers, response.header_count)?[..];
        let trailers = &fields(response.trailers, response.trailer_count)?[..];
        let (status, body) = (status_of(response.status)?, c.bytes(response.body)?);
        let ticket = request.take(only_executing)?;
        let done = ticket.finish_ref(ResponseRef { status, headers, trailers, body });
        tell(out, request.finished(done));
        Ok(())
    })
}

fn status_of(status: u32) -> Called<u16> {
    match u16::try_from(status) {
        Ok(status @ 100..=599) => Ok(status),
        _ => Err(IDEM_ERR_RANGE),
    }
}

/// Settles a request whose response with this status is lost on the way: longer than what is kept; or, if
/// `was_cut_off` is not 0, incomplete. Duplicates are told that it was done; or, if that cannot be known, what the
/// policy says of interrupted requests.
///
/// Ownership: `request` is borrowed.
/// Threads: one at a time.
/// Blocks: no; calls the callbacks of those who wait.
/// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed, or not any more; IDEM_ERR_RANGE: no status; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_lose(
    request: *const idem_http_request_t,
    status: u32,
    was_cut_off: c_int,
    finished: *mut idem_http_finished_t,
) -> idem_status_t {
    call(|c| {
        let (request, out) = (c.object(request)?, c.optional_out(finished)?);
        let status = status_of(status)?;
        let ticket = request.take(only_executing)?;
        let done = ticket.finish_without_body(status, was_cut_off != 0);
        tell(out, request.finished(done));
        Ok(())
    })
}

/// Settles a request that could not be handled at all, as by a client whose connection failed. Where the request
/// itself is the key those who wait share that; otherwise it is an interrupted one.
///
/// Ownership: `request` is borrowed.
/// Threads: one at a time.
/// Blocks: no; calls the callbacks of those who wait.
/// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed, or not any more; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_fail(request: *const idem_http_request_t) -> idem_status_t {
    call(|c| {
        let ticket = c.object(request)?.take(only_executing)?;
        ticket.fail();
        Ok(())
    })
}

/// Frees a request. One that is being executed is an interrupted one.
///
/// Ownership: `request` is consumed, with all that its answer and its added header fields point to; null is
///   nothing. The waiter of a request that waits is the caller's still.
/// Threads: any; nobody may be inside a call with it.
/// Blocks: no; may call the callbacks of those who wait; the last that is left of an engine does what
///   idem_engine_free says.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_request_free(
    request: *mut idem_http_request_t,
) -> idem_status_t {
    call(|c| c.take_optional(request).map(drop))
}
