//! Between the engine's words and the header's. No pointer is followed here.

use core::time::Duration;

use idem::{Completion, Event, Info, Limit, NoBody, OnEnd, Origin, Reason, Removal, State, What};

use crate::boundary::Called;
use crate::status::idem_status_t::{IDEM_ERR_RANGE, IDEM_ERR_VALUE};
use crate::types::*;

/// An option of time: `None` is the default.
pub(crate) fn duration(millis: u64) -> Option<Duration> {
    match millis {
        0 => None,
        IDEM_ZERO => Some(Duration::ZERO),
        millis => Some(Duration::from_millis(millis)),
    }
}

/// An option of a count or a size: `None` is the default.
pub(crate) fn size(count: u64) -> Option<usize> {
    match count {
        0 => None,
        IDEM_ZERO => Some(0),
        count => Some(usize::try_from(count).unwrap_or(usize::MAX)),
    }
}

/// As `duration`, within the longest there is, which is ten years.
pub(crate) fn bounded(millis: u64) -> Called<Option<Duration>> {
    const LONGEST: Duration = Duration::from_secs(3650 * 86_400);
    match duration(millis) {
        Some(time) if time > LONGEST => Err(IDEM_ERR_RANGE),
        time => Ok(time),
    }
}

/// How long to wait: zero is not at all.
pub(crate) fn timeout(millis: u64) -> Duration {
    // What is longer than the engine waits is cut to that.
    Duration::from_millis(millis)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn on_end(value: u32) -> Called<Option<OnEnd>> {
    Ok(match value {
        0 => None,
        1 => Some(OnEnd::HandOver),
        2 => Some(OnEnd::FailWaiters),
        3 => Some(OnEnd::Halt),
        _ => return Err(IDEM_ERR_VALUE),
    })
}

pub(crate) fn flag(value: u32) -> Called<Option<bool>> {
    Ok(match value {
        0 => None,
        1 => Some(true),
        2 => Some(false),
        _ => return Err(IDEM_ERR_VALUE),
    })
}

/// A reason that an owner gives: none, or a code of its own.
pub(crate) fn reason(value: u32) -> Called<Reason> {
    match value.checked_sub(IDEM_REASON_CODE) {
        None if value <= idem_reason_t::IDEM_REASON_OWNER as u32 => Ok(Reason::Owner),
        None => Err(IDEM_ERR_VALUE),
        Some(code) => u16::try_from(code).map(Reason::Code).map_err(|_| IDEM_ERR_VALUE),
    }
}

pub(crate) fn of_reason(reason: Reason) -> u32 {
    use idem_reason_t::*;
    let known = match reason {
        Reason::Dropped => IDEM_REASON_DROPPED,
        Reason::Panicked => IDEM_REASON_PANICKED,
        Reason::LeaseExpired => IDEM_REASON_LEASE_EXPIRED,
        Reason::Shutdown => IDEM_REASON_SHUTDOWN,
        Reason::Forced => IDEM_REASON_FORCED,
        Reason::Forgotten => IDEM_REASON_FORGOTTEN,
        Reason::Cleared => IDEM_REASON_CLEARED,
        Reason::Code(code) => return IDEM_REASON_CODE + u32::from(code),
        _ => IDEM_REASON_OWNER,
    };
    known as u32
}

pub(crate) fn of_on_end(policy: OnEnd) -> u32 {
    use idem_on_end_t::*;
    let policy = match policy {
        OnEnd::HandOver => IDEM_ON_END_HAND_OVER,
        OnEnd::FailWaiters => IDEM_ON_END_FAIL_WAITERS,
        OnEnd::Halt => IDEM_ON_END_HALT,
    };
    policy as u32
}

pub(crate) fn of_origin(origin: Origin) -> u32 {
    use idem_origin_t::*;
    let origin = match origin {
        Origin::AfterCancel => IDEM_ORIGIN_AFTER_CANCEL,
        Origin::AfterExpiry => IDEM_ORIGIN_AFTER_EXPIRY,
        _ => IDEM_ORIGIN_FRESH,
    };
    origin as u32
}

pub(crate) fn of_state(state: State) -> u32 {
    use idem_state_t::*;
    let state = match state {
        State::Completed => IDEM_STATE_COMPLETED,
        State::Cancelled => IDEM_STATE_CANCELLED,
        State::Halted => IDEM_STATE_HALTED,
        _ => IDEM_STATE_IN_FLIGHT,
    };
    state as u32
}

pub(crate) fn of_limit(limit: Limit) -> u32 {
    use idem_limit_t::*;
    let limit = match limit {
        Limit::Bytes => IDEM_LIMIT_BYTES,
        Limit::Waiters => IDEM_LIMIT_WAITERS,
        Limit::Namespace => IDEM_LIMIT_NAMESPACE,
        Limit::Scope => IDEM_LIMIT_SCOPE,
        _ => IDEM_LIMIT_RECORDS,
    };
    limit as u32
}

pub(crate) fn of_completion(completion: Completion) -> u32 {
    use idem_completion_t::*;
    let completion = match completion {
        Completion::Tombstone(NoBody::TooLarge) => IDEM_TOO_LARGE,
        Completion::Tombstone(_) => IDEM_NO_ROOM_FOR_BODY,
        Completion::Detached => IDEM_DETACHED,
        _ => IDEM_STORED,
    };
    completion as u32
}

pub(crate) fn of_removal(removal: Removal) -> u32 {
    use idem_removal_t::*;
    let removal = match removal {
        Removal::Removed => IDEM_REMOVAL_REMOVED,
        Removal::InFlight => IDEM_REMOVAL_IN_FLIGHT,
        Removal::Halted => IDEM_REMOVAL_HALTED,
        _ => IDEM_REMOVAL_VACANT,
    };
    removal as u32
}

pub(crate) fn of_info(info: Info) -> idem_info_t {
    idem_info_t { age_ms: millis(info.age), left_ms: millis(info.left), owner: info.owner }
}

pub(crate) fn event(happened: Event) -> idem_event_t {
    use idem_what_t::*;
    let (what, detail, reason) = match happened.what {
        What::Executes => (IDEM_WHAT_EXECUTES, 0, 0),
        What::InFlight => (IDEM_WHAT_IN_FLIGHT, 0, 0),
        What::Replayed => (IDEM_WHAT_REPLAYED, 0, 0),
        What::Done => (IDEM_WHAT_DONE, 0, 0),
        What::Mismatched(state) => (IDEM_WHAT_MISMATCHED, of_state(state), 0),
        What::Cancelled(reason) => (IDEM_WHAT_CANCELLED, 0, of_reason(reason)),
        What::Halted(reason) => (IDEM_WHAT_HALTED, 0, of_reason(reason)),
        What::Full(limit) => (IDEM_WHAT_NO_ROOM, of_limit(limit), 0),
        What::Closed => (IDEM_WHAT_CLOSED, 0, 0),
        What::Completed(fit) => (IDEM_WHAT_COMPLETED, of_completion(fit), 0),
        What::GaveUp(policy, reason) => (IDEM_WHAT_GAVE_UP, of_on_end(policy), of_reason(reason)),
        What::Renewed => (IDEM_WHAT_RENEWED, 0, 0),
        What::Stale => (IDEM_WHAT_STALE, 0, 0),
        What::LeaseExpired(policy) => (IDEM_WHAT_LEASE_EXPIRED, of_on_end(policy), 0),
        What::HandedOver => (IDEM_WHAT_HANDED_OVER, 0, 0),
        What::Forced(reason) => (IDEM_WHAT_FORCED, 0, of_reason(reason)),
        What::Forgotten => (IDEM_WHAT_FORGOTTEN, 0, 0),
        What::Detached => (IDEM_WHAT_DETACHED, 0, 0),
        What::Resolved => (IDEM_WHAT_RESOLVED, 0, 0),
        _ => (IDEM_WHAT_OTHER, 0, 0),
    };
    let what = what as u32;
    let key_hash = happened.key_hash.to_le_bytes();
    idem_event_t { what, detail, reason, reserved: 0, key_hash, more: [0; 2] }
}
