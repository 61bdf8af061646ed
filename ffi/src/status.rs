//! Statuses: what a call came to. What a claim or a wait came to is an outcome, and no status.

use core::ffi::{CStr, c_char};

use idem::{ClaimError, ConfigError, KeyError, ResolveError, TokenError};

/// What a call came to. Zero: it did what it says. Positive: an ordinary answer, which programs go on from.
/// Negative: the call was wrong, or the system lacked what it takes; nothing was done, and no result was
/// written, unless the status says otherwise. Numbers are never used again.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum idem_status_t {
    /// It did what it says.
    IDEM_OK = 0,
    /// The lease is over: it ran out and somebody acted on that, or it was ended before. Nothing was
    /// overwritten. Likewise a halt that was settled, or halted once more, since.
    IDEM_STALE = 1,
    /// Too late: what was to be cancelled had come, or was cancelled before.
    IDEM_TOO_LATE = 2,
    /// Time is up.
    IDEM_TIMED_OUT = 3,
    /// There is no room.
    IDEM_FULL = 4,
    /// It cannot be said: the key is halted, was used with another fingerprint, or was taken away before it
    /// was marked; or the engine is closed. A claim tells which.
    IDEM_UNDECIDED = 5,
    /// A pointer that must not be null is null.
    IDEM_ERR_NULL = -1,
    /// A pointer is not aligned for what it is to point to.
    IDEM_ERR_MISALIGNED = -2,
    /// A structure says of itself that it is shorter than it ever was, or absurdly long.
    IDEM_ERR_SIZE = -3,
    /// A structure has more fields than this library knows, and they are not all zero.
    IDEM_ERR_UNSUPPORTED = -4,
    /// An unknown enumeration value or flag bit.
    IDEM_ERR_VALUE = -5,
    /// A key, a scope, or a namespace's name has no bytes.
    IDEM_ERR_EMPTY = -6,
    /// A key, a scope or a namespace's name has more than 65 536 bytes; or an array is longer than memory.
    IDEM_ERR_TOO_LONG = -7,
    /// The key does not say what its scope is, or that it has none.
    IDEM_ERR_NO_SCOPE = -8,
    /// A namespace's name is not UTF-8.
    IDEM_ERR_NOT_TEXT = -9,
    /// An option or a duration is out of its bounds, or zero where that makes no sense.
    IDEM_ERR_RANGE = -10,
    /// The namespace has other limits already; the first who names it sets them.
    IDEM_ERR_LIMITS_SET = -11,
    /// A key, lease or namespace of another engine.
    IDEM_ERR_WRONG_ENGINE = -12,
    /// A response that was released already, or never was one; a fingerprint that was finished.
    IDEM_ERR_RELEASED = -13,
    /// The system has not got the memory.
    IDEM_ERR_NO_MEMORY = -14,
    /// The system has not got a thread, a descriptor or random bytes.
    IDEM_ERR_SYSTEM = -15,
    /// The buffer is too short; how long it must be was written.
    IDEM_ERR_BUFFER = -16,
    /// A panic inside libidem, which is a defect of it; what was done by then is not known. The log
    /// function has been told.
    IDEM_ERR_PANIC = -17,
    /// No policy, or one that cannot be carried out; idem_http_policy says why.
    IDEM_ERR_POLICY = -18,
    /// Not the next step of this request. It is where it was.
    IDEM_ERR_STATE = -19,
}

use idem_status_t::*;

/// The name of a status as the header has it, or "unknown".
///
/// Ownership: the text is static.
/// Threads: any.
/// Blocks: no.
/// Returns: never null.
/// Since: 0.
#[unsafe(no_mangle)]
pub extern "C" fn idem_status_name(status: i32) -> *const c_char {
    name(status).as_ptr()
}

fn name(status: i32) -> &'static CStr {
    ALL.iter().find(|(known, _)| *known as i32 == status).map_or(c"unknown", |(_, name)| *name)
}

const ALL: [(idem_status_t, &CStr); 25] = [
    (IDEM_OK, c"IDEM_OK"),
    (IDEM_STALE, c"IDEM_STALE"),
    (IDEM_TOO_LATE, c"IDEM_TOO_LATE"),
    (IDEM_TIMED_OUT, c"IDEM_TIMED_OUT"),
    (IDEM_FULL, c"IDEM_FULL"),
    (IDEM_UNDECIDED, c"IDEM_UNDECIDED"),
    (IDEM_ERR_NULL, c"IDEM_ERR_NULL"),
    (IDEM_ERR_MISALIGNED, c"IDEM_ERR_MISALIGNED"),
    (IDEM_ERR_SIZE, c"IDEM_ERR_SIZE"),
    (IDEM_ERR_UNSUPPORTED, c"IDEM_ERR_UNSUPPORTED"),
    (IDEM_ERR_VALUE, c"IDEM_ERR_VALUE"),
    (IDEM_ERR_EMPTY, c"IDEM_ERR_EMPTY"),
    (IDEM_ERR_TOO_LONG, c"IDEM_ERR_TOO_LONG"),
    (IDEM_ERR_NO_SCOPE, c"IDEM_ERR_NO_SCOPE"),
    (IDEM_ERR_NOT_TEXT, c"IDEM_ERR_NOT_TEXT"),
    (IDEM_ERR_RANGE, c"IDEM_ERR_RANGE"),
    (IDEM_ERR_LIMITS_SET, c"IDEM_ERR_LIMITS_SET"),
    (IDEM_ERR_WRONG_ENGINE, c"IDEM_ERR_WRONG_ENGINE"),
    (IDEM_ERR_RELEASED, c"IDEM_ERR_RELEASED"),
    (IDEM_ERR_NO_MEMORY, c"IDEM_ERR_NO_MEMORY"),
    (IDEM_ERR_SYSTEM, c"IDEM_ERR_SYSTEM"),
    (IDEM_ERR_BUFFER, c"IDEM_ERR_BUFFER"),
    (IDEM_ERR_PANIC, c"IDEM_ERR_PANIC"),
    (IDEM_ERR_POLICY, c"IDEM_ERR_POLICY"),
    (IDEM_ERR_STATE, c"IDEM_ERR_STATE"),
];

impl From<KeyError> for idem_status_t {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Empty => IDEM_ERR_EMPTY,
            KeyError::TooLong => IDEM_ERR_TOO_LONG,
            _ => IDEM_ERR_RANGE,
        }
    }
}

impl From<ClaimError> for idem_status_t {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::WrongEngine => IDEM_ERR_WRONG_ENGINE,
            _ => IDEM_ERR_RANGE,
        }
    }
}

impl From<TokenError> for idem_status_t {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::WrongEngine => IDEM_ERR_WRONG_ENGINE,
            _ => IDEM_STALE,
        }
    }
}

impl From<ResolveError> for idem_status_t {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::WrongEngine => IDEM_ERR_WRONG_ENGINE,
            ResolveError::Full(_) => IDEM_FULL,
            _ => IDEM_STALE,
        }
    }
}

impl From<ConfigError> for idem_status_t {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::NoMemory | ConfigError::NoPages => IDEM_ERR_NO_MEMORY,
            ConfigError::NoRandom | ConfigError::NoThread => IDEM_ERR_SYSTEM,
            ConfigError::LimitsSet => IDEM_ERR_LIMITS_SET,
            _ => IDEM_ERR_RANGE,
        }
    }
}
