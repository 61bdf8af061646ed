/* A program of ABI 0, compiled with the header as it was then: it goes on to run. */
#include <idem.h>
#include <stdio.h>
#include <string.h>

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int status = (int)(call);                                                                  \
        if (status != IDEM_OK) {                                                                   \
            fprintf(stderr, "ABI 0: %s: %s\n", #call, idem_status_name(status));                   \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#define SEE(condition)                                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "ABI 0: not so: %s\n", #condition);                                    \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static void on_event(void *user, const idem_event_t *event) {
    unsigned *seen = (unsigned *)user;
    *seen |= 1u << event->what;
}

int main(void) {
    idem_clock_t *clock;
    TRY(idem_clock_new(&clock));
    unsigned seen = 0;
    idem_config_t config = idem_config_init();
    config.records = 100;
    config.lease_ms = 1000;
    config.retention_ms = 5000;
    config.clock = clock;
    config.hook = on_event;
    config.hook_user = &seen;
    idem_engine_t *engine;
    TRY(idem_engine_new(&config, &engine));

    idem_namespace_options_t options = idem_namespace_options_init();
    options.records = 10;
    idem_namespace_t *ns;
    TRY(idem_namespace_new(engine, idem_bytes("orders", 6), &options, &ns));
    idem_claim_t claim = idem_claim_init(idem_key_of("tenant", 6, "order-1", 7));
    claim.key.ns = ns;
    claim.flags = IDEM_CLAIM_FINGERPRINT;
    TRY(idem_fingerprint_http(engine, idem_bytes("POST", 4), idem_bytes("/", 1),
                              idem_bytes("body", 4), claim.fingerprint));
    idem_outcome_t owner, other, outcome;
    TRY(idem_claim(engine, &claim, &owner));
    SEE(owner.kind == IDEM_EXECUTE && owner.attempt == 1);
    TRY(idem_claim(engine, &claim, &other));
    SEE(other.kind == IDEM_IN_FLIGHT && other.waiter != NULL);
    idem_queue_t *queue;
    TRY(idem_queue_new(&queue));
    TRY(idem_wait_in(other.waiter, queue, 7, NULL));
    uint32_t completion;
    TRY(idem_complete(engine, owner.lease, idem_bytes("made", 4), 0, &completion));
    SEE(completion == IDEM_STORED);
    SEE(idem_complete(engine, owner.lease, idem_bytes("made", 4), 0, NULL) == IDEM_STALE);
    idem_ended_t ended[2];
    size_t taken;
    TRY(idem_poll(queue, ended, 2, &taken));
    SEE(taken == 1 && ended[0].tag == 7 && ended[0].outcome.kind == IDEM_REPLAY);
    SEE(ended[0].outcome.response.len == 4);
    SEE(memcmp(ended[0].outcome.response.data, "made", 4) == 0);
    TRY(idem_response_release(&ended[0].outcome.response));
    claim.fingerprint[0] ^= 1;
    TRY(idem_claim(engine, &claim, &outcome));
    SEE(outcome.kind == IDEM_MISMATCH && outcome.state == IDEM_STATE_COMPLETED);

    idem_stats_t stats = idem_stats_init();
    TRY(idem_stats(engine, &stats));
    SEE(stats.executes == 1 && stats.completes == 1 && stats.mismatches == 1 && stats.stale == 1);
    SEE(seen == (1u << IDEM_WHAT_EXECUTES | 1u << IDEM_WHAT_IN_FLIGHT | 1u << IDEM_WHAT_COMPLETED |
                 1u << IDEM_WHAT_STALE | 1u << IDEM_WHAT_MISMATCHED));
    TRY(idem_clock_advance(clock, 6000));
    TRY(idem_tick(engine, NULL));
    TRY(idem_engine_drain(engine, 0));
    TRY(idem_queue_free(queue));
    TRY(idem_namespace_free(ns));
    TRY(idem_engine_free(engine));
    TRY(idem_clock_free(clock));
    printf("ABI 0: a program of then runs with %s\n", idem_version());
    return 0;
}
