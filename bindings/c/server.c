/* An HTTP server that refuses to charge twice: POST /charge with an Idempotency-Key is executed once, whoever
   retries meanwhile waits for the result, and whoever retries later gets it again.

   cc server.c $(pkg-config --cflags --libs libidem libmicrohttpd)
   ./a.out 8080
   curl -i -X POST -H 'Idempotency-Key: order-1' -d amount=100 localhost:8080/charge   # Again and again.

   Nothing here waits in a thread: a request whose key is in flight is suspended, and the callback of its wait
   resumes it. Keys are of one user here; a server with many takes the user for the scope. */
#include <idem.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 65536 };

static idem_engine_t *engine;
static atomic_int charges;

/* A request: first its body, then what became of its claim. */
struct request {
    struct MHD_Connection *connection;
    char body[BODY_MAX];
    size_t len;
    int too_long;
    int claimed;
    idem_outcome_t outcome;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const void *body,
                              size_t len, const char *replayed) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    if (replayed)
        MHD_add_response_header(response, "Idempotent-Replayed", replayed);
    if (status == 409 || status == 503)
        MHD_add_response_header(response, "Retry-After", "1");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text) {
    return answer(connection, status, text, strlen(text), NULL);
}

/* The side effect that must not happen twice. */
static int charge(const char *body, size_t len, char *receipt, size_t size) {
    int number = atomic_fetch_add(&charges, 1) + 1;
    return snprintf(receipt, size, "receipt %d for %.*s\n", number, (int)(len < 100 ? len : 100),
                    body);
}

static enum MHD_Result execute(struct request *request) {
    char receipt[200];
    int len = charge(request->body, request->len, receipt, sizeof receipt);
    idem_bytes_t response = idem_bytes(receipt, (size_t)len);
    if (idem_complete(engine, request->outcome.lease, response, 0, NULL) != IDEM_OK)
        return say(request->connection, 500, "it took too long\n");
    return answer(request->connection, 200, receipt, (size_t)len, NULL);
}

static enum MHD_Result settle(struct request *request) {
    struct MHD_Connection *connection = request->connection;
    idem_outcome_t *outcome = &request->outcome;
    switch (outcome->kind) {
    case IDEM_EXECUTE:
        return execute(request);
    case IDEM_REPLAY: {
        enum MHD_Result result = answer(connection, 200, outcome->response.data,
                                        outcome->response.len, "true");
        idem_response_release(&outcome->response);
        return result;
    }
    case IDEM_MISMATCH:
        return say(connection, 422, "this key was used for another request\n");
    case IDEM_NO_ROOM:
    case IDEM_CLOSED:
        return say(connection, 503, "not now\n");
    default:
        return say(connection, 409, "try again\n");
    }
}

/* The wait has ended, on whatever thread: the request goes on where it was suspended. */
static void on_end(void *user, const idem_outcome_t *outcome) {
    struct request *request = user;
    request->outcome = *outcome;
    MHD_resume_connection(request->connection);
}

static enum MHD_Result claim(struct request *request, const char *key, const char *method,
                             const char *target) {
    idem_claim_t claim = idem_claim_init(idem_key_of("the only user", 13, key, strlen(key)));
    claim.flags = IDEM_CLAIM_FINGERPRINT;
    idem_status_t status = idem_fingerprint_http(
        engine, idem_bytes(method, strlen(method)), idem_bytes(target, strlen(target)),
        idem_bytes(request->body, request->len), claim.fingerprint);
    if (status == IDEM_OK)
        status = idem_claim(engine, &claim, &request->outcome);
    if (status != IDEM_OK)
        return say(request->connection, 400, "the Idempotency-Key is empty or too long\n");
    request->claimed = 1;
    if (request->outcome.kind != IDEM_IN_FLIGHT)
        return settle(request);
    MHD_suspend_connection(request->connection);
    if (idem_wait_callback(request->outcome.waiter, on_end, request, NULL, NULL) != IDEM_OK)
        MHD_resume_connection(request->connection);
    return MHD_YES;
}

static enum MHD_Result serve(void *unused, struct MHD_Connection *connection, const char *target,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_len, void **place) {
    (void)unused, (void)version;
    struct request *request = *place;
    if (!request) {
        request = *place = calloc(1, sizeof *request);
        if (!request)
            return MHD_NO;
        request->connection = connection;
        return MHD_YES;
    }
    if (request->claimed)
        return settle(request);
    if (*upload_len > 0) {
        if (*upload_len > BODY_MAX - request->len)
            request->too_long = 1;
        else
            memcpy(request->body + request->len, upload, *upload_len);
        request->len += request->too_long ? 0 : *upload_len;
        *upload_len = 0;
        return MHD_YES;
    }
    if (request->too_long)
        return say(connection, 413, "the body is too long\n");
    if (strcmp(method, "POST") != 0 || strcmp(target, "/charge") != 0)
        return say(connection, 404, "POST /charge is all there is\n");
    const char *key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key");
    if (!key)
        return say(connection, 400, "say an Idempotency-Key\n");
    return claim(request, key, method, target);
}

static void end(void *unused, struct MHD_Connection *connection, void **place,
                enum MHD_RequestTerminationCode code) {
    (void)unused, (void)connection, (void)code;
    free(*place);
}

int main(int count, char **words) {
    int port = count > 1 ? atoi(words[1]) : 8080;
    if (idem_engine_new(NULL, &engine) != IDEM_OK)
        return 1;
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, (uint16_t)port, NULL, NULL, serve,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, end, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u,
        MHD_OPTION_END);
    if (!daemon)
        return 1;
    printf("listening on %d\n", port);
    fflush(stdout);
    int caught;
    sigwait(&stop, &caught);
    /* Those who wait are told, and leave; then the daemon may stop. */
    idem_engine_close_within(engine, 1000);
    idem_engine_drain(engine, 2000);
    MHD_stop_daemon(daemon);
    printf("%d charges\n", charges);
    return idem_engine_free(engine) == IDEM_OK ? 0 : 1;
}
