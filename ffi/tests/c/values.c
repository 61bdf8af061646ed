/* Values that are elsewhere: handed out with replays, and told of once when they are over. */
#include "check.h"

#include <poll.h>

/* Completes with a value that weighs 100 bytes, kept on the terms of the claim. */
static void complete_value(const lab *lab, const idem_queue_t *queue, const char *name, uint64_t value,
                           uint64_t retention_ms) {
    uint32_t completion = 0;
    OK(idem_complete_value(lab->engine, own(lab, name), value, 100, queue, retention_ms, &completion));
    CHECK(completion == IDEM_STORED);
}

/* The values that are over, in their order, as the digits of a number. */
static uint64_t evicted(const idem_queue_t *queue) {
    idem_ended_t events[8];
    uint64_t values = 0;
    size_t taken;
    do {
        OK(idem_poll(queue, events, 8, &taken));
        for (size_t i = 0; i < taken; i++) {
            CHECK(events[i].outcome.kind == IDEM_EVICTED && events[i].tag == 0);
            CHECK(events[i].outcome.waiter == NULL && events[i].outcome.response.len == 0);
            values = values * 10 + events[i].outcome.value;
        }
    } while (taken);
    return values;
}

static bool is_readable(const idem_queue_t *queue) {
    struct pollfd fd = {0};
    OK(idem_queue_fd(queue, &fd.fd));
    fd.events = POLLIN;
    return poll(&fd, 1, 0) == 1;
}

static void replays_have_it_until_it_is_over(void) {
    lab lab = lab_open();
    idem_queue_t *queue;
    OK(idem_queue_new(&queue));
    complete_value(&lab, queue, "k", 7, 0);
    idem_outcome_t first = ask(&lab, "k"), second = ask(&lab, "k");
    CHECK(first.kind == IDEM_REPLAY && first.value == 7);
    CHECK(first.response.data == NULL && first.response.len == 0);
    CHECK(second.kind == IDEM_REPLAY && second.value == 7);
    OK(idem_response_release(&second.response));
    OK(idem_clock_advance(lab.clock, RETENTION_MS + 1));
    lab_settle(&lab);
    /* The record is over; somebody still has the value. */
    CHECK(evicted(queue) == 0 && !is_readable(queue));
    CHECK(ask(&lab, "k").kind == IDEM_EXECUTE);
    OK(idem_response_release(&first.response));
    CHECK(is_readable(queue));
    CHECK(evicted(queue) == 7 && !is_readable(queue));
    complete(&lab, own(&lab, "bytes"), "made");
    idem_outcome_t bytes = ask(&lab, "bytes");
    CHECK(bytes.value == 0 && is_response(&bytes, "made"));
    lab_close(&lab);
    OK(idem_queue_free(queue));
}

static void those_who_wait_have_it(void) {
    lab lab = lab_open();
    idem_queue_t *queue;
    OK(idem_queue_new(&queue));
    idem_lease_t lease = own(&lab, "k");
    OK(idem_wait_in(join(&lab, "k"), queue, 9, NULL));
    OK(idem_complete_value(lab.engine, lease, 5, 0, queue, IDEM_ZERO, NULL));
    idem_ended_t ended;
    size_t taken;
    OK(idem_poll(queue, &ended, 1, &taken));
    CHECK(taken == 1 && ended.tag == 9 && ended.outcome.kind == IDEM_REPLAY);
    CHECK(ended.outcome.value == 5 && evicted(queue) == 0);
    OK(idem_response_release(&ended.outcome.response));
    CHECK(evicted(queue) == 5);
    lab_close(&lab);
    OK(idem_queue_free(queue));
}

static void what_is_not_stored_is_over_at_once(void) {
    lab lab = lab_open();
    idem_queue_t *queue;
    OK(idem_queue_new(&queue));
    /* Nobody waits, and it is not kept. */
    complete_value(&lab, queue, "a", 1, IDEM_ZERO);
    /* Heavier than anything may be: a tombstone. */
    uint32_t completion = 0;
    OK(idem_complete_value(lab.engine, own(&lab, "b"), 2, UINT64_MAX, queue, 0, &completion));
    CHECK(completion == IDEM_TOO_LARGE && ask(&lab, "b").kind == IDEM_DONE);
    /* Of a lease that is over. */
    idem_lease_t lease = own(&lab, "c");
    complete(&lab, lease, "made");
    STATUS(IDEM_STALE, idem_complete_value(lab.engine, lease, 3, 0, queue, 0, NULL));
    CHECK(evicted(queue) == 123);
    struct lab other = lab_open();
    lease = own(&lab, "d");
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_complete_value(other.engine, lease, 4, 0, queue, 0, NULL));
    CHECK(evicted(queue) == 4);
    STATUS(IDEM_ERR_RANGE, idem_complete_value(lab.engine, lease, 5, 0, queue, UINT64_MAX - 2, NULL));
    STATUS(IDEM_ERR_NULL, idem_complete_value(lab.engine, lease, 5, 0, NULL, 0, NULL));
    STATUS(IDEM_ERR_NULL, idem_complete_value(NULL, lease, 5, 0, queue, 0, NULL));
    CHECK(evicted(queue) == 0);
    lab_close(&other);
    lab_close(&lab);
    OK(idem_queue_free(queue));
}

static void more_than_are_asked_for_stay(void) {
    lab lab = lab_open();
    idem_queue_t *queue;
    OK(idem_queue_new(&queue));
    for (uint64_t value = 1; value <= 3; value++)
        complete_value(&lab, queue, "k", value, IDEM_ZERO);
    idem_ended_t events[2];
    size_t taken;
    OK(idem_poll(queue, events, 2, &taken));
    CHECK(taken == 2 && is_readable(queue));
    CHECK(evicted(queue) == 3 && !is_readable(queue));
    /* Clearing ends values as their time does. */
    complete_value(&lab, queue, "k", 4, 0);
    OK(idem_clear(lab.engine));
    lab_settle(&lab);
    CHECK(evicted(queue) == 4);
    /* A value may outlive its queue, and its engine. */
    complete_value(&lab, queue, "l", 5, 0);
    idem_outcome_t held = ask(&lab, "l");
    OK(idem_queue_free(queue));
    CHECK(held.value == 5);
    OK(idem_engine_free(lab.engine));
    OK(idem_response_release(&held.response));
    OK(idem_clock_free(lab.clock));
}

int main(void) {
    RUN(replays_have_it_until_it_is_over);
    RUN(those_who_wait_have_it);
    RUN(what_is_not_stored_is_over_at_once);
    RUN(more_than_are_asked_for_stay);
    return 0;
}
