/* Eight threads at one key, through each way to wait: one executes at a time, all get what it made. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { THREADS = 8 };

static idem_engine_t *engine;
static int rounds = 200;
static atomic_int running;
static atomic_int executed;
static char name[32];

static void execute(idem_lease_t lease, int turn) {
    CHECK(atomic_fetch_add(&running, 1) == 0);
    atomic_fetch_add(&executed, 1);
    /* Some give up, so that the key is handed over. */
    bool gives_up = turn % 4 == 3;
    CHECK(atomic_fetch_sub(&running, 1) == 1);
    if (gives_up)
        OK(idem_cancel(engine, lease, 0, 0));
    else
        OK(idem_complete(engine, lease, text(name), 0, NULL));
}

static atomic_int turns;

/* Whether that was the end; otherwise the key was given up, or the wait was. */
static bool settle(idem_outcome_t *outcome) {
    switch (outcome->kind) {
    case IDEM_EXECUTE: {
        int turn = atomic_fetch_add(&turns, 1);
        execute(outcome->lease, turn);
        return turn % 4 != 3;
    }
    case IDEM_REPLAY:
        CHECK(is_response(outcome, name));
        return true;
    case IDEM_CANCELLED:
    case IDEM_WAIT_OVER:
        return false;
    default:
        fprintf(stderr, "outcome %u\n", outcome->kind);
        exit(1);
    }
}

static void by_blocking(idem_outcome_t *outcome, int thread) {
    OK(idem_wait(outcome->waiter, thread % 2 ? IDEM_FOREVER : 1, outcome));
}

struct parked {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool is_over;
    idem_outcome_t outcome;
};

static void on_end(void *user, const idem_outcome_t *outcome) {
    struct parked *parked = user;
    pthread_mutex_lock(&parked->lock);
    parked->outcome = *outcome;
    parked->is_over = true;
    pthread_cond_signal(&parked->told);
    pthread_mutex_unlock(&parked->lock);
}

static void by_callback(idem_outcome_t *outcome, int thread) {
    struct parked parked = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, *outcome};
    idem_pending_t *wait;
    OK(idem_wait_callback(outcome->waiter, on_end, &parked, NULL, &wait));
    if (thread == 0 && idem_wait_cancel(wait) == IDEM_OK) {
        outcome->kind = IDEM_WAIT_OVER;
        return;
    }
    if (thread != 0)
        OK(idem_wait_free(wait));
    pthread_mutex_lock(&parked.lock);
    while (!parked.is_over)
        pthread_cond_wait(&parked.told, &parked.lock);
    pthread_mutex_unlock(&parked.lock);
    *outcome = parked.outcome;
}

static _Thread_local idem_queue_t *queue;

static void by_queue(idem_outcome_t *outcome, int thread) {
    idem_pending_t *wait;
    OK(idem_wait_in(outcome->waiter, queue, 7, &wait));
    if (thread == 0 && idem_wait_cancel(wait) == IDEM_OK) {
        outcome->kind = IDEM_WAIT_OVER;
        return;
    }
    if (thread != 0)
        OK(idem_wait_free(wait));
    struct pollfd fd = {0};
    OK(idem_queue_fd(queue, &fd.fd));
    fd.events = POLLIN;
    idem_ended_t event;
    size_t taken = 0;
    while (taken == 0) {
        CHECK(poll(&fd, 1, 60000) == 1);
        OK(idem_poll(queue, &event, 1, &taken));
    }
    CHECK(event.tag == 7);
    *outcome = event.outcome;
}

typedef void way(idem_outcome_t *outcome, int thread);

static way *the_way;
static pthread_barrier_t barrier;

static void *work(void *argument) {
    int thread = (int)(intptr_t)argument;
    OK(idem_queue_new(&queue));
    for (int round = 0; round < rounds; round++) {
        if (thread == 0)
            snprintf(name, sizeof name, "round %d", round);
        pthread_barrier_wait(&barrier);
        for (bool is_over = false; !is_over;) {
            idem_claim_t claim = claim_of(name);
            idem_outcome_t outcome;
            OK(idem_claim(engine, &claim, &outcome));
            if (outcome.kind == IDEM_IN_FLIGHT)
                the_way(&outcome, thread);
            is_over = settle(&outcome);
        }
        pthread_barrier_wait(&barrier);
    }
    OK(idem_queue_free(queue));
    return NULL;
}

static void storm(way *way, const char *told) {
    the_way = way;
    idem_config_t config = idem_config_init();
    config.records = 100000;
    OK(idem_engine_new(&config, &engine));
    atomic_store(&executed, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    idem_stats_t stats = idem_stats_init();
    OK(idem_stats(engine, &stats));
    /* A lease that came as its callback was cancelled counts, and passes on. */
    CHECK(stats.executes >= (uint64_t)atomic_load(&executed));
    CHECK(stats.completes == (uint64_t)rounds && stats.waiters == 0);
    OK(idem_engine_free(engine));
    printf("%s: %d rounds, %d executed, %llu handed over: well\n", told, rounds,
           atomic_load(&executed), (unsigned long long)stats.hand_overs);
}

int main(int count, char **words) {
    if (count > 1)
        rounds = atoi(words[1]);
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    storm(by_blocking, "blocking");
    storm(by_callback, "by callback");
    storm(by_queue, "by queue");
    return 0;
}
