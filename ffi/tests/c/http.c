/* Requests on their way through a gate: what is decided of them, and what is stored. Nothing is left afterwards. */
#include "requests.h"

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

int main(void) {
    RUN(an_answer_is_replayed);
    RUN(requests_are_refused_with_problem_details);
    RUN(heads_are_looked_at);
    RUN(policies_are_read_and_told_of);
    RUN(what_counts_tells_requests_apart);
    RUN(what_is_stored_is_whole_and_can_be_sent);
    return 0;
}
