/*
 * libidem: has this request been seen, and what became of it?
 *
 * At most one live lease per key: whoever gets IDEM_EXECUTE holds it and does the work; everybody else
 * waits for the result, gets it replayed, or is told why not.
 *
 * WHAT IS PROMISED
 *   While the lease of an IDEM_EXECUTE lasts, no other claim or waiter of its key gets IDEM_EXECUTE.
 *   Work may run again after a cancel, and after a lease that ran out or was abandoned, unless its policy
 *   is IDEM_ON_END_HALT. An owner whose lease was taken over cannot overwrite anything: it is told
 *   IDEM_STALE. All this within one process, and until it ends: nothing is written to disk or shared.
 *
 * EXAMPLE
 *   idem_engine_t *engine;
 *   if (idem_engine_new(NULL, &engine) != IDEM_OK) return 1;
 *   idem_claim_t claim = idem_claim_init(idem_key_of("customer-7", 10, "charge-1001", 11));
 *   idem_outcome_t outcome;
 *   if (idem_claim(engine, &claim, &outcome) != IDEM_OK) return 1;
 *   if (outcome.kind == IDEM_IN_FLIGHT)          // Somebody else is at it: wait for the result.
 *       idem_wait(outcome.waiter, IDEM_FOREVER, &outcome);
 *   switch (outcome.kind) {
 *   case IDEM_EXECUTE:                           // Ours alone: do it, and say what came of it.
 *       charge_the_card();
 *       idem_complete(engine, outcome.lease, idem_bytes("charged", 7), 0, NULL);
 *       break;
 *   case IDEM_REPLAY:                            // It was done, here or elsewhere (or failed: is_error).
 *       reply(outcome.response.data, outcome.response.len);
 *       idem_response_release(&outcome.response);
 *       break;
 *   case IDEM_DONE:      reply_done();     break; // Done as well, without a response that was kept.
 *   case IDEM_HALTED:    reply_unknown();  break; // Nobody knows whether it was done; do not do it again.
 *   case IDEM_MISMATCH:  reply_misused();  break; // The same key for another request.
 *   default:             reply_later();           // Cancelled, no room, closing.
 *   }
 *   idem_engine_free(engine);
 *
 * HTTP
 *   A gate has a policy, which is text, and decides what becomes of requests; the program reads and sends. In turn:
 *   idem_http_admit the head; with IDEM_HTTP_KEYED, idem_http_body the body, idem_http_claim; with
 *   IDEM_HTTP_WAIT, wait, and idem_http_waited; with IDEM_HTTP_EXECUTE, handle it, idem_http_finish, and send the
 *   response; with IDEM_HTTP_ANSWER, send that. In the end idem_http_request_free.
 *
 * ENDING
 *   idem_engine_close_within(engine, ms); idem_engine_drain(engine, IDEM_FOREVER); then join all threads that
 *   may still call, those that wait and those whose work was cut short as well; then free the queues,
 *   waiters, namespaces, gates and requests, and the engine last.
 *
 * THREADS
 *   Every function may be called from any thread, and from several at a time with the same engine, queue
 *   or namespace; what says "Threads: one at a time" is the exception. Functions block only where
 *   they say so. Callbacks are called with no lock held, on the thread that brings them about; they may call
 *   libidem (but the log function must not), and should be short. They must not throw or longjmp out, nor end
 *   their thread: that is undefined. Any call that acts on a key may end a lease that ran out, or pass on a
 *   hand-over, and so run the callbacks of others: hold no lock across it that a callback takes. What a
 *   callback brings about for others of its thread, callbacks, bells and destroy functions, has its turn after
 *   it; hooks are called at once.
 *
 * OWNERSHIP
 *   borrowed      for the call; until X where it says so. libidem keeps no pointer to it afterwards.
 *   the caller's  it is freed, released or consumed by the function that is named there.
 *   consumed      by the call: it must not be used any more, unless the status returned says that it was
 *                 not consumed.
 *   A lease (idem_lease_t) is a plain value and needs nothing; a response is held and is to be released.
 *
 * ERRORS
 *   Every function that can fail returns an idem_status_t: IDEM_OK; a positive status is an ordinary answer
 *   (IDEM_STALE, IDEM_TIMED_OUT, ...); a negative one an error, and then nothing was done, nothing
 *   consumed unless it says so, and no result was written (but IDEM_ERR_PANIC says that a call broke off,
 *   IDEM_ERR_BUFFER how long a buffer is needed, and idem_http_policy what is wrong). What a claim or a wait
 *   came to is no status but an outcome. idem_status_name has the name of a status; idem_log_to a function
 *   that is told more. Null, misaligned and over-long arguments are refused; a pointer to what was freed
 *   cannot be seen.
 *
 * STRUCTURES
 *   What has a `struct_size` is zeroed and given its size (idem_config_init and its like do so): a program
 *   goes on to work with later libraries, which know more fields, and with earlier ones for as long as it
 *   leaves those fields zero. Other structures keep their size; only what they reserve may get a meaning.
 *
 * CAVEATS
 *   fork: a child must not use, free, or wait on anything of its parent's; an engine opened after the fork is
 *   fine. Signal handlers: call nothing here. dlclose: free all engines, clocks and queues first, and
 *   release all responses; a callback that may still come keeps the library needed. Threads that end: call
 *   nothing of queues, namespaces or engines from destructors of thread-local data, it may fail with
 *   IDEM_ERR_PANIC. pthread_cancel: not of a thread that may be inside libidem, the process would be aborted;
 *   disable it across calls. Memory: a small allocation that fails aborts the process.
 */

#ifndef IDEM_H
#define IDEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The version of this header. */
#define IDEM_VERSION_MAJOR 0
#define IDEM_VERSION_MINOR 1
#define IDEM_VERSION_PATCH 0


// The number of the ABI that this header describes. While it is 0 the ABI may still change.
#define IDEM_ABI_VERSION 0

// As a duration: none at all, where zero would mean the default. As a count or a size likewise.
#define IDEM_ZERO (UINT64_MAX - 1)

// As a timeout: as long as it takes. No other duration can be that long.
#define IDEM_FOREVER UINT64_MAX

// The most bytes of a key, a scope or a namespace's name. Hash what is longer.
#define IDEM_KEY_LENGTH_MAX 65536

// Added to a code of the caller's own (at most 65 535) to make it a reason.
#define IDEM_REASON_CODE 65536

// Buckets of the histogram of waits.
#define IDEM_WAIT_BUCKETS 32

// What a call came to. Zero: it did what it says. Positive: an ordinary answer, which programs go on from.
// Negative: the call was wrong, or the system lacked what it takes; nothing was done, and no result was
// written, unless the status says otherwise. Numbers are never used again.
enum idem_status_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It did what it says.
    IDEM_OK = 0,
    // The lease is over: it ran out and somebody acted on that, or it was ended before. Nothing was
    // overwritten. Likewise a halt that was settled, or halted once more, since.
    IDEM_STALE = 1,
    // Too late: what was to be cancelled had come, or was cancelled before.
    IDEM_TOO_LATE = 2,
    // Time is up.
    IDEM_TIMED_OUT = 3,
    // There is no room.
    IDEM_FULL = 4,
    // It cannot be said: the key is halted, was used with another fingerprint, or was taken away before it
    // was marked; or the engine is closed. A claim tells which.
    IDEM_UNDECIDED = 5,
    // A pointer that must not be null is null.
    IDEM_ERR_NULL = -1,
    // A pointer is not aligned for what it is to point to.
    IDEM_ERR_MISALIGNED = -2,
    // A structure says of itself that it is shorter than it ever was, or absurdly long.
    IDEM_ERR_SIZE = -3,
    // A structure has more fields than this library knows, and they are not all zero.
    IDEM_ERR_UNSUPPORTED = -4,
    // An unknown enumeration value or flag bit.
    IDEM_ERR_VALUE = -5,
    // A key, a scope, or a namespace's name has no bytes.
    IDEM_ERR_EMPTY = -6,
    // A key, a scope or a namespace's name has more than 65 536 bytes; or an array is longer than memory.
    IDEM_ERR_TOO_LONG = -7,
    // The key does not say what its scope is, or that it has none.
    IDEM_ERR_NO_SCOPE = -8,
    // A namespace's name is not UTF-8.
    IDEM_ERR_NOT_TEXT = -9,
    // An option or a duration is out of its bounds, or zero where that makes no sense.
    IDEM_ERR_RANGE = -10,
    // The namespace has other limits already; the first who names it sets them.
    IDEM_ERR_LIMITS_SET = -11,
    // A key, lease or namespace of another engine.
    IDEM_ERR_WRONG_ENGINE = -12,
    // A response that was released already, or never was one; a fingerprint that was finished.
    IDEM_ERR_RELEASED = -13,
    // The system has not got the memory.
    IDEM_ERR_NO_MEMORY = -14,
    // The system has not got a thread, a descriptor or random bytes.
    IDEM_ERR_SYSTEM = -15,
    // The buffer is too short; how long it must be was written.
    IDEM_ERR_BUFFER = -16,
    // A panic inside libidem, which is a defect of it; what was done by then is not known. The log
    // function has been told.
    IDEM_ERR_PANIC = -17,
    // No policy, or one that cannot be carried out; idem_http_policy says why.
    IDEM_ERR_POLICY = -18,
    // Not the next step of this request. It is where it was.
    IDEM_ERR_STATE = -19,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_status_t idem_status_t;
#else
typedef int32_t idem_status_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What names an operation.
enum idem_key_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The bytes in `key`, hashed with the engine's secret.
    IDEM_KEY_BYTES = 1,
    // What the request says: the fingerprint in `bits` is its key.
    IDEM_KEY_FINGERPRINT = 2,
    // The caller's own 128 bits in `bits`. They are the whole identity, and the scope is not looked at:
    // evenly spread, and hard to forge where callers are not trusted.
    IDEM_KEY_RAW = 3,
    // A record of the listing: `key` has its `ref`. A claim of it is on the engine's terms, where it does
    // not say its own.
    IDEM_KEY_LISTED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_key_kind_t idem_key_kind_t;
#else
typedef uint32_t idem_key_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a key is unique within.
enum idem_scope_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The whole namespace.
    IDEM_SCOPE_NONE = 1,
    // A tenant, a user, an account: the bytes in `scope`.
    IDEM_SCOPE_OF = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_scope_kind_t idem_scope_kind_t;
#else
typedef uint32_t idem_scope_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What becomes of a key as its lease ends without a result.
enum idem_on_end_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // In a claim, as the namespace has it; in a namespace, as the engine; everywhere else a hand-over.
    IDEM_ON_END_DEFAULT = 0,
    // Whoever has waited longest executes next; if nobody waits the key is free.
    IDEM_ON_END_HAND_OVER = 1,
    // Everybody who waits is told that it was cancelled; the key is free.
    IDEM_ON_END_FAIL_WAITERS = 2,
    // The outcome is unknown: nobody executes until the halted retention ends, or an operator settles it.
    IDEM_ON_END_HALT = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_on_end_t idem_on_end_t;
#else
typedef uint32_t idem_on_end_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a claim differs from the usual one; bits of `flags`.
enum idem_claim_flag_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // `fingerprint` is what the request says: a key that is used with another one is a mismatch.
    IDEM_CLAIM_FINGERPRINT = 1,
    // Do not register as a waiter if somebody else executes.
    IDEM_CLAIM_NO_WAIT = 2,
    // As a waiter, never take over from an owner that gives up.
    IDEM_CLAIM_NO_EXECUTE = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_claim_flag_t idem_claim_flag_t;
#else
typedef uint32_t idem_claim_flag_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a claim or a wait came to.
enum idem_outcome_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The caller executes, and nobody else does until the lease ends: `lease`, `origin`, `attempt`.
    IDEM_EXECUTE = 1,
    // A claim found an owner at work: `waiter`, unless it was not to wait; `info` of the owner's lease.
    IDEM_IN_FLIGHT = 2,
    // It was done: `response`, which is to be released; `is_error`.
    IDEM_REPLAY = 3,
    // It was done; the response was not kept: `info`.
    IDEM_DONE = 4,
    // The key was used with another fingerprint: `state` of its record.
    IDEM_MISMATCH = 5,
    // It was given up: `reason`. A claim gets it while a cancellation is kept.
    IDEM_CANCELLED = 6,
    // Its outcome is unknown, and nobody executes it: `reason`.
    IDEM_HALTED = 7,
    // There is no room for a new record or waiter: `limit`.
    IDEM_NO_ROOM = 8,
    // The engine is closed to new keys, and to hand-overs.
    IDEM_CLOSED = 9,
    // A wait's time is up. Its place in the queue was given back.
    IDEM_WAIT_OVER = 10,
    // Only in a queue, and no end of a wait: a `value` is over, nobody has it any more.
    IDEM_EVICTED = 11,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_outcome_kind_t idem_outcome_kind_t;
#else
typedef uint32_t idem_outcome_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How an owner came by its lease.
enum idem_origin_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The key had no record.
    IDEM_ORIGIN_FRESH = 1,
    // An earlier owner gave up.
    IDEM_ORIGIN_AFTER_CANCEL = 2,
    // An earlier owner's lease ran out.
    IDEM_ORIGIN_AFTER_EXPIRY = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_origin_t idem_origin_t;
#else
typedef uint32_t idem_origin_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The state of a record.
enum idem_state_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It has none.
    IDEM_STATE_VACANT = 1,
    // An owner is at work, or it is being handed over to one.
    IDEM_STATE_IN_FLIGHT = 2,
    // Finished, with or without its bytes.
    IDEM_STATE_COMPLETED = 3,
    // Given up, and kept so.
    IDEM_STATE_CANCELLED = 4,
    // Of unknown outcome.
    IDEM_STATE_HALTED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_state_t idem_state_t;
#else
typedef uint32_t idem_state_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why a record was cancelled or halted. A code of a caller's own is `IDEM_REASON_CODE + code`.
enum idem_reason_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The owner gave up.
    IDEM_REASON_OWNER = 1,
    // The lease was abandoned.
    IDEM_REASON_DROPPED = 2,
    // The owner's thread unwound from a panic.
    IDEM_REASON_PANICKED = 3,
    // The lease ran out.
    IDEM_REASON_LEASE_EXPIRED = 4,
    // The engine was closed.
    IDEM_REASON_SHUTDOWN = 5,
    // An operator ended it.
    IDEM_REASON_FORCED = 6,
    // The key was forgotten.
    IDEM_REASON_FORGOTTEN = 7,
    // The namespace was cleared.
    IDEM_REASON_CLEARED = 8,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_reason_t idem_reason_t;
#else
typedef uint32_t idem_reason_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Which limit a claim ran into.
enum idem_limit_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Keys with a record.
    IDEM_LIMIT_RECORDS = 1,
    // Bytes of stored responses.
    IDEM_LIMIT_BYTES = 2,
    // Waiters, of this key or in all.
    IDEM_LIMIT_WAITERS = 3,
    // What the namespace may have.
    IDEM_LIMIT_NAMESPACE = 4,
    // What the scope may have.
    IDEM_LIMIT_SCOPE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_limit_t idem_limit_t;
#else
typedef uint32_t idem_limit_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a completion was stored.
enum idem_completion_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // With its bytes.
    IDEM_STORED = 1,
    // Without, since they were more than one response may have: done, and waiters and replays get no body.
    IDEM_TOO_LARGE = 2,
    // Without, since there was no room for them.
    IDEM_NO_ROOM_FOR_BODY = 3,
    // Not at all, only given to those who waited: the key had been taken from this lease.
    IDEM_DETACHED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_completion_t idem_completion_t;
#else
typedef uint32_t idem_completion_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What came of forgetting a key.
enum idem_removal_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // There was nothing to forget.
    IDEM_REMOVAL_VACANT = 1,
    // Its record is gone.
    IDEM_REMOVAL_REMOVED = 2,
    // It is in flight, and was left alone.
    IDEM_REMOVAL_IN_FLIGHT = 3,
    // It is halted, and was left alone.
    IDEM_REMOVAL_HALTED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_removal_t idem_removal_t;
#else
typedef uint32_t idem_removal_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a halted key is to be settled.
enum idem_resolution_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It was done, and this is the response.
    IDEM_RESOLVE_COMPLETE = 1,
    // It was not done: the key is free.
    IDEM_RESOLVE_RELEASE = 2,
    // It stays halted, for the halted retention from now on.
    IDEM_RESOLVE_KEEP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_resolution_t idem_resolution_t;
#else
typedef uint32_t idem_resolution_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an event is about: `idem_event_t::what`.
enum idem_what_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Something that the header has no name for yet.
    IDEM_WHAT_OTHER = 0,
    // A claim got the lease.
    IDEM_WHAT_EXECUTES = 1,
    // A claim found an owner at work.
    IDEM_WHAT_IN_FLIGHT = 2,
    // A claim got a response.
    IDEM_WHAT_REPLAYED = 3,
    // A claim was told that it is done, without a response.
    IDEM_WHAT_DONE = 4,
    // A claim had another fingerprint; `detail` is an `idem_state_t`.
    IDEM_WHAT_MISMATCHED = 5,
    // A claim was told of a cancellation; `reason`.
    IDEM_WHAT_CANCELLED = 6,
    // A claim was told of a halt; `reason`.
    IDEM_WHAT_HALTED = 7,
    // A claim found no room; `detail` is an `idem_limit_t`.
    IDEM_WHAT_NO_ROOM = 8,
    // A claim found the engine closed.
    IDEM_WHAT_CLOSED = 9,
    // An owner completed; `detail` is an `idem_completion_t`.
    IDEM_WHAT_COMPLETED = 10,
    // An owner gave up, or abandoned its lease; `detail` is an `idem_on_end_t`, and `reason`.
    IDEM_WHAT_GAVE_UP = 11,
    // An owner moved its deadline.
    IDEM_WHAT_RENEWED = 12,
    // An owner called, and its lease was over.
    IDEM_WHAT_STALE = 13,
    // A lease ran out; `detail` is an `idem_on_end_t`.
    IDEM_WHAT_LEASE_EXPIRED = 14,
    // A waiter got the lease.
    IDEM_WHAT_HANDED_OVER = 15,
    // A lease was ended from outside; `reason`.
    IDEM_WHAT_FORCED = 16,
    // A finished record was forgotten.
    IDEM_WHAT_FORGOTTEN = 17,
    // A key was taken from its owner.
    IDEM_WHAT_DETACHED = 18,
    // A halted record was settled.
    IDEM_WHAT_RESOLVED = 19,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_what_t idem_what_t;
#else
typedef uint32_t idem_what_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How keys and fingerprints are hashed.
enum idem_key_hash_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // SipHash-2-4.
    IDEM_KEY_HASH_DEFAULT = 0,
    // Keyed, and hard to forge: for keys that callers choose.
    IDEM_KEY_HASH_SIPHASH24 = 1,
    // Faster, and no defence against who chooses the keys.
    IDEM_KEY_HASH_XXH3 = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_key_hash_t idem_key_hash_t;
#else
typedef uint32_t idem_key_hash_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Yes, no, or as it is by default.
enum idem_switch_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // As the option says.
    IDEM_SWITCH_DEFAULT = 0,
    // Yes.
    IDEM_SWITCH_ON = 1,
    // No.
    IDEM_SWITCH_OFF = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_switch_t idem_switch_t;
#else
typedef uint32_t idem_switch_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How much a message matters.
enum idem_log_level_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A call was refused, for the reason given.
    IDEM_LOG_ERROR = 1,
    // A defect of libidem: please report it.
    IDEM_LOG_DEFECT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_log_level_t idem_log_level_t;
#else
typedef uint32_t idem_log_level_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a request differs from its policy; bits of `flags`.
enum idem_http_head_flag_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It passes.
    IDEM_HTTP_OFF = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_http_head_flag_t idem_http_head_flag_t;
#else
typedef uint32_t idem_http_head_flag_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What becomes of a request: `idem_http_decision_t::kind`.
enum idem_http_decision_kind_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The gate is not for it: serve it as if there were none. There is no `request`.
    IDEM_HTTP_PASS = 1,
    // It has a key. If `needs_body`, read the body and give it to idem_http_body: at most `room` bytes, all of them in
    // `time_ms` from its admission on. Then idem_http_claim.
    IDEM_HTTP_KEYED = 2,
    // Somebody else executes it: wait with `waiter`, at most `time_ms`, and then idem_http_waited.
    IDEM_HTTP_WAIT = 3,
    // Execute it, and end it by its response (idem_http_finish and its like). If that takes longer than a third of
    // `time_ms`, call idem_http_renew each time as much has passed, until `max_run_ms` are over. `origin`, `attempt`.
    IDEM_HTTP_EXECUTE = 4,
    // Send `answer`, and execute nothing.
    IDEM_HTTP_ANSWER = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_http_decision_kind_t idem_http_decision_kind_t;
#else
typedef uint32_t idem_http_decision_kind_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Why a request's body did not come.
enum idem_http_fault_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It took longer than the policy gives it.
    IDEM_HTTP_TOO_SLOW = 1,
    // It ended before it was whole.
    IDEM_HTTP_CUT_OFF = 2,
    // It is longer than there is room for. Also said by idem_http_body itself.
    IDEM_HTTP_TOO_LARGE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_http_fault_t idem_http_fault_t;
#else
typedef uint32_t idem_http_fault_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What becomes of a response.
enum idem_http_fate_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It is kept and replayed, for the policy's retention.
    IDEM_HTTP_KEEP = 1,
    // It is kept and replayed, for a time of its own.
    IDEM_HTTP_KEEP_FOR = 2,
    // Those who wait get it; it is not kept, and the next request executes.
    IDEM_HTTP_SHARE = 3,
    // The key is free: who waits executes, one after the other.
    IDEM_HTTP_RELEASE = 4,
    // Nobody executes until the halted retention is over, or an operator settles it.
    IDEM_HTTP_HALT = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum idem_http_fate_t idem_http_fate_t;
#else
typedef uint32_t idem_http_fate_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A clock that stands still until it is moved: for tests, which then need not sleep.
typedef struct idem_clock_t idem_clock_t;

// An engine: the records, the waiters, and the limits. Any number in a process; they share nothing.
typedef struct idem_engine_t idem_engine_t;

// A fingerprint in the making. Used up when it is finished.
typedef struct idem_fingerprint_t idem_fingerprint_t;

// A policy at work: an engine, a namespace of it, and what is done with requests. A route has one.
typedef struct idem_http_gate_t idem_http_gate_t;

// A request on its way through a gate. Its steps are taken one after the other, and each once.
typedef struct idem_http_request_t idem_http_request_t;

// What is in flight and what is halted, at one time.
typedef struct idem_listing_t idem_listing_t;

// A namespace of an engine: the same key in two of them is two keys. A handle; the namespace itself lives
// as long as the engine.
typedef struct idem_namespace_t idem_namespace_t;

// A wait that is under way without a thread, to cancel it by.
typedef struct idem_pending_t idem_pending_t;

// A queue in which waits end, for an event loop to take out: one for each loop, any number of them. A wait
// names its queue, and its end is in no other.
typedef struct idem_queue_t idem_queue_t;

// A place in the queue of those who wait for one owner's result, which a claim took. It is waited with, in
// one of three ways, or freed; each of these consumes it.
typedef struct idem_waiter_t idem_waiter_t;

// Bytes that somebody else has: borrowed until the call returns, unless it is said otherwise. Null if
// there are none.
typedef struct idem_bytes_t {
    // The first of them. Any alignment.
    const void *data;
    // How many.
    size_t len;
} idem_bytes_t;

// A message.
typedef struct idem_message_t {
    // An `idem_log_level_t`; greater ones may come with later versions.
    uint32_t level;
    // Reserved; zero.
    uint32_t reserved;
    // UTF-8, without a newline, and without an end of string. Has neither keys nor responses in it.
    struct idem_bytes_t text;
} idem_message_t;

// Called with a message, which is borrowed until it returns, on the thread whose call it is about. It must
// not call libidem.
typedef void (*idem_log_fn)(void *user, const struct idem_message_t *message);

// Called once with the user data, when neither it nor the function or the bytes it came with are needed
// any more; on any thread. Null: nobody is told.
typedef void (*idem_destroy_fn)(void *user);

// Something that has happened to a key.
typedef struct idem_event_t {
    // An `idem_what_t`; greater ones may come with later versions.
    uint32_t what;
    // What `what` says.
    uint32_t detail;
    // An `idem_reason_t`, or a code of the owner's own.
    uint32_t reason;
    // Reserved; zero.
    uint32_t reserved;
    // The hash that stands for the key.
    uint8_t key_hash[16];
    // Reserved; zero.
    uint64_t more[2];
} idem_event_t;

// Called with every event, on the thread that brings it about, before its call returns, with no lock held.
// It should be short and must not block; it may call libidem. `event` is borrowed until it returns.
typedef void (*idem_hook_fn)(void *user, const struct idem_event_t *event);

// What an engine is opened with. Zero everything and set `struct_size`: 0 is the default of each field,
// and `IDEM_ZERO` is none, where that makes sense. Durations are in milliseconds, at most ten years.
typedef struct idem_config_t {
    // `sizeof(idem_config_t)`.
    size_t struct_size;
    // Keys that may have a record, in flight or finished. Default 1 000 000. Address space for all of
    // them, and for `bytes`, is reserved at once (some 660 MB by default); memory is taken as it is used.
    uint64_t records;
    // Bytes of stored responses, each rounded up to 64 and with 64 besides; each record in flight reserves
    // 64. Default 256 MiB; at least 4 KiB.
    uint64_t bytes;
    // Bytes of one response; of a longer one only a tombstone is kept. Default 1 MiB, or what `bytes`
    // allows; `IDEM_ZERO`: tombstones alone.
    uint64_t max_response;
    // Waiters in all. Default 65 536; `IDEM_ZERO`: nobody waits.
    uint64_t waiters;
    // Waiters of one key. Default 4096; `IDEM_ZERO`: nobody waits.
    uint64_t waiters_per_key;
    // How long an owner may take, unless its claim says otherwise. Default 30 s.
    uint64_t lease_ms;
    // How long responses are kept, unless said otherwise. Default 24 h; `IDEM_ZERO`: they only go to those
    // who wait.
    uint64_t retention_ms;
    // How long a cancellation is kept. Default none; if there is one, cancels fail all waiters.
    uint64_t cancelled_retention_ms;
    // How long a halted record refuses to run again. Default 24 h.
    uint64_t halted_retention_ms;
    // How long a waiter that is handed the lease may take to pick it up. Default 1 s.
    uint64_t accept_timeout_ms;
    // An `idem_on_end_t`: if a lease is abandoned. Default hand-over.
    uint32_t on_abandon;
    // An `idem_on_end_t`: if a lease runs out. Default hand-over.
    uint32_t on_expiry;
    // An `idem_key_hash_t`.
    uint32_t key_hash;
    // An `idem_switch_t`: whether a thread of the engine's own removes what has expired. Default on, with
    // a manual clock off; without it, call `idem_tick` now and then.
    uint32_t helper_thread;
    // An `idem_switch_t`: whether to ask the system for huge pages. Default off.
    uint32_t huge_pages;
    // An `idem_switch_t`: whether all memory is made resident now. Default off: what is not touched costs
    // nothing.
    uint32_t prefault;
    // How many times as fast as the system's the clock runs, for tests of hours in seconds; 0 and 1: as
    // it. Not looked at if there is a `clock`.
    uint32_t clock_rate;
    // An `idem_switch_t`: on, `secret` is the secret that keys all hashes. Default: a random one.
    uint32_t has_secret;
    // The secret.
    uint8_t secret[16];
    // A manual clock, which tests move; null: the system's.
    const struct idem_clock_t *clock;
    // Null: nobody is told of events.
    idem_hook_fn hook;
    // The hook's user data.
    void *hook_user;
    // Called with it once the engine is gone. If it could not be opened the user data is still the caller's.
    idem_destroy_fn hook_destroy;
} idem_config_t;

// How a namespace differs from its engine. Zero everything and set `struct_size`: what is 0 is as the
// engine has it, and limits are none but the engine's.
typedef struct idem_namespace_options_t {
    // `sizeof(idem_namespace_options_t)`.
    size_t struct_size;
    // How long an owner may take.
    uint64_t lease_ms;
    // How long responses are kept; `IDEM_ZERO`: they only go to those who wait.
    uint64_t retention_ms;
    // Keys that may have a record.
    uint64_t records;
    // Bytes, counted as the engine's are.
    uint64_t bytes;
    // The same for each scope within it.
    uint64_t records_per_scope;
    // The same for each scope within it.
    uint64_t bytes_per_scope;
    // An `idem_on_end_t`.
    uint32_t on_abandon;
    // An `idem_on_end_t`.
    uint32_t on_expiry;
} idem_namespace_options_t;

// The name of one logical operation.
typedef struct idem_key_t {
    // An `idem_key_kind_t`. There is no default.
    uint32_t kind;
    // An `idem_scope_kind_t`. There is no default: where keys are global, say so.
    uint32_t scope_kind;
    // The namespace; null is the default one.
    const struct idem_namespace_t *ns;
    // With `IDEM_SCOPE_OF`: 1 to 65 536 bytes.
    struct idem_bytes_t scope;
    // With `IDEM_KEY_BYTES`: 1 to 65 536 bytes.
    struct idem_bytes_t key;
    // With `IDEM_KEY_FINGERPRINT` and `IDEM_KEY_RAW`: little endian.
    uint8_t bits[16];
} idem_key_t;

// What to claim, and on what terms. Zero everything, set `struct_size` and the key.
typedef struct idem_claim_t {
    // `sizeof(idem_claim_t)`.
    size_t struct_size;
    // The operation.
    struct idem_key_t key;
    // With `IDEM_CLAIM_FINGERPRINT`: 128 bits, little endian; otherwise zero. idem_claim_fingerprint sets
    // both. Where the record, or the claim, has none, nothing is compared.
    uint8_t fingerprint[16];
    // How long the owner may take, in milliseconds; 0: as the namespace has it.
    uint64_t lease_ms;
    // How long the response is kept, in milliseconds; 0: as the namespace has it; `IDEM_ZERO`: it goes to
    // those who wait, and the key is free again.
    uint64_t retention_ms;
    // A label that others see while the key is in flight. For people, not for fencing.
    uint64_t owner;
    // `idem_claim_flag_t`s.
    uint32_t flags;
    // An `idem_on_end_t`: if the lease runs out.
    uint32_t on_expiry;
    // An `idem_on_end_t`: if the lease is abandoned (`idem_abandon`).
    uint32_t on_abandon;
    // Must be zero.
    uint32_t reserved;
} idem_claim_t;

// When a record began, how long it has left, and whose it is.
typedef struct idem_info_t {
    // In flight: since the lease began; finished: since it was finished. Milliseconds.
    uint64_t age_ms;
    // In flight: until the lease may be taken over; finished: until the record ends. Milliseconds.
    uint64_t left_ms;
    // The owner's label; 0 if it gave none, and of finished records.
    uint64_t owner;
} idem_info_t;

// A lease: a plain value, which may be copied, stored and sent as one likes. It is good in the engine that
// gave it, on any thread, until its deadline has passed and somebody has acted on that. Nothing happens
// when it is lost: the deadline is the safety net. Its words are nobody's but libidem's.
typedef struct idem_lease_t {
    // Nobody's but libidem's.
    uint64_t opaque[8];
} idem_lease_t;

// A response: immutable bytes, shared with everybody else who has them, and not copied.
//
// Whoever has one holds the bytes, and releases them (`idem_response_release`) when done; they stay until
// then, whatever becomes of the record, of the engine and of other holders, and count against the engine's
// limit of bytes. Copying the structure is no second hold (`idem_response_retain` is).
typedef struct idem_response_t {
    // The bytes; null if there are none. For reading only.
    const uint8_t *data;
    // How many.
    size_t len;
    // Nobody's but libidem's.
    uint64_t opaque[2];
} idem_response_t;

// What a claim or a wait came to. `kind` says which of the others count; those that do not are as they
// were, but for `waiter` and `response`, which are empty then.
typedef struct idem_outcome_t {
    // An `idem_outcome_kind_t`.
    uint32_t kind;
    // An `idem_origin_t`.
    uint32_t origin;
    // 1 for the first execution of a key; one more for each lease before it that ended without a result,
    // for as long as the key had a record: where nobody waits a cancelled key has none, and begins anew.
    uint32_t attempt;
    // An `idem_reason_t`, or a code of the owner's own.
    uint32_t reason;
    // An `idem_state_t`.
    uint32_t state;
    // An `idem_limit_t`.
    uint32_t limit;
    // Whether the response is an error that the owner shared.
    uint32_t is_error;
    // Reserved; zero.
    uint32_t reserved;
    // Of the record.
    struct idem_info_t info;
    // The caller's; it ends it, or lets it run out.
    struct idem_lease_t lease;
    // The caller's; it releases it.
    struct idem_response_t response;
    // The caller's; it waits with it, or frees it.
    struct idem_waiter_t *waiter;
    // Of a replay or an eviction: the value that `idem_complete_value` was given; otherwise 0. A replay that has
    // one holds it by its `response`, which has no bytes.
    uint64_t value;
    // Reserved; zero.
    uint64_t more[3];
} idem_outcome_t;

// An end of one of many leases: what `idem_complete_batch` is to complete, and what came of it.
typedef struct idem_ending_t {
    // The lease.
    struct idem_lease_t lease;
    // Its response; borrowed until the call returns.
    struct idem_bytes_t response;
    // Written: an `idem_status_t`, of this one.
    int32_t status;
    // Written, if that is `IDEM_OK`: an `idem_completion_t`.
    uint32_t completion;
} idem_ending_t;

// What is known of a lease.
typedef struct idem_lease_info_t {
    // Until others may take over, in milliseconds; zero: they may.
    uint64_t left_ms;
    // The hash that stands for the key in the listing and in events.
    uint8_t key_hash[16];
    // Reserved; zero.
    uint64_t more[4];
} idem_lease_info_t;

// Called once with what a wait came to. What `*outcome` has is the callee's, as with idem_claim; the
// structure itself is borrowed until it returns. On the thread that ends the owner's lease, ticks, or
// otherwise brings it about, or on that which sets the callback, before it returns. No lock is held; it
// may call libidem, should be short and must not block.
typedef void (*idem_ended_fn)(void *user, const struct idem_outcome_t *outcome);

// An end of a wait, or of a value, as `idem_poll` hands it out.
typedef struct idem_ended_t {
    // The caller's own, as it was given with the wait.
    uint64_t tag;
    // What the wait came to.
    struct idem_outcome_t outcome;
} idem_ended_t;

// What has become of a key.
typedef struct idem_peek_t {
    // An `idem_state_t`.
    uint32_t state;
    // An `idem_reason_t`, of what was cancelled or halted.
    uint32_t reason;
    // Whether the response is an error that the owner shared and kept.
    uint32_t is_error;
    // Whether there is a response; otherwise a completed key has a tombstone.
    uint32_t has_response;
    // Names the halt of a halted key, to settle it by.
    uint32_t halt;
    // Reserved; zero.
    uint32_t reserved;
    // Bytes of the response.
    uint64_t len;
    // Of the record.
    struct idem_info_t info;
    // Reserved; zero.
    uint64_t more[2];
} idem_peek_t;

// A record of the listing.
typedef struct idem_record_t {
    // `IDEM_STATE_IN_FLIGHT` or `IDEM_STATE_HALTED`.
    uint32_t state;
    // An `idem_reason_t`, of a halted one.
    uint32_t reason;
    // Leases so far, the present one included; 0 of a halted one.
    uint32_t attempt;
    // Those who wait for it.
    uint32_t waiters;
    // Not under its key any more: an owner that finishes for its own waiters.
    uint32_t is_detached;
    // Names the halt, to settle it by.
    uint32_t halt;
    // Its times, and its owner's label.
    struct idem_info_t info;
    // The hash that stands for the key.
    uint8_t key_hash[16];
    // Names the record in this engine: a key of kind `IDEM_KEY_LISTED` points to it.
    uint64_t ref[5];
    // Reserved; zero.
    uint64_t more[2];
} idem_record_t;

// What an engine has done since it was opened, and holds now. Set `struct_size`.
typedef struct idem_stats_t {
    // `sizeof(idem_stats_t)`.
    size_t struct_size;
    // Claims and waits that got a lease.
    uint64_t executes;
    // Claims that got a stored response.
    uint64_t replays;
    // Claims that were told that it is done, without a response.
    uint64_t done;
    // Claims that met an owner at work.
    uint64_t in_flight;
    // Claims of a key that was used with another fingerprint.
    uint64_t mismatches;
    // Claims that met a kept cancellation.
    uint64_t cancelled;
    // Claims that met a halted record.
    uint64_t halted;
    // Claims refused for the limit of records.
    uint64_t full_records;
    // Claims refused for the limit of bytes.
    uint64_t full_bytes;
    // Claims refused for the limits of waiters.
    uint64_t full_waiters;
    // Claims refused because their namespace was full.
    uint64_t full_namespace;
    // Claims refused because their scope was full.
    uint64_t full_scope;
    // Claims refused because the engine was closed.
    uint64_t closed;
    // Leases that ended with a response.
    uint64_t completes;
    // Of these, those whose bytes were not kept.
    uint64_t tombstones;
    // Completions of owners that the key had been taken from.
    uint64_t detached;
    // Ends by the owner that came after the deadline and still counted.
    uint64_t late;
    // Calls of owners whose lease was over.
    uint64_t stale;
    // Leases that their owners gave up, or abandoned.
    uint64_t cancels;
    // Leases that ended halted.
    uint64_t halts;
    // Deadlines moved.
    uint64_t renews;
    // Leases that passed to a waiter.
    uint64_t hand_overs;
    // Leases that ended for their age.
    uint64_t lease_expiries;
    // Finished records removed because their retention was over.
    uint64_t expired;
    // Waits that ended because their time was up.
    uint64_t timed_out;
    // Leases that were ended by force, or with their key forgotten.
    uint64_t forced;
    // Finished records that were removed before their time.
    uint64_t forgotten;
    // Halted records that were settled.
    uint64_t resolved;
    // Leases that were ended as the engine closed.
    uint64_t shutdowns;
    // System calls made to wake a waiter that blocks.
    uint64_t wakes;
    // Keys with a record, now.
    uint64_t records;
    // The most there were, as seen at ticks and here.
    uint64_t records_peak;
    // Bytes in use, now.
    uint64_t bytes;
    // The most there were, as seen at ticks and here.
    uint64_t bytes_peak;
    // Waiters, now.
    uint64_t waiters;
    // The most there were, as seen at ticks and here.
    uint64_t waiters_peak;
    // How long waits took: bucket 0 has those of less than a microsecond, bucket i those of at least
    // 2^(i-1) and less than 2^i microseconds, the last all that are longer.
    uint64_t waits[IDEM_WAIT_BUCKETS];
} idem_stats_t;

// A header or trailer field.
typedef struct idem_http_field_t {
    // Its name, in any case.
    struct idem_bytes_t name;
    // Its value.
    struct idem_bytes_t value;
} idem_http_field_t;

// The head of a request. Zero everything, set `struct_size`, and say what it has. Method, path, query and authority
// are UTF-8; a header field whose name is not is as if it were not there.
typedef struct idem_http_head_t {
    // `sizeof(idem_http_head_t)`.
    size_t struct_size;
    // As it was sent.
    struct idem_bytes_t method;
    // Of a request to elsewhere, as clients and proxies send them, the scheme and the authority: `https://host`.
    // Null: none.
    struct idem_bytes_t authority;
    // As it was sent, without the query.
    struct idem_bytes_t path;
    // Without its question mark. Null: none.
    struct idem_bytes_t query;
    // Header fields in the order in which they came, with repeats.
    const struct idem_http_field_t *fields;
    // How many.
    size_t field_count;
    // An `idem_scope_kind_t`. There is no default: where keys are global, say so.
    uint32_t scope_kind;
    // `idem_http_head_flag_t`s.
    uint32_t flags;
    // With `IDEM_SCOPE_OF`: whose keys its are among, 1 to 65 536 bytes. What authentication has found out, and
    // nothing that the client could choose.
    struct idem_bytes_t scope;
    // The request's key, whatever its header says: 1 to 65 536 bytes. Null: as the policy has it.
    struct idem_bytes_t key;
    // How long its answer is kept, in milliseconds; 0: as the policy has it; `IDEM_ZERO`.
    uint64_t retention_ms;
    // How long it waits, if another with its key is being executed, in milliseconds; 0: as the policy has it;
    // `IDEM_ZERO`: it waits, and for nothing.
    uint64_t wait_ms;
} idem_http_head_t;

// What to send to a client whose request is not executed. It and what it points to is the request's, and good
// until that is freed.
typedef struct idem_http_answer_t {
    // The status.
    uint32_t status;
    // Whether a refused request may be sent again as it is, later.
    uint32_t is_retryable;
    // Header fields, to be sent in this order; as they are: `content-length` is among them where there is one.
    const struct idem_http_field_t *headers;
    // How many.
    size_t header_count;
    // Trailer fields.
    const struct idem_http_field_t *trailers;
    // How many.
    size_t trailer_count;
    // The body. Not to be sent with answers to HEAD.
    struct idem_bytes_t body;
    // Why it is refused, a word such as `key-reused`, as it is in the `code` of problem details; null: it is answered
    // as it was before. Good for ever.
    struct idem_bytes_t refusal;
    // Reserved; zero.
    uint64_t more[4];
} idem_http_answer_t;

// What becomes of a request. `kind` says which of the others count; those that do not are zero.
typedef struct idem_http_decision_t {
    // An `idem_http_decision_kind_t`.
    uint32_t kind;
    // Whether the body counts.
    uint32_t needs_body;
    // Bytes of body that may still come. With more it is refused.
    uint64_t room;
    // What `kind` says. Of what idem_http_body decides it is zero: the time goes on.
    uint64_t time_ms;
    // How long a lease is kept alive.
    uint64_t max_run_ms;
    // The most bytes of a response's body that are kept. Whoever holds a response back until it is whole stops there.
    uint64_t response_max;
    // What answers; the request's.
    const struct idem_http_answer_t *answer;
    // What to wait with; the caller's, as that of an `idem_outcome_t`.
    struct idem_waiter_t *waiter;
    // An `idem_origin_t`: whether it may have been executed in part before.
    uint32_t origin;
    // As that of an `idem_outcome_t`.
    uint32_t attempt;
    // Reserved; zero.
    uint64_t more[4];
} idem_http_decision_t;

// A response. Zero everything, and set `struct_size`.
typedef struct idem_http_response_t {
    // `sizeof(idem_http_response_t)`.
    size_t struct_size;
    // 100 to 599.
    uint32_t status;
    // Reserved; zero.
    uint32_t reserved;
    // Header fields.
    const struct idem_http_field_t *headers;
    // How many.
    size_t header_count;
    // Trailer fields.
    const struct idem_http_field_t *trailers;
    // How many.
    size_t trailer_count;
    // The body.
    struct idem_bytes_t body;
} idem_http_response_t;

// What became of a response.
typedef struct idem_http_finished_t {
    // An `idem_http_fate_t`: what became of it, or was to.
    uint32_t fate;
    // Whether that came about: not, if the handler was too slow and somebody else has taken over.
    uint32_t is_settled;
    // Whether the response is there for others. Otherwise they are told that it was done, if it is kept.
    uint32_t is_stored;
    // Reserved; zero.
    uint32_t reserved;
    // Fields to add to the headers of the response that is sent. They are the request's, and good until it is freed.
    const struct idem_http_field_t *headers;
    // How many.
    size_t header_count;
    // Reserved; zero.
    uint64_t more[4];
} idem_http_finished_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of the library that is loaded, as "0.1.0".
//
// Ownership: the text is static.
// Threads: any.
// Blocks: no.
// Returns: never null.
// Since: 0.
const char *idem_version(void);

// The ABI of the library that is loaded, to compare with IDEM_ABI_VERSION.
//
// Ownership: none.
// Threads: any.
// Blocks: no.
// Returns: the number.
// Since: 0.
uint32_t idem_abi_version(void);

// The name of a status as the header has it, or "unknown".
//
// Ownership: the text is static.
// Threads: any.
// Blocks: no.
// Returns: never null.
// Since: 0.
const char *idem_status_name(int32_t status);

// Sets the function that is told what libidem has to say: which option is wrong, where a defect is. One
// for the process, the last one set; null: nobody is told, and messages about defects go to standard
// error.
//
// Ownership: `user` is borrowed until `destroy` is called with it, once, when another one is set (of a
//   null `log` at once).
// Threads: any.
// Blocks: until the function set before has returned.
// Returns: IDEM_OK.
// Since: 0.
idem_status_t idem_log_to(idem_log_fn log,
                          void *user,
                          idem_destroy_fn destroy);

// Makes a manual clock, for the `clock` of any number of engines.
//
// Ownership: `*clock` is the caller's, free it with idem_clock_free, at any time after the engines were
//   opened.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_clock_new(struct idem_clock_t **clock);

// Moves the clock forward, and wakes who sleeps until a time that it passes.
//
// Ownership: `clock` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_clock_advance(const struct idem_clock_t *clock, uint64_t ms);

// What the clock shows: milliseconds since it was made.
//
// Ownership: `clock` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_clock_now(const struct idem_clock_t *clock, uint64_t *ms);

// How many threads sleep on the clock now: a test waits for that before it moves it.
//
// Ownership: `clock` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_clock_sleepers(const struct idem_clock_t *clock, uint64_t *count);

// Frees the clock. Engines that were opened with it go on with it.
//
// Ownership: `clock` is consumed; null is nothing.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_clock_free(struct idem_clock_t *clock);

// Opens an engine. `config` may be null: every option is at its default then.
//
// Ownership: `config` is borrowed; what it points to must live as its fields say. `*engine` is the
//   caller's, free it with idem_engine_free.
// Threads: any.
// Blocks: no, but for what prefault takes.
// Returns: IDEM_OK; IDEM_ERR_RANGE for an option out of bounds (the log function is told which one),
//   IDEM_ERR_VALUE, IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED, IDEM_ERR_NO_MEMORY, IDEM_ERR_SYSTEM,
//   IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_engine_new(const struct idem_config_t *config,
                              struct idem_engine_t **engine);

// Whether an engine can be made of `config`, as far as that is known without making it. If not, what is wrong is
// written to `buffer` in words; they do not end with a zero byte.
//
// Ownership: all are borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK, and nothing is written; IDEM_ERR_RANGE, and which option is out of bounds; IDEM_ERR_BUFFER: the
//   buffer is too short for that; with either, the length is in `*len` (unless that is null). IDEM_ERR_VALUE,
//   IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_config_check(const struct idem_config_t *config,
                                char *buffer,
                                size_t capacity,
                                size_t *len);

// Closes the engine to new keys: their claims get IDEM_CLOSED, and so does a waiter that would be handed a
// lease. Replays go on, owners may finish. Closing again changes nothing.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_engine_close(const struct idem_engine_t *engine);

// As idem_engine_close, and after `ms` milliseconds every lease that has not ended is ended: waiters get
// IDEM_CANCELLED with IDEM_REASON_SHUTDOWN, and an owner that comes later is told IDEM_STALE. A key whose
// lease would halt it when it runs out is halted instead. Closing again can only bring that forward.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no; may call callbacks.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_engine_close_within(const struct idem_engine_t *engine,
                                       uint64_t ms);

// Closes the engine as idem_engine_close does, and waits until no key is in flight, at most `timeout_ms`
// milliseconds (IDEM_FOREVER: as long as it takes). It waits as a waiter of each of them; where there is
// no room for one it returns at once. Keys that were taken from their owners before are not waited for. To
// be sure of an end, close within some time first.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: yes.
// Returns: IDEM_OK: none is; IDEM_TIMED_OUT: some still are; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_engine_drain(const struct idem_engine_t *engine,
                                uint64_t timeout_ms);

// Frees the engine. Nobody may be inside a call of it (a callback or a hook is: inside the call that
// brings it about), but what came from it may be kept: responses stay readable, and the last of them frees
// the memory. Leases can no longer be ended, since that takes the engine, and nobody ticks: waits without
// a thread do not end any more. Drain it first, free its waiters and queues, and cancel its callback
// waits: one that is still pending keeps all of the engine's memory, and its `destroy` is never called.
// Namespace handles, gates and requests over HTTP keep the engine alive, helper thread and all: the last one of
// them does then what is said here.
//
// Ownership: `engine` is consumed; null is nothing.
// Threads: any.
// Blocks: until the helper thread has stopped.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_engine_free(struct idem_engine_t *engine);

// Removes what has expired, and ends leases that ran out: a bounded slice of it. Needed only without the
// helper thread, and then for memory, and for waits that block no thread; never for a right answer.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no; may call callbacks.
// Returns: IDEM_OK, and whether there may be more to do now in `*more` (unless that is null);
//   IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_tick(const struct idem_engine_t *engine,
                        bool *more);

// The namespace of this name, which is made when it is first named. With `options`, they are put on record
// for all who name it from now on; its limits are set by whoever names it first, and stay. Null: on the
// terms that are on record, or else the engine's. Look it up once and keep the handle.
//
// Ownership: `name` and `options` are borrowed; `*ns` is the caller's, free it with idem_namespace_free.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_EMPTY, IDEM_ERR_TOO_LONG, IDEM_ERR_NOT_TEXT for the name; IDEM_ERR_RANGE,
//   IDEM_ERR_VALUE, IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED for the options, or too many namespaces;
//   IDEM_ERR_LIMITS_SET; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_namespace_new(const struct idem_engine_t *engine,
                                 struct idem_bytes_t name,
                                 const struct idem_namespace_options_t *options,
                                 struct idem_namespace_t **ns);

// Clears the namespace in one step, however large it is: from now on none of its keys has a record. What
// is held of their responses stays readable. Owners of keys in flight go on for those who wait for them
// already, and are told IDEM_DETACHED: an old and a new execution of one key may overlap.
//
// Ownership: `ns` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_namespace_clear(const struct idem_namespace_t *ns);

// As idem_namespace_clear, for the default namespace.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_clear(const struct idem_engine_t *engine);

// Frees the handle; nothing happens to the namespace.
//
// Ownership: `ns` is consumed; null is nothing.
// Threads: any.
// Blocks: no, unless it is the last that keeps an engine alive which was freed (idem_engine_free).
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_namespace_free(struct idem_namespace_t *ns);

// The fingerprint of an HTTP request: `target` is path and query as they were sent. Keyed with the
// engine's secret, so it is good in this engine, or in one with the same secret.
//
// Ownership: all are borrowed; `bits` is 16 bytes.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_fingerprint_http(const struct idem_engine_t *engine,
                                    struct idem_bytes_t method,
                                    struct idem_bytes_t target,
                                    struct idem_bytes_t body,
                                    uint8_t *bits);

// Begins a fingerprint, of fields and of bytes that come in pieces.
//
// Ownership: `*fingerprint` is the caller's, free it with idem_fingerprint_free.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_fingerprint_new(const struct idem_engine_t *engine,
                                   struct idem_fingerprint_t **fingerprint);

// Adds a field. Fields are framed: "ab", "c" is not "a", "bc".
//
// Ownership: both are borrowed.
// Threads: one at a time.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_RELEASED: finished already; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_fingerprint_field(struct idem_fingerprint_t *fingerprint,
                                     struct idem_bytes_t field);

// Adds a piece of a field that comes in pieces; how it is cut does not matter. The next field, or the end,
// ends it.
//
// Ownership: both are borrowed.
// Threads: one at a time.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_RELEASED: finished already; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_fingerprint_update(struct idem_fingerprint_t *fingerprint,
                                      struct idem_bytes_t piece);

// The fingerprint of what was added.
//
// Ownership: `fingerprint` is borrowed, and still to be freed; `bits` is 16 bytes.
// Threads: one at a time.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_RELEASED: finished already; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_fingerprint_finish(struct idem_fingerprint_t *fingerprint, uint8_t *bits);

// Frees a fingerprint, finished or not.
//
// Ownership: `fingerprint` is consumed; null is nothing.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_fingerprint_free(struct idem_fingerprint_t *fingerprint);

// Claims a key: decides, in one step, whether the caller executes. There is no separate check. A claim
// that finds an owner at work is registered as a waiter there and then, unless it says otherwise.
//
// Ownership: `claim` and all it points to are borrowed. What `*outcome` has is the caller's: a lease is
//   ended (idem_complete and its like), a response released (idem_response_release), a waiter waited with
//   (idem_wait and its like) or freed (idem_waiter_free).
// Threads: any.
// Blocks: no; may call callbacks of others. Allocates nothing, unless it comes to IDEM_IN_FLIGHT with a
//   waiter, or is the first in a scope that has limits.
// Returns: IDEM_OK, whatever the outcome; IDEM_ERR_EMPTY, IDEM_ERR_TOO_LONG, IDEM_ERR_NO_SCOPE for the
//   key, IDEM_ERR_RANGE for a duration, IDEM_ERR_VALUE, IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED,
//   IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_claim(const struct idem_engine_t *engine,
                         const struct idem_claim_t *claim,
                         struct idem_outcome_t *outcome);

// Claims `count` keys in one call: faster than one by one, since their cache misses overlap. Each claim is
// what it would be alone, one after the other; of a key that is there twice the second finds the first
// one's lease, and should say IDEM_CLAIM_NO_WAIT. All of `claims` have the `struct_size` of the first.
// Sixteen at a time gain what there is to gain.
//
// Ownership: `claims` and all they point to are borrowed; what `outcomes` have is the caller's, as with
//   idem_claim.
// Threads: any.
// Blocks: no; may call callbacks of others. Allocates nothing more than idem_claim.
// Returns: IDEM_OK, and `count` outcomes in the order of the claims; otherwise nothing has been claimed,
//   and it is what is wrong with one of them, as idem_claim says, or IDEM_ERR_SIZE for sizes that differ.
// Since: 0.
idem_status_t idem_claim_batch(const struct idem_engine_t *engine,
                               const struct idem_claim_t *claims,
                               size_t count,
                               struct idem_outcome_t *outcomes);

// Stores the response, gives it to everybody who waits, and ends the lease. Never fails for room or size:
// then a tombstone is stored, which says that it was done and keeps it from being done again.
//
// `retention_ms` is how long it is kept: 0 as the claim said, `IDEM_ZERO` only for those who wait.
//
// Ownership: `engine` and `response` are borrowed; the bytes are copied.
// Threads: any.
// Blocks: no; calls the callbacks of those who wait.
// Returns: IDEM_OK, and how it was stored in `*completion` (an idem_completion_t, unless that is null);
//   IDEM_STALE: the lease was over, and nothing was stored; IDEM_ERR_RANGE: a retention of more than ten
//   years; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_TOO_LONG, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_complete(const struct idem_engine_t *engine,
                            struct idem_lease_t lease,
                            struct idem_bytes_t response,
                            uint64_t retention_ms,
                            uint32_t *completion);

// As idem_complete, without copying: the bytes stay where they are until `destroy` is called with `user`,
// once, when the record is over and nobody has the response any more; or before this returns, if they are
// not stored, or fewer than 1024 and copied nevertheless. With any other error than IDEM_ERR_WRONG_ENGINE
// nothing was consumed, and `destroy` is not called.
//
// Ownership: `response` is consumed, also with IDEM_STALE; `destroy` gives it back, on any thread.
// Threads: any.
// Blocks: no; calls callbacks.
// Returns: as idem_complete.
// Since: 0.
idem_status_t idem_complete_owned(const struct idem_engine_t *engine,
                                  struct idem_lease_t lease,
                                  struct idem_bytes_t response,
                                  idem_destroy_fn destroy,
                                  void *user,
                                  uint64_t retention_ms,
                                  uint32_t *completion);

// Completes many leases in one call, each as idem_complete does with a `retention_ms` of 0: faster than
// one by one, since their cache misses overlap.
//
// Ownership: `endings` and the responses are borrowed.
// Threads: any.
// Blocks: no; calls callbacks.
// Returns: IDEM_OK, and in each of `endings` its status, as idem_complete would return it, and its
//   completion; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_complete_batch(const struct idem_engine_t *engine,
                                  struct idem_ending_t *endings,
                                  size_t count);

// Shares an error with everybody who waits, and keeps it for `retention_ms` (0: it is only shared). They
// get it as a response that is an error.
//
// Ownership: `engine` and `error` are borrowed; the bytes are copied.
// Threads: any.
// Blocks: no; calls callbacks.
// Returns: as idem_complete.
// Since: 0.
idem_status_t idem_fail(const struct idem_engine_t *engine,
                        struct idem_lease_t lease,
                        struct idem_bytes_t error,
                        uint64_t retention_ms,
                        uint32_t *completion);

// Gives up. `on_end` says what becomes of the key: by default, or with IDEM_ON_END_HAND_OVER, whoever has
// waited longest executes next, and without a waiter the key is free; see idem_on_end_t. `reason` is 0 or
// IDEM_REASON_OWNER, or a code of the caller's own.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no; calls callbacks.
// Returns: IDEM_OK; IDEM_STALE: the lease was over already; IDEM_ERR_VALUE, IDEM_ERR_WRONG_ENGINE,
//   IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_cancel(const struct idem_engine_t *engine,
                          struct idem_lease_t lease,
                          uint32_t on_end,
                          uint32_t reason);

// The outcome is unknown: nobody executes the key until the halted retention is over, or an operator
// settles it. As idem_cancel with IDEM_ON_END_HALT.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no; calls callbacks.
// Returns: as idem_cancel.
// Since: 0.
idem_status_t idem_halt(const struct idem_engine_t *engine,
                        struct idem_lease_t lease,
                        uint32_t reason);

// Lets go of the lease as one who cannot say what became of the work: what happens is the claim's
// `on_abandon`, and the reason IDEM_REASON_DROPPED.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no; calls callbacks.
// Returns: IDEM_OK; IDEM_STALE: the lease was over already; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_abandon(const struct idem_engine_t *engine, struct idem_lease_t lease);

// Moves the deadline to `ms` milliseconds from now, never earlier.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_STALE: the lease is over, or is being ended for its age; IDEM_ERR_RANGE: more
//   than ten years; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_renew(const struct idem_engine_t *engine,
                         struct idem_lease_t lease,
                         uint64_t ms);

// Which record the lease is of, and how long it has left.
//
// Ownership: `engine` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_STALE: the lease is over; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_lease_info(const struct idem_engine_t *engine,
                              struct idem_lease_t lease,
                              struct idem_lease_info_t *info);

// Waits, blocking the thread, at most `timeout_ms` milliseconds: IDEM_FOREVER is until the owner's lease
// ends, one way or another, which it always does; 0 looks once. The outcome of a wait, also of those
// below, is IDEM_REPLAY, IDEM_DONE, IDEM_EXECUTE (a hand-over), IDEM_CANCELLED, IDEM_HALTED, IDEM_CLOSED,
// or IDEM_WAIT_OVER.
//
// Ownership: `waiter` is consumed, also when its time is up; `*outcome` as with idem_claim.
// Threads: any.
// Blocks: yes; may call callbacks of others.
// Returns: IDEM_OK, and the outcome (IDEM_WAIT_OVER, if time is up); IDEM_ERR_NULL, and nothing is
//   consumed.
// Since: 0.
idem_status_t idem_wait(struct idem_waiter_t *waiter,
                        uint64_t timeout_ms,
                        struct idem_outcome_t *outcome);

// Has `ended` called with what the wait came to: once, unless it is cancelled. No thread is blocked. A
// lease that it gets is accepted by that. If the owner's lease runs out somebody has to tick, as the
// helper thread does.
//
// Ownership: `waiter` is consumed. `user` is borrowed until `destroy` is called with it, which happens
//   once, after the last call of `ended`. `*wait`, unless that is null, is the caller's: cancel it with
//   idem_wait_cancel or free it with idem_wait_free.
// Threads: any.
// Blocks: no; may call `ended` before it returns, and before `*wait` is written.
// Returns: IDEM_OK; IDEM_ERR_NULL, and nothing is consumed.
// Since: 0.
idem_status_t idem_wait_callback(struct idem_waiter_t *waiter,
                                 idem_ended_fn ended,
                                 void *user,
                                 idem_destroy_fn destroy,
                                 struct idem_pending_t **wait);

// Has the wait end in `queue`, where idem_poll hands its outcome out with `tag`. No thread is blocked. A
// lease is accepted when it is handed out, and not before. If the owner's lease runs out somebody has to
// tick, as the helper thread does. There is no time limit: a loop has timers of its own, and
// idem_wait_cancel.
//
// Ownership: `waiter` is consumed; `queue` is borrowed; `*wait` as with idem_wait_callback.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL, and nothing is consumed.
// Since: 0.
idem_status_t idem_wait_in(struct idem_waiter_t *waiter,
                           const struct idem_queue_t *queue,
                           uint64_t tag,
                           struct idem_pending_t **wait);

// Cancels a wait: its place is given back, and its callback is not called, or its end not handed out.
//
// Ownership: `wait` is consumed.
// Threads: any.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK; IDEM_TOO_LATE: the callback was or is being called, the end was handed out, or the queue
//   was freed; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_wait_cancel(struct idem_pending_t *wait);

// Frees what a wait could be cancelled by; the wait goes on.
//
// Ownership: `wait` is consumed; null is nothing.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_wait_free(struct idem_pending_t *wait);

// Gives the place in the queue back, without waiting. If the key was being handed over to it, it passes on.
//
// Ownership: `waiter` is consumed; null is nothing.
// Threads: any.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_waiter_free(struct idem_waiter_t *waiter);

// Makes a completion queue. Waits of any engine may end in it.
//
// Ownership: `*queue` is the caller's, free it with idem_queue_free.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_SYSTEM: the system has no descriptor to give; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_queue_new(struct idem_queue_t **queue);

// A descriptor that can be read from when there is something to poll for: for poll, epoll, kqueue, libuv
// and their like, level or edge triggered. Only to be watched: idem_poll reads from it. It may be readable
// and nothing be handed out: after idem_wait_in, for a first look; after a cancelled wait. It is
// non-blocking, and closed on exec.
//
// Ownership: the descriptor is the queue's, and closed with it.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_queue_fd(const struct idem_queue_t *queue,
                            int32_t *fd);

// Takes what has ended out of the queue, at most `count` waits and values: waits first. If it leaves something
// behind the descriptor stays readable. Call it when the descriptor is; where there is nothing it costs next to
// nothing, so also after idem_complete, to wake others of the same loop at once.
//
// A value that is over comes as IDEM_EVICTED, with a tag of 0.
//
// Ownership: what the outcomes in `events` have is the caller's, as with idem_claim.
// Threads: any; several may, and share what there is.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK, and how many in `*taken`; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_poll(const struct idem_queue_t *queue,
                        struct idem_ended_t *events,
                        size_t count,
                        size_t *taken);

// Frees the queue. Waits that have not been handed out are given up, as idem_waiter_free would, and nobody is
// told any more of values that end; nobody may be inside a call with the queue.
//
// Ownership: `queue` is consumed; null is nothing.
// Threads: any.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_queue_free(struct idem_queue_t *queue);

// As idem_complete, with a value in place of a response: 64 bits of the caller's, which stand for something
// that it keeps elsewhere, an object of a language with a garbage collector, say. Replays have it in
// `outcome.value`, and hold it until their `response` is released.
//
// When the record is over and nobody holds it any more, `queue` hands out an IDEM_EVICTED with it: once for each
// call, also where the value is not stored. It counts `weight` bytes against the engine's limits, besides 128
// for its record.
//
// Ownership: `engine` and `queue` are borrowed; the queue need not outlive the value. The value is consumed, also
//   with IDEM_STALE and IDEM_ERR_WRONG_ENGINE: its eviction comes at once then. With any other error nothing
//   was consumed.
// Threads: any.
// Blocks: no; calls the callbacks of those who wait. Allocates.
// Returns: as idem_complete.
// Since: 0.
idem_status_t idem_complete_value(const struct idem_engine_t *engine,
                                  struct idem_lease_t lease,
                                  uint64_t value,
                                  uint64_t weight,
                                  const struct idem_queue_t *queue,
                                  uint64_t retention_ms,
                                  uint32_t *completion);

// The first byte of a response; null if it has none, or was released.
//
// Ownership: `response` is borrowed, and the bytes until it is released.
// Threads: any.
// Blocks: no.
// Returns: the bytes, for reading only.
// Since: 0.
const uint8_t *idem_response_data(const struct idem_response_t *response);

// How many bytes a response has; 0 if it was released.
//
// Ownership: `response` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: the length.
// Since: 0.
size_t idem_response_len(const struct idem_response_t *response);

// Holds a response once more, to give it to somebody else; each hold is released.
//
// Ownership: `response` is borrowed; `*other` is the caller's.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_RELEASED, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_response_retain(const struct idem_response_t *response,
                                   struct idem_response_t *other);

// Lets go of a response, and empties the structure, so that a second release of it is refused.
//
// Ownership: the hold is consumed, the structure is borrowed.
// Threads: any.
// Blocks: no; may call the `destroy` of bytes that were handed in; the last response of an engine that was
//   freed frees its memory.
// Returns: IDEM_OK; IDEM_ERR_RELEASED, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_response_release(struct idem_response_t *response);

// Copies a response to the caller's `buffer` of `capacity` bytes.
//
// Ownership: both are borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_BUFFER: it is too short, and nothing was copied; either way the length of the
//   response is in `*len` (unless that is null); IDEM_ERR_RELEASED, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_response_copy(const struct idem_response_t *response,
                                 void *buffer,
                                 size_t capacity,
                                 size_t *len);

// How old a response is, and how long its record is kept.
//
// Ownership: `response` is borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_RELEASED, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_response_info(const struct idem_response_t *response, struct idem_info_t *info);

// What has become of a key, without claiming it: nobody is registered and nothing is counted. It says what
// was; to act on it, claim.
//
// Ownership: `key` and what it points to are borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; as idem_claim for what is wrong with the key.
// Since: 0.
idem_status_t idem_peek(const struct idem_engine_t *engine,
                        const struct idem_key_t *key,
                        struct idem_peek_t *peek);

// As idem_peek, and copies the response, if there is one, to `buffer` of `capacity` bytes.
//
// Ownership: all are borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_BUFFER: `buffer` is too short, and nothing was copied, but `*peek` was
//   written and has the length; as idem_peek.
// Since: 0.
idem_status_t idem_peek_copy(const struct idem_engine_t *engine,
                             const struct idem_key_t *key,
                             struct idem_peek_t *peek,
                             void *buffer,
                             size_t capacity);

// The hash that stands for a key in events and in the listing, until its namespace is cleared: to find it
// there, and to log it instead of the key.
//
// Ownership: `key` and what it points to are borrowed; `bits` is 16 bytes.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; as idem_claim for what is wrong with the key.
// Since: 0.
idem_status_t idem_key_hash(const struct idem_engine_t *engine,
                            const struct idem_key_t *key,
                            uint8_t *bits);

// Lists what is in flight and what is halted, in no order. Looks through all flights and all of the table,
// and takes memory for all that it finds: for operators, not for every request.
//
// Ownership: `*listing` is the caller's, free it with idem_listing_free.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_list(const struct idem_engine_t *engine,
                        struct idem_listing_t **listing);

// The next records of a listing, at most `count`. Fewer are the last ones.
//
// Ownership: `listing` is borrowed.
// Threads: one at a time.
// Blocks: no.
// Returns: IDEM_OK, and how many in `*taken`; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_listing_next(struct idem_listing_t *listing,
                                struct idem_record_t *records,
                                size_t count,
                                size_t *taken);

// Frees a listing.
//
// Ownership: `listing` is consumed; null is nothing.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_listing_free(struct idem_listing_t *listing);

// Counters and gauges. Counts of different things are read one after the other.
//
// Ownership: `stats` is borrowed; as much is written as its `struct_size` says.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_SIZE, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_stats(const struct idem_engine_t *engine, struct idem_stats_t *stats);

// Whether this is the first time that the key is seen within `retention_ms`: for webhooks and messages of
// queues, where no response is stored. Of any number of calls at once one is the first. The key counts as
// seen from then on, whatever becomes of the work; idem_forget releases it.
//
// `retention_ms` 0 is as the claim says, or the namespace.
//
// Ownership: `claim` and all it points to are borrowed.
// Threads: any.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK, and whether it is the first in `*first`; IDEM_FULL: no room; IDEM_UNDECIDED;
//   IDEM_ERR_RANGE: a retention of no time, or of more than ten years; as idem_claim for what is wrong.
// Since: 0.
idem_status_t idem_once(const struct idem_engine_t *engine,
                        const struct idem_claim_t *claim,
                        uint64_t retention_ms,
                        bool *first);

// Removes the record of a key: the next claim executes. A key in flight or halted is left alone, unless
// `force`: then its lease ends, its owner's calls get IDEM_STALE, and everybody who waits IDEM_CANCELLED
// with IDEM_REASON_FORGOTTEN.
//
// Ownership: `key` and what it points to are borrowed.
// Threads: any.
// Blocks: no; may call callbacks.
// Returns: IDEM_OK, and an idem_removal_t in `*removal` (unless that is null); as idem_claim for what is
//   wrong with the key.
// Since: 0.
idem_status_t idem_forget(const struct idem_engine_t *engine,
                          const struct idem_key_t *key,
                          bool force,
                          uint32_t *removal);

// Makes a key that is in flight vacant, while its owner goes on for those who wait for it already: the
// next claim executes beside it. What the owner completes is given to its waiters and not stored.
//
// Ownership: `key` and what it points to are borrowed.
// Threads: any.
// Blocks: no; may call callbacks.
// Returns: IDEM_OK, and in `*done` (unless that is null) whether it was in flight; as idem_claim for what
//   is wrong with the key.
// Since: 0.
idem_status_t idem_detach(const struct idem_engine_t *engine,
                          const struct idem_key_t *key,
                          bool *done);

// Ends the lease of a key by force, as if its owner had given up with this policy (an idem_on_end_t; the
// default is hand-over), for the reason IDEM_REASON_FORCED. The owner's calls get IDEM_STALE.
//
// Ownership: `key` and what it points to are borrowed.
// Threads: any.
// Blocks: no; may call callbacks.
// Returns: IDEM_OK, and in `*done` (unless that is null) whether anybody had a lease; IDEM_ERR_VALUE; as
//   idem_claim for what is wrong with the key.
// Since: 0.
idem_status_t idem_force_end(const struct idem_engine_t *engine,
                             const struct idem_key_t *key,
                             uint32_t on_end,
                             bool *done);

// Settles a halted key, by an idem_resolution_t. `halt` says which halt is meant: it is in what idem_peek
// and the listing say. `response` and `retention_ms` (0: a day) are for IDEM_RESOLVE_COMPLETE.
//
// Ownership: all are borrowed; the bytes are copied.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK, and after IDEM_RESOLVE_COMPLETE an idem_completion_t in `*completion` (unless that is
//   null); IDEM_STALE: the key is not halted any more, or was halted once more; IDEM_FULL: no room beside
//   it; IDEM_ERR_RANGE; IDEM_ERR_VALUE; as idem_claim for what is wrong with the key.
// Since: 0.
idem_status_t idem_resolve(const struct idem_engine_t *engine,
                           const struct idem_key_t *key,
                           uint32_t halt,
                           uint32_t resolution,
                           struct idem_bytes_t response,
                           uint64_t retention_ms,
                           uint32_t *completion);

// Reads a policy: JSON as `{"profile": "ietf", "retention_ms": 60000}`, which is a profile (`ietf`, `stripe_v1`,
// `stripe_v2`, `coalesce`) and what is otherwise. Writes all of it to `buffer`, with every field that there is; or, if
// it cannot be carried out, why not. Neither ends with a zero byte.
//
// Ownership: all are borrowed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK, and the policy; IDEM_ERR_POLICY, and what is wrong with it; IDEM_ERR_BUFFER: the buffer is too
//   short for either; in each case the length is in `*len` (unless that is null). IDEM_ERR_NOT_TEXT, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_policy(struct idem_bytes_t policy,
                               char *buffer,
                               size_t capacity,
                               size_t *len);

// Makes a gate of a policy (idem_http_policy tells what is wrong with one).
//
// Ownership: `engine`, `ns` (null: the default namespace) and `policy` are borrowed; `*gate` is the caller's, free it
//   with idem_http_gate_free.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_POLICY, IDEM_ERR_NOT_TEXT, IDEM_ERR_WRONG_ENGINE: `ns` is another's; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_gate_new(const struct idem_engine_t *engine,
                                 const struct idem_namespace_t *ns,
                                 struct idem_bytes_t policy,
                                 struct idem_http_gate_t **gate);

// Frees a gate. Requests that are on their way through it go on, and keep what they need of it.
//
// Ownership: `gate` is consumed; null is nothing.
// Threads: any; nobody may be inside a call with it.
// Blocks: no; the last that is left of an engine does what idem_engine_free says.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_http_gate_free(struct idem_http_gate_t *gate);

// The name of the header that keys are in.
//
// Ownership: `*name` is the gate's, and good until that is freed.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_gate_header(const struct idem_http_gate_t *gate, struct idem_bytes_t *name);

// Whether a request that differs in nothing from its policy is certain to pass, by as little as can be looked at:
// before its head is put together. `has_key`: whether it has the header that keys are in.
//
// Ownership: all are borrowed.
// Threads: any.
// Blocks: no.
// Returns: 1, or 0: admit it (also if the call is wrong).
// Since: 0.
int idem_http_passes(const struct idem_http_gate_t *gate,
                     struct idem_bytes_t method,
                     struct idem_bytes_t path,
                     int has_key);

// The fingerprint of a request, as its gate makes it: for tests, and for whoever wants to know.
//
// Ownership: all are borrowed; `bits` is 16 bytes, little endian.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK; the errors of idem_http_admit.
// Since: 0.
idem_status_t idem_http_fingerprint(const struct idem_http_gate_t *gate,
                                    const struct idem_http_head_t *head,
                                    struct idem_bytes_t body,
                                    uint8_t *bits);

// Admits a request: what is known of it by its head. With an error it must not be served: what it came with is wrong
// (IDEM_ERR_NOT_TEXT: a status of 400), or what the program said of it.
//
// Ownership: `gate`, `head` and all it points to are borrowed; `*request` is the caller's, free it with
//   idem_http_request_free when its response or its answer was sent. It is null, if the request passes.
// Threads: any.
// Blocks: no.
// Returns: IDEM_OK, and the decision IDEM_HTTP_PASS, IDEM_HTTP_KEYED or IDEM_HTTP_ANSWER; IDEM_ERR_NOT_TEXT,
//   IDEM_ERR_NO_SCOPE, IDEM_ERR_EMPTY, IDEM_ERR_TOO_LONG for a scope or a key, IDEM_ERR_RANGE for a retention of more
//   than ten years, IDEM_ERR_VALUE (also for a scope with IDEM_SCOPE_NONE), IDEM_ERR_SIZE, IDEM_ERR_UNSUPPORTED,
//   IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_admit(const struct idem_http_gate_t *gate,
                              const struct idem_http_head_t *head,
                              struct idem_http_request_t **request,
                              struct idem_http_decision_t *decision);

// A piece of the body of a keyed request; how it is cut does not matter.
//
// Ownership: both are borrowed.
// Threads: one at a time.
// Blocks: no.
// Returns: IDEM_OK, and the decision IDEM_HTTP_KEYED: go on; or IDEM_HTTP_ANSWER: it is too large;
//   IDEM_ERR_STATE: it is not keyed, or was claimed; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_body(const struct idem_http_request_t *request,
                             struct idem_bytes_t piece,
                             struct idem_http_decision_t *decision);

// The body of a keyed request did not come as it should (an idem_http_fault_t): its answer.
//
// Ownership: `request` is borrowed.
// Threads: one at a time.
// Blocks: no.
// Returns: IDEM_OK, and the decision IDEM_HTTP_ANSWER; IDEM_ERR_STATE: it is not keyed, or was claimed;
//   IDEM_ERR_VALUE, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_refuse(const struct idem_http_request_t *request,
                               uint32_t fault,
                               struct idem_http_decision_t *decision);

// Claims the key of a keyed request, its body being over. `says` are bytes that count in its fingerprint besides
// what its policy says; there need be none.
//
// Ownership: `request` and `says` are borrowed; a waiter in the decision is the caller's.
// Threads: one at a time.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK, and the decision IDEM_HTTP_EXECUTE, IDEM_HTTP_WAIT or IDEM_HTTP_ANSWER; IDEM_ERR_STATE: it is not
//   keyed, or was claimed; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_claim(const struct idem_http_request_t *request,
                              struct idem_bytes_t says,
                              struct idem_http_decision_t *decision);

// What becomes of a request that waited. `outcome` is what the wait came to, however it was waited; null: its time
// was up, and the wait was cancelled, or its waiter freed.
//
// Ownership: `request` is borrowed; what `*outcome` has is consumed, and the structure emptied; copy that of a
//   callback first.
// Threads: one at a time.
// Blocks: no; may call callbacks of others.
// Returns: IDEM_OK, and the decision IDEM_HTTP_EXECUTE or IDEM_HTTP_ANSWER; IDEM_ERR_STATE: it does not wait;
//   IDEM_ERR_VALUE: no wait comes to this; IDEM_STALE: no lease is this; IDEM_ERR_WRONG_ENGINE, IDEM_ERR_RELEASED,
//   IDEM_ERR_NULL. With any of these nothing is consumed.
// Since: 0.
idem_status_t idem_http_waited(const struct idem_http_request_t *request,
                               struct idem_outcome_t *outcome,
                               struct idem_http_decision_t *decision);

// Keeps the lease of a request that is being executed alive, for the time of the decision (`time_ms`) from now on.
//
// Ownership: `request` is borrowed.
// Threads: any, also while others take its steps.
// Blocks: no.
// Returns: IDEM_OK; IDEM_STALE: it is not executed, or not any more, or somebody else has taken over; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_renew(const struct idem_http_request_t *request);

// From here on a request that is being executed has effects that cannot be taken back: if its handler is interrupted,
// the key is not simply free again, but what the policy says of interrupted requests.
//
// Ownership: `request` is borrowed.
// Threads: any, also while others take its steps.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_side_effects_began(const struct idem_http_request_t *request);

// Says what becomes of the response (an idem_http_fate_t), whatever its status; with IDEM_HTTP_KEEP_FOR for `ms`.
// Saying it again replaces what was said; after the response nothing changes any more.
//
// Ownership: `request` is borrowed.
// Threads: any, also while others take its steps.
// Blocks: no.
// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed; IDEM_ERR_VALUE, IDEM_ERR_RANGE: more than ten years;
//   IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_say(const struct idem_http_request_t *request,
                            uint32_t fate,
                            uint64_t ms);

// Settles a request by its response. That is to be sent only after this has returned, with the header fields in
// `*finished` (unless that is null) added. One whose body is longer than is kept, or has another length than its
// `content-length` says, is settled as by idem_http_lose. Fields that HTTP has no place for are not stored.
//
// Ownership: `request`, `response` and all it points to are borrowed; the bytes are copied.
// Threads: one at a time.
// Blocks: no; calls the callbacks of those who wait.
// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed, or not any more; IDEM_ERR_RANGE: no status; IDEM_ERR_SIZE,
//   IDEM_ERR_UNSUPPORTED, IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_finish(const struct idem_http_request_t *request,
                               const struct idem_http_response_t *response,
                               struct idem_http_finished_t *finished);

// Settles a request whose response with this status is lost on the way: longer than what is kept; or, if
// `was_cut_off` is not 0, incomplete. Duplicates are told that it was done; or, if that cannot be known, what the
// policy says of interrupted requests.
//
// Ownership: `request` is borrowed.
// Threads: one at a time.
// Blocks: no; calls the callbacks of those who wait.
// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed, or not any more; IDEM_ERR_RANGE: no status; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_lose(const struct idem_http_request_t *request,
                             uint32_t status,
                             int was_cut_off,
                             struct idem_http_finished_t *finished);

// Settles a request that could not be handled at all, as by a client whose connection failed. Where the request
// itself is the key those who wait share that; otherwise it is an interrupted one.
//
// Ownership: `request` is borrowed.
// Threads: one at a time.
// Blocks: no; calls the callbacks of those who wait.
// Returns: IDEM_OK; IDEM_ERR_STATE: it is not executed, or not any more; IDEM_ERR_NULL.
// Since: 0.
idem_status_t idem_http_fail(const struct idem_http_request_t *request);

// Frees a request. One that is being executed is an interrupted one.
//
// Ownership: `request` is consumed, with all that its answer and its added header fields point to; null is
//   nothing. The waiter of a request that waits is the caller's still.
// Threads: any; nobody may be inside a call with it.
// Blocks: no; may call the callbacks of those who wait; the last that is left of an engine does what
//   idem_engine_free says.
// Returns: IDEM_OK; IDEM_ERR_MISALIGNED.
// Since: 0.
idem_status_t idem_http_request_free(struct idem_http_request_t *request);

/* Structures, ready to be changed. */

/* Bytes. */
static inline idem_bytes_t idem_bytes(const void *data, size_t len) {
    idem_bytes_t bytes;
    bytes.data = data;
    bytes.len = len;
    return bytes;
}

/* The key of these bytes, for one tenant, user or account. */
static inline idem_key_t idem_key_of(const void *scope, size_t scope_len, const void *key,
                                     size_t key_len) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_BYTES;
    made.scope_kind = IDEM_SCOPE_OF;
    made.scope = idem_bytes(scope, scope_len);
    made.key = idem_bytes(key, key_len);
    return made;
}

/* The key of these bytes, which is the same for everybody. */
static inline idem_key_t idem_key_global(const void *key, size_t key_len) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_BYTES;
    made.scope_kind = IDEM_SCOPE_NONE;
    made.key = idem_bytes(key, key_len);
    return made;
}

/* A key of the caller's own 128 bits. */
static inline idem_key_t idem_key_raw(const uint8_t bits[16]) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_RAW;
    made.scope_kind = IDEM_SCOPE_NONE;
    memcpy(made.bits, bits, sizeof made.bits);
    return made;
}

/* The key of a record of the listing, for as long as the record is there. */
static inline idem_key_t idem_key_listed(const idem_record_t *record) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_LISTED;
    made.scope_kind = IDEM_SCOPE_NONE;
    made.key = idem_bytes(record->ref, sizeof record->ref);
    return made;
}

/* A claim of the key on its namespace's terms, ready to wait and to execute. */
static inline idem_claim_t idem_claim_init(idem_key_t key) {
    idem_claim_t claim;
    memset(&claim, 0, sizeof claim);
    claim.struct_size = sizeof claim;
    claim.key = key;
    return claim;
}

/* Binds the claim to what the request says: 16 bytes, of idem_fingerprint_http or its like. */
static inline void idem_claim_fingerprint(idem_claim_t *claim, const uint8_t bits[16]) {
    memcpy(claim->fingerprint, bits, sizeof claim->fingerprint);
    claim->flags |= IDEM_CLAIM_FINGERPRINT;
}

/* Every option at its default. */
static inline idem_config_t idem_config_init(void) {
    idem_config_t config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    return config;
}

/* Every option as the engine has it. */
static inline idem_namespace_options_t idem_namespace_options_init(void) {
    idem_namespace_options_t options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    return options;
}

/* Ready to be filled in. */
static inline idem_stats_t idem_stats_init(void) {
    idem_stats_t stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    return stats;
}

/* Ready to be filled in. */
static inline idem_http_head_t idem_http_head_init(void) {
    idem_http_head_t head;
    memset(&head, 0, sizeof head);
    head.struct_size = sizeof head;
    return head;
}

/* Ready to be filled in. */
static inline idem_http_response_t idem_http_response_init(void) {
    idem_http_response_t response;
    memset(&response, 0, sizeof response);
    response.struct_size = sizeof response;
    return response;
}

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* IDEM_H */
