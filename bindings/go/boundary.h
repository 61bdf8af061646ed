/*
 * What Go calls, and nothing else: each function does in one crossing what belongs together, and takes words
 * and bytes that are borrowed until it returns. Structures here have no pointers in them that Go has to know
 * of: C's own are words (uintptr_t), so nothing of Go's is ever kept, and nothing is checked by cgo at each call.
 *
 * No function here calls back into Go, directly or otherwise.
 */
#ifndef IDEMGO_BOUNDARY_H
#define IDEMGO_BOUNDARY_H

#include <fcntl.h>
#include <idem.h>
#include <stdlib.h>
#include <string.h>

enum { IDEMGO_BATCH = 64, IDEMGO_CLAIMS = 16 };

/* A bit of the tags of waits whose responses are not copied: what they come to is handed on to HTTP. */
#define IDEMGO_HELD ((uint64_t)1 << 62)

/* An engine with its completion queue. */
typedef struct {
    idem_engine_t *engine;
    idem_queue_t *queue;
    char apart[64];
    /* Waits in the queue that were not handed out: whoever ends a lease while there are none has nothing
       to poll for. Raised before a wait is put in, so it is never too low for what is there. */
    int64_t waits;
    char apart_too[64];
} idemgo_engine_t;

/* What is asked of a key. */
typedef struct {
    uint64_t key_len, scope_len;
    uint64_t ns;
    uint64_t lease_ms, retention_ms, owner;
    uint8_t fingerprint[16];
    uint8_t bits[16];
    uint32_t kind, scope_kind, flags, on_expiry, on_abandon;
    /* Where key and scope begin in the bytes of a batch. */
    uint32_t key_at, scope_at;
    uint32_t reserved;
} idemgo_ask_t;

/* What it came to. */
typedef struct {
    uint32_t kind, origin, attempt, reason, state, limit, is_error;
    /* Whether the response is in the caller's buffer, and released. */
    uint32_t is_copied;
    uint64_t age_ms, left_ms, owner;
    uint64_t lease[8];
    /* Where a copied response begins in the buffer, or where it is held. */
    uint64_t data;
    uint64_t len;
    uint64_t hold[2];
    uint64_t pending;
    /* Of a replay or an eviction: the handle of a value that Go keeps. */
    uint64_t value;
} idemgo_told_t;

/* The same of a wait, with its tag. */
typedef struct {
    uint64_t tag;
    idemgo_told_t told;
} idemgo_ended_t;

/* What a poll has taken. */
typedef struct {
    uint64_t taken;
    idemgo_ended_t ended[IDEMGO_BATCH];
    uint8_t bytes[16384];
} idemgo_polled_t;

/* How a lease is to end. */
enum { IDEMGO_COMPLETE = 1, IDEMGO_VALUE, IDEMGO_FAIL, IDEMGO_CANCEL, IDEMGO_HALT, IDEMGO_ABANDON };
typedef struct {
    uint64_t lease[8];
    uint64_t len;
    uint64_t retention_ms;
    /* Of IDEMGO_VALUE, whose weight is `len`. */
    uint64_t value;
    uint32_t how, on_end, reason;
    /* Written: an idem_completion_t. */
    uint32_t completion;
} idemgo_ending_t;

static inline idemgo_engine_t *idemgo_of(uintptr_t engine) {
    return (idemgo_engine_t *)engine;
}

static inline idem_bytes_t idemgo_bytes(const uint8_t *data, uint64_t len) {
    /* A pointer to none may be anything in Go. */
    return idem_bytes(len ? data : NULL, (size_t)len);
}

static inline void idemgo_key(idem_key_t *made, const idemgo_ask_t *ask, const uint8_t *key,
                              const uint8_t *scope) {
    memset(made, 0, sizeof *made);
    made->kind = ask->kind;
    made->scope_kind = ask->scope_kind;
    made->ns = (const idem_namespace_t *)(uintptr_t)ask->ns;
    made->key = idemgo_bytes(key, ask->key_len);
    made->scope = idemgo_bytes(scope, ask->scope_len);
    memcpy(made->bits, ask->bits, sizeof made->bits);
}

static inline void idemgo_claim_of(idem_claim_t *claim, const idemgo_ask_t *ask, const uint8_t *key,
                                   const uint8_t *scope) {
    claim->struct_size = sizeof *claim;
    idemgo_key(&claim->key, ask, key, scope);
    memcpy(claim->fingerprint, ask->fingerprint, sizeof claim->fingerprint);
    claim->lease_ms = ask->lease_ms;
    claim->retention_ms = ask->retention_ms;
    claim->owner = ask->owner;
    claim->flags = ask->flags;
    claim->on_expiry = ask->on_expiry;
    claim->on_abandon = ask->on_abandon;
    claim->reserved = 0;
}

/* Tells an outcome. A response of at most `room` bytes is copied to `buffer`, at `at`, and released. */
static inline void idemgo_tell(idemgo_told_t *told, idem_outcome_t *outcome, uint8_t *buffer,
                               uint64_t at, uint64_t room) {
    told->kind = outcome->kind;
    told->is_copied = 0;
    told->pending = 0;
    told->len = 0;
    told->value = 0;
    switch (outcome->kind) {
    case IDEM_EXECUTE:
        told->origin = outcome->origin;
        told->attempt = outcome->attempt;
        memcpy(told->lease, outcome->lease.opaque, sizeof told->lease);
        break;
    case IDEM_REPLAY:
        told->is_error = outcome->is_error;
        told->len = outcome->response.len;
        told->value = outcome->value;
        if (told->len <= room) {
            if (told->len)
                memcpy(buffer + at, outcome->response.data, told->len);
            told->data = at;
            told->is_copied = 1;
            idem_response_release(&outcome->response);
        } else {
            told->data = (uintptr_t)outcome->response.data;
            memcpy(told->hold, outcome->response.opaque, sizeof told->hold);
        }
        break;
    case IDEM_EVICTED:
        told->value = outcome->value;
        break;
    default:
        told->age_ms = outcome->info.age_ms;
        told->left_ms = outcome->info.left_ms;
        told->owner = outcome->info.owner;
        told->reason = outcome->reason;
        told->state = outcome->state;
        told->limit = outcome->limit;
    }
}

/* Puts a waiter into the queue under `tag`, and frees it if that cannot be done. `pending` may be null. */
static inline int32_t idemgo_wait_in(idemgo_engine_t *e, idem_waiter_t *waiter, uint64_t tag,
                                     idem_pending_t **pending) {
    idem_status_t status;
    __atomic_fetch_add(&e->waits, 1, __ATOMIC_SEQ_CST);
    status = idem_wait_in(waiter, e->queue, tag, pending);
    if (status != IDEM_OK) {
        __atomic_fetch_sub(&e->waits, 1, __ATOMIC_SEQ_CST);
        idem_waiter_free(waiter);
    }
    return status;
}

/* Tells what a claim came to; a wait is put into the queue under `tag`, and can be cancelled if it is so wanted. */
static inline int32_t idemgo_came(idemgo_engine_t *e, idem_outcome_t *outcome, uint64_t tag,
                                  uint32_t wants_pending, uint8_t *buffer, uint64_t room,
                                  idemgo_told_t *told) {
    idem_status_t status = IDEM_OK;
    idemgo_tell(told, outcome, buffer, 0, room);
    if (outcome->kind == IDEM_IN_FLIGHT && outcome->waiter) {
        idem_pending_t *pending = NULL;
        status = idemgo_wait_in(e, outcome->waiter, tag, wants_pending ? &pending : NULL);
        told->pending = (uintptr_t)pending;
    }
    return status;
}

/* Claims; a wait that it comes to is put into the queue under `tag`, and can be cancelled if it is so wanted. */
static inline int32_t idemgo_claim(uintptr_t engine, const idemgo_ask_t *ask, const uint8_t *key,
                                   const uint8_t *scope, uint64_t tag, uint32_t wants_pending,
                                   uint8_t *buffer, uint64_t room, idemgo_told_t *told) {
    idemgo_engine_t *e = idemgo_of(engine);
    idem_claim_t claim;
    idem_outcome_t outcome;
    idem_status_t status;
    idemgo_claim_of(&claim, ask, key, scope);
    outcome.info.owner = outcome.info.age_ms = outcome.info.left_ms = 0;
    outcome.reason = outcome.state = outcome.limit = 0;
    status = idem_claim(e->engine, &claim, &outcome);
    if (status != IDEM_OK)
        return status;
    return idemgo_came(e, &outcome, tag, wants_pending, buffer, room, told);
}

/* Copies a response that is held to `buffer`, which is as long, and releases it; only that, if it is null. */
static inline void idemgo_take(uint64_t data, uint64_t len, uint64_t hold_0, uint64_t hold_1,
                               uint8_t *buffer) {
    idem_response_t response;
    response.data = (const uint8_t *)(uintptr_t)data;
    response.len = (size_t)len;
    response.opaque[0] = hold_0;
    response.opaque[1] = hold_1;
    if (buffer && len)
        memcpy(buffer, response.data, response.len);
    idem_response_release(&response);
}

/* Takes what has ended out of the queue. */
static inline void idemgo_poll_into(idemgo_engine_t *e, idemgo_polled_t *polled) {
    idem_ended_t ended[IDEMGO_BATCH];
    size_t taken = 0, i;
    uint64_t used = 0;
    int64_t waits = 0;
    if (idem_poll(e->queue, ended, IDEMGO_BATCH, &taken) != IDEM_OK)
        taken = 0;
    for (i = 0; i < taken; i++) {
        idemgo_told_t *told = &polled->ended[i].told;
        polled->ended[i].tag = ended[i].tag;
        idemgo_tell(told, &ended[i].outcome, polled->bytes, used,
                    ended[i].tag & IDEMGO_HELD ? 0 : sizeof polled->bytes - used);
        if (told->is_copied)
            used += told->len;
        waits += told->kind != IDEM_EVICTED;
    }
    if (waits)
        __atomic_fetch_sub(&e->waits, waits, __ATOMIC_SEQ_CST);
    polled->taken = taken;
}

/* Frees `count` waits, which go on, and polls. */
static inline void idemgo_poll(uintptr_t engine, const uint64_t *pending, uint64_t count,
                               idemgo_polled_t *polled) {
    uint64_t i;
    for (i = 0; i < count; i++)
        idem_wait_free((idem_pending_t *)(uintptr_t)pending[i]);
    idemgo_poll_into(idemgo_of(engine), polled);
}

static inline int32_t idemgo_end_only(uintptr_t engine, idemgo_ending_t *ending, const uint8_t *data) {
    const idem_engine_t *e = idemgo_of(engine)->engine;
    idem_lease_t lease;
    memcpy(lease.opaque, ending->lease, sizeof lease.opaque);
    switch (ending->how) {
    case IDEMGO_VALUE:
        return idem_complete_value(e, lease, ending->value, ending->len, idemgo_of(engine)->queue,
                                   ending->retention_ms, &ending->completion);
    case IDEMGO_COMPLETE:
        return idem_complete(e, lease, idemgo_bytes(data, ending->len), ending->retention_ms,
                             &ending->completion);
    case IDEMGO_FAIL:
        return idem_fail(e, lease, idemgo_bytes(data, ending->len), ending->retention_ms,
                         &ending->completion);
    case IDEMGO_CANCEL:
        return idem_cancel(e, lease, ending->on_end, ending->reason);
    case IDEMGO_HALT:
        return idem_halt(e, lease, ending->reason);
    default:
        return idem_abandon(e, lease);
    }
}

/* Ends a lease, and polls for those who waited for it. */
static inline int32_t idemgo_end(uintptr_t engine, idemgo_ending_t *ending, const uint8_t *data,
                                 idemgo_polled_t *polled) {
    int32_t status = idemgo_end_only(engine, ending, data);
    idemgo_poll_into(idemgo_of(engine), polled);
    return status;
}

/* Gives a place back. IDEM_TOO_LATE: its end was handed out to somebody. */
static inline int32_t idemgo_wait_cancel(uintptr_t engine, uint64_t pending) {
    int32_t status = idem_wait_cancel((idem_pending_t *)(uintptr_t)pending);
    if (status == IDEM_OK)
        __atomic_fetch_sub(&idemgo_of(engine)->waits, 1, __ATOMIC_SEQ_CST);
    return status;
}

static inline void idemgo_wait_free(uint64_t pending) {
    idem_wait_free((idem_pending_t *)(uintptr_t)pending);
}

/* Claims up to IDEMGO_CLAIMS keys whose bytes lie one after the other. */
static inline int32_t idemgo_claim_batch(uintptr_t engine, const idemgo_ask_t *asks, uint64_t count,
                                         const uint8_t *bytes, uint8_t *buffer, uint64_t room,
                                         idemgo_told_t *told) {
    idem_claim_t claims[IDEMGO_CLAIMS];
    idem_outcome_t outcomes[IDEMGO_CLAIMS];
    uint64_t i, used = 0;
    idem_status_t status;
    for (i = 0; i < count; i++)
        idemgo_claim_of(&claims[i], &asks[i], bytes + asks[i].key_at, bytes + asks[i].scope_at);
    status = idem_claim_batch(idemgo_of(engine)->engine, claims, (size_t)count, outcomes);
    if (status != IDEM_OK)
        return status;
    for (i = 0; i < count; i++) {
        idemgo_tell(&told[i], &outcomes[i], buffer, used, room - used);
        if (told[i].is_copied)
            used += told[i].len;
    }
    return IDEM_OK;
}

/* Completes leases whose responses lie one after the other; `statuses` are told of each. */
static inline int32_t idemgo_complete_batch(uintptr_t engine, idemgo_ending_t *endings, uint64_t count,
                                            const uint8_t *bytes, int32_t *statuses) {
    idem_ending_t made[IDEMGO_CLAIMS];
    uint64_t i, used = 0;
    idem_status_t status;
    for (i = 0; i < count; i++) {
        memset(&made[i], 0, sizeof made[i]);
        memcpy(made[i].lease.opaque, endings[i].lease, sizeof made[i].lease.opaque);
        made[i].response = idemgo_bytes(bytes + used, endings[i].len);
        used += endings[i].len;
    }
    status = idem_complete_batch(idemgo_of(engine)->engine, made, (size_t)count);
    for (i = 0; i < count; i++) {
        statuses[i] = status == IDEM_OK ? made[i].status : status;
        endings[i].completion = made[i].completion;
    }
    return status;
}

static inline int32_t idemgo_renew(uintptr_t engine, const uint64_t *words, uint64_t ms) {
    idem_lease_t lease;
    memcpy(lease.opaque, words, sizeof lease.opaque);
    return idem_renew(idemgo_of(engine)->engine, lease, ms);
}

static inline int32_t idemgo_lease_info(uintptr_t engine, const uint64_t *words,
                                        idem_lease_info_t *info) {
    idem_lease_t lease;
    memcpy(lease.opaque, words, sizeof lease.opaque);
    return idem_lease_info(idemgo_of(engine)->engine, lease, info);
}

#endif
