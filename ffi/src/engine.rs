//! The engine: open, close, free; time and counts are in `inspect` and `clock`.

use core::ffi::c_char;

use idem::Engine;

use crate::boundary::{call, give, tell};
use crate::config::idem_config_t;
use crate::convert::timeout;
use crate::log;
use crate::response::copy;
use crate::sigmask;
use crate::status::idem_status_t::{self, IDEM_TIMED_OUT};

/// An engine: the records, the waiters, and the limits. Any number in a process; they share nothing.
pub struct idem_engine_t(Engine);

impl idem_engine_t {
    #[inline]
    pub(crate) fn engine(&self) -> &Engine {
        &self.0
    }
}

/// Opens an engine. `config` may be null: every option is at its default then.
///
/// Ownership: `config` is borrowed; what it points to must live as its fields say. `*engine` is the
///   caller's, free it with idem_engine_free.
/// Threads: any.
/// Blocks: no, but for what prefault takes.
/// Returns: IDEM_OK; IDEM_ERR_RANGE for an option out of bounds (the log function is told which one),
///   IDEM_ERR_VALUE, IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED, IDEM_ERR_NO_MEMORY, IDEM_ERR_SYSTEM,
///   IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_engine_new(
    config: *const idem_config_t,
    engine: *mut *mut idem_engine_t,
) -> idem_status_t {
    call(|c| {
        let out = c.out(engine)?;
        let (builder, hook) = if config.is_null() {
            (Engine::builder(), None)
        } else {
            c.sized(config)?.builder(c)?
        };
        let built = sigmask::blocked(|| builder.build());
        let engine = built.inspect_err(|error| log::error(&error.to_string()))?;
        match hook {
            Some(hook) => hook.keep(),
            None if config.is_null() => {}
            None => c.sized(config)?.let_go_of_hook(),
        }
        out.write(give(idem_engine_t(engine)));
        Ok(())
    })
}

/// Whether an engine can be made of `config`, as far as that is known without making it. If not, what is wrong is
/// written to `buffer` in words; they do not end with a zero byte.
///
/// Ownership: all are borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK, and nothing is written; IDEM_ERR_RANGE, and which option is out of bounds; IDEM_ERR_BUFFER: the
///   buffer is too short for that; with either, the length is in `*len` (unless that is null). IDEM_ERR_VALUE,
///   IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED, IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_config_check(
    config: *const idem_config_t,
    buffer: *mut c_char,
    capacity: usize,
    len: *mut usize,
) -> idem_status_t {
    call(|c| {
        let (buffer, len) = (c.outs(buffer.cast::<u8>(), capacity)?, c.optional_out(len)?);
        let (builder, _hook) = c.sized(config)?.builder(c)?;
        match builder.check() {
            Ok(()) => Ok(()),
            Err(error) => copy(error.to_string().as_bytes(), buffer, len).and(Err(error.into())),
        }
    })
}

/// Closes the engine to new keys: their claims get IDEM_CLOSED, and so does a waiter that would be handed a
/// lease. Replays go on, owners may finish. Closing again changes nothing.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_engine_close(engine: *const idem_engine_t) -> idem_status_t {
    call(|c| {
        c.object(engine)?.engine().close();
        Ok(())
    })
}

/// As idem_engine_close, and after `ms` milliseconds every lease that has not ended is ended: waiters get
/// IDEM_CANCELLED with IDEM_REASON_SHUTDOWN, and an owner that comes later is told IDEM_STALE. A key whose
/// lease would halt it when it runs out is halted instead. Closing again can only bring that forward.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no; may call callbacks.
/// Returns: IDEM_OK; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_engine_close_within(
    engine: *const idem_engine_t,
    ms: u64,
) -> idem_status_t {
    call(|c| {
        c.object(engine)?.engine().close_within(timeout(ms));
        Ok(())
    })
}

/// Closes the engine as idem_engine_close does, and waits until no key is in flight, at most `timeout_ms`
/// milliseconds (IDEM_FOREVER: as long as it takes). It waits as a waiter of each of them; where there is
/// no room for one it returns at once. Keys that were taken from their owners before are not waited for. To
/// be sure of an end, close within some time first.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: yes.
/// Returns: IDEM_OK: none is; IDEM_TIMED_OUT: some still are; IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_engine_drain(
    engine: *const idem_engine_t,
    timeout_ms: u64,
) -> idem_status_t {
    call(|c| {
        let is_drained = c.object(engine)?.engine().drain(timeout(timeout_ms));
        if is_drained { Ok(()) } else { Err(IDEM_TIMED_OUT) }
    })
}

/// Frees the engine. Nobody may be inside a call of it (a callback or a hook is: inside the call that
/// brings it about), but what came from it may be kept: responses stay readable, and the last of them frees
/// the memory. Leases can no longer be ended, since that takes the engine, and nobody ticks: waits without
/// a thread do not end any more. Drain it first, free its waiters and queues, and cancel its callback
/// waits: one that is still pending keeps all of the engine's memory, and its `destroy` is never called.
/// Namespace handles, gates and requests over HTTP keep the engine alive, helper thread and all: the last one of
/// them does then what is said here.
///
/// Ownership: `engine` is consumed; null is nothing.
/// Threads: any.
/// Blocks: until the helper thread has stopped.
/// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_engine_free(engine: *mut idem_engine_t) -> idem_status_t {
    call(|c| c.take_optional(engine).map(drop))
}

/// Removes what has expired, and ends leases that ran out: a bounded slice of it. Needed only without the
/// helper thread, and then for memory, and for waits that block no thread; never for a right answer.
///
/// Ownership: `engine` is borrowed.
/// Threads: any.
/// Blocks: no; may call callbacks.
/// Returns: IDEM_OK, and whether there may be more to do now in `*more` (unless that is null);
///   IDEM_ERR_NULL.
/// Since: 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn idem_tick(engine: *const idem_engine_t, more: *mut bool) -> idem_status_t {
    call(|c| {
        let (engine, more) = (c.object(engine)?, c.optional_out(more)?);
        let is_more = engine.engine().tick();
        tell(more, is_more);
        Ok(())
    })
}
