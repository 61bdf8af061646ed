/* One thread, an epoll loop, and ten thousand clients that wait for one result: no thread waits for any of
   them, and one completion releases them all.

   cc -pthread eventloop.c $(pkg-config --cflags --libs libidem) */
#define _POSIX_C_SOURCE 200809L

#include <idem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { WAITERS = 10000, BATCH = 256 };

static void check(idem_status_t status, const char *what) {
    if (status != IDEM_OK) {
        fprintf(stderr, "%s: %s\n", what, idem_status_name(status));
        exit(1);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* How many threads the process has, as Linux says. */
static int threads(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[200];
    int count = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Threads: %d", &count) == 1)
            break;
    if (status)
        fclose(status);
    return count;
}

static idem_claim_t claim_page(void) {
    return idem_claim_init(idem_key_global("page-3", 6));
}

/* Somewhere else, somebody makes the page. */
struct maker {
    idem_engine_t *engine;
    idem_lease_t lease;
    double completed;
};

static void *make(void *argument) {
    struct maker *maker = argument;
    struct timespec pause = {0, 50 * 1000 * 1000};
    nanosleep(&pause, NULL);
    maker->completed = now();
    check(idem_complete(maker->engine, maker->lease, idem_bytes("the page", 8), 0, NULL),
          "complete");
    return NULL;
}

int main(void) {
    idem_config_t config = idem_config_init();
    config.waiters_per_key = WAITERS;
    struct maker maker;
    check(idem_engine_new(&config, &maker.engine), "open");
    idem_claim_t claim = claim_page();
    idem_outcome_t outcome;
    check(idem_claim(maker.engine, &claim, &outcome), "claim");
    if (outcome.kind != IDEM_EXECUTE)
        return 1;
    maker.lease = outcome.lease;

    /* The loop's queue, among what else it watches. */
    idem_queue_t *queue;
    int fd;
    check(idem_queue_new(&queue), "queue");
    check(idem_queue_fd(queue, &fd), "descriptor");
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event watched = {.events = EPOLLIN};
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &watched) != 0)
        return 1;

    /* Ten thousand clients ask; each is known by its tag. */
    for (uint64_t client = 0; client < WAITERS; client++) {
        check(idem_claim(maker.engine, &claim, &outcome), "claim");
        if (outcome.kind != IDEM_IN_FLIGHT)
            return 1;
        check(idem_wait_in(outcome.waiter, queue, client, NULL), "wait");
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, make, &maker) != 0)
        return 1;

    size_t served = 0;
    int most_threads = 0;
    static char seen[WAITERS];
    while (served < WAITERS) {
        struct epoll_event events[8];
        int count = epoll_wait(loop, events, 8, 10000);
        if (count <= 0) {
            fprintf(stderr, "nothing in ten seconds, %zu of %d served\n", served, WAITERS);
            return 1;
        }
        if (served == 0 && threads() > most_threads)
            most_threads = threads();
        idem_ended_t ended[BATCH];
        size_t taken;
        check(idem_poll(queue, ended, BATCH, &taken), "poll");
        for (size_t i = 0; i < taken; i++) {
            idem_outcome_t *end = &ended[i].outcome;
            /* Here the response would be written to the client of that tag. */
            if (end->kind != IDEM_REPLAY || end->response.len != 8 ||
                memcmp(end->response.data, "the page", 8) != 0 || seen[ended[i].tag]++)
                return 1;
            check(idem_response_release(&end->response), "release");
        }
        served += taken;
    }
    double last = now();
    pthread_join(thread, NULL);
    printf("%zu clients served on one thread, %d threads in the process; "
           "%.2f ms from complete to the last delivery\n",
           served, most_threads, (last - maker.completed) * 1e3);
    check(idem_queue_free(queue), "free");
    check(idem_engine_free(maker.engine), "free");
    return most_threads <= 3 ? 0 : 1;
}
