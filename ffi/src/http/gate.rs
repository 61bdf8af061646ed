//! Policies, and gates made of them.

use core::ffi::{c_char, c_int};
use core::str;

use idem::{Claim, Scope};
use idem_http::{Gate, Head, Overrides, Policy, PolicyError};

use crate::boundary::{Border, Called, call, give};
use crate::claim::scope_of;
use crate::convert::{bounded, duration};
use crate::engine::idem_engine_t;
use crate::http::shown::bytes_of;
use crate::http::{
    idem_http_decision_t, idem_http_head_flag_t, idem_http_head_t, idem_http_request_t,
};
use crate::namespace::idem_namespace_t;
use crate::response::copy;
use crate::status::idem_status_t::{self, *};
use crate::types::idem_bytes_t;

/// A policy at work: an engine, a namespace of it, and what is done with requests. A route has one.
pub struct idem_http_gate_t(Gate);

impl From<PolicyError> for idem_status_t {
    fn from(_: PolicyError) -> Self {
        IDEM_ERR_POLICY
    }
}

fn text(c: &Border, bytes: idem_bytes_t) -> Called<&str> {
    str::from_utf8(c.bytes(bytes)?).map_err(|_| IDEM_ERR_NOT_TEXT)
}

fn optional_text(c: &Border, bytes: idem_bytes_t) -> Called<Option<&str>> {
    if bytes.data.is_null() { Ok(None) } else { text(c, bytes).map(Some) }
}

/// Reads a policy: JSON as `{"profile": "ietf", "retention_ms": 60000}`, which is a profile (`ietf`, `stripe_v1`,
/// `stripe_v2`, `coalesce`) and what is otherwise. Writes all of it to `buffer`, with every field that there is; or, if
/// it cannot be carried out, why not. Neither ends with a zero byte.
///
/// Ownership: all are borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK, and the policy; IDEM_ERR_POLICY, and what is wrong with it; IDEM_ERR_BUFFER: the buffer is too
///   short for either; in each case the length is in `*len` (unless that is null). IDEM_ERR_NOT_TEXT, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_policy(
    policy: idem_bytes_t,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> idem_status_t {
    call(|c| {
        let (buffer, len) = (c.outs(buffer.cast::<u8>(), capacity)?, c.optional_out(len)?);
        match Policy::from_json(text(c, policy)?) {
            Ok(policy) => copy(policy.to_json().as_bytes(), buffer, len),
            Err(error) => copy(error.to_string().as_bytes(), buffer, len).and(Err(IDEM_ERR_POLICY)),
        }
    })
}

/// Makes a gate of a policy (idem_http_policy tells what is wrong with one).
///
/// Ownership: `engine`, `ns` (null: the default namespace) and `policy` are borrowed; `*gate` is the caller's, free it
///   with idem_http_gate_free.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_POLICY, IDEM_ERR_NOT_TEXT, IDEM_ERR_WRONG_ENGINE: `ns` is another's; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_gate_new(
    engine: *const idem_engine_t,
    ns: *const idem_namespace_t,
    policy: idem_bytes_t,
    gate: *mut *mut idem_http_gate_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.out(gate)?);
        let policy = Policy::from_json(text(c, policy)?)?;
        let mut builder = Gate::builder(engine, policy, idem_http::global);
        if let Some(ns) = c.optional(ns)? {
            engine.check_claim(&Claim::new(ns.namespace().raw_key(0)))?;
            builder = builder.namespace(ns.namespace().clone());
        }
        out.write(give(idem_http_gate_t(builder.build()?)));
        Ok(())
    })
}

/// Frees a gate. Requests that are on their way through it go on, and keep what they need of it.
///
/// Ownership: `gate` is consumed; null is nothing.
/// Threads: any; nobody may be inside a call with it.
/// Blocks: no; the last that is left of an engine does what idem_engine_free says.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_gate_free(gate: *mut idem_http_gate_t) -> idem_status_t {
    call(|c| c.take_optional(gate).map(drop))
}

/// The name of the header that keys are in.
///
/// Ownership: `*name` is the gate's, and good until that is freed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_gate_header(
    gate: *const idem_http_gate_t,
    name: *mut idem_bytes_t,
) -> idem_status_t {
    call(|c| {
        let (gate, out) = (&c.object(gate)?.0, c.out(name)?);
        out.write(bytes_of(gate.policy().header.as_bytes()));
        Ok(())
    })
}

/// Whether a request that differs in nothing from its policy is certain to pass, by as little as can be looked at:
/// before its head is put together. `has_key`: whether it has the header that keys are in.
///
/// Ownership: all are borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: 1, or 0: admit it (also if the call is wrong).
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_passes(
    gate: *const idem_http_gate_t,
    method: idem_bytes_t,
    path: idem_bytes_t,
    has_key: c_int,
) -> c_int {
    let mut passes = false;
    call(|c| {
        let (gate, method, path) = (&c.object(gate)?.0, text(c, method)?, text(c, path)?);
        passes = gate.passes(method, path, |_| has_key != 0);
        Ok(())
    });
    passes.into()
}

/// The fingerprint of a request, as its gate makes it: for tests, and for whoever wants to know.
///
/// Ownership: all are borrowed; `bits` is 16 bytes, little endian.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; the errors of idem_http_admit.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_fingerprint(
    gate: *const idem_http_gate_t,
    head: *const idem_http_head_t,
    body: idem_bytes_t,
    bits: *mut u8,
) -> idem_status_t {
    call(|c| {
        let (gate, out) = (&c.object(gate)?.0, c.outs(bits, 16)?);
        let (head, body) = (c.sized(head)?, c.bytes(body)?);
        let fingerprint = look(c, &head, |head, _| gate.fingerprint(head, body))?;
        out.write_copy_of_slice(&fingerprint.to_u128().to_le_bytes());
        Ok(())
    })
}

/// Admits a request: what is known of it by its head. With an error it must not be served: what it came with is wrong
/// (IDEM_ERR_NOT_TEXT: a status of 400), or what the program said of it.
///
/// Ownership: `gate`, `head` and all it points to are borrowed; `*request` is the caller's, free it with
///   idem_http_request_free when its response or its answer was sent. It is null, if the request passes.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK, and the decision IDEM_HTTP_PASS, IDEM_HTTP_KEYED or IDEM_HTTP_ANSWER; IDEM_ERR_NOT_TEXT,
///   IDEM_ERR_NO_SCOPE, IDEM_ERR_EMPTY, IDEM_ERR_TOO_LONG for a scope or a key, IDEM_ERR_RANGE for a retention of more
///   than ten years, IDEM_ERR_VALUE (also for a scope with IDEM_SCOPE_NONE), IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED,
///   IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_http_admit(
    gate: *const idem_http_gate_t,
    head: *const idem_http_head_t,
    request: *mut *mut idem_http_request_t,
    decision: *mut idem_http_decision_t,
) -> idem_status_t {
    call(|c| {
        let (gate, head) = (&c.object(gate)?.0, c.sized(head)?);
        let (request, decision) = (c.out(request)?, c.out(decision)?);
        let admission = look(c, &head, |head, overrides| gate.admit(head, overrides))?;
        let (admitted, decided) = idem_http_request_t::admitted(c, gate, admission)?;
        request.write(admitted);
        decision.write(decided);
        Ok(())
    })
}

/// Looks at a head of C's.
fn look<T>(
    c: &Border,
    head: &idem_http_head_t,
    look: impl FnOnce(&Head<'_>, Overrides) -> T,
) -> Called<T> {
    const OFF: u32 = idem_http_head_flag_t::IDEM_HTTP_OFF as u32;
    if head.flags & !OFF != 0 {
        return Err(IDEM_ERR_VALUE);
    }
    let fields = c.array(head.fields, head.field_count)?;
    let mut headers = Vec::with_capacity(fields.len());
    for field in fields {
        let (name, value) = (c.bytes(field.name)?, c.bytes(field.value)?);
        // No policy names what is no text.
        headers.extend(str::from_utf8(name).ok().map(|name| (name, value)));
    }
    let own = |bytes: &[u8]| match bytes.len() {
        0 => Err(IDEM_ERR_EMPTY),
        1..=idem::Key::LENGTH_MAX => Ok(bytes.to_vec()),
        _ => Err(IDEM_ERR_TOO_LONG),
    };
    let overrides = Overrides {
        key: if head.key.data.is_null() { None } else { Some(own(c.bytes(head.key)?)?) },
        scope: match scope_of(c, head.scope_kind, head.scope)? {
            Scope::Of(scope) => Some(own(scope)?),
            // One that is said, and would not count, is a mistake that would make keys global.
            Scope::None if head.scope.len > 0 => return Err(IDEM_ERR_VALUE),
            Scope::None => None,
        },
        retention: bounded(head.retention_ms)?,
        wait: duration(head.wait_ms),
        is_off: head.flags & OFF != 0,
    };
    let (authority, query) = (optional_text(c, head.authority)?, optional_text(c, head.query)?);
    let (method, path) = (text(c, head.method)?, text(c, head.path)?);
    Ok(look(&Head { method, authority, path, query, headers: &headers }, overrides))
}
