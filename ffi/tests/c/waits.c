/* The three ways to wait: blocked, by callback, in a completion queue. */
#include "check.h"

#include <poll.h>
#include <pthread.h>

static bool is_readable(const idem_queue_t *queue) {
    struct pollfd fd = {0};
    OK(idem_queue_fd(queue, &fd.fd));
    fd.events = POLLIN;
    return poll(&fd, 1, 0) == 1;
}

/* What has ended, at most 64 waits. */
static size_t ended(const idem_queue_t *queue, idem_ended_t *events) {
    size_t taken = 1000;
    OK(idem_poll(queue, events, 64, &taken));
    return taken;
}

struct blocked {
    lab *lab;
    const char *name;
    idem_outcome_t outcome;
};

static void *block(void *argument) {
    struct blocked *blocked = argument;
    OK(idem_wait(join(blocked->lab, blocked->name), IDEM_FOREVER, &blocked->outcome));
    return NULL;
}

static void until_asleep(const lab *lab, uint64_t wanted) {
    uint64_t count = 0;
    while (count != wanted)
        OK(idem_clock_sleepers(lab->clock, &count));
}

static void a_thread_blocks_until_the_end(void) {
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k");
    struct blocked blocked = {&lab, "k", {0}};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, block, &blocked) == 0);
    until_asleep(&lab, 1);
    complete(&lab, lease, "made");
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(is_response(&blocked.outcome, "made"));
    lab_close(&lab);
}

static void a_wait_is_over(void) {
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k");
    idem_outcome_t outcome;
    idem_waiter_t *waiter = join(&lab, "k");
    STATUS(IDEM_ERR_NULL, idem_wait(NULL, 0, &outcome));
    STATUS(IDEM_ERR_NULL, idem_wait(waiter, 0, NULL));
    OK(idem_wait(waiter, 0, &outcome));
    CHECK(outcome.kind == IDEM_WAIT_OVER);
    CHECK(lab_stats(&lab).waiters == 0);
    waiter = join(&lab, "k");
    CHECK(lab_stats(&lab).waiters == 1);
    OK(idem_waiter_free(waiter));
    CHECK(lab_stats(&lab).waiters == 0);
    complete(&lab, lease, "x");
    lab_close(&lab);
}

static void hand_over(void) {
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k");
    idem_waiter_t *first = join(&lab, "k"), *second = join(&lab, "k"), *third = join(&lab, "k");
    idem_outcome_t outcome;
    OK(idem_cancel(lab.engine, lease, 0, 0));
    OK(idem_wait(second, 0, &outcome));
    CHECK(outcome.kind == IDEM_WAIT_OVER);
    OK(idem_wait(first, 0, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE && outcome.origin == IDEM_ORIGIN_AFTER_CANCEL);
    CHECK(outcome.attempt == 2);
    OK(idem_cancel(lab.engine, outcome.lease, IDEM_ON_END_FAIL_WAITERS, IDEM_REASON_CODE + 3));
    OK(idem_wait(third, 0, &outcome));
    CHECK(outcome.kind == IDEM_CANCELLED && outcome.reason == IDEM_REASON_CODE + 3);
    lab_close(&lab);
}

static void a_lease_that_ran_out_passes_on(void) {
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k");
    idem_waiter_t *waiter = join(&lab, "k");
    OK(idem_clock_advance(lab.clock, LEASE_MS + 1000));
    idem_outcome_t outcome;
    OK(idem_wait(waiter, IDEM_FOREVER, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE && outcome.origin == IDEM_ORIGIN_AFTER_EXPIRY);
    STATUS(IDEM_STALE, idem_complete(lab.engine, lease, text("late"), 0, NULL));
    complete(&lab, outcome.lease, "x");
    lab_close(&lab);
}

struct calls {
    lab *lab;
    int count;
    int destroyed;
    uint32_t kind;
};

static void on_end(void *user, const idem_outcome_t *outcome) {
    struct calls *calls = user;
    calls->count++;
    calls->kind = outcome->kind;
    if (outcome->kind == IDEM_REPLAY) {
        idem_response_t response = outcome->response;
        CHECK(response.len == 4 && memcmp(response.data, "made", 4) == 0);
        OK(idem_response_release(&response));
    }
    /* Calls back into the engine. */
    if (outcome->kind == IDEM_EXECUTE)
        complete(calls->lab, outcome->lease, "made");
}

static void on_destroy(void *user) {
    ((struct calls *)user)->destroyed++;
}

static void callbacks(void) {
    lab lab = lab_open();
    struct calls calls = {&lab, 0, 0, 0}, cancelled = calls;
    idem_lease_t lease = own(&lab, "k");
    idem_waiter_t *waiter = join(&lab, "k");
    idem_pending_t *wait;
    STATUS(IDEM_ERR_NULL, idem_wait_callback(waiter, NULL, NULL, NULL, &wait));
    STATUS(IDEM_ERR_NULL, idem_wait_callback(NULL, on_end, NULL, NULL, &wait));
    OK(idem_wait_callback(waiter, on_end, &cancelled, on_destroy, &wait));
    OK(idem_wait_cancel(wait));
    CHECK(cancelled.count == 0 && cancelled.destroyed == 1);
    /* The first executes, and by that calls the others. */
    for (int i = 0; i < 5; i++)
        OK(idem_wait_callback(join(&lab, "k"), on_end, &calls, on_destroy, i == 4 ? &wait : NULL));
    CHECK(calls.count == 0);
    OK(idem_cancel(lab.engine, lease, 0, 0));
    CHECK(calls.count == 5 && calls.destroyed == 5);
    STATUS(IDEM_TOO_LATE, idem_wait_cancel(wait));
    STATUS(IDEM_ERR_NULL, idem_wait_cancel(NULL));
    lab_close(&lab);
}

static void a_callback_without_a_destroy(void) {
    lab lab = lab_open();
    struct calls calls = {&lab, 0, 0, 0};
    idem_lease_t lease = own(&lab, "k");
    idem_pending_t *wait;
    OK(idem_wait_callback(join(&lab, "k"), on_end, &calls, NULL, &wait));
    OK(idem_wait_free(wait));
    complete(&lab, lease, "made");
    CHECK(calls.count == 1 && calls.destroyed == 0);
    lab_close(&lab);
}

static void queues(void) {
    lab lab = lab_open();
    idem_queue_t *one, *other;
    OK(idem_queue_new(&one));
    OK(idem_queue_new(&other));
    idem_lease_t lease = own(&lab, "k");
    for (uint64_t tag = 1; tag <= 10; tag++)
        OK(idem_wait_in(join(&lab, "k"), tag % 2 ? one : other, tag, NULL));
    idem_ended_t events[64];
    CHECK(is_readable(one) && is_readable(other));
    CHECK(ended(one, events) == 0 && ended(other, events) == 0);
    CHECK(!is_readable(one) && !is_readable(other));
    complete(&lab, lease, "made");
    CHECK(is_readable(one) && is_readable(other));
    uint64_t seen = 0;
    for (int round = 0; round < 3; round++) {
        size_t taken;
        OK(idem_poll(one, events, 2, &taken));
        CHECK(taken == (round < 2 ? 2 : 1));
        CHECK(is_readable(one) == (round < 2));
        for (size_t i = 0; i < taken; i++) {
            CHECK(is_response(&events[i].outcome, "made"));
            seen |= UINT64_C(1) << events[i].tag;
        }
    }
    CHECK(seen == (1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 9));
    /* What nobody polls for is given up with the queue. */
    OK(idem_queue_free(other));
    CHECK(ended(one, events) == 0);
    OK(idem_queue_free(one));
    CHECK(lab_stats(&lab).waiters == 0);
    lab_close(&lab);
}

static void a_queue_accepts_as_it_hands_out(void) {
    lab lab = lab_open();
    idem_queue_t *queue;
    OK(idem_queue_new(&queue));
    idem_ended_t events[64];
    idem_lease_t lease = own(&lab, "k");
    idem_pending_t *first, *second;
    OK(idem_wait_in(join(&lab, "k"), queue, 1, &first));
    OK(idem_wait_in(join(&lab, "k"), queue, 2, &second));
    CHECK(ended(queue, events) == 0);
    OK(idem_cancel(lab.engine, lease, 0, 0));
    OK(idem_wait_cancel(first));
    CHECK(ended(queue, events) == 1 && events[0].tag == 2);
    CHECK(events[0].outcome.kind == IDEM_EXECUTE);
    STATUS(IDEM_TOO_LATE, idem_wait_cancel(second));
    complete(&lab, events[0].outcome.lease, "x");
    OK(idem_queue_free(queue));
    lab_close(&lab);
}

static void wrong_arguments(void) {
    lab lab = lab_open();
    idem_queue_t *queue;
    idem_ended_t events[2];
    size_t taken;
    int fd;
    STATUS(IDEM_ERR_NULL, idem_queue_new(NULL));
    OK(idem_queue_new(&queue));
    STATUS(IDEM_ERR_NULL, idem_queue_fd(NULL, &fd));
    STATUS(IDEM_ERR_NULL, idem_queue_fd(queue, NULL));
    STATUS(IDEM_ERR_NULL, idem_poll(NULL, events, 2, &taken));
    STATUS(IDEM_ERR_NULL, idem_poll(queue, NULL, 2, &taken));
    STATUS(IDEM_ERR_NULL, idem_poll(queue, events, 2, NULL));
    OK(idem_poll(queue, NULL, 0, &taken));
    CHECK(taken == 0);
    idem_lease_t lease = own(&lab, "k");
    idem_waiter_t *waiter = join(&lab, "k");
    STATUS(IDEM_ERR_NULL, idem_wait_in(waiter, NULL, 1, NULL));
    STATUS(IDEM_ERR_NULL, idem_wait_in(NULL, queue, 1, NULL));
    OK(idem_waiter_free(waiter));
    complete(&lab, lease, "x");
    OK(idem_queue_free(queue));
    lab_close(&lab);
}

static void closing(void) {
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k"), lost = own(&lab, "lost");
    idem_waiter_t *waiter = join(&lab, "k"), *other = join(&lab, "lost");
    OK(idem_engine_close(lab.engine));
    CHECK(ask(&lab, "new").kind == IDEM_CLOSED);
    complete(&lab, lease, "made");
    idem_outcome_t outcome;
    OK(idem_wait(waiter, IDEM_FOREVER, &outcome));
    CHECK(is_response(&outcome, "made"));
    STATUS(IDEM_TIMED_OUT, idem_engine_drain(lab.engine, 0));
    OK(idem_engine_close_within(lab.engine, 1000));
    OK(idem_clock_advance(lab.clock, 1001));
    OK(idem_wait(other, IDEM_FOREVER, &outcome));
    CHECK(outcome.kind == IDEM_CANCELLED && outcome.reason == IDEM_REASON_SHUTDOWN);
    STATUS(IDEM_STALE, idem_complete(lab.engine, lost, text("late"), 0, NULL));
    OK(idem_engine_drain(lab.engine, IDEM_FOREVER));
    STATUS(IDEM_ERR_NULL, idem_engine_close(NULL));
    STATUS(IDEM_ERR_NULL, idem_engine_close_within(NULL, 1));
    STATUS(IDEM_ERR_NULL, idem_engine_drain(NULL, 1));
    STATUS(IDEM_ERR_NULL, idem_tick(NULL, NULL));
    lab_close(&lab);
}

static void *drain(void *engine) {
    OK(idem_engine_drain(engine, IDEM_FOREVER));
    return NULL;
}

static void draining(void) {
    lab lab = lab_open();
    idem_lease_t leases[3] = {own(&lab, "a"), own(&lab, "b"), own(&lab, "c")};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, drain, lab.engine) == 0);
    for (int i = 0; i < 3; i++) {
        until_asleep(&lab, 1);
        complete(&lab, leases[i], "x");
    }
    CHECK(pthread_join(thread, NULL) == 0);
    lab_close(&lab);
}

int main(void) {
    RUN(a_thread_blocks_until_the_end);
    RUN(a_wait_is_over);
    RUN(hand_over);
    RUN(a_lease_that_ran_out_passes_on);
    RUN(callbacks);
    RUN(a_callback_without_a_destroy);
    RUN(queues);
    RUN(a_queue_accepts_as_it_hands_out);
    RUN(wrong_arguments);
    RUN(closing);
    RUN(draining);
    return 0;
}
