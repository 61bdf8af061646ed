/* Claims, leases and responses: every outcome, every way to end a lease, every error. */
#include "check.h"

static void executes_once_and_replays(void) {
    lab lab = lab_open();
    idem_outcome_t first = ask(&lab, "a");
    CHECK(first.kind == IDEM_EXECUTE);
    CHECK(first.origin == IDEM_ORIGIN_FRESH && first.attempt == 1);
    idem_claim_t claim = claim_of("a");
    claim.flags = IDEM_CLAIM_NO_WAIT;
    idem_outcome_t second;
    OK(idem_claim(lab.engine, &claim, &second));
    CHECK(second.kind == IDEM_IN_FLIGHT && second.waiter == NULL);
    CHECK(second.info.left_ms > LEASE_MS - 1000 && second.info.left_ms <= LEASE_MS + 1000);
    complete(&lab, first.lease, "made");
    idem_outcome_t third = ask(&lab, "a");
    CHECK(is_response(&third, "made"));
    STATUS(IDEM_STALE, idem_complete(lab.engine, first.lease, text("again"), 0, NULL));
    idem_stats_t stats = lab_stats(&lab);
    CHECK(stats.executes == 1 && stats.replays == 1 && stats.in_flight == 1 && stats.stale == 1);
    lab_close(&lab);
}

static void keys_are_bytes(void) {
    lab lab = lab_open();
    static const char zeroes[4] = {0, 0, 0, 0};
    idem_key_t keys[] = {
        idem_key_of("ab", 2, "c", 1),           idem_key_of("a", 1, "bc", 2),
        idem_key_of(zeroes, 1, zeroes, 2),      idem_key_of(zeroes, 2, zeroes, 1),
        idem_key_of("\xff\xfe", 2, "\x80", 1), idem_key_global("c", 1),
        idem_key_raw((const uint8_t *)"0123456789abcdef"),
    };
    idem_key_t fingerprint = keys[6];
    fingerprint.kind = IDEM_KEY_FINGERPRINT;
    size_t count = sizeof keys / sizeof keys[0];
    for (size_t i = 0; i <= count; i++) {
        idem_claim_t claim = idem_claim_init(i < count ? keys[i] : fingerprint);
        idem_outcome_t outcome;
        OK(idem_claim(lab.engine, &claim, &outcome));
        CHECK(outcome.kind == IDEM_EXECUTE);
        complete(&lab, outcome.lease, "x");
    }
    lab_close(&lab);
}

static void wrong_keys(void) {
    lab lab = lab_open();
    char *longest = calloc(1, IDEM_KEY_LENGTH_MAX + 1);
    CHECK(longest);
    idem_outcome_t outcome;
    idem_claim_t claim = idem_claim_init(idem_key_of("s", 1, NULL, 0));
    STATUS(IDEM_ERR_EMPTY, idem_claim(lab.engine, &claim, &outcome));
    claim.key = idem_key_of(NULL, 0, "k", 1);
    STATUS(IDEM_ERR_EMPTY, idem_claim(lab.engine, &claim, &outcome));
    claim.key = idem_key_of("s", 1, longest, IDEM_KEY_LENGTH_MAX + 1);
    STATUS(IDEM_ERR_TOO_LONG, idem_claim(lab.engine, &claim, &outcome));
    claim.key = idem_key_of("s", 1, longest, SIZE_MAX);
    STATUS(IDEM_ERR_TOO_LONG, idem_claim(lab.engine, &claim, &outcome));
    claim.key = idem_key_of("s", 1, NULL, 3);
    STATUS(IDEM_ERR_NULL, idem_claim(lab.engine, &claim, &outcome));
    claim.key = key_of("k");
    claim.key.scope_kind = 0;
    STATUS(IDEM_ERR_NO_SCOPE, idem_claim(lab.engine, &claim, &outcome));
    claim.key.scope_kind = 3;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    claim.key = key_of("k");
    claim.key.kind = 0;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    claim.key.kind = 99;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    claim.key = idem_key_of("s", 1, longest, IDEM_KEY_LENGTH_MAX);
    OK(idem_claim(lab.engine, &claim, &outcome));
    complete(&lab, outcome.lease, "x");
    free(longest);
    lab_close(&lab);
}

static void wrong_claims(void) {
    lab lab = lab_open();
    idem_claim_t claim = claim_of("k");
    idem_outcome_t outcome;
    STATUS(IDEM_ERR_NULL, idem_claim(NULL, &claim, &outcome));
    STATUS(IDEM_ERR_NULL, idem_claim(lab.engine, NULL, &outcome));
    STATUS(IDEM_ERR_NULL, idem_claim(lab.engine, &claim, NULL));
    STATUS(IDEM_ERR_MISALIGNED,
           idem_claim((const idem_engine_t *)((const char *)lab.engine + 1), &claim, &outcome));
    claim.flags = 8;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    /* A fingerprint that nobody would look at. */
    claim = claim_of("k");
    claim.fingerprint[15] = 1;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    static const uint8_t bits[16] = {1};
    claim.key = idem_key_raw(bits);
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    claim = claim_of("k");
    claim.on_expiry = 9;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    claim = claim_of("k");
    claim.on_abandon = 9;
    STATUS(IDEM_ERR_VALUE, idem_claim(lab.engine, &claim, &outcome));
    claim = claim_of("k");
    claim.lease_ms = IDEM_ZERO;
    STATUS(IDEM_ERR_RANGE, idem_claim(lab.engine, &claim, &outcome));
    claim.lease_ms = UINT64_C(1) << 60;
    STATUS(IDEM_ERR_RANGE, idem_claim(lab.engine, &claim, &outcome));
    claim = claim_of("k");
    claim.reserved = 1;
    STATUS(IDEM_ERR_UNSUPPORTED, idem_claim(lab.engine, &claim, &outcome));
    claim = claim_of("k");
    claim.struct_size = 12;
    STATUS(IDEM_ERR_SIZE, idem_claim(lab.engine, &claim, &outcome));
    struct {
        idem_claim_t claim;
        uint64_t more;
    } longer = {claim_of("k"), 1};
    longer.claim.struct_size = sizeof longer;
    STATUS(IDEM_ERR_UNSUPPORTED, idem_claim(lab.engine, &longer.claim, &outcome));
    longer.more = 0;
    OK(idem_claim(lab.engine, &longer.claim, &outcome));
    complete(&lab, outcome.lease, "x");
    CHECK(lab_stats(&lab).executes == 1);
    lab_close(&lab);
}

static void fingerprints(void) {
    lab lab = lab_open();
    uint8_t bits[16], same[16], other[16];
    OK(idem_fingerprint_http(lab.engine, text("POST"), text("/charge"), text("amount=1"), bits));
    OK(idem_fingerprint_http(lab.engine, text("POST"), text("/charge"), text("amount=2"), other));
    idem_fingerprint_t *parts;
    OK(idem_fingerprint_new(lab.engine, &parts));
    OK(idem_fingerprint_field(parts, text("POST")));
    OK(idem_fingerprint_field(parts, text("/charge")));
    OK(idem_fingerprint_update(parts, text("amou")));
    OK(idem_fingerprint_update(parts, text("nt=1")));
    OK(idem_fingerprint_finish(parts, same));
    STATUS(IDEM_ERR_RELEASED, idem_fingerprint_finish(parts, same));
    STATUS(IDEM_ERR_RELEASED, idem_fingerprint_field(parts, text("late")));
    STATUS(IDEM_ERR_RELEASED, idem_fingerprint_update(parts, text("late")));
    OK(idem_fingerprint_free(parts));
    CHECK(memcmp(bits, same, 16) == 0 && memcmp(bits, other, 16) != 0);
    idem_claim_t claim = claim_of("k");
    claim.flags = IDEM_CLAIM_FINGERPRINT;
    memcpy(claim.fingerprint, bits, 16);
    idem_outcome_t outcome;
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE);
    idem_lease_t lease = outcome.lease;
    memcpy(claim.fingerprint, other, 16);
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(outcome.kind == IDEM_MISMATCH && outcome.state == IDEM_STATE_IN_FLIGHT);
    complete(&lab, lease, "x");
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(outcome.kind == IDEM_MISMATCH && outcome.state == IDEM_STATE_COMPLETED);
    lab_close(&lab);
}

static void ends_of_leases(void) {
    lab lab = lab_open();
    uint32_t completion = 0;
    OK(idem_fail(lab.engine, own(&lab, "failed"), text("an error"), 1000, &completion));
    CHECK(completion == IDEM_STORED);
    idem_outcome_t outcome = ask(&lab, "failed");
    CHECK(outcome.is_error == 1 && is_response(&outcome, "an error"));

    OK(idem_cancel(lab.engine, own(&lab, "cancelled"), 0, 0));
    outcome = ask(&lab, "cancelled");
    CHECK(outcome.kind == IDEM_EXECUTE && outcome.origin == IDEM_ORIGIN_FRESH);
    OK(idem_cancel(lab.engine, outcome.lease, IDEM_ON_END_FAIL_WAITERS, IDEM_REASON_CODE + 7));
    STATUS(IDEM_STALE, idem_cancel(lab.engine, outcome.lease, 0, 0));
    idem_lease_t lease = own(&lab, "wrong");
    STATUS(IDEM_ERR_VALUE, idem_cancel(lab.engine, lease, 9, 0));
    STATUS(IDEM_ERR_VALUE, idem_cancel(lab.engine, lease, 0, IDEM_REASON_FORCED));
    STATUS(IDEM_ERR_VALUE, idem_cancel(lab.engine, lease, 0, IDEM_REASON_CODE + 65536));
    STATUS(IDEM_ERR_VALUE, idem_halt(lab.engine, lease, IDEM_REASON_CLEARED));
    OK(idem_cancel(lab.engine, lease, IDEM_ON_END_HALT, IDEM_REASON_CODE + 65535));
    outcome = ask(&lab, "wrong");
    CHECK(outcome.kind == IDEM_HALTED && outcome.reason == IDEM_REASON_CODE + 65535);

    OK(idem_halt(lab.engine, own(&lab, "halted"), IDEM_REASON_OWNER));
    outcome = ask(&lab, "halted");
    CHECK(outcome.kind == IDEM_HALTED && outcome.reason == IDEM_REASON_OWNER);

    idem_claim_t claim = claim_of("abandoned");
    claim.on_abandon = IDEM_ON_END_HALT;
    OK(idem_claim(lab.engine, &claim, &outcome));
    OK(idem_abandon(lab.engine, outcome.lease));
    STATUS(IDEM_STALE, idem_abandon(lab.engine, outcome.lease));
    outcome = ask(&lab, "abandoned");
    CHECK(outcome.kind == IDEM_HALTED && outcome.reason == IDEM_REASON_DROPPED);
    lab_close(&lab);
}

static void times(void) {
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k");
    idem_lease_info_t info;
    OK(idem_lease_info(lab.engine, lease, &info));
    CHECK(info.left_ms >= LEASE_MS && info.left_ms <= LEASE_MS + 1);
    OK(idem_renew(lab.engine, lease, 2 * LEASE_MS));
    OK(idem_renew(lab.engine, lease, 1));
    OK(idem_clock_advance(lab.clock, LEASE_MS + 1000));
    OK(idem_lease_info(lab.engine, lease, &info));
    CHECK(info.left_ms > 0 && info.left_ms <= LEASE_MS);
    OK(idem_clock_advance(lab.clock, LEASE_MS));
    idem_outcome_t outcome = ask(&lab, "k");
    CHECK(outcome.kind == IDEM_EXECUTE && outcome.origin == IDEM_ORIGIN_AFTER_EXPIRY);
    CHECK(outcome.attempt == 2);
    STATUS(IDEM_STALE, idem_renew(lab.engine, lease, 1));
    STATUS(IDEM_ERR_RANGE, idem_renew(lab.engine, outcome.lease, IDEM_FOREVER));
    STATUS(IDEM_ERR_RANGE,
           idem_complete(lab.engine, outcome.lease, text("x"), IDEM_FOREVER, NULL));
    STATUS(IDEM_STALE, idem_lease_info(lab.engine, lease, &info));
    STATUS(IDEM_STALE, idem_complete(lab.engine, lease, text("late"), 0, NULL));
    uint32_t completion;
    OK(idem_complete(lab.engine, outcome.lease, text("x"), 1000, &completion));
    OK(idem_clock_advance(lab.clock, 1002));
    CHECK(ask(&lab, "k").kind == IDEM_EXECUTE);
    uint64_t now, sleepers;
    OK(idem_clock_now(lab.clock, &now));
    CHECK(now == 2 * LEASE_MS + 1000 + 1002);
    OK(idem_clock_sleepers(lab.clock, &sleepers));
    CHECK(sleepers == 0);
    lab_close(&lab);
}

static void leases_of_others(void) {
    lab lab = lab_open(), stranger = lab_open();
    idem_lease_t lease = own(&lab, "k"), none;
    memset(&none, 0, sizeof none);
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_complete(stranger.engine, lease, text("x"), 0, NULL));
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_cancel(stranger.engine, lease, 0, 0));
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_halt(stranger.engine, lease, 0));
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_renew(stranger.engine, lease, 1));
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_abandon(stranger.engine, lease));
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_complete(lab.engine, none, text("x"), 0, NULL));
    /* Words that were changed on the way are nobody's lease. */
    for (int word = 0; word < 8; word++)
        for (int bit = 0; bit < 64; bit++) {
            idem_lease_t changed = lease;
            changed.opaque[word] ^= UINT64_C(1) << bit;
            idem_lease_info_t info;
            idem_status_t status = idem_lease_info(lab.engine, changed, &info);
            /* The attempt, and policies that there are, name nothing. */
            bool is_carried = (word == 1 && bit >= 32) ||
                              (word == 3 && (bit < 2 || bit == 8 || bit == 9));
            if (is_carried)
                CHECK(status == IDEM_OK || status == IDEM_STALE);
            else
                CHECK(status == (word == 0 ? IDEM_ERR_WRONG_ENGINE : IDEM_STALE));
        }
    STATUS(IDEM_ERR_NULL, idem_complete(NULL, lease, text("x"), 0, NULL));
    STATUS(IDEM_ERR_NULL, idem_complete(lab.engine, lease, idem_bytes(NULL, 1), 0, NULL));
    complete(&lab, lease, "x");
    lab_close(&lab);
    lab_close(&stranger);
}

static int given_back;

static void give_back(void *user) {
    given_back++;
    free(user);
}

static void responses(void) {
    lab lab = lab_open();
    complete(&lab, own(&lab, "k"), "0123456789");
    idem_outcome_t outcome = ask(&lab, "k");
    idem_response_t one = outcome.response, two;
    OK(idem_response_retain(&one, &two));
    CHECK(idem_response_data(&one) == one.data && idem_response_len(&one) == 10);
    char buffer[10];
    size_t len = 0;
    STATUS(IDEM_ERR_BUFFER, idem_response_copy(&one, buffer, 9, &len));
    CHECK(len == 10);
    OK(idem_response_copy(&one, buffer, sizeof buffer, NULL));
    CHECK(memcmp(buffer, "0123456789", 10) == 0);
    idem_info_t info;
    OK(idem_response_info(&one, &info));
    CHECK(info.left_ms >= RETENTION_MS);
    OK(idem_response_release(&one));
    STATUS(IDEM_ERR_RELEASED, idem_response_release(&one));
    STATUS(IDEM_ERR_RELEASED, idem_response_retain(&one, &two));
    STATUS(IDEM_ERR_RELEASED, idem_response_copy(&one, buffer, sizeof buffer, NULL));
    STATUS(IDEM_ERR_RELEASED, idem_response_info(&one, &info));
    CHECK(idem_response_data(&one) == NULL && idem_response_len(&one) == 0);
    CHECK(idem_response_data(NULL) == NULL && idem_response_len(NULL) == 0);
    /* Held on its own, whatever becomes of the record and the engine. */
    uint32_t removal;
    idem_key_t key = key_of("k");
    OK(idem_forget(lab.engine, &key, false, &removal));
    CHECK(removal == IDEM_REMOVAL_REMOVED && lab_stats(&lab).bytes > 0);
    OK(idem_engine_free(lab.engine));
    OK(idem_clock_free(lab.clock));
    CHECK(memcmp(two.data, "0123456789", 10) == 0);
    OK(idem_response_release(&two));
}

static void bytes_that_stay_where_they_are(void) {
    lab lab = lab_open();
    for (int i = 0; i < 3; i++) {
        size_t size = i == 0 ? 100 : 5000;
        char *body = malloc(size);
        CHECK(body);
        memset(body, 'a' + i, size);
        idem_lease_t lease = own(&lab, i == 2 ? "stale" : i ? "large" : "small");
        if (i == 2)
            OK(idem_cancel(lab.engine, lease, 0, 0));
        uint32_t completion = 0;
        given_back = 0;
        idem_status_t status = idem_complete_owned(lab.engine, lease, idem_bytes(body, size),
                                                   give_back, body, 0, &completion);
        STATUS(i == 2 ? IDEM_STALE : IDEM_OK, status);
        CHECK(given_back == (i != 1));
        if (i != 1)
            continue;
        idem_outcome_t outcome = ask(&lab, "large");
        CHECK(outcome.kind == IDEM_REPLAY && outcome.response.data == (uint8_t *)body);
        OK(idem_clock_advance(lab.clock, RETENTION_MS + 1000));
        lab_settle(&lab);
        CHECK(given_back == 0);
        OK(idem_response_release(&outcome.response));
        CHECK(given_back == 1);
    }
    lab_close(&lab);
}

static void no_room(void) {
    lab lab;
    OK(idem_clock_new(&lab.clock));
    idem_config_t config = lab_config(&lab);
    config.records = 2;
    config.bytes = 4096;
    config.max_response = 1000;
    config.waiters = 1;
    OK(idem_engine_new(&config, &lab.engine));
    idem_lease_t one = own(&lab, "one"), two = own(&lab, "two");
    idem_outcome_t outcome = ask(&lab, "three");
    CHECK(outcome.kind == IDEM_NO_ROOM && outcome.limit == IDEM_LIMIT_RECORDS);
    idem_waiter_t *waiter = join(&lab, "one");
    outcome = ask(&lab, "one");
    CHECK(outcome.kind == IDEM_NO_ROOM && outcome.limit == IDEM_LIMIT_WAITERS);
    OK(idem_waiter_free(waiter));
    static char large[2000];
    uint32_t completion;
    OK(idem_complete(lab.engine, one, idem_bytes(large, 1001), 0, &completion));
    CHECK(completion == IDEM_TOO_LARGE);
    CHECK(ask(&lab, "one").kind == IDEM_DONE);
    OK(idem_complete(lab.engine, two, text("x"), IDEM_ZERO, &completion));
    CHECK(ask(&lab, "two").kind == IDEM_EXECUTE);
    lab_close(&lab);
}

static void batches(void) {
    lab lab = lab_open();
    enum { COUNT = 40 };
    idem_claim_t claims[COUNT];
    idem_outcome_t outcomes[COUNT];
    idem_ending_t endings[COUNT];
    char names[COUNT][16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "k%d", i % (COUNT - 1));
        claims[i] = claim_of(names[i]);
        claims[i].flags = IDEM_CLAIM_NO_WAIT;
    }
    memset(outcomes, 0, sizeof outcomes);
    OK(idem_claim_batch(lab.engine, claims, COUNT, outcomes));
    memset(endings, 0, sizeof endings);
    for (int i = 0; i < COUNT; i++) {
        /* The same key twice: the second finds the first one's lease. */
        CHECK(outcomes[i].kind == (i < COUNT - 1 ? IDEM_EXECUTE : IDEM_IN_FLIGHT));
        endings[i].lease = outcomes[i].lease;
        endings[i].response = idem_bytes(names[i], strlen(names[i]));
    }
    endings[3].lease = endings[2].lease;
    OK(idem_cancel(lab.engine, outcomes[3].lease, 0, 0));
    OK(idem_complete_batch(lab.engine, endings, COUNT));
    for (int i = 0; i < COUNT; i++) {
        STATUS(i == COUNT - 1 ? IDEM_ERR_WRONG_ENGINE : i == 3 ? IDEM_STALE : IDEM_OK,
               endings[i].status);
        CHECK(endings[i].status != IDEM_OK || endings[i].completion == IDEM_STORED);
    }
    OK(idem_claim_batch(lab.engine, claims, 2, outcomes));
    CHECK(is_response(&outcomes[0], "k0") && is_response(&outcomes[1], "k1"));
    OK(idem_claim_batch(lab.engine, NULL, 0, NULL));
    OK(idem_complete_batch(lab.engine, NULL, 0));
    /* One that is wrong, and nothing is claimed. */
    uint64_t before = lab_stats(&lab).executes;
    claims[0] = claim_of("new");
    claims[1].key.kind = 0;
    STATUS(IDEM_ERR_VALUE, idem_claim_batch(lab.engine, claims, 2, outcomes));
    for (int i = 0; i < COUNT; i++)
        claims[i].key = claim_of("new").key;
    claims[COUNT - 1].lease_ms = IDEM_FOREVER;
    STATUS(IDEM_ERR_RANGE, idem_claim_batch(lab.engine, claims, COUNT, outcomes));
    CHECK(lab_stats(&lab).executes == before);
    STATUS(IDEM_ERR_NULL, idem_claim_batch(lab.engine, NULL, 2, outcomes));
    STATUS(IDEM_ERR_NULL, idem_claim_batch(lab.engine, claims, 2, NULL));
    STATUS(IDEM_ERR_TOO_LONG, idem_claim_batch(lab.engine, claims, SIZE_MAX / 2, outcomes));
    claims[1] = claim_of("other");
    claims[1].struct_size = 4096;
    STATUS(IDEM_ERR_SIZE, idem_claim_batch(lab.engine, claims, 2, outcomes));
    lab_close(&lab);
}

static void namespaces(void) {
    lab lab = lab_open(), stranger = lab_open();
    idem_namespace_options_t options = idem_namespace_options_init();
    options.records = 1;
    options.retention_ms = 5;
    idem_namespace_t *ns, *same, *foreign;
    OK(idem_namespace_new(lab.engine, text("orders"), &options, &ns));
    OK(idem_namespace_new(lab.engine, text("orders"), NULL, &same));
    OK(idem_namespace_new(stranger.engine, text("orders"), NULL, &foreign));
    idem_claim_t claim = claim_of("k");
    idem_outcome_t outcome;
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE);
    complete(&lab, outcome.lease, "default");
    claim.key.ns = ns;
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE);
    complete(&lab, outcome.lease, "orders");
    claim.key.ns = same;
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(is_response(&outcome, "orders"));
    idem_claim_t more = claim_of("more");
    more.key.ns = ns;
    OK(idem_claim(lab.engine, &more, &outcome));
    CHECK(outcome.kind == IDEM_NO_ROOM && outcome.limit == IDEM_LIMIT_NAMESPACE);
    OK(idem_namespace_clear(ns));
    OK(idem_claim(lab.engine, &claim, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE);
    complete(&lab, outcome.lease, "anew");
    outcome = ask(&lab, "k");
    CHECK(is_response(&outcome, "default"));
    OK(idem_clear(lab.engine));
    CHECK(ask(&lab, "k").kind == IDEM_EXECUTE);
    claim.key.ns = foreign;
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_claim(lab.engine, &claim, &outcome));
    options.records = 2;
    idem_namespace_t *none = NULL;
    STATUS(IDEM_ERR_LIMITS_SET, idem_namespace_new(lab.engine, text("orders"), &options, &none));
    STATUS(IDEM_ERR_EMPTY, idem_namespace_new(lab.engine, text(""), NULL, &none));
    STATUS(IDEM_ERR_NOT_TEXT, idem_namespace_new(lab.engine, text("\xff"), NULL, &none));
    options.lease_ms = IDEM_ZERO;
    STATUS(IDEM_ERR_RANGE, idem_namespace_new(lab.engine, text("other"), &options, &none));
    options = idem_namespace_options_init();
    options.on_expiry = 9;
    STATUS(IDEM_ERR_VALUE, idem_namespace_new(lab.engine, text("other"), &options, &none));
    options.struct_size = 1;
    STATUS(IDEM_ERR_SIZE, idem_namespace_new(lab.engine, text("other"), &options, &none));
    CHECK(none == NULL);
    OK(idem_namespace_free(ns));
    OK(idem_namespace_free(same));
    OK(idem_namespace_free(foreign));
    lab_close(&lab);
    lab_close(&stranger);
}

int main(void) {
    RUN(executes_once_and_replays);
    RUN(keys_are_bytes);
    RUN(wrong_keys);
    RUN(wrong_claims);
    RUN(fingerprints);
    RUN(ends_of_leases);
    RUN(times);
    RUN(leases_of_others);
    RUN(responses);
    RUN(bytes_that_stay_where_they_are);
    RUN(no_room);
    RUN(batches);
    RUN(namespaces);
    return 0;
}
