/* benches/examples/steps.rs through C: one thread that does one thing over and over.

   steps replay|batch|execute STEPS KEYS: prints nanoseconds of the thread's own time for a step. */
#define _POSIX_C_SOURCE 200809L

#include <idem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 16 };

static uint8_t response[256];

static void check(idem_status_t status) {
    if (status != IDEM_OK) {
        fprintf(stderr, "steps: %s\n", idem_status_name(status));
        exit(1);
    }
}

static double thread_nanos(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Makes it the claim of key `counter`. */
static void claim_key(idem_claim_t *claim, uint64_t counter) {
    uint64_t low = counter * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t high = (low << 32 | low >> 32) ^ UINT64_C(0xd1b54a32d192ed03);
    memcpy(claim->key.bits, &low, 8);
    memcpy(claim->key.bits + 8, &high, 8);
}

static idem_claim_t claim_of(uint64_t counter) {
    static const uint8_t none[16] = {0};
    idem_claim_t claim = idem_claim_init(idem_key_raw(none));
    claim.flags = IDEM_CLAIM_FINGERPRINT;
    claim.fingerprint[0] = 1;
    claim_key(&claim, counter);
    return claim;
}

static void execute(idem_engine_t *engine, idem_claim_t *claim, uint64_t retention_ms) {
    idem_outcome_t outcome;
    check(idem_claim(engine, claim, &outcome));
    if (outcome.kind != IDEM_EXECUTE)
        exit(1);
    check(idem_complete(engine, outcome.lease, idem_bytes(response, sizeof response), retention_ms,
                        NULL));
}

/* An engine with `keys` completed records that stay. */
static idem_engine_t *filled(uint64_t keys) {
    idem_config_t config = idem_config_init();
    config.records = keys ? keys : 1;
    config.bytes = keys * 400 + (1 << 20);
    config.has_secret = IDEM_SWITCH_ON;
    memset(config.secret, 1, sizeof config.secret);
    idem_engine_t *engine;
    check(idem_engine_new(&config, &engine));
    for (uint64_t counter = 0; counter < keys; counter++) {
        idem_claim_t claim = claim_of(counter);
        execute(engine, &claim, 0);
    }
    return engine;
}

/* The key of a step: all of them in turn, but no two neighbours. */
static uint64_t scattered(uint64_t step, uint64_t keys) {
    return step * UINT64_C(0x9e3779b97f4a7c15) % keys;
}

static volatile uint8_t seen;

/* Looks at a response as whoever gets it does. */
static void see(idem_outcome_t *outcome) {
    if (outcome->kind != IDEM_REPLAY)
        exit(1);
    seen = outcome->response.data[0];
    check(idem_response_release(&outcome->response));
}

static double replay(uint64_t steps, uint64_t keys) {
    idem_engine_t *engine = filled(keys);
    idem_claim_t claim = claim_of(0);
    double begun = thread_nanos();
    for (uint64_t step = 0; step < steps; step++) {
        idem_outcome_t outcome;
        claim_key(&claim, scattered(step, keys));
        check(idem_claim(engine, &claim, &outcome));
        see(&outcome);
    }
    double nanos = thread_nanos() - begun;
    check(idem_engine_free(engine));
    return nanos;
}

static double batch(uint64_t steps, uint64_t keys) {
    idem_engine_t *engine = filled(keys);
    idem_claim_t claims[BATCH];
    idem_outcome_t outcomes[BATCH];
    for (int i = 0; i < BATCH; i++)
        claims[i] = claim_of(0);
    double begun = thread_nanos();
    for (uint64_t first = 0; first < steps; first += BATCH) {
        for (uint64_t i = 0; i < BATCH; i++)
            claim_key(&claims[i], scattered(first + i, keys));
        check(idem_claim_batch(engine, claims, BATCH, outcomes));
        for (int i = 0; i < BATCH; i++)
            see(&outcomes[i]);
    }
    double nanos = thread_nanos() - begun;
    check(idem_engine_free(engine));
    return nanos;
}

/* Claim and complete, and nothing stays. */
static double execute_all(uint64_t steps) {
    idem_engine_t *engine = filled(0);
    idem_claim_t claim = claim_of(0);
    double begun = thread_nanos();
    for (uint64_t step = 0; step < steps; step++)
        execute(engine, &claim, IDEM_ZERO);
    double nanos = thread_nanos() - begun;
    check(idem_engine_free(engine));
    return nanos;
}

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "steps: replay|batch|execute STEPS KEYS\n");
        return 2;
    }
    memset(response, 7, sizeof response);
    uint64_t steps = strtoull(words[2], NULL, 10), keys = strtoull(words[3], NULL, 10);
    double nanos = strcmp(words[1], "replay") == 0  ? replay(steps, keys)
                   : strcmp(words[1], "batch") == 0 ? batch(steps, keys)
                   : strcmp(words[1], "execute") == 0
                       ? execute_all(steps)
                       : (fprintf(stderr, "steps: no such thing to do: %s\n", words[1]), exit(2), 0.0);
    printf("%s: %.1f ns a step\n", words[1], nanos / (double)steps);
    return 0;
}
