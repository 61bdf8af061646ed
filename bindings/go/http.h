/*
 * What Go calls for HTTP, as in boundary.h. Fields cross as the bytes of all names and values, one after the
 * other, and their lengths; an answer comes back the same way, with its request freed in the same crossing if it
 * fits the buffer.
 */
#ifndef IDEMGO_HTTP_H
#define IDEMGO_HTTP_H

#include "boundary.h"

enum { IDEMGO_FIELDS = 64 };

/* The head of a request. Its bytes are those of the fields, and then in the order of these lengths. */
typedef struct {
    uint64_t method_len, authority_len, path_len, query_len, scope_len, key_len;
    uint64_t retention_ms, wait_ms;
    uint32_t field_count, has_query, scope_kind, flags;
} idemgo_http_head_t;

/* What a step came to. */
typedef struct {
    uint32_t kind, needs_body;
    uint64_t room, time_ms, max_run_ms, response_max;
    /* Null: there is none, or it was freed with its answer. */
    uint64_t request, waiter;
    /* Of an answer, or the end of an execution. */
    uint32_t status, fate, is_settled, is_copied;
    uint64_t header_count, trailer_count, refusal_len, body_len;
    /* Of all of it, copied: two lengths for each field (uint32_t), the bytes of the fields, the refusal, the body. */
    uint64_t need;
    uint64_t headers, trailers, refusal, body;
} idemgo_http_told_t;

static inline idem_http_gate_t *idemgo_http_gate_of(uint64_t gate) {
    return (idem_http_gate_t *)(uintptr_t)gate;
}

static inline idem_http_request_t *idemgo_http_request_of(uint64_t request) {
    return (idem_http_request_t *)(uintptr_t)request;
}

static inline uint64_t idemgo_http_size(const idem_http_field_t *fields, size_t count) {
    uint64_t size = 8 * (uint64_t)count;
    size_t i;
    for (i = 0; i < count; i++)
        size += fields[i].name.len + fields[i].value.len;
    return size;
}

static inline uint8_t *idemgo_http_put(uint8_t *to, const void *from, uint64_t len) {
    if (len)
        memcpy(to, from, len);
    return to + len;
}

static inline uint8_t *idemgo_http_put_lens(uint8_t *to, const idem_http_field_t *fields, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        uint32_t lens[2];
        lens[0] = (uint32_t)fields[i].name.len;
        lens[1] = (uint32_t)fields[i].value.len;
        to = idemgo_http_put(to, lens, sizeof lens);
    }
    return to;
}

static inline uint8_t *idemgo_http_put_bytes(uint8_t *to, const idem_http_field_t *fields, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        to = idemgo_http_put(to, fields[i].name.data, fields[i].name.len);
        to = idemgo_http_put(to, fields[i].value.data, fields[i].value.len);
    }
    return to;
}

/* Copies what was told of to `buffer`, which has `need` bytes, and frees the request. */
static inline void idemgo_http_take(idemgo_http_told_t *told, uint8_t *buffer) {
    const idem_http_field_t *headers = (const idem_http_field_t *)(uintptr_t)told->headers;
    const idem_http_field_t *trailers = (const idem_http_field_t *)(uintptr_t)told->trailers;
    buffer = idemgo_http_put_lens(buffer, headers, told->header_count);
    buffer = idemgo_http_put_lens(buffer, trailers, told->trailer_count);
    buffer = idemgo_http_put_bytes(buffer, headers, told->header_count);
    buffer = idemgo_http_put_bytes(buffer, trailers, told->trailer_count);
    buffer = idemgo_http_put(buffer, (const void *)(uintptr_t)told->refusal, told->refusal_len);
    idemgo_http_put(buffer, (const void *)(uintptr_t)told->body, told->body_len);
    told->is_copied = 1;
    idem_http_request_free(idemgo_http_request_of(told->request));
    told->request = 0;
}

static inline void idemgo_http_tell(idemgo_http_told_t *told, uint64_t request,
                                    const idem_http_decision_t *decision, uint8_t *buffer, uint64_t room) {
    memset(told, 0, sizeof *told);
    told->kind = decision->kind;
    told->needs_body = decision->needs_body;
    told->room = decision->room;
    told->time_ms = decision->time_ms;
    told->max_run_ms = decision->max_run_ms;
    told->response_max = decision->response_max;
    told->request = request;
    told->waiter = (uintptr_t)decision->waiter;
    if (decision->kind == IDEM_HTTP_ANSWER && decision->answer) {
        const idem_http_answer_t *answer = decision->answer;
        told->status = answer->status;
        told->header_count = answer->header_count;
        told->trailer_count = answer->trailer_count;
        told->refusal_len = answer->refusal.len;
        told->body_len = answer->body.len;
        told->headers = (uintptr_t)answer->headers;
        told->trailers = (uintptr_t)answer->trailers;
        told->refusal = (uintptr_t)answer->refusal.data;
        told->body = (uintptr_t)answer->body.data;
        told->need = idemgo_http_size(answer->headers, answer->header_count) +
                     idemgo_http_size(answer->trailers, answer->trailer_count) + told->refusal_len +
                     told->body_len;
        if (told->need <= room)
            idemgo_http_take(told, buffer);
    }
}

/* The policy, or what is wrong with it. IDEM_ERR_BUFFER: `len` says what is needed. */
static inline int32_t idemgo_http_policy(const uint8_t *text, uint64_t text_len, uint8_t *buffer, uint64_t room,
                                         uint64_t *len) {
    size_t needed = 0;
    int32_t status =
        idem_http_policy(idemgo_bytes(text, text_len), (char *)buffer, (size_t)room, &needed);
    *len = needed;
    return status;
}

static inline int32_t idemgo_http_gate_new(uintptr_t engine, uint64_t ns, const uint8_t *policy, uint64_t len,
                                           uint64_t *made) {
    idem_http_gate_t *gate = NULL;
    int32_t status = idem_http_gate_new(idemgo_of(engine)->engine, (const idem_namespace_t *)(uintptr_t)ns,
                                        idemgo_bytes(policy, len), &gate);
    *made = (uintptr_t)gate;
    return status;
}

static inline void idemgo_http_gate_free(uint64_t gate) {
    idem_http_gate_free(idemgo_http_gate_of(gate));
}

/* The name of the header; nothing, if it is longer than the room. */
static inline uint64_t idemgo_http_gate_header(uint64_t gate, uint8_t *buffer, uint64_t room) {
    idem_bytes_t name;
    if (idem_http_gate_header(idemgo_http_gate_of(gate), &name) != IDEM_OK || name.len > room)
        return 0;
    idemgo_http_put(buffer, name.data, name.len);
    return name.len;
}

static inline int32_t idemgo_http_passes(uint64_t gate, const uint8_t *method, uint64_t method_len,
                                         const uint8_t *path, uint64_t path_len, int32_t has_header) {
    return idem_http_passes(idemgo_http_gate_of(gate), idemgo_bytes(method, method_len),
                            idemgo_bytes(path, path_len), has_header);
}

static inline const uint8_t *idemgo_http_fields(idem_http_field_t *fields, uint64_t count, const uint8_t *bytes,
                                                const uint32_t *lens) {
    uint64_t i;
    for (i = 0; i < count; i++) {
        fields[i].name = idemgo_bytes(bytes, lens[2 * i]);
        bytes += lens[2 * i];
        fields[i].value = idemgo_bytes(bytes, lens[2 * i + 1]);
        bytes += lens[2 * i + 1];
    }
    return bytes;
}

/* Room for fields: `own`, or more; null if there is none. */
static inline idem_http_field_t *idemgo_http_room(idem_http_field_t *own, uint64_t count) {
    return count <= IDEMGO_FIELDS ? own : (idem_http_field_t *)malloc(count * sizeof *own);
}

static inline void idemgo_http_head(idem_http_head_t *head, const idemgo_http_head_t *from, const uint8_t *at) {
    static const uint8_t nothing = 0;
    *head = idem_http_head_init();
    head->method = idemgo_bytes(at, from->method_len);
    at += from->method_len;
    head->authority = idemgo_bytes(at, from->authority_len);
    at += from->authority_len;
    head->path = idemgo_bytes(at, from->path_len);
    at += from->path_len;
    head->query = idem_bytes(from->query_len ? at : from->has_query ? &nothing : NULL, from->query_len);
    at += from->query_len;
    head->scope = idemgo_bytes(at, from->scope_len);
    at += from->scope_len;
    head->key = idemgo_bytes(at, from->key_len);
    head->scope_kind = from->scope_kind;
    head->flags = from->flags;
    head->retention_ms = from->retention_ms;
    head->wait_ms = from->wait_ms;
    head->field_count = from->field_count;
}

static inline int32_t idemgo_http_admit(uint64_t gate, const idemgo_http_head_t *from, const uint8_t *bytes,
                                        const uint32_t *lens, idemgo_http_told_t *told, uint8_t *buffer,
                                        uint64_t room) {
    idem_http_field_t own[IDEMGO_FIELDS], *fields = idemgo_http_room(own, from->field_count);
    idem_http_request_t *request = NULL;
    idem_http_decision_t decision;
    idem_http_head_t head;
    int32_t status;
    if (!fields)
        return IDEM_ERR_NO_MEMORY;
    memset(&decision, 0, sizeof decision);
    idemgo_http_head(&head, from, idemgo_http_fields(fields, from->field_count, bytes, lens));
    head.fields = fields;
    status = idem_http_admit(idemgo_http_gate_of(gate), &head, &request, &decision);
    if (status == IDEM_OK)
        idemgo_http_tell(told, (uintptr_t)request, &decision, buffer, room);
    if (fields != own)
        free(fields);
    return status;
}

static inline int32_t idemgo_http_fingerprint(uint64_t gate, const idemgo_http_head_t *from,
                                              const uint8_t *bytes, const uint32_t *lens, const uint8_t *body,
                                              uint64_t body_len, uint8_t *bits) {
    idem_http_field_t own[IDEMGO_FIELDS], *fields = idemgo_http_room(own, from->field_count);
    idem_http_head_t head;
    int32_t status;
    if (!fields)
        return IDEM_ERR_NO_MEMORY;
    idemgo_http_head(&head, from, idemgo_http_fields(fields, from->field_count, bytes, lens));
    head.fields = fields;
    status = idem_http_fingerprint(idemgo_http_gate_of(gate), &head,
                                   idemgo_bytes(body, body_len), bits);
    if (fields != own)
        free(fields);
    return status;
}

/* The body, if there is one, and the claim. */
static inline int32_t idemgo_http_claim(uint64_t request, const uint8_t *body, uint64_t body_len,
                                        const uint8_t *says, uint64_t says_len, idemgo_http_told_t *told,
                                        uint8_t *buffer, uint64_t room) {
    idem_http_decision_t decision;
    int32_t status = IDEM_OK;
    memset(&decision, 0, sizeof decision);
    if (body_len)
        status = idem_http_body(idemgo_http_request_of(request), idemgo_bytes(body, body_len), &decision);
    if (status == IDEM_OK && decision.kind != IDEM_HTTP_ANSWER)
        status = idem_http_claim(idemgo_http_request_of(request), idemgo_bytes(says, says_len), &decision);
    if (status == IDEM_OK)
        idemgo_http_tell(told, request, &decision, buffer, room);
    return status;
}

static inline int32_t idemgo_http_refuse(uint64_t request, uint32_t fault, idemgo_http_told_t *told,
                                         uint8_t *buffer, uint64_t room) {
    idem_http_decision_t decision;
    int32_t status;
    memset(&decision, 0, sizeof decision);
    status = idem_http_refuse(idemgo_http_request_of(request), fault, &decision);
    if (status == IDEM_OK)
        idemgo_http_tell(told, request, &decision, buffer, room);
    return status;
}

/* Puts a waiter into the queue under a tag. */
static inline int32_t idemgo_http_wait(uintptr_t engine, uint64_t waiter, uint64_t tag, uint64_t *pending) {
    idem_pending_t *made = NULL;
    int32_t status = idemgo_wait_in(idemgo_of(engine), (idem_waiter_t *)(uintptr_t)waiter, tag, &made);
    *pending = (uintptr_t)made;
    return status;
}

static inline void idemgo_http_waiter_free(uint64_t waiter) {
    idem_waiter_free((idem_waiter_t *)(uintptr_t)waiter);
}

/* What a wait came to, put together again as the library has told it; null: it was given up. */
static inline int32_t idemgo_http_waited(uint64_t request, const idemgo_told_t *came, idemgo_http_told_t *told,
                                         uint8_t *buffer, uint64_t room) {
    idem_http_decision_t decision;
    idem_outcome_t outcome;
    int32_t status;
    memset(&decision, 0, sizeof decision);
    memset(&outcome, 0, sizeof outcome);
    if (came) {
        outcome.kind = came->kind;
        if (came->kind == IDEM_EXECUTE) {
            outcome.origin = came->origin;
            outcome.attempt = came->attempt;
            memcpy(outcome.lease.opaque, came->lease, sizeof outcome.lease.opaque);
        } else if (came->kind == IDEM_REPLAY && came->is_copied) {
            /* Without bytes, and released: done, and nothing kept. */
            outcome.kind = IDEM_DONE;
        } else if (came->kind == IDEM_REPLAY) {
            outcome.is_error = came->is_error;
            outcome.response.data = (const uint8_t *)(uintptr_t)came->data;
            outcome.response.len = (size_t)came->len;
            memcpy(outcome.response.opaque, came->hold, sizeof outcome.response.opaque);
        } else {
            outcome.reason = came->reason;
            outcome.state = came->state;
            outcome.limit = came->limit;
        }
    }
    status = idem_http_waited(idemgo_http_request_of(request), came ? &outcome : NULL, &decision);
    if (status == IDEM_OK)
        idemgo_http_tell(told, request, &decision, buffer, room);
    return status;
}

static inline int32_t idemgo_http_renew(uint64_t request) {
    return idem_http_renew(idemgo_http_request_of(request));
}

static inline int32_t idemgo_http_side_effects_began(uint64_t request) {
    return idem_http_side_effects_began(idemgo_http_request_of(request));
}

static inline int32_t idemgo_http_say(uint64_t request, uint32_t fate, uint64_t ms) {
    return idem_http_say(idemgo_http_request_of(request), fate, ms);
}

static inline void idemgo_http_finished(idemgo_http_told_t *told, uint64_t request,
                                        const idem_http_finished_t *finished, uint8_t *buffer, uint64_t room) {
    memset(told, 0, sizeof *told);
    told->fate = finished->fate;
    told->is_settled = finished->is_settled;
    told->request = request;
    told->header_count = finished->header_count;
    told->headers = (uintptr_t)finished->headers;
    told->need = idemgo_http_size(finished->headers, finished->header_count);
    if (told->need <= room)
        idemgo_http_take(told, buffer);
}

/* Ends an execution by its response, and frees the request if what is to be added to it fits. */
static inline int32_t idemgo_http_finish(uint64_t request, uint32_t http_status, uint64_t header_count,
                                         uint64_t trailer_count, const uint8_t *bytes, const uint32_t *lens,
                                         const uint8_t *trailer_bytes, const uint32_t *trailer_lens,
                                         const uint8_t *body, uint64_t body_len, idemgo_http_told_t *told,
                                         uint8_t *buffer, uint64_t room) {
    uint64_t count = header_count + trailer_count;
    idem_http_field_t own[IDEMGO_FIELDS], *fields = idemgo_http_room(own, count);
    idem_http_response_t response = idem_http_response_init();
    idem_http_finished_t finished;
    int32_t status;
    if (!fields)
        return IDEM_ERR_NO_MEMORY;
    memset(&finished, 0, sizeof finished);
    idemgo_http_fields(fields, header_count, bytes, lens);
    idemgo_http_fields(fields + header_count, trailer_count, trailer_bytes, trailer_lens);
    response.status = http_status;
    response.headers = fields;
    response.header_count = header_count;
    response.trailers = fields + header_count;
    response.trailer_count = trailer_count;
    response.body = idemgo_bytes(body, body_len);
    status = idem_http_finish(idemgo_http_request_of(request), &response, &finished);
    if (status == IDEM_OK)
        idemgo_http_finished(told, request, &finished, buffer, room);
    if (fields != own)
        free(fields);
    return status;
}

static inline int32_t idemgo_http_lose(uint64_t request, uint32_t http_status, int32_t was_cut_off,
                                       idemgo_http_told_t *told, uint8_t *buffer, uint64_t room) {
    idem_http_finished_t finished;
    int32_t status;
    memset(&finished, 0, sizeof finished);
    status = idem_http_lose(idemgo_http_request_of(request), http_status, was_cut_off, &finished);
    if (status == IDEM_OK)
        idemgo_http_finished(told, request, &finished, buffer, room);
    return status;
}

/* Fails, and frees. */
static inline int32_t idemgo_http_fail(uint64_t request) {
    int32_t status = idem_http_fail(idemgo_http_request_of(request));
    idem_http_request_free(idemgo_http_request_of(request));
    return status;
}

static inline void idemgo_http_free(uint64_t request) {
    idem_http_request_free(idemgo_http_request_of(request));
}

#endif
