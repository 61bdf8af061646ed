/* Requests on their way through a gate: decided here as in Rust, and nothing left afterwards. */
#include "check.h"

#define IETF "{\"profile\": \"ietf\", \"while_in_flight\": {\"wait_ms\": 5000}, \"lease_ms\": 3000}"

static idem_http_gate_t *gate_of(const lab *lab, const char *policy) {
    idem_http_gate_t *gate;
    OK(idem_http_gate_new(lab->engine, NULL, text(policy), &gate));
    return gate;
}

static idem_http_field_t field(const char *name, const char *value) {
    return (idem_http_field_t){.name = text(name), .value = text(value)};
}

/* A POST with this key; a null one has none. */
typedef struct post {
    idem_http_field_t fields[2];
    idem_http_head_t head;
} post;

static idem_http_head_t *with_key(post *post, const char *key) {
    memset(post, 0, sizeof *post);
    post->fields[0] = field("Content-Type", "text/plain");
    if (key)
        post->fields[1] = field("Idempotency-Key", key);
    post->head = idem_http_head_init();
    post->head.method = text("POST");
    post->head.path = text("/charge");
    post->head.fields = post->fields;
    post->head.field_count = key ? 2 : 1;
    post->head.scope_kind = IDEM_SCOPE_OF;
    post->head.scope = text("tenant");
    return &post->head;
}

static bool is(idem_bytes_t bytes, const char *wanted) {
    return bytes.len == strlen(wanted) && (!bytes.len || !memcmp(bytes.data, wanted, bytes.len));
}

/* The value of a field that is there once. */
static idem_bytes_t value_of(const idem_http_field_t *fields, size_t count, const char *name) {
    idem_bytes_t value = {0};
    for (size_t i = 0; i < count; i++)
        if (is(fields[i].name, name)) {
            CHECK(!value.data);
            value = fields[i].value;
        }
    return value;
}

/* Admits and claims a request with this key and body. */
static idem_http_request_t *claim(const idem_http_gate_t *gate, const char *key, const char *body,
                                  idem_http_decision_t *decision) {
    post post;
    idem_http_request_t *request;
    OK(idem_http_admit(gate, with_key(&post, key), &request, decision));
    CHECK(decision->kind == IDEM_HTTP_KEYED && decision->needs_body);
    size_t half = strlen(body) / 2;
    OK(idem_http_body(request, idem_bytes(body, half), decision));
    OK(idem_http_body(request, text(body + half), decision));
    CHECK(decision->kind == IDEM_HTTP_KEYED);
    OK(idem_http_claim(request, text(""), decision));
    return request;
}

static idem_http_request_t *execute(const idem_http_gate_t *gate, const char *key, const char *body) {
    idem_http_decision_t decision;
    idem_http_request_t *request = claim(gate, key, body, &decision);
    CHECK(decision.kind == IDEM_HTTP_EXECUTE && !decision.answer && !decision.waiter);
    return request;
}

static idem_http_finished_t finish(const idem_http_request_t *request, uint32_t status, const char *body) {
    idem_http_field_t headers[] = {field("X-A", "1"), field("Set-Cookie", "s=1"), field("X-A", "2")};
    idem_http_response_t response = idem_http_response_init();
    response.status = status;
    response.body = text(body);
    response.headers = headers;
    response.header_count = 3;
    idem_http_finished_t finished;
    OK(idem_http_finish(request, &response, &finished));
    return finished;
}

/* The word by which a request with this key is refused. */
static void refused(const idem_http_gate_t *gate, const char *key, const char *body, uint32_t status,
                    const char *refusal) {
    idem_http_decision_t decision;
    idem_http_request_t *request = claim(gate, key, body, &decision);
    CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == status);
    CHECK(is(decision.answer->refusal, refusal));
    OK(idem_http_request_free(request));
}

static void an_answer_is_replayed(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, IETF);
    idem_http_request_t *first = execute(gate, "\"k\"", "amount=1");
    idem_http_finished_t finished = finish(first, 201, "made");
    CHECK(finished.fate == IDEM_HTTP_KEEP && finished.is_settled && finished.header_count == 0);
    OK(idem_http_request_free(first));

    idem_http_decision_t decision;
    idem_http_request_t *again = claim(gate, "\"k\"", "amount=1", &decision);
    const idem_http_answer_t *answer = decision.answer;
    CHECK(decision.kind == IDEM_HTTP_ANSWER && answer->status == 201 && is(answer->body, "made"));
    CHECK(!answer->refusal.data && answer->trailer_count == 0);
    CHECK(is(answer->headers[0].value, "1") && is(answer->headers[1].value, "2"));
    CHECK(!value_of(answer->headers, answer->header_count, "Set-Cookie").data);
    CHECK(is(value_of(answer->headers, answer->header_count, "idempotent-replayed"), "true"));
    CHECK(is(value_of(answer->headers, answer->header_count, "content-length"), "4"));
    /* It holds what it shows: neither the gate nor the record need be there still. */
    OK(idem_http_gate_free(gate));
    OK(idem_clock_advance(lab.clock, UINT64_C(1000) * 86400 * 30));
    lab_settle(&lab);
    CHECK(is(answer->body, "made"));
    OK(idem_http_request_free(again));
    lab_close(&lab);
}

static void requests_are_refused_with_problem_details(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, "{\"profile\": \"ietf\", \"body_max\": 8}");
    post post;
    idem_http_request_t *request;
    idem_http_decision_t decision;
    OK(idem_http_admit(gate, with_key(&post, NULL), &request, &decision));
    CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == 400);
    CHECK(is(decision.answer->refusal, "key-missing"));
    CHECK(is(value_of(decision.answer->headers, decision.answer->header_count, "content-type"),
             "application/problem+json"));
    OK(idem_http_request_free(request));

    idem_http_request_t *first = execute(gate, "\"k\"", "a");
    refused(gate, "\"k\"", "b", 422, "key-reused");
    refused(gate, "\"k\"", "a", 409, "outstanding");
    OK(idem_http_request_free(first));

    static const struct {
        uint32_t fault, status;
        const char *refusal;
    } faults[] = {{IDEM_HTTP_TOO_SLOW, 408, "body-too-slow"},
                  {IDEM_HTTP_CUT_OFF, 400, "body-cut-off"},
                  {IDEM_HTTP_TOO_LARGE, 413, "body-too-large"}};
    for (size_t i = 0; i < 3; i++) {
        OK(idem_http_admit(gate, with_key(&post, "\"f\""), &request, &decision));
        CHECK(decision.room == 8 && decision.time_ms == 30000);
        OK(idem_http_refuse(request, faults[i].fault, &decision));
        CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == faults[i].status);
        CHECK(is(decision.answer->refusal, faults[i].refusal));
        OK(idem_http_request_free(request));
    }
    OK(idem_http_admit(gate, with_key(&post, "\"f\""), &request, &decision));
    OK(idem_http_body(request, text("12345"), &decision));
    CHECK(decision.kind == IDEM_HTTP_KEYED && decision.room == 3);
    OK(idem_http_body(request, text("6789"), &decision));
    CHECK(decision.kind == IDEM_HTTP_ANSWER && is(decision.answer->refusal, "body-too-large"));
    OK(idem_http_request_free(request));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

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

static void heads_are_looked_at(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, "{\"profile\": \"stripe_v1\", \"excluded_paths\": [\"/health\"]}");
    idem_bytes_t name;
    OK(idem_http_gate_header(gate, &name));
    CHECK(is(name, "idempotency-key"));
    CHECK(idem_http_passes(gate, text("GET"), text("/"), 1));
    CHECK(idem_http_passes(gate, text("POST"), text("/health/live"), 1));
    CHECK(idem_http_passes(gate, text("POST"), text("/"), 0));
    CHECK(!idem_http_passes(gate, text("POST"), text("/"), 1));
    CHECK(!idem_http_passes(NULL, text("POST"), text("/"), 0));

    post post;
    idem_http_request_t *request = (idem_http_request_t *)&post;
    idem_http_decision_t decision;
    idem_http_head_t *head = with_key(&post, NULL);
    OK(idem_http_admit(gate, head, &request, &decision));
    CHECK(decision.kind == IDEM_HTTP_PASS && !request);
    /* Of the caller's own: a key, how long its answer is kept, that it is off. */
    head->key = text("mine");
    head->retention_ms = 5;
    OK(idem_http_admit(gate, head, &request, &decision));
    OK(idem_http_claim(request, text(""), &decision));
    finish(request, 200, "short");
    OK(idem_http_request_free(request));
    OK(idem_clock_advance(lab.clock, 6));
    OK(idem_http_admit(gate, head, &request, &decision));
    OK(idem_http_claim(request, text(""), &decision));
    CHECK(decision.kind == IDEM_HTTP_EXECUTE);
    OK(idem_http_request_free(request));
    head->flags = IDEM_HTTP_OFF;
    OK(idem_http_admit(gate, head, &request, &decision));
    CHECK(decision.kind == IDEM_HTTP_PASS);

    head = with_key(&post, "k");
    head->flags = 2;
    STATUS(IDEM_ERR_VALUE, idem_http_admit(gate, head, &request, &decision));
    head = with_key(&post, "k");
    head->scope_kind = 0;
    STATUS(IDEM_ERR_NO_SCOPE, idem_http_admit(gate, head, &request, &decision));
    head->scope_kind = 3;
    STATUS(IDEM_ERR_VALUE, idem_http_admit(gate, head, &request, &decision));
    head = with_key(&post, "k");
    head->path = text("/\xff");
    STATUS(IDEM_ERR_NOT_TEXT, idem_http_admit(gate, head, &request, &decision));
    head = with_key(&post, "k");
    head->fields = (idem_http_field_t[]){field("\xff", ""), field("Idempotency-Key", "k")};
    OK(idem_http_admit(gate, head, &request, &decision));
    CHECK(decision.kind == IDEM_HTTP_KEYED);
    OK(idem_http_request_free(request));
    head = with_key(&post, "k");
    head->scope.len = 0;
    STATUS(IDEM_ERR_EMPTY, idem_http_admit(gate, head, &request, &decision));
    head = with_key(&post, "k");
    head->scope_kind = IDEM_SCOPE_NONE;
    STATUS(IDEM_ERR_VALUE, idem_http_admit(gate, head, &request, &decision));
    head->scope.len = 0;
    head->key = text("");
    STATUS(IDEM_ERR_EMPTY, idem_http_admit(gate, head, &request, &decision));
    static const char longest[IDEM_KEY_LENGTH_MAX + 1];
    head->key = idem_bytes(longest, sizeof longest);
    STATUS(IDEM_ERR_TOO_LONG, idem_http_admit(gate, head, &request, &decision));
    head = with_key(&post, "k");
    head->retention_ms = UINT64_MAX - 2;
    STATUS(IDEM_ERR_RANGE, idem_http_admit(gate, head, &request, &decision));
    head = with_key(&post, "k");
    head->struct_size = 8;
    STATUS(IDEM_ERR_SIZE, idem_http_admit(gate, head, &request, &decision));
    STATUS(IDEM_ERR_NULL, idem_http_admit(gate, with_key(&post, "k"), NULL, &decision));
    STATUS(IDEM_ERR_NULL, idem_http_admit(NULL, with_key(&post, "k"), &request, &decision));

    uint8_t one[16], other[16];
    OK(idem_http_fingerprint(gate, with_key(&post, "k"), text("a"), one));
    OK(idem_http_fingerprint(gate, with_key(&post, "l"), text("a"), other));
    CHECK(!memcmp(one, other, 16));
    OK(idem_http_fingerprint(gate, with_key(&post, "l"), text("b"), other));
    CHECK(memcmp(one, other, 16));
    OK(idem_http_gate_free(gate));
    OK(idem_http_gate_free(NULL));
    lab_close(&lab);
}

static void policies_are_read_and_told_of(void) {
    char buffer[4096];
    size_t len = 0;
    OK(idem_http_policy(text("{\"profile\": \"stripe_v2\"}"), buffer, sizeof buffer, &len));
    CHECK(len < sizeof buffer);
    buffer[len] = 0;
    CHECK(strstr(buffer, "\"retention_ms\": 2592000000"));
    STATUS(IDEM_ERR_BUFFER, idem_http_policy(idem_bytes(buffer, len), buffer, 5, &len));
    OK(idem_http_policy(idem_bytes(buffer, len), buffer, sizeof buffer, NULL));
    static const struct {
        const char *policy, *wrong;
    } cases[] = {{"", "policy: "},
                 {"{\"profile\": \"mine\"}", "profile is none of ietf"},
                 {"{\"profile\": \"ietf\", \"leases\": 1}", "leases is not known"},
                 {"{\"profile\": \"ietf\", \"lease_ms\": 0}", "lease is no time at all"}};
    lab lab = lab_open();
    idem_http_gate_t *gate = NULL;
    for (size_t i = 0; i < 4; i++) {
        STATUS(IDEM_ERR_POLICY, idem_http_policy(text(cases[i].policy), buffer, sizeof buffer - 1, &len));
        buffer[len] = 0;
        CHECK(strstr(buffer, cases[i].wrong));
        STATUS(IDEM_ERR_BUFFER, idem_http_policy(text(cases[i].policy), buffer, 3, &len));
        STATUS(IDEM_ERR_POLICY, idem_http_gate_new(lab.engine, NULL, text(cases[i].policy), &gate));
    }
    STATUS(IDEM_ERR_NOT_TEXT, idem_http_gate_new(lab.engine, NULL, text("\xff"), &gate));
    STATUS(IDEM_ERR_NULL, idem_http_gate_new(NULL, NULL, text(IETF), &gate));
    CHECK(!gate);

    /* In a namespace of its own a key is another one. */
    idem_namespace_t *ns;
    OK(idem_namespace_new(lab.engine, text("http"), NULL, &ns));
    gate = gate_of(&lab, IETF);
    idem_http_gate_t *apart;
    OK(idem_http_gate_new(lab.engine, ns, text(IETF), &apart));
    OK(idem_namespace_free(ns));
    idem_http_request_t *one = execute(gate, "\"k\"", "a"), *other = execute(apart, "\"k\"", "a");
    OK(idem_http_request_free(one));
    OK(idem_http_request_free(other));
    OK(idem_http_gate_free(gate));
    OK(idem_http_gate_free(apart));
    lab_close(&lab);
}

static void what_counts_tells_requests_apart(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(&lab, "{\"profile\": \"coalesce\", \"methods\": [\"POST\"]}");
    post post;
    uint8_t bits[4][16];
    OK(idem_http_fingerprint(gate, with_key(&post, NULL), text(""), bits[0]));
    post.head.query = text("");
    OK(idem_http_fingerprint(gate, &post.head, text(""), bits[1]));
    CHECK(!memcmp(bits[0], bits[1], 16));
    post.head.query = text("a=1");
    OK(idem_http_fingerprint(gate, &post.head, text(""), bits[2]));
    post.head.authority = text("https://elsewhere");
    OK(idem_http_fingerprint(gate, &post.head, text(""), bits[3]));
    for (size_t i = 1; i < 4; i++)
        for (size_t j = 1; j < i; j++)
            CHECK(memcmp(bits[i], bits[j], 16));
    OK(idem_http_gate_free(gate));

    /* The same key of two tenants is two; and a body that does not count is not asked for. */
    gate = gate_of(&lab, "{\"profile\": \"ietf\", \"says\": {\"body\": \"ignored\"}}");
    idem_http_request_t *requests[2];
    static const char *const tenants[] = {"one", "two"};
    for (size_t i = 0; i < 2; i++) {
        idem_http_decision_t decision;
        with_key(&post, "\"k\"");
        post.head.scope = text(tenants[i]);
        OK(idem_http_admit(gate, &post.head, &requests[i], &decision));
        CHECK(decision.kind == IDEM_HTTP_KEYED && !decision.needs_body && !decision.room && !decision.time_ms);
        OK(idem_http_body(requests[i], text("ignored"), &decision));
        OK(idem_http_claim(requests[i], text(""), &decision));
        CHECK(decision.kind == IDEM_HTTP_EXECUTE && decision.max_run_ms == 900000);
        CHECK(decision.response_max == (1 << 20) - (64 << 10));
        CHECK(decision.origin == IDEM_ORIGIN_FRESH && decision.attempt == 1);
    }
    OK(idem_http_request_free(requests[0]));
    OK(idem_http_request_free(requests[1]));
    OK(idem_http_gate_free(gate));
    lab_close(&lab);
}

static void what_is_stored_is_whole_and_can_be_sent(void) {
    lab lab = lab_open();
    idem_http_gate_t *gate = gate_of(
        &lab, "{\"profile\": \"ietf\", \"lifetime_header\": \"x-left\", \"response_max\": 10}");
    idem_http_request_t *request = execute(gate, "\"k\"", "a");
    idem_http_field_t headers[] = {field("X-A", "1"), field("bad name", "2"), field("X-B", "3\r\nX-C: 4")};
    idem_http_field_t trailers[] = {field("X-Sum", "5")};
    idem_http_response_t response = idem_http_response_init();
    idem_http_finished_t finished;
    idem_http_decision_t decision;
    response.status = 200;
    response.headers = headers;
    response.header_count = 3;
    response.trailers = trailers;
    response.trailer_count = 1;
    response.body = text("0123456789");
    OK(idem_http_finish(request, &response, &finished));
    CHECK(finished.is_stored && finished.header_count == 1);
    CHECK(is(finished.headers[0].name, "x-left") && is(finished.headers[0].value, "86400"));
    idem_http_request_t *again = claim(gate, "\"k\"", "a", &decision);
    const idem_http_answer_t *answer = decision.answer;
    CHECK(is(value_of(answer->headers, answer->header_count, "X-A"), "1"));
    CHECK(answer->header_count == 3 && !answer->is_retryable);
    CHECK(is(value_of(answer->headers, answer->header_count, "x-left"), "86400"));
    CHECK(answer->trailer_count == 1 && is(answer->trailers[0].value, "5"));
    OK(idem_http_request_free(again));
    /* Added fields are there until the request is freed. */
    CHECK(is(finished.headers[0].value, "86400"));
    OK(idem_http_request_free(request));

    /* Longer than is kept: done. Shorter than it says: cut off. */
    request = execute(gate, "\"long\"", "a");
    finished = finish(request, 200, "01234567890");
    CHECK(finished.is_settled && !finished.is_stored && finished.header_count == 0 && !finished.headers);
    OK(idem_http_request_free(request));
    refused(gate, "\"long\"", "a", 409, "answered");
    request = execute(gate, "\"short\"", "a");
    headers[1] = field("Content-Length", "11");
    OK(idem_http_finish(request, &response, &finished));
    CHECK(finished.fate == IDEM_HTTP_RELEASE && finished.is_settled && !finished.is_stored);
    OK(idem_http_request_free(request));
    OK(idem_http_request_free(execute(gate, "\"short\"", "a")));
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
    RUN(an_answer_is_replayed);
    RUN(requests_are_refused_with_problem_details);
    RUN(who_waits_gets_the_answer_or_the_lease);
    RUN(a_handler_has_its_say);
    RUN(a_slow_handler_loses_its_lease_unless_it_renews);
    RUN(a_step_is_taken_once_and_in_its_turn);
    RUN(heads_are_looked_at);
    RUN(policies_are_read_and_told_of);
    RUN(what_counts_tells_requests_apart);
    RUN(what_is_stored_is_whole_and_can_be_sent);
    RUN(every_end_of_a_wait_has_its_answer);
    RUN(every_fate_comes_about);
    RUN(callbacks_and_hooks_may_call);
    return 0;
}
