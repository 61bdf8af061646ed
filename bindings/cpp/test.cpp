// The wrapper: everything is let go of, by whatever way it goes.
#include "idem.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);           \
            std::exit(1);                                                                          \
        }                                                                                          \
    } while (0)

static idem::claim claim_of(const char *name) { return idem::claim(idem::key("tenant", name)); }

static void executes_and_replays() {
    auto engine = idem::engine::open();
    CHECK(engine);
    auto first = engine.claim(claim_of("k"));
    CHECK(first.kind() == IDEM_EXECUTE && first.attempt() == 1);
    auto second = engine.claim(claim_of("k"));
    CHECK(second.kind() == IDEM_IN_FLIGHT && second.waiter());
    CHECK(first.lease().complete(std::string("made")) == IDEM_OK);
    auto waited = second.waiter().wait();
    CHECK(waited.kind() == IDEM_REPLAY && waited.response().view().text() == "made");
    idem::response kept;
    {
        auto third = engine.claim(claim_of("k"));
        kept = third.response();
    }
    CHECK(kept.view().text() == "made");
}

static void claims_own_their_keys() {
    auto engine = idem::engine::open();
    const std::string tenant(100, 't');
    auto claim = idem::claim(idem::key(tenant + "x", "b"));
    auto copy = claim;
    const auto moved = std::move(claim);
    CHECK(engine.claim(moved).lease().complete("made") == IDEM_OK);
    CHECK(engine.claim(copy).kind() == IDEM_REPLAY);
    CHECK(engine.claim(idem::claim(idem::key::global("b"))).kind() == IDEM_EXECUTE);
    copy.fingerprint({1, 2, 3});
    auto other = idem::claim(idem::key(tenant, "c")).fingerprint({1});
    CHECK(engine.claim(other).lease().complete("made") == IDEM_OK);
    CHECK(engine.claim(other.fingerprint({2})).kind() == IDEM_MISMATCH);
}

static void a_dropped_lease_is_abandoned() {
    auto engine = idem::engine::open();
    { auto outcome = engine.claim(claim_of("k")); }
    auto outcome = engine.claim(claim_of("k"));
    CHECK(outcome.kind() == IDEM_EXECUTE && outcome.origin() == IDEM_ORIGIN_FRESH);
    const idem_lease_t raw = outcome.lease().release();
    CHECK(!outcome.lease());
    CHECK(engine.adopt(raw).complete("made") == IDEM_OK);
    CHECK(engine.adopt(raw).complete("again") == IDEM_STALE);
    CHECK(engine.stats().completes == 1);
}

static void a_dropped_waiter_leaves() {
    auto engine = idem::engine::open();
    auto owner = engine.claim(claim_of("k"));
    { auto other = engine.claim(claim_of("k")); }
    CHECK(engine.stats().waiters == 0);
    CHECK(owner.lease().cancel() == IDEM_OK);
}

static void callbacks_and_queues() {
    auto engine = idem::engine::open();
    auto owner = engine.claim(claim_of("k"));
    int called = 0;
    engine.claim(claim_of("k")).waiter().then([&](idem::outcome outcome) {
        CHECK(outcome.kind() == IDEM_REPLAY);
        called++;
    });
    CHECK(engine.claim(claim_of("k")).waiter().then([&](idem::outcome) { std::abort(); }).cancel());
    auto queue = engine.queue();
    CHECK(queue && queue.descriptor() >= 0);
    engine.claim(claim_of("k")).waiter().end_in(queue, 7);
    CHECK(queue.poll([](std::uint64_t, idem::outcome) { std::abort(); }) == 0);
    CHECK(owner.lease().complete_owned(std::string(5000, 'x')) == IDEM_OK);
    CHECK(called == 1);
    std::uint64_t seen = 0;
    CHECK(queue.poll([&](std::uint64_t tag, idem::outcome outcome) {
        CHECK(outcome.response().view().size() == 5000);
        seen = tag;
    }) == 1);
    CHECK(seen == 7);
    CHECK(engine.drain(idem::forever) == IDEM_OK);
}

static void batches() {
    auto engine = idem::engine::open();
    auto outcomes = engine.claim({claim_of("a"), claim_of("b"), claim_of("c")});
    CHECK(outcomes.size() == 3);
    for (auto &outcome : outcomes)
        CHECK(outcome.lease().complete("x") == IDEM_OK);
}

static void errors() {
    auto engine = idem::engine::open();
    const idem::claim wrong = claim_of("");
#ifdef IDEM_EXCEPTIONS
    try {
        engine.claim(wrong);
        CHECK(false);
    } catch (const idem::error &error) {
        CHECK(error.status() == IDEM_ERR_EMPTY);
    }
#else
    idem_status_t status = IDEM_OK;
    CHECK(engine.claim(wrong, &status).kind() == 0);
    CHECK(status == IDEM_ERR_EMPTY);
    idem_config_t config = idem_config_init();
    config.records = IDEM_ZERO;
    CHECK(!idem::engine::open(&config));
#endif
}

static void threads() {
    auto engine = idem::engine::open();
    std::atomic<int> executed{0};
    std::vector<std::thread> pool;
    for (int i = 0; i < 8; i++)
        pool.emplace_back([&] {
            for (int round = 0; round < 100; round++) {
                auto outcome = engine.claim(claim_of(std::to_string(round).c_str()));
                if (outcome.kind() == IDEM_IN_FLIGHT)
                    outcome = outcome.waiter().wait();
                if (outcome.kind() == IDEM_EXECUTE) {
                    executed++;
                    CHECK(outcome.lease().complete("made") == IDEM_OK);
                } else {
                    CHECK(outcome.kind() == IDEM_REPLAY);
                }
            }
        });
    for (auto &thread : pool)
        thread.join();
    CHECK(executed == 100);
}

int main() {
    executes_and_replays();
    claims_own_their_keys();
    a_dropped_lease_is_abandoned();
    a_dropped_waiter_leaves();
    callbacks_and_queues();
    batches();
    errors();
    threads();
    std::puts("idem.hpp: well");
    return 0;
}
