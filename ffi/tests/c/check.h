/* What all test programs share. Each test runs in turn; the first thing that is not as it should be ends
   the program with a message and status 1. */
#ifndef CHECK_H
#define CHECK_H

#include <idem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition);  \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define STATUS(wanted, call)                                                                       \
    do {                                                                                           \
        int32_t got_ = (int32_t)(call);                                                            \
        if (got_ != (int32_t)(wanted)) {                                                           \
            fprintf(stderr, "%s:%d: %s: %s, not %s: %s\n", __FILE__, __LINE__, __func__,           \
                    idem_status_name(got_), idem_status_name((int32_t)(wanted)), #call);           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define OK(call) STATUS(IDEM_OK, call)

/* Runs a test and says so. */
#define RUN(test)                                                                                  \
    do {                                                                                           \
        test();                                                                                    \
        printf("%s: well\n", #test);                                                               \
    } while (0)

#define LEASE_MS 30000
#define RETENTION_MS 10000

/* An engine on a manual clock. */
typedef struct lab {
    idem_clock_t *clock;
    idem_engine_t *engine;
} lab;

static inline idem_config_t lab_config(const lab *lab) {
    idem_config_t config = idem_config_init();
    config.records = 1000;
    config.bytes = 1 << 20;
    config.waiters = 20000;
    config.waiters_per_key = 20000;
    config.lease_ms = LEASE_MS;
    config.retention_ms = RETENTION_MS;
    config.clock = lab->clock;
    return config;
}

static inline lab lab_open(void) {
    lab lab;
    OK(idem_clock_new(&lab.clock));
    idem_config_t config = lab_config(&lab);
    OK(idem_engine_new(&config, &lab.engine));
    return lab;
}

static inline void lab_settle(const lab *lab) {
    bool more = true;
    while (more)
        OK(idem_tick(lab->engine, &more));
}

static inline idem_stats_t lab_stats(const lab *lab) {
    idem_stats_t stats = idem_stats_init();
    OK(idem_stats(lab->engine, &stats));
    return stats;
}

/* Lets everything run out, sees that nothing is left, and frees the engine. */
static inline void lab_close(lab *lab) {
    OK(idem_clock_advance(lab->clock, UINT64_C(1000) * 86400 * 30));
    lab_settle(lab);
    idem_stats_t stats = lab_stats(lab);
    CHECK(stats.records == 0);
    CHECK(stats.bytes == 0);
    CHECK(stats.waiters == 0);
    OK(idem_engine_free(lab->engine));
    OK(idem_clock_free(lab->clock));
}

static inline idem_key_t key_of(const char *name) {
    return idem_key_of("tenant", 6, name, strlen(name));
}

static inline idem_claim_t claim_of(const char *name) {
    return idem_claim_init(key_of(name));
}

static inline idem_bytes_t text(const char *text) {
    return idem_bytes(text, strlen(text));
}

static inline idem_outcome_t ask(const lab *lab, const char *name) {
    idem_claim_t claim = claim_of(name);
    idem_outcome_t outcome;
    OK(idem_claim(lab->engine, &claim, &outcome));
    return outcome;
}

/* A claim that must get the lease. */
static inline idem_lease_t own(const lab *lab, const char *name) {
    idem_outcome_t outcome = ask(lab, name);
    CHECK(outcome.kind == IDEM_EXECUTE);
    return outcome.lease;
}

/* A claim that must find an owner at work. */
static inline idem_waiter_t *join(const lab *lab, const char *name) {
    idem_outcome_t outcome = ask(lab, name);
    CHECK(outcome.kind == IDEM_IN_FLIGHT);
    CHECK(outcome.waiter != NULL);
    return outcome.waiter;
}

static inline void complete(const lab *lab, idem_lease_t lease, const char *response) {
    uint32_t completion = 0;
    OK(idem_complete(lab->engine, lease, text(response), 0, &completion));
    CHECK(completion == IDEM_STORED);
}

/* Whether it is this response, which is released. */
static inline bool is_response(idem_outcome_t *outcome, const char *wanted) {
    if (outcome->kind != IDEM_REPLAY)
        return false;
    bool is = outcome->response.len == strlen(wanted) &&
              memcmp(outcome->response.data, wanted, strlen(wanted)) == 0;
    OK(idem_response_release(&outcome->response));
    return is;
}

#endif
