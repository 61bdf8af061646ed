//! The claim.

use arrayvec::ArrayVec;
use idem::{
    Claim, Engine, Fingerprint, Info, Key, Outcome, OutcomeVisitor, Reason, Replay, Scope, Token,
    WaitOutcome,
};

use crate::boundary::{Border, Called, call, give};
use crate::convert::{of_info, of_limit, of_origin, of_reason, of_state, on_end};
use crate::engine::idem_engine_t;
use crate::response::NO_RESPONSE;
use crate::status::idem_status_t::{self, *};
use crate::types::idem_outcome_kind_t::*;
use crate::types::*;
use crate::wait::idem_waiter_t;

/// Claims a key: decides, in one step, whether the caller executes. There is no separate check. A claim
/// that finds an owner at work is registered as a waiter there and then, unless it says otherwise.
///
/// Ownership: `claim` and all it points to are borrowed. What `*outcome` has is the caller's: a lease is
///   ended (idem_complete and its like), a response released (idem_response_release), a waiter waited with
///   (idem_wait and its like) or freed (idem_waiter_free).
/// Threads: any.
/// Blocks: no; may call callbacks of others. Allocates nothing, unless it comes to IDEM_IN_FLIGHT with a
///   waiter, or is the first in a scope that has limits.
/// Returns: IDEM_OK, whatever the outcome; IDEM_ERR_EMPTY, IDEM_ERR_TOO_LONG, IDEM_ERR_NO_SCOPE for the
///   key, IDEM_ERR_RANGE for a duration, IDEM_ERR_VALUE, IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED,
///   IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_claim(
    engine: *const idem_engine_t,
    claim: *const idem_claim_t,
    outcome: *mut idem_outcome_t,
) -> idem_status_t {
    call(|c| {
        let (engine, out) = (c.object(engine)?.engine(), c.change(outcome)?);
        let claim = c.sized(claim)?;
        let made = match plain_claim_of(engine, &claim) {
            Some(made) => made,
            None => other_claim_of(c, engine, &claim)?,
        };
        Ok(engine.claim_raw(&made, &mut Out(out))?)
    })
}

/// Claims `count` keys in one call: faster than one by one, since their cache misses overlap. Each claim is
/// what it would be alone, one after the other; of a key that is there twice the second finds the first
/// one's lease, and should say IDEM_CLAIM_NO_WAIT. All of `claims` have the `struct_size` of the first.
/// Sixteen at a time gain what there is to gain.
///
/// Ownership: `claims` and all they point to are borrowed; what `outcomes` have is the caller's, as with
///   idem_claim.
/// Threads: any.
/// Blocks: no; may call callbacks of others. Allocates nothing more than idem_claim.
/// Returns: IDEM_OK, and `count` outcomes in the order of the claims; otherwise nothing has been claimed,
///   and it is what is wrong with one of them, as idem_claim says, or IDEM_ERR_SIZE for sizes that differ.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_claim_batch(
    engine: *const idem_engine_t,
    claims: *const idem_claim_t,
    count: usize,
    outcomes: *mut idem_outcome_t,
) -> idem_status_t {
    call(|c| {
        let (engine, outs) = (c.object(engine)?.engine(), c.change_array(outcomes, count)?);
        let claims = c.sized_array(claims, count)?;
        if count > Claim::WINDOW {
            // All of them are looked at before one is claimed.
            for claim in claims.clone() {
                let claim = claim?;
                engine.check_claim(&claim_of(c, engine, &claim)?)?;
            }
        }
        let (mut claims, mut outs) = (claims, outs.iter_mut());
        loop {
            let mut made = ArrayVec::<Claim, { Claim::WINDOW }>::new();
            for claim in claims.by_ref().take(Claim::WINDOW) {
                let claim = claim?;
                match plain_claim_of(engine, &claim) {
                    Some(plain) => made.push(plain),
                    None => made.push(other_claim_of(c, engine, &claim)?),
                }
            }
            if made.is_empty() {
                return Ok(());
            }
            engine.claim_batch_raw(&made, &mut Outs(&mut outs))?;
        }
    })
}

const RAW: u32 = idem_key_kind_t::IDEM_KEY_RAW as u32;

/// The key that C names.
pub(crate) fn key_of(c: &Border, engine: &Engine, key: &idem_key_t) -> Called<Key> {
    const BYTES: u32 = idem_key_kind_t::IDEM_KEY_BYTES as u32;
    const FINGERPRINT: u32 = idem_key_kind_t::IDEM_KEY_FINGERPRINT as u32;
    const LISTED: u32 = idem_key_kind_t::IDEM_KEY_LISTED as u32;
    let ns = c.optional(key.ns)?.map(|ns| ns.namespace());
    let bits = u128::from_le_bytes(key.bits);
    let scope = || scope_of(c, key.scope_kind, key.scope);
    Ok(match (key.kind, ns) {
        (RAW, None) => engine.raw_key(bits),
        (RAW, Some(ns)) => ns.raw_key(bits),
        (BYTES, None) => engine.key(scope()?, c.bytes(key.key)?)?,
        (BYTES, Some(ns)) => ns.key(scope()?, c.bytes(key.key)?)?,
        (FINGERPRINT, None) => engine.fingerprint_key(scope()?, Fingerprint::from_u128(bits))?,
        (FINGERPRINT, Some(ns)) => ns.fingerprint_key(scope()?, Fingerprint::from_u128(bits))?,
        (LISTED, _) => {
            if key.key.len != size_of::<[u64; 5]>() {
                return Err(IDEM_ERR_SIZE);
            }
            let mut words = [0; 5];
            for (word, bytes) in words.iter_mut().zip(c.bytes(key.key)?.chunks_exact(8)) {
                *word = u64::from_ne_bytes(bytes.try_into().unwrap_or_default());
            }
            engine.listed_key(words)?
        }
        _ => return Err(IDEM_ERR_VALUE),
    })
}

/// The scope that C names.
pub(crate) fn scope_of(c: &Border, kind: u32, scope: idem_bytes_t) -> Called<Scope<'_>> {
    const NONE: u32 = idem_scope_kind_t::IDEM_SCOPE_NONE as u32;
    const OF: u32 = idem_scope_kind_t::IDEM_SCOPE_OF as u32;
    match kind {
        NONE => Ok(Scope::None),
        OF => Ok(Scope::Of(c.bytes(scope)?)),
        0 => Err(IDEM_ERR_NO_SCOPE),
        _ => Err(IDEM_ERR_VALUE),
    }
}

/// The claim that C makes.
pub(crate) fn claim_of(c: &Border, engine: &Engine, claim: &idem_claim_t) -> Called<Claim> {
    match plain_claim_of(engine, claim) {
        Some(made) => Ok(made),
        None => other_claim_of(c, engine, claim),
    }
}

/// The claim of a raw key on the engine's terms. On its own, since such a claim is made where it is read,
/// and then costs next to nothing.
#[inline(always)]
fn plain_claim_of(engine: &Engine, claim: &idem_claim_t) -> Option<Claim> {
    let key = &claim.key;
    let is_plain = key.kind == RAW && key.ns.is_null();
    let words = claim.flags & !FLAGS | claim.reserved | claim.on_expiry | claim.on_abandon;
    if !is_plain || claim.lease_ms | claim.retention_ms | u64::from(words) != 0 || lacks_flag(claim)
    {
        return None;
    }
    let made = Claim::new(engine.raw_key(u128::from_le_bytes(key.bits))).owner(claim.owner);
    Some(flagged(made, claim))
}

const FINGERPRINT: u32 = idem_claim_flag_t::IDEM_CLAIM_FINGERPRINT as u32;
const NO_WAIT: u32 = idem_claim_flag_t::IDEM_CLAIM_NO_WAIT as u32;
const NO_EXECUTE: u32 = idem_claim_flag_t::IDEM_CLAIM_NO_EXECUTE as u32;
const FLAGS: u32 = FINGERPRINT | NO_WAIT | NO_EXECUTE;

/// Whether there is a fingerprint that nobody would look at.
#[inline(always)]
fn lacks_flag(claim: &idem_claim_t) -> bool {
    claim.flags & FINGERPRINT == 0 && claim.fingerprint != [0; 16]
}

#[inline(always)]
fn flagged(made: Claim, claim: &idem_claim_t) -> Claim {
    let made = made.wait(claim.flags & NO_WAIT == 0).may_execute(claim.flags & NO_EXECUTE == 0);
    if claim.flags & FINGERPRINT == 0 {
        return made;
    }
    made.fingerprint(Fingerprint::from_u128(u128::from_le_bytes(claim.fingerprint)))
}

#[inline(never)]
fn other_claim_of(c: &Border, engine: &Engine, claim: &idem_claim_t) -> Called<Claim> {
    if claim.flags & !FLAGS != 0 || lacks_flag(claim) {
        return Err(IDEM_ERR_VALUE);
    }
    if claim.reserved != 0 {
        return Err(IDEM_ERR_UNSUPPORTED);
    }
    let mut made = Claim::new(key_of(c, engine, &claim.key)?).owner(claim.owner);
    made = flagged(made, claim);
    if let Some(time) = crate::convert::duration(claim.lease_ms) {
        made = made.lease(time);
    }
    if let Some(time) = crate::convert::duration(claim.retention_ms) {
        made = made.retention(time);
    }
    if let Some(policy) = on_end(claim.on_expiry)? {
        made = made.on_expiry(policy);
    }
    if let Some(policy) = on_end(claim.on_abandon)? {
        made = made.on_abandon(policy);
    }
    Ok(made)
}

/// Fills in what counts for the outcome's kind, and sees that nothing else in it can be let go of.
struct Out<'c>(&'c mut idem_outcome_t);

impl OutcomeVisitor for Out<'_> {
    type Output = ();

    #[inline(always)]
    fn visit_execute(&mut self, token: Token) {
        begin(self.0);
        executes(self.0, token);
    }

    #[inline(always)]
    fn visit_replay(&mut self, replay: Replay) {
        begin(self.0);
        replays(self.0, replay);
    }

    fn visit_other(&mut self, outcome: Outcome) {
        begin(self.0);
        write_other(self.0, outcome);
    }
}

/// As many of them as there are claims.
struct Outs<'o, 'c>(&'o mut core::slice::IterMut<'c, idem_outcome_t>);

impl OutcomeVisitor for Outs<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn visit_execute(&mut self, token: Token) {
        if let Some(out) = self.0.next() {
            Out(out).visit_execute(token);
        }
    }

    #[inline(always)]
    fn visit_replay(&mut self, replay: Replay) {
        if let Some(out) = self.0.next() {
            Out(out).visit_replay(replay);
        }
    }

    fn visit_other(&mut self, outcome: Outcome) {
        if let Some(out) = self.0.next() {
            Out(out).visit_other(outcome);
        }
    }
}

fn write_other(out: &mut idem_outcome_t, outcome: Outcome) {
    match outcome {
        // The engine tells of these two otherwise.
        Outcome::Execute(lease) => executes(out, lease.into_token()),
        Outcome::Replay(replay) => replays(out, replay),
        Outcome::InFlight(other) => {
            set(out, IDEM_IN_FLIGHT);
            out.info = of_info(other.info());
            let waiter = other.into_waiter().map(idem_waiter_t::new);
            out.waiter = waiter.map_or(core::ptr::null_mut(), give);
        }
        Outcome::Done(info) => done(out, info),
        Outcome::Mismatch(state) => {
            set(out, IDEM_MISMATCH);
            out.state = of_state(state);
        }
        Outcome::Cancelled(reason) => stopped(out, IDEM_CANCELLED, reason),
        Outcome::Halted(reason) => stopped(out, IDEM_HALTED, reason),
        Outcome::Full(limit) => {
            set(out, IDEM_NO_ROOM);
            out.limit = of_limit(limit);
        }
        _ => set(out, IDEM_CLOSED),
    }
}

/// The same of a wait.
pub(crate) fn write_ended(out: &mut idem_outcome_t, outcome: WaitOutcome) {
    begin(out);
    match outcome {
        WaitOutcome::Replay(replay) => replays(out, replay),
        WaitOutcome::Done(info) => done(out, info),
        WaitOutcome::Execute(lease) => executes(out, lease.into_token()),
        WaitOutcome::Cancelled(reason) => stopped(out, IDEM_CANCELLED, reason),
        WaitOutcome::Halted(reason) => stopped(out, IDEM_HALTED, reason),
        WaitOutcome::TimedOut => set(out, IDEM_WAIT_OVER),
        _ => set(out, IDEM_CLOSED),
    }
}

/// Nothing in it but what is written below; and zero in what later versions may have a name for.
#[inline]
fn begin(out: &mut idem_outcome_t) {
    out.waiter = core::ptr::null_mut();
    out.reserved = 0;
    out.value = 0;
    out.more = [0; 3];
}

/// An outcome of this kind, without a response.
#[inline]
fn set(out: &mut idem_outcome_t, kind: idem_outcome_kind_t) {
    out.kind = kind as u32;
    out.response = NO_RESPONSE;
}

#[inline]
fn executes(out: &mut idem_outcome_t, token: Token) {
    set(out, IDEM_EXECUTE);
    out.origin = of_origin(token.origin());
    out.attempt = token.attempt();
    out.lease = crate::lease::of_token(token);
}

#[inline(always)]
fn replays(out: &mut idem_outcome_t, replay: Replay) {
    out.kind = IDEM_REPLAY as u32;
    let (is_error, value, response) = crate::response::of_replay(replay);
    out.is_error = is_error.into();
    out.value = value;
    out.response = response;
}

/// The end of a value, which is no outcome of a claim or a wait.
pub(crate) fn write_evicted(out: &mut idem_outcome_t, value: u64) {
    begin(out);
    set(out, IDEM_EVICTED);
    out.value = value;
}

fn done(out: &mut idem_outcome_t, info: Info) {
    set(out, IDEM_DONE);
    out.info = of_info(info);
}

fn stopped(out: &mut idem_outcome_t, kind: idem_outcome_kind_t, reason: Reason) {
    set(out, kind);
    out.reason = of_reason(reason);
}
