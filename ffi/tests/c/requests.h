/* Requests over HTTP, for the programs that test them. */
#ifndef REQUESTS_H
#define REQUESTS_H

#include "check.h"

#define IETF "{\"profile\": \"ietf\", \"while_in_flight\": {\"wait_ms\": 5000}, \"lease_ms\": 3000}"

static inline idem_http_gate_t *gate_of(const lab *lab, const char *policy) {
    idem_http_gate_t *gate;
    OK(idem_http_gate_new(lab->engine, NULL, text(policy), &gate));
    return gate;
}

static inline idem_http_field_t field(const char *name, const char *value) {
    return (idem_http_field_t){.name = text(name), .value = text(value)};
}

/* A POST with this key; a null one has none. */
typedef struct post {
    idem_http_field_t fields[2];
    idem_http_head_t head;
} post;

static inline idem_http_head_t *with_key(post *post, const char *key) {
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

static inline bool is(idem_bytes_t bytes, const char *wanted) {
    return bytes.len == strlen(wanted) && (!bytes.len || !memcmp(bytes.data, wanted, bytes.len));
}

/* The value of a field that is there once. */
static inline idem_bytes_t value_of(const idem_http_field_t *fields, size_t count, const char *name) {
    idem_bytes_t value = {0};
    for (size_t i = 0; i < count; i++)
        if (is(fields[i].name, name)) {
            CHECK(!value.data);
            value = fields[i].value;
        }
    return value;
}

/* Admits and claims a request with this key and body. */
static inline idem_http_request_t *claim(const idem_http_gate_t *gate, const char *key, const char *body,
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

static inline idem_http_request_t *execute(const idem_http_gate_t *gate, const char *key, const char *body) {
    idem_http_decision_t decision;
    idem_http_request_t *request = claim(gate, key, body, &decision);
    CHECK(decision.kind == IDEM_HTTP_EXECUTE && !decision.answer && !decision.waiter);
    return request;
}

static inline idem_http_finished_t finish(const idem_http_request_t *request, uint32_t status, const char *body) {
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
static inline void refused(const idem_http_gate_t *gate, const char *key, const char *body, uint32_t status,
                    const char *refusal) {
    idem_http_decision_t decision;
    idem_http_request_t *request = claim(gate, key, body, &decision);
    CHECK(decision.kind == IDEM_HTTP_ANSWER && decision.answer->status == status);
    CHECK(is(decision.answer->refusal, refusal));
    OK(idem_http_request_free(request));
}

#endif
