/* Defects planted on purpose: the sanitizers and valgrind must see each of them, or see nothing.

   planted use-after-free | lost-waiter | none */
#include "check.h"

/* In a frame of its own, so that nothing is left of the pointer. */
__attribute__((noinline)) static void lose_a_waiter(const lab *lab) {
    (void)join(lab, "k");
}

int main(int count, char **words) {
    const char *what = count > 1 ? words[1] : "none";
    lab lab = lab_open();
    idem_lease_t lease = own(&lab, "k");
    if (strcmp(what, "lost-waiter") == 0)
        lose_a_waiter(&lab);
    static char body[2000];
    memset(body, 'x', sizeof body);
    OK(idem_complete(lab.engine, lease, idem_bytes(body, sizeof body), 0, NULL));
    idem_outcome_t outcome = ask(&lab, "k");
    CHECK(outcome.kind == IDEM_REPLAY);
    const volatile uint8_t *data = outcome.response.data;
    CHECK(data[1999] == 'x');
    OK(idem_response_release(&outcome.response));
    OK(idem_clock_advance(lab.clock, RETENTION_MS + 1000));
    lab_settle(&lab);
    /* The record is gone, and nobody holds the response. */
    if (strcmp(what, "use-after-free") == 0)
        CHECK(data[1999] != 'y');
    OK(idem_engine_free(lab.engine));
    OK(idem_clock_free(lab.clock));
    printf("planted %s: nobody has noticed\n", what);
    return 0;
}
