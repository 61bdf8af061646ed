/* A pool of worker threads and a burst of requests, most of them duplicates: each operation runs once, and the
   duplicates of what runs are parked until it is done.

   cc -pthread threads.c $(pkg-config --cflags --libs libidem) */
#define _POSIX_C_SOURCE 200809L

#include <idem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORKERS = 8, REQUESTS = 400, OPERATIONS = 20 };

static idem_engine_t *engine;
static atomic_int next_request, executed, waited, replayed;

static void check(idem_status_t status, const char *what) {
    if (status != IDEM_OK) {
        fprintf(stderr, "%s: %s\n", what, idem_status_name(status));
        exit(1);
    }
}

/* The work itself: slow, so that duplicates come while it runs. */
static int make_invoice(int operation, char *invoice, size_t size) {
    struct timespec pause = {0, 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
    return snprintf(invoice, size, "invoice for order %d", operation);
}

static void serve(int operation) {
    char key[32];
    int length = snprintf(key, sizeof key, "order-%d", operation);
    idem_claim_t claim = idem_claim_init(idem_key_global(key, (size_t)length));
    idem_outcome_t outcome;
    check(idem_claim(engine, &claim, &outcome), "claim");
    if (outcome.kind == IDEM_IN_FLIGHT) {
        atomic_fetch_add(&waited, 1);
        /* No longer than our client would. */
        check(idem_wait(outcome.waiter, 2000, &outcome), "wait");
    }
    switch (outcome.kind) {
    case IDEM_EXECUTE: {
        char invoice[64];
        int made = make_invoice(operation, invoice, sizeof invoice);
        atomic_fetch_add(&executed, 1);
        /* IDEM_STALE would say that we were too slow, and somebody else has done it meanwhile. */
        check(idem_complete(engine, outcome.lease, idem_bytes(invoice, (size_t)made), 0, NULL),
              "complete");
        break;
    }
    case IDEM_REPLAY:
        atomic_fetch_add(&replayed, 1);
        check(idem_response_release(&outcome.response), "release");
        break;
    default:
        fprintf(stderr, "order %d: outcome %u; the client is told to try again\n", operation,
                outcome.kind);
    }
}

static void *work(void *unused) {
    (void)unused;
    for (;;) {
        int request = atomic_fetch_add(&next_request, 1);
        if (request >= REQUESTS)
            return NULL;
        serve(request / (REQUESTS / OPERATIONS));
    }
}

int main(void) {
    check(idem_engine_new(NULL, &engine), "open");
    pthread_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, NULL) != 0)
            return 1;
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    check(idem_engine_free(engine), "free");
    printf("%d requests: %d executed, %d replayed, of these %d after a wait\n", REQUESTS, executed,
           replayed, waited);
    return executed == OPERATIONS ? 0 : 1;
}
