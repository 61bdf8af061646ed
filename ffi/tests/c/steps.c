/* Steps of requests over HTTP: in their turn, by who waits, by handlers, in callbacks. Nothing is left afterwards. */
#include "requests.h"

static void who_waits_gets_the_answer_or_the_lease(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    idem_queue_t *queue;
    OK(idem_queue_new(&queue));
    idem_http_request_t *first = execute(gate, "\"k\"", "a"), *waits[3];
    for (uint64_t i = 0; i < 3; i++) {
        idem_http_decision_t decision;
        waits[i] = claim(gate, "\"k\"", "a", &decision);
        CHECK(decision.kind == IDEM_HTTP_WAIT && decision.time_ms == 5000);
        if (i < 2)
            OK(idem_wait_in(decision.waiter, queue, i, NULL));
        else
            OK(idem_waiter_free(decision.waiter));
    }
    idem_http_decision_t decision;
    OK(idem_http_waited(waits[2], NULL, &decision));
    CHECK(decision.kind == IDEM_HTTP_ANSWER && is(decision.answer->refusal, "outstanding"));
    OK(idem_http_request_free(waits[2]));
    /* Given up: the next one executes. */
    CHECK(finish(first, 503, "later").fate == IDEM_HTTP_RELEASE);
    OK(idem_http_request_free(first));
    idem_ended_t ended;
    size_t taken;
    OK(idem_poll(queue, &ended, 1, &taken));
    CHECK(taken == 1 && ended.tag == 0);
    OK(idem_http_waited(waits[0], &ended.outcome, &decision));
    CHECK(decision.kind == IDEM_HTTP_EXECUTE && decision.time_ms == 3000);
    CHECK(finish(waits[0], 200, "done").fate == IDEM_HTTP_KEEP);
    OK(idem_http_request_free(waits[0]));
    OK(idem_poll(queue, &ended, 1, &taken));
    CHECK(taken == 1 && ended.tag == 1);
    OK(idem_http_waited(waits[1], &ended.outcome, &decision));
    CHECK(decision.kind == IDEM_HTTP_ANSWER && is(decision.answer->body, "done"));
    STATUS(IDEM_ERR_RELEASED, idem_response_release(&ended.outcome.response));
    OK(idem_http_request_free(waits[1]));
    OK(idem_queue_free(queue));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

static void a_handler_has_its_say(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    idem_http_request_t *request = execute(gate, "\"k\"", "a");
    OK(idem_http_say(request, IDEM_HTTP_RELEASE, 0));
    OK(idem_http_say(request, IDEM_HTTP_KEEP_FOR, 1000));
    STATUS(IDEM_ERR_VALUE, idem_http_say(request, 6, 0));
    STATUS(IDEM_ERR_RANGE, idem_http_say(request, IDEM_HTTP_KEEP_FOR, IDEM_FOREVER));
    CHECK(finish(request, 500, "kept").fate == IDEM_HTTP_KEEP_FOR);
    OK(idem_http_request_free(request));
    OK(idem_clock_advance(lab.clock, 999));
    idem_http_decision_t decision;
    idem_http_request_t *again = claim(gate, "\"k\"", "a", &decision);
    CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == 500);
    OK(idem_http_request_free(again));
    OK(idem_clock_advance(lab.clock, 2));

    /* Interrupted before its side effects: free. After: nobody knows. */
    OK(idem_http_request_free(execute(gate, "\"k\"", "a")));
    request = execute(gate, "\"k\"", "a");
    OK(idem_http_side_effects_began(request));
    OK(idem_http_request_free(request));
    refused(gate, "\"k\"", "a", 500, "unknown-outcome");

    /* What is lost on the way was done; what was cut off is as if it had been interrupted. */
    idem_http_finished_t finished;
    request = execute(gate, "\"l\"", "a");
    OK(idem_http_lose(request, 200, 0, &finished));
    CHECK(finished.is_settled && finished.fate == IDEM_HTTP_KEEP && !finished.is_stored);
    OK(idem_http_request_free(request));
    refused(gate, "\"l\"", "a", 409, "answered");
    request = execute(gate, "\"c\"", "a");
    OK(idem_http_lose(request, 200, 1, &finished));
    CHECK(finished.is_settled && finished.fate == IDEM_HTTP_RELEASE && !finished.is_stored);
    OK(idem_http_request_free(request));
    request = execute(gate, "\"h\"", "a");
    OK(idem_http_side_effects_began(request));
    OK(idem_http_lose(request, 200, 1, &finished));
    CHECK(finished.is_settled && finished.fate == IDEM_HTTP_HALT);
    OK(idem_http_request_free(request));
    refused(gate, "\"h\"", "a", 500, "unknown-outcome");
    request = execute(gate, "\"c\"", "a");
    OK(idem_http_fail(request));
    OK(idem_http_request_free(request));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

static void a_slow_handler_loses_its_lease_unless_it_renews(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(
        &lab, "{\"profile\": \"ietf\", \"lease_ms\": 3000, \"interrupted\": \"release\"}");
    idem_http_request_t *slow = execute(gate, "\"k\"", "a");
    OK(idem_clock_advance(lab.clock, 2000));
    OK(idem_http_renew(slow));
    OK(idem_clock_advance(lab.clock, 2000));
    refused(gate, "\"k\"", "a", 409, "outstanding");
    OK(idem_clock_advance(lab.clock, 2000));
    idem_http_request_t *next = execute(gate, "\"k\"", "a");
    STATUS(IDEM_STALE, idem_http_renew(slow));
    CHECK(!finish(slow, 200, "late").is_settled);
    CHECK(finish(next, 200, "in time").is_settled);
    OK(idem_http_request_free(slow));
    OK(idem_http_request_free(next));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

static void a_step_is_taken_once_and_in_its_turn(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    post post;
    idem_http_request_t *request;
    idem_http_decision_t decision;
    idem_http_finished_t finished;
    idem_http_response_t response = idem_http_response_init();
    response.status = 200;
    OK(idem_http_admit(gate, with_key(&post, "\"k\""), &request, &decision));
    STATUS(IDEM_ERR_STATE, idem_http_finish(request, &response, &finished));
    STATUS(IDEM_ERR_STATE, idem_http_lose(request, 200, 0, &finished));
    STATUS(IDEM_ERR_STATE, idem_http_fail(request));
    STATUS(IDEM_ERR_STATE, idem_http_say(request, IDEM_HTTP_KEEP, 0));
    STATUS(IDEM_ERR_STATE, idem_http_side_effects_began(request));
    STATUS(IDEM_ERR_STATE, idem_http_waited(request, NULL, &decision));
    STATUS(IDEM_STALE, idem_http_renew(request));
    STATUS(IDEM_ERR_VALUE, idem_http_refuse(request, 4, &decision));
    OK(idem_http_claim(request, text("more"), &decision));
    CHECK(decision.kind == IDEM_HTTP_EXECUTE);
    STATUS(IDEM_ERR_STATE, idem_http_claim(request, text(""), &decision));
    STATUS(IDEM_ERR_STATE, idem_http_body(request, text(""), &decision));
    STATUS(IDEM_ERR_STATE, idem_http_refuse(request, IDEM_HTTP_CUT_OFF, &decision));
    STATUS(IDEM_ERR_STATE, idem_http_waited(request, NULL, &decision));
    response.status = 99;
    STATUS(IDEM_ERR_RANGE, idem_http_finish(request, &response, &finished));
    STATUS(IDEM_ERR_RANGE, idem_http_lose(request, 600, 0, &finished));
    response.status = 200;
    response.reserved = 1;
    STATUS(IDEM_ERR_UNSUPPORTED, idem_http_finish(request, &response, &finished));
    response.reserved = 0;
    OK(idem_http_finish(request, &response, NULL));
    STATUS(IDEM_ERR_STATE, idem_http_finish(request, &response, &finished));
    OK(idem_http_request_free(request));
    OK(idem_http_request_free(NULL));

    /* What is added to its fingerprint makes it another request. */
    refused(gate, "\"k\"", "", 422, "key-reused");

    /* An end that no wait has, or another engine's, is refused, and the request waits still. */
    idem_http_request_t *first = execute(gate, "\"w\"", "a"), *waits = claim(gate, "\"w\"", "a", &decision);
    OK(idem_waiter_free(decision.waiter));
    idem_outcome_t outcome = {.kind = IDEM_IN_FLIGHT};
    STATUS(IDEM_ERR_VALUE, idem_http_waited(waits, &outcome, &decision));
    outcome.kind = IDEM_REPLAY;
    STATUS(IDEM_ERR_RELEASED, idem_http_waited(waits, &outcome, &decision));
    struct lab other = lab_open();
    outcome.kind = IDEM_EXECUTE;
    outcome.lease = own(&other, "k");
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_http_waited(waits, &outcome, &decision));
    OK(idem_cancel(other.engine, outcome.lease, 0, 0));
    lab_close(&other);
    OK(idem_http_waited(waits, NULL, &decision));
    CHECK(decision.kind == IDEM_HTTP_ANSWER);
    OK(idem_http_request_free(waits));
    OK(idem_http_request_free(first));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

static void every_end_of_a_wait_has_its_answer(void) {
    static const struct {
        uint32_t kind, status;
        const char *refusal;
        uint32_t is_retryable;
    } ends[] = {{IDEM_DONE, 409, "answered", 0},         {IDEM_CANCELLED, 409, "given-up", 1},
                {IDEM_HALTED, 500, "unknown-outcome", 0}, {IDEM_CLOSED, 503, "closing", 1},
                {IDEM_WAIT_OVER, 409, "outstanding", 1}};
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    idem_http_request_t *first = execute(gate, "\"k\"", "a");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        idem_http_decision_t decision;
        idem_http_request_t *waits = claim(gate, "\"k\"", "a", &decision);
        OK(idem_waiter_free(decision.waiter));
        idem_outcome_t outcome = {.kind = ends[i].kind};
        OK(idem_http_waited(waits, &outcome, &decision));
        CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == ends[i].status);
        CHECK(is(decision.answer->refusal, ends[i].refusal));
        CHECK(decision.answer->is_retryable == ends[i].is_retryable);
        OK(idem_http_request_free(waits));
    }
    OK(idem_http_request_free(first));

    /* One of its own time; and a lease that nobody took up in time is somebody else's. */
    first = execute(gate, "\"l\"", "a");
    post post;
    idem_http_request_t *waits;
    idem_http_decision_t decision;
    with_key(&post, "\"l\"")->wait_ms = 77;
    OK(idem_http_admit(gate, &post.head, &waits, &decision));
    OK(idem_http_body(waits, text("a"), &decision));
    OK(idem_http_claim(waits, text(""), &decision));
    CHECK(decision.kind == IDEM_HTTP_WAIT && decision.time_ms == 77);
    idem_waiter_t *waiter = decision.waiter;
    OK(idem_http_say(first, IDEM_HTTP_RELEASE, 0));
    finish(first, 200, "");
    OK(idem_http_request_free(first));
    idem_outcome_t outcome;
    OK(idem_wait(waiter, 0, &outcome));
    CHECK(outcome.kind == IDEM_EXECUTE);
    idem_outcome_t copy = outcome;
    OK(idem_clock_advance(lab.clock, 3001));
    lab_settle(&lab);
    OK(idem_http_waited(waits, &outcome, &decision));
    CHECK(decision.kind == IDEM_HTTP_ANSWER && is(decision.answer->refusal, "outstanding"));
    OK(idem_http_request_free(waits));
    STATUS(IDEM_STALE, idem_complete(lab.engine, copy.lease, text(""), 0, NULL));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

static void every_fate_comes_about(void) {
    static const struct {
        uint32_t fate;
        const char *then;
    } fates[] = {{IDEM_HTTP_KEEP, ""},
                 {IDEM_HTTP_SHARE, NULL},
                 {IDEM_HTTP_RELEASE, NULL},
                 {IDEM_HTTP_HALT, "unknown-outcome"}};
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
        char key[] = "\"0\"";
        key[1] = (char)('0' + i);
        idem_http_request_t *request = execute(gate, key, "a");
        OK(idem_http_say(request, fates[i].fate, 0));
        /* Its status alone would have it otherwise. */
        CHECK(finish(request, fates[i].fate == IDEM_HTTP_KEEP ? 503 : 200, "b").fate == fates[i].fate);
        OK(idem_http_request_free(request));
        idem_http_decision_t decision;
        request = claim(gate, key, "a", &decision);
        if (fates[i].then)
            CHECK(decision.kind == IDEM_HTTP_ANSWER && is(decision.answer->refusal, fates[i].then));
        else
            CHECK(decision.kind == IDEM_HTTP_EXECUTE);
        OK(idem_http_request_free(request));
    }
    OK(idem_http_gate_free(gate));

    /* A call that failed is shared as such; so is a response, and not kept. */
    gate = gate_of(&lab, "{\"profile\": \"coalesce\", \"methods\": [\"POST\"]}");
    for (int fails = 0; fails < 2; fails++) {
        idem_http_decision_t decision;
        idem_http_request_t *request = execute(gate, NULL, "a"), *waits = claim(gate, NULL, "a", &decision);
        CHECK(decision.kind == IDEM_HTTP_WAIT);
        idem_waiter_t *waiter = decision.waiter;
        if (fails)
            OK(idem_http_fail(request));
        else
            CHECK(finish(request, 200, "shared").fate == IDEM_HTTP_SHARE);
        OK(idem_http_request_free(request));
        idem_outcome_t outcome;
        OK(idem_wait(waiter, 0, &outcome));
        OK(idem_http_waited(waits, &outcome, &decision));
        CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == (fails ? 502 : 200));
        CHECK(fails || is(decision.answer->body, "shared"));
        OK(idem_http_request_free(waits));
    }
    idem_http_request_t *request = execute(gate, NULL, "a");
    idem_http_finished_t finished;
    OK(idem_http_lose(request, 200, 0, &finished));
    CHECK(finished.fate == IDEM_HTTP_RELEASE && finished.is_settled);
    OK(idem_http_request_free(request));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

/* What a callback and a hook do within a step of a request. */
typedef struct within {
    idem_http_request_t *request, *waits;
    int calls;
} within;

static void on_end(void *user, const idem_outcome_t *outcome) {
    within *within = user;
    idem_outcome_t own = *outcome;
    idem_http_decision_t decision;
    /* Of the request whose step this is in. */
    STATUS(IDEM_STALE, idem_http_renew(within->request));
    OK(idem_http_side_effects_began(within->request));
    STATUS(IDEM_ERR_STATE, idem_http_fail(within->request));
    OK(idem_http_waited(within->waits, &own, &decision));
    CHECK(decision.kind == IDEM_HTTP_EXECUTE);
    finish(within->waits, 200, "within");
    within->calls++;
}

static void on_event(void *user, const idem_event_t *event) {
    within *within = user;
    if (event->what == IDEM_WHAT_RENEWED && within->calls++ == 0)
        OK(idem_http_renew(within->request));
}

static void callbacks_and_hooks_may_call(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    within within = {.request = execute(gate, "\"k\"", "a")};
    idem_http_decision_t decision;
    within.waits = claim(gate, "\"k\"", "a", &decision);
    OK(idem_wait_callback(decision.waiter, on_end, &within, NULL, NULL));
    OK(idem_http_say(within.request, IDEM_HTTP_RELEASE, 0));
    finish(within.request, 200, "");
    CHECK(within.calls == 1);
    OK(idem_http_request_free(within.request));
    OK(idem_http_request_free(within.waits));
    OK(idem_http_gate_free(gate));

    struct lab hooked = lab;
    within.calls = 0;
    idem_config_t config = lab_config(&lab);
    config.hook = on_event;
    config.hook_user = &within;
    OK(idem_engine_new(&config, &hooked.engine));
    gate = gate_of(&hooked, IETF);
    within.request = execute(gate, "\"k\"", "a");
    OK(idem_http_renew(within.request));
    CHECK(within.calls == 2);
    OK(idem_http_request_free(within.request));

    /* A namespace of another engine. */
    idem_namespace_t *ns;
    OK(idem_namespace_new(lab.engine, text("http"), NULL, &ns));
    idem_http_gate_t *none;
    STATUS(IDEM_ERR_WRONG_ENGINE, idem_http_gate_new(hooked.engine, ns, text(IETF), &none));
    OK(idem_namespace_free(ns));
    OK(idem_http_gate_free(gate));
    OK(idem_engine_free(hooked.engine));
    lab_close(&lab);
}

int main(void) {
    RUN(who_waits_gets_the_answer_or_the_lease);
    RUN(a_handler_has_its_say);
    RUN(a_slow_handler_loses_its_lease_unless_it_renews);
    RUN(a_step_is_taken_once_and_in_its_turn);
    RUN(every_end_of_a_wait_has_its_answer);
    RUN(every_fate_comes_about);
    RUN(callbacks_and_hooks_may_call);
    return 0;
}
