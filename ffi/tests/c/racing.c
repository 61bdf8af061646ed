/* A race planted on purpose, for ThreadSanitizer to see: two threads write one word, each under its own lease,
   which orders nothing between them. "racing none": each writes its own. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static idem_engine_t *engine;
static int words[2];
static bool is_planted = true;
static atomic_int begun;

static void *work(void *argument) {
    int thread = *(int *)argument;
    idem_claim_t claim = claim_of(thread ? "one" : "other");
    idem_outcome_t outcome;
    OK(idem_claim(engine, &claim, &outcome));
    /* Both have their leases; Relaxed, so that this orders nothing either. */
    atomic_fetch_add_explicit(&begun, 1, memory_order_relaxed);
    while (atomic_load_explicit(&begun, memory_order_relaxed) < 2)
        sched_yield();
    for (int i = 0; i < 1000; i++)
        words[is_planted ? 0 : thread]++;
    OK(idem_complete(engine, outcome.lease, text("made"), 0, NULL));
    return NULL;
}

int main(int count, char **names) {
    is_planted = count < 2 || strcmp(names[1], "none") != 0;
    OK(idem_engine_new(NULL, &engine));
    pthread_t threads[2];
    int numbers[2] = {0, 1};
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    OK(idem_engine_free(engine));
    return 0;
}
