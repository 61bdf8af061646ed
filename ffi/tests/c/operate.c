/* Seeing inside, and acting on keys from outside. */
#include "check.h"

static void peeks(void) {
    lab lab = lab_open();
    idem_key_t key = key_of("k");
    idem_peek_t peek;
    char buffer[16];
    OK(idem_peek(lab.engine, &key, &peek));
    CHECK(peek.state == IDEM_STATE_VACANT);
    idem_claim_t claim = claim_of("k");
    claim.owner = 77;
    idem_outcome_t outcome;
    OK(idem_claim(lab.engine, &claim, &outcome));
    OK(idem_peek(lab.engine, &key, &peek));
    CHECK(peek.state == IDEM_STATE_IN_FLIGHT && peek.info.owner == 77);
    complete(&lab, outcome.lease, "made");
    OK(idem_peek(lab.engine, &key, &peek));
    CHECK(peek.state == IDEM_STATE_COMPLETED && peek.has_response == 1 && peek.len == 4);
    CHECK(peek.is_error == 0 && peek.info.left_ms >= RETENTION_MS);
    OK(idem_peek_copy(lab.engine, &key, &peek, buffer, sizeof buffer));
    CHECK(memcmp(buffer, "made", 4) == 0);
    memset(&peek, 0, sizeof peek);
    STATUS(IDEM_ERR_BUFFER, idem_peek_copy(lab.engine, &key, &peek, buffer, 3));
    CHECK(peek.len == 4);
    STATUS(IDEM_ERR_NULL, idem_peek(NULL, &key, &peek));
    STATUS(IDEM_ERR_NULL, idem_peek(lab.engine, NULL, &peek));
    STATUS(IDEM_ERR_NULL, idem_peek(lab.engine, &key, NULL));
    STATUS(IDEM_ERR_NULL, idem_peek_copy(lab.engine, &key, &peek, NULL, 1));
    key.kind = 0;
    STATUS(IDEM_ERR_VALUE, idem_peek(lab.engine, &key, &peek));
    lab_close(&lab);
}

static void forgetting(void) {
    lab lab = lab_open();
    idem_key_t key = key_of("k");
    uint32_t removal;
    OK(idem_forget(lab.engine, &key, false, &removal));
    CHECK(removal == IDEM_REMOVAL_VACANT);
    idem_lease_t lease = own(&lab, "k");
    idem_waiter_t *waiter = join(&lab, "k");
    OK(idem_forget(lab.engine, &key, false, &removal));
    CHECK(removal == IDEM_REMOVAL_IN_FLIGHT);
    OK(idem_forget(lab.engine, &key, true, &removal));
    CHECK(removal == IDEM_REMOVAL_REMOVED);
    idem_outcome_t outcome;
    OK(idem_wait(waiter, 0, &outcome));
    CHECK(outcome.kind == IDEM_CANCELLED && outcome.reason == IDEM_REASON_FORGOTTEN);
    STATUS(IDEM_STALE, idem_complete(lab.engine, lease, text("x"), 0, NULL));
    OK(idem_halt(lab.engine, own(&lab, "k"), 0));
    OK(idem_forget(lab.engine, &key, false, &removal));
    CHECK(removal == IDEM_REMOVAL_HALTED);
    OK(idem_forget(lab.engine, &key, true, NULL));
    STATUS(IDEM_ERR_NULL, idem_forget(NULL, &key, true, NULL));
    STATUS(IDEM_ERR_NULL, idem_forget(lab.engine, NULL, true, NULL));
    lab_close(&lab);
}

static void detaching(void) {
    lab lab = lab_open();
    idem_key_t key = key_of("k");
    bool done = true;
    OK(idem_detach(lab.engine, &key, &done));
    CHECK(!done);
    idem_lease_t old = own(&lab, "k");
    idem_waiter_t *waiter = join(&lab, "k");
    OK(idem_detach(lab.engine, &key, &done));
    CHECK(done);
    idem_lease_t lease = own(&lab, "k");
    uint32_t completion;
    OK(idem_complete(lab.engine, old, text("old"), 0, &completion));
    CHECK(completion == IDEM_DETACHED);
    idem_outcome_t outcome;
    OK(idem_wait(waiter, 0, &outcome));
    CHECK(is_response(&outcome, "old"));
    complete(&lab, lease, "new");
    outcome = ask(&lab, "k");
    CHECK(is_response(&outcome, "new"));
    lab_close(&lab);
}

static void forcing(void) {
    lab lab = lab_open();
    idem_key_t key = key_of("k");
    bool done = true;
    OK(idem_force_end(lab.engine, &key, 0, &done));
    CHECK(!done);
    idem_lease_t lease = own(&lab, "k");
    STATUS(IDEM_ERR_VALUE, idem_force_end(lab.engine, &key, 9, &done));
    OK(idem_force_end(lab.engine, &key, IDEM_ON_END_HALT, &done));
    CHECK(done);
    STATUS(IDEM_STALE, idem_complete(lab.engine, lease, text("x"), 0, NULL));
    idem_peek_t peek;
    OK(idem_peek(lab.engine, &key, &peek));
    CHECK(peek.state == IDEM_STATE_HALTED && peek.reason == IDEM_REASON_FORCED);

    uint32_t completion = 0;
    idem_bytes_t none = idem_bytes(NULL, 0);
    STATUS(IDEM_STALE, idem_resolve(lab.engine, &key, peek.halt + 1, IDEM_RESOLVE_RELEASE, none, 0,
                                    NULL));
    STATUS(IDEM_ERR_VALUE, idem_resolve(lab.engine, &key, peek.halt, 9, none, 0, NULL));
    OK(idem_resolve(lab.engine, &key, peek.halt, IDEM_RESOLVE_KEEP, none, 0, &completion));
    CHECK(completion == 0);
    OK(idem_peek(lab.engine, &key, &peek));
    STATUS(IDEM_ERR_RANGE, idem_resolve(lab.engine, &key, peek.halt, IDEM_RESOLVE_COMPLETE,
                                        text("settled"), IDEM_ZERO, &completion));
    OK(idem_resolve(lab.engine, &key, peek.halt, IDEM_RESOLVE_COMPLETE, text("settled"), 5000,
                    &completion));
    CHECK(completion == IDEM_STORED);
    idem_outcome_t outcome = ask(&lab, "k");
    CHECK(is_response(&outcome, "settled"));
    STATUS(IDEM_STALE,
           idem_resolve(lab.engine, &key, peek.halt, IDEM_RESOLVE_RELEASE, none, 0, NULL));
    OK(idem_forget(lab.engine, &key, false, NULL));
    OK(idem_halt(lab.engine, own(&lab, "k"), 0));
    OK(idem_peek(lab.engine, &key, &peek));
    OK(idem_resolve(lab.engine, &key, peek.halt, IDEM_RESOLVE_RELEASE, none, 0, NULL));
    CHECK(ask(&lab, "k").kind == IDEM_EXECUTE);
    lab_close(&lab);
}

static idem_engine_t *of_hook;

/* Takes every key away from who has just got it. */
static void take_away(void *user, const idem_event_t *event) {
    idem_key_t key = idem_key_of("scope", 5, "webhook", 7);
    if (event->what == IDEM_WHAT_EXECUTES)
        OK(idem_forget(*(idem_engine_t **)user, &key, true, NULL));
}

/* Nobody may be told that somebody else was first, if nobody was. */
static void first_times_taken_away(void) {
    idem_config_t config = idem_config_init();
    config.hook = take_away;
    config.hook_user = &of_hook;
    OK(idem_engine_new(&config, &of_hook));
    idem_claim_t claim = idem_claim_init(idem_key_of("scope", 5, "webhook", 7));
    bool first = true;
    STATUS(IDEM_UNDECIDED, idem_once(of_hook, &claim, 1000, &first));
    idem_peek_t peek;
    OK(idem_peek(of_hook, &claim.key, &peek));
    CHECK(peek.state == IDEM_STATE_VACANT);
    OK(idem_engine_free(of_hook));
}

static void first_times(void) {
    lab lab = lab_open();
    idem_claim_t claim = claim_of("webhook");
    bool first = false;
    OK(idem_once(lab.engine, &claim, 1000, &first));
    CHECK(first);
    OK(idem_once(lab.engine, &claim, 1000, &first));
    CHECK(!first);
    OK(idem_clock_advance(lab.clock, 1002));
    OK(idem_once(lab.engine, &claim, 1000, &first));
    CHECK(first);
    STATUS(IDEM_ERR_NULL, idem_once(lab.engine, &claim, 1000, NULL));
    STATUS(IDEM_ERR_RANGE, idem_once(lab.engine, &claim, IDEM_ZERO, &first));
    claim.retention_ms = IDEM_ZERO;
    STATUS(IDEM_ERR_RANGE, idem_once(lab.engine, &claim, 0, &first));
    /* As long as the namespace keeps what is done. */
    claim = claim_of("message");
    OK(idem_once(lab.engine, &claim, 0, &first));
    CHECK(first);
    OK(idem_clock_advance(lab.clock, RETENTION_MS - 1));
    OK(idem_once(lab.engine, &claim, 0, &first));
    CHECK(!first);
    OK(idem_halt(lab.engine, own(&lab, "halted"), 0));
    claim = claim_of("halted");
    STATUS(IDEM_UNDECIDED, idem_once(lab.engine, &claim, 1000, &first));
    lab_close(&lab);
}

static void listings(void) {
    lab lab = lab_open();
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i);
        idem_lease_t lease = own(&lab, name);
        if (i % 2)
            OK(idem_halt(lab.engine, lease, IDEM_REASON_CODE + 5));
    }
    complete(&lab, own(&lab, "finished"), "x");
    idem_waiter_t *waiter = join(&lab, "k0");
    idem_listing_t *listing;
    OK(idem_list(lab.engine, &listing));
    idem_record_t records[4];
    size_t taken = 4, in_flight = 0, halted = 0, waiters = 0;
    while (taken == 4) {
        OK(idem_listing_next(listing, records, 4, &taken));
        for (size_t i = 0; i < taken; i++) {
            in_flight += records[i].state == IDEM_STATE_IN_FLIGHT;
            halted += records[i].state == IDEM_STATE_HALTED;
            waiters += records[i].waiters;
            CHECK(records[i].is_detached == 0);
            /* Acts on it by what the listing says. */
            idem_key_t key = idem_key_listed(&records[i]);
            uint8_t its[16];
            OK(idem_key_hash(lab.engine, &key, its));
            CHECK(memcmp(its, records[i].key_hash, 16) == 0);
            idem_peek_t peek;
            OK(idem_peek(lab.engine, &key, &peek));
            CHECK(peek.state == records[i].state);
            if (peek.state == IDEM_STATE_IN_FLIGHT) {
                bool done;
                OK(idem_force_end(lab.engine, &key, IDEM_ON_END_FAIL_WAITERS, &done));
                CHECK(done && records[i].attempt == 1);
            } else {
                CHECK(records[i].reason == IDEM_REASON_CODE + 5);
                OK(idem_resolve(lab.engine, &key, records[i].halt, IDEM_RESOLVE_RELEASE,
                                idem_bytes(NULL, 0), 0, NULL));
            }
        }
    }
    CHECK(in_flight == 5 && halted == 5 && waiters == 1);
    uint8_t hash[16], other[16];
    idem_key_t halted_key = key_of("k1"), other_key = key_of("k2");
    OK(idem_key_hash(lab.engine, &halted_key, hash));
    OK(idem_key_hash(lab.engine, &other_key, other));
    CHECK(memcmp(hash, other, 16) != 0);
    STATUS(IDEM_ERR_NULL, idem_key_hash(lab.engine, &halted_key, NULL));
    OK(idem_listing_free(listing));
    OK(idem_list(lab.engine, &listing));
    OK(idem_listing_next(listing, records, 4, &taken));
    CHECK(taken == 0);
    OK(idem_listing_free(listing));
    idem_outcome_t outcome;
    OK(idem_wait(waiter, 0, &outcome));
    CHECK(outcome.kind == IDEM_CANCELLED && outcome.reason == IDEM_REASON_FORCED);
    /* A record of another engine, or of none. */
    struct lab stranger = lab_open();
    idem_key_t key = idem_key_listed(&records[0]);
    idem_peek_t peek;
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_peek(stranger.engine, &key, &peek));
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_key_hash(stranger.engine, &key, hash));
    idem_namespace_t *foreign;
    OK(idem_namespace_new(stranger.engine, text("orders"), NULL, &foreign));
    idem_key_t of_stranger = claim_of("k").key;
    of_stranger.ns = foreign;
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_key_hash(lab.engine, &of_stranger, hash));
    OK(idem_namespace_free(foreign));
    /* Bytes have no alignment. */
    uint8_t copy[sizeof records[0].ref + 1];
    memcpy(copy + 1, records[0].ref, sizeof records[0].ref);
    key.key.data = copy + 1;
    OK(idem_peek(lab.engine, &key, &peek));
    key.key.data = records[0].ref;
    records[0].ref[3] = UINT64_MAX;
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_peek(lab.engine, &key, &peek));
    key.key.len = 3;
    STATUS(IDEM_ERR_SIZE, idem_peek(lab.engine, &key, &peek));
    STATUS(IDEM_ERR_NULL, idem_list(NULL, &listing));
    STATUS(IDEM_ERR_NULL, idem_list(lab.engine, NULL));
    STATUS(IDEM_ERR_NULL, idem_listing_next(NULL, records, 4, &taken));
    lab_close(&lab);
    lab_close(&stranger);
}

static void counters(void) {
    lab lab = lab_open();
    complete(&lab, own(&lab, "k"), "made");
    idem_outcome_t outcome = ask(&lab, "k");
    OK(idem_response_release(&outcome.response));
    idem_stats_t stats = idem_stats_init();
    OK(idem_stats(lab.engine, &stats));
    CHECK(stats.executes == 1 && stats.completes == 1 && stats.replays == 1);
    CHECK(stats.records == 1 && stats.records_peak == 1 && stats.bytes >= 64);
    /* One that knows fewer, and one that knows more. */
    stats.struct_size = 16;
    stats.executes = stats.replays = 99;
    OK(idem_stats(lab.engine, &stats));
    CHECK(stats.struct_size == 16 && stats.executes == 1 && stats.replays == 99);
    struct {
        idem_stats_t stats;
        uint64_t more;
    } longer;
    memset(&longer, 0xff, sizeof longer);
    longer.stats.struct_size = sizeof longer;
    OK(idem_stats(lab.engine, &longer.stats));
    CHECK(longer.stats.replays == 1 && longer.more == 0);
    stats.struct_size = 0;
    STATUS(IDEM_ERR_SIZE, idem_stats(lab.engine, &stats));
    STATUS(IDEM_ERR_NULL, idem_stats(lab.engine, NULL));
    lab_close(&lab);
}

int main(void) {
    RUN(peeks);
    RUN(forgetting);
    RUN(detaching);
    RUN(forcing);
    RUN(first_times);
    RUN(first_times_taken_away);
    RUN(listings);
    RUN(counters);
    return 0;
}
