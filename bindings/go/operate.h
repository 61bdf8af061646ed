/*
 * The rest of what Go calls, as in boundary.h: operators' calls, which are not hurried.
 */
#ifndef IDEMGO_OPERATE_H
#define IDEMGO_OPERATE_H

#include "boundary.h"

#include <stdio.h>

/* idem_config_t, as far as Go sets it. */
typedef struct {
    uint64_t records, bytes, max_response, waiters, waiters_per_key;
    uint64_t lease_ms, retention_ms, cancelled_retention_ms, halted_retention_ms, accept_timeout_ms;
    uint64_t clock;
    uint32_t on_abandon, on_expiry, key_hash, helper_thread, huge_pages, prefault, has_secret;
    uint32_t clock_rate;
    uint8_t secret[16];
} idemgo_config_t;

/* Words that end with a zero byte. */
typedef struct idemgo_words {
    char words[128];
} idemgo_words_t;

/* Opens an engine with its queue; `fd` is the caller's, a copy of the queue's descriptor. `why` is what is wrong with the
   config. */
static inline int32_t idemgo_open(const idemgo_config_t *from, uint64_t *engine, int32_t *fd, idemgo_words_t *why) {
    idem_config_t config = idem_config_init();
    idemgo_engine_t *e = calloc(1, sizeof *e);
    idem_status_t status;
    int32_t queue_fd = -1;
    if (!e)
        return IDEM_ERR_NO_MEMORY;
    config.records = from->records;
    config.bytes = from->bytes;
    config.max_response = from->max_response;
    config.waiters = from->waiters;
    config.waiters_per_key = from->waiters_per_key;
    config.lease_ms = from->lease_ms;
    config.retention_ms = from->retention_ms;
    config.cancelled_retention_ms = from->cancelled_retention_ms;
    config.halted_retention_ms = from->halted_retention_ms;
    config.accept_timeout_ms = from->accept_timeout_ms;
    config.clock = (const idem_clock_t *)(uintptr_t)from->clock;
    config.on_abandon = from->on_abandon;
    config.on_expiry = from->on_expiry;
    config.key_hash = from->key_hash;
    config.helper_thread = from->helper_thread;
    config.huge_pages = from->huge_pages;
    config.prefault = from->prefault;
    config.clock_rate = from->clock_rate;
    config.has_secret = from->has_secret;
    memcpy(config.secret, from->secret, sizeof config.secret);
    status = idem_engine_new(&config, &e->engine);
    if (status == IDEM_ERR_RANGE) {
        size_t len = 0;
        idem_config_check(&config, why->words, sizeof why->words - 1, &len);
        why->words[len < sizeof why->words ? len : 0] = 0;
    }
    if (status == IDEM_OK) {
        status = idem_queue_new(&e->queue);
        if (status == IDEM_OK) {
            idem_queue_fd(e->queue, &queue_fd);
            *fd = fcntl(queue_fd, F_DUPFD_CLOEXEC, 0);
            if (*fd >= 0) {
                *engine = (uintptr_t)e;
                return IDEM_OK;
            }
            status = IDEM_ERR_SYSTEM;
            idem_queue_free(e->queue);
        }
        idem_engine_free(e->engine);
    }
    free(e);
    return status;
}

static inline void idemgo_free(uintptr_t engine) {
    idemgo_engine_t *e = idemgo_of(engine);
    idem_queue_free(e->queue);
    idem_engine_free(e->engine);
    free(e);
}

/* Where Go reads how many waits there are. */
static inline int64_t *idemgo_waits(uintptr_t engine) {
    return &idemgo_of(engine)->waits;
}

/* Ends every lease that has not ended; whether there was any. */
static inline int32_t idemgo_cut_short(uintptr_t engine) {
    const idem_engine_t *e = idemgo_of(engine)->engine;
    bool more = true;
    if (idem_engine_drain(e, 0) == IDEM_OK)
        return 0;
    idem_engine_close_within(e, 0);
    while (more && idem_tick(e, &more) == IDEM_OK) {
    }
    return 1;
}

/* The only function here that blocks its thread. */
static inline int32_t idemgo_drain(uintptr_t engine, uint64_t ms) {
    return idem_engine_drain(idemgo_of(engine)->engine, ms);
}

static inline int32_t idemgo_tick(uintptr_t engine, uint32_t *more) {
    bool is_more = false;
    int32_t status = idem_tick(idemgo_of(engine)->engine, &is_more);
    *more = is_more;
    return status;
}

static inline int32_t idemgo_stats(uintptr_t engine, idem_stats_t *stats) {
    stats->struct_size = sizeof *stats;
    return idem_stats(idemgo_of(engine)->engine, stats);
}

/* What is done to a key from outside. */
enum {
    IDEMGO_FORGET = 1,
    IDEMGO_DETACH,
    IDEMGO_FORCE_END,
    IDEMGO_RESOLVE,
    IDEMGO_ONCE,
    IDEMGO_HASH
};
typedef struct {
    uint32_t what, is_forced, on_end, halt, resolution;
    /* Written: a removal, a completion, or whether it was so. */
    uint32_t came;
    uint64_t retention_ms, len;
    /* Written. */
    uint8_t hash[16];
} idemgo_act_t;

static inline int32_t idemgo_act(uintptr_t engine, const idemgo_ask_t *ask, const uint8_t *key,
                                 const uint8_t *scope, const uint8_t *response, idemgo_act_t *act) {
    const idem_engine_t *e = idemgo_of(engine)->engine;
    idem_claim_t claim;
    bool is_so = false;
    int32_t status;
    idemgo_claim_of(&claim, ask, key, scope);
    switch (act->what) {
    case IDEMGO_FORGET:
        return idem_forget(e, &claim.key, act->is_forced != 0, &act->came);
    case IDEMGO_DETACH:
        status = idem_detach(e, &claim.key, &is_so);
        break;
    case IDEMGO_FORCE_END:
        status = idem_force_end(e, &claim.key, act->on_end, &is_so);
        break;
    case IDEMGO_RESOLVE:
        return idem_resolve(e, &claim.key, act->halt, act->resolution,
                            idemgo_bytes(response, act->len), act->retention_ms, &act->came);
    case IDEMGO_ONCE:
        status = idem_once(e, &claim, act->retention_ms, &is_so);
        break;
    default:
        return idem_key_hash(e, &claim.key, act->hash);
    }
    act->came = is_so;
    return status;
}

static inline int32_t idemgo_peek(uintptr_t engine, const idemgo_ask_t *ask, const uint8_t *key,
                                  const uint8_t *scope, uint8_t *buffer, uint64_t room,
                                  uint32_t wants_bytes, idem_peek_t *peek) {
    idem_key_t made;
    idemgo_key(&made, ask, key, scope);
    if (wants_bytes)
        return idem_peek_copy(idemgo_of(engine)->engine, &made, peek, buffer, (size_t)room);
    return idem_peek(idemgo_of(engine)->engine, &made, peek);
}

/* Fields that lie one after the other, as long as `lens` say. */
static inline int32_t idemgo_fingerprint(uintptr_t engine, const uint8_t *bytes, const uint64_t *lens,
                                         uint64_t count, uint8_t *bits) {
    idem_fingerprint_t *fingerprint = NULL;
    uint64_t i;
    idem_status_t status = idem_fingerprint_new(idemgo_of(engine)->engine, &fingerprint);
    for (i = 0; status == IDEM_OK && i < count; i++) {
        status = idem_fingerprint_field(fingerprint, idemgo_bytes(bytes, lens[i]));
        bytes += lens[i];
    }
    if (status == IDEM_OK)
        status = idem_fingerprint_finish(fingerprint, bits);
    idem_fingerprint_free(fingerprint);
    return status;
}

static inline int32_t idemgo_fingerprint_http(uintptr_t engine, const uint8_t *method,
                                              uint64_t method_len, const uint8_t *target,
                                              uint64_t target_len, const uint8_t *body,
                                              uint64_t body_len, uint8_t *bits) {
    return idem_fingerprint_http(idemgo_of(engine)->engine, idemgo_bytes(method, method_len),
                                 idemgo_bytes(target, target_len), idemgo_bytes(body, body_len),
                                 bits);
}

typedef struct {
    uint64_t lease_ms, retention_ms, records, bytes, records_per_scope, bytes_per_scope;
    uint32_t on_abandon, on_expiry;
} idemgo_namespace_t;

static inline int32_t idemgo_namespace(uintptr_t engine, const uint8_t *name, uint64_t len,
                                       const idemgo_namespace_t *from, uint64_t *ns) {
    idem_namespace_options_t options = idem_namespace_options_init();
    idem_namespace_t *made = NULL;
    int32_t status;
    if (from) {
        options.lease_ms = from->lease_ms;
        options.retention_ms = from->retention_ms;
        options.records = from->records;
        options.bytes = from->bytes;
        options.records_per_scope = from->records_per_scope;
        options.bytes_per_scope = from->bytes_per_scope;
        options.on_abandon = from->on_abandon;
        options.on_expiry = from->on_expiry;
    }
    status = idem_namespace_new(idemgo_of(engine)->engine, idemgo_bytes(name, len),
                                from ? &options : NULL, &made);
    *ns = (uintptr_t)made;
    return status;
}

/* Clears a namespace; the default one, if it is 0. */
static inline int32_t idemgo_clear(uintptr_t engine, uint64_t ns) {
    if (ns)
        return idem_namespace_clear((const idem_namespace_t *)(uintptr_t)ns);
    return idem_clear(idemgo_of(engine)->engine);
}

static inline void idemgo_namespace_free(uint64_t ns) {
    idem_namespace_free((idem_namespace_t *)(uintptr_t)ns);
}

static inline int32_t idemgo_list(uintptr_t engine, uint64_t *listing) {
    idem_listing_t *made = NULL;
    int32_t status = idem_list(idemgo_of(engine)->engine, &made);
    *listing = (uintptr_t)made;
    return status;
}

static inline int32_t idemgo_list_next(uint64_t listing, idem_record_t *records, uint64_t count,
                                       uint64_t *taken) {
    size_t got = 0;
    int32_t status = idem_listing_next((idem_listing_t *)(uintptr_t)listing, records, (size_t)count,
                                       &got);
    *taken = got;
    return status;
}

static inline void idemgo_list_free(uint64_t listing) {
    idem_listing_free((idem_listing_t *)(uintptr_t)listing);
}

static inline int32_t idemgo_clock_new(uint64_t *clock) {
    idem_clock_t *made = NULL;
    int32_t status = idem_clock_new(&made);
    *clock = (uintptr_t)made;
    return status;
}

static inline int32_t idemgo_clock_advance(uint64_t clock, uint64_t ms) {
    return idem_clock_advance((const idem_clock_t *)(uintptr_t)clock, ms);
}

static inline int32_t idemgo_clock_now(uint64_t clock, uint64_t *ms) {
    return idem_clock_now((const idem_clock_t *)(uintptr_t)clock, ms);
}

static inline void idemgo_clock_free(uint64_t clock) {
    idem_clock_free((idem_clock_t *)(uintptr_t)clock);
}

#endif
