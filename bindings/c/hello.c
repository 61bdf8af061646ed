/* The shortest program that does something once: cc hello.c $(pkg-config --cflags --libs libidem) */
#include <idem.h>
#include <stdio.h>

int main(void) {
    idem_engine_t *engine;
    if (idem_engine_new(NULL, &engine) != IDEM_OK)
        return 1;
    for (int attempt = 1; attempt <= 3; attempt++) {
        idem_claim_t claim = idem_claim_init(idem_key_of("customer-7", 10, "charge-1001", 11));
        idem_outcome_t outcome;
        if (idem_claim(engine, &claim, &outcome) != IDEM_OK)
            return 1;
        if (outcome.kind == IDEM_IN_FLIGHT) /* Somebody else is at it: wait for the result. */
            idem_wait(outcome.waiter, IDEM_FOREVER, &outcome);
        if (outcome.kind == IDEM_EXECUTE) { /* Ours alone: do it, and say what came of it. */
            printf("attempt %d: charging the card\n", attempt);
            idem_complete(engine, outcome.lease, idem_bytes("charged", 7), 0, NULL);
        } else if (outcome.kind == IDEM_REPLAY) { /* It was done before. */
            printf("attempt %d: %.*s already\n", attempt, (int)outcome.response.len,
                   (const char *)outcome.response.data);
            idem_response_release(&outcome.response);
        }
    }
    idem_engine_free(engine);
    return 0;
}
