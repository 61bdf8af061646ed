/* Opening an engine: every option, every row of the table of sizes, every error. */
#define _GNU_SOURCE
#include "check.h"

#ifdef __linux__
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#endif

/* Opens an engine; a check of the config says beforehand whether that will do. */
static idem_status_t open_with(const idem_config_t *config) {
    idem_engine_t *engine = NULL;
    char why[100];
    idem_status_t checked = config ? idem_config_check(config, why, sizeof why, NULL) : IDEM_OK;
    idem_status_t status = idem_engine_new(config, &engine);
    CHECK((status == IDEM_OK) == (engine != NULL) && status == checked);
    if (engine)
        OK(idem_engine_free(engine));
    return status;
}

static void defaults(void) {
    OK(open_with(NULL));
    idem_config_t config = idem_config_init();
    OK(open_with(&config));
    STATUS(IDEM_ERR_NULL, idem_engine_new(&config, NULL));
}

static void what_is_wrong_is_said(void) {
    idem_config_t config = idem_config_init();
    char why[100];
    size_t len = 7;
    OK(idem_config_check(&config, why, sizeof why, &len));
    config.waiters = UINT64_C(1) << 40;
    STATUS(IDEM_ERR_RANGE, idem_config_check(&config, why, sizeof why - 1, &len));
    why[len] = 0;
    CHECK(strstr(why, "waiters is at most "));
    STATUS(IDEM_ERR_BUFFER, idem_config_check(&config, why, len - 1, &len));
    CHECK(len == strlen(why));
    STATUS(IDEM_ERR_NULL, idem_config_check(NULL, why, sizeof why, NULL));
    STATUS(IDEM_ERR_NULL, idem_config_check(&config, NULL, 1, NULL));
}

static void sizes(void) {
    /* Longer than this library's, by what is zero and by what is not. */
    struct {
        idem_config_t config;
        uint64_t more[4];
    } longer;
    memset(&longer, 0, sizeof longer);
    longer.config.struct_size = sizeof longer;
    OK(open_with(&longer.config));
    longer.more[3] = 1;
    STATUS(IDEM_ERR_UNSUPPORTED, open_with(&longer.config));
    idem_config_t config = idem_config_init();
    config.struct_size = 0;
    STATUS(IDEM_ERR_SIZE, open_with(&config));
    config.struct_size = sizeof config - 8;
    STATUS(IDEM_ERR_SIZE, open_with(&config));
    config.struct_size = SIZE_MAX;
    STATUS(IDEM_ERR_SIZE, open_with(&config));
    STATUS(IDEM_ERR_MISALIGNED, open_with((const idem_config_t *)((const char *)&longer + 1)));
}

#define BAD(field, value, status)                                                                  \
    do {                                                                                           \
        idem_config_t config = idem_config_init();                                                 \
        config.field = value;                                                                      \
        STATUS(status, open_with(&config));                                                        \
    } while (0)
#define GOOD(field, value) BAD(field, value, IDEM_OK)

static void options(void) {
    GOOD(records, 10);
    BAD(records, UINT64_C(1) << 40, IDEM_ERR_RANGE);
    BAD(records, IDEM_ZERO, IDEM_ERR_RANGE);
    BAD(records, IDEM_FOREVER, IDEM_ERR_RANGE);
    GOOD(bytes, 1 << 20);
    BAD(bytes, 1, IDEM_ERR_RANGE);
    GOOD(max_response, 100);
    GOOD(max_response, IDEM_ZERO);
    BAD(max_response, UINT64_C(1) << 40, IDEM_ERR_RANGE);
    GOOD(waiters, 10);
    GOOD(waiters, IDEM_ZERO);
    BAD(waiters, UINT64_C(1) << 40, IDEM_ERR_RANGE);
    GOOD(waiters_per_key, 10);
    GOOD(waiters_per_key, IDEM_ZERO);
    BAD(waiters_per_key, UINT64_C(1) << 40, IDEM_ERR_RANGE);
    GOOD(lease_ms, 1);
    BAD(lease_ms, IDEM_ZERO, IDEM_ERR_RANGE);
    BAD(lease_ms, UINT64_C(1) << 60, IDEM_ERR_RANGE);
    GOOD(retention_ms, 1);
    GOOD(retention_ms, IDEM_ZERO);
    BAD(retention_ms, UINT64_C(1) << 60, IDEM_ERR_RANGE);
    GOOD(cancelled_retention_ms, 1);
    GOOD(cancelled_retention_ms, IDEM_ZERO);
    GOOD(halted_retention_ms, 1);
    BAD(halted_retention_ms, IDEM_ZERO, IDEM_ERR_RANGE);
    GOOD(accept_timeout_ms, 1);
    BAD(accept_timeout_ms, IDEM_ZERO, IDEM_ERR_RANGE);
    GOOD(on_abandon, IDEM_ON_END_HALT);
    BAD(on_abandon, 4, IDEM_ERR_VALUE);
    GOOD(on_expiry, IDEM_ON_END_FAIL_WAITERS);
    BAD(on_expiry, 4, IDEM_ERR_VALUE);
    GOOD(key_hash, IDEM_KEY_HASH_XXH3);
    BAD(key_hash, 3, IDEM_ERR_VALUE);
    GOOD(helper_thread, IDEM_SWITCH_OFF);
    BAD(helper_thread, 3, IDEM_ERR_VALUE);
    GOOD(huge_pages, IDEM_SWITCH_ON);
    BAD(huge_pages, 3, IDEM_ERR_VALUE);
    BAD(prefault, 3, IDEM_ERR_VALUE);
    GOOD(clock_rate, 100);
    GOOD(has_secret, IDEM_SWITCH_ON);
    BAD(has_secret, 3, IDEM_ERR_VALUE);
}

static void prefault(void) {
    idem_config_t config = idem_config_init();
    config.records = 100;
    config.bytes = 1 << 16;
    config.waiters = 10;
    config.prefault = IDEM_SWITCH_ON;
    OK(open_with(&config));
}

/* Equal secrets make equal fingerprints, and different ones do not. */
static void secrets(void) {
    uint8_t bits[3][16];
    for (int i = 0; i < 3; i++) {
        idem_config_t config = idem_config_init();
        config.has_secret = IDEM_SWITCH_ON;
        config.secret[0] = (uint8_t)(i / 2);
        idem_engine_t *engine;
        OK(idem_engine_new(&config, &engine));
        OK(idem_fingerprint_http(engine, text("GET"), text("/"), idem_bytes(NULL, 0), bits[i]));
        OK(idem_engine_free(engine));
    }
    CHECK(memcmp(bits[0], bits[1], 16) == 0);
    CHECK(memcmp(bits[0], bits[2], 16) != 0);
}

static int events;
static int destroyed;

static void on_event(void *user, const idem_event_t *event) {
    CHECK(user == &events);
    CHECK(event->what == IDEM_WHAT_EXECUTES || event->what == IDEM_WHAT_COMPLETED);
    events++;
}

static void on_destroy(void *user) {
    CHECK(user == &events);
    destroyed++;
}

static void hooks(void) {
    idem_config_t config = idem_config_init();
    config.hook = on_event;
    config.hook_user = &events;
    config.hook_destroy = on_destroy;
    idem_engine_t *engine;
    OK(idem_engine_new(&config, &engine));
    idem_claim_t claim = claim_of("hooked");
    idem_outcome_t outcome;
    OK(idem_claim(engine, &claim, &outcome));
    CHECK(events == 1);
    OK(idem_complete(engine, outcome.lease, text("done"), 0, NULL));
    CHECK(events == 2);
    CHECK(destroyed == 0);
    OK(idem_engine_free(engine));
    CHECK(destroyed == 1);
    /* It could not be opened: the user data is still ours. */
    config.records = IDEM_ZERO;
    STATUS(IDEM_ERR_RANGE, open_with(&config));
    config.on_expiry = 9;
    STATUS(IDEM_ERR_VALUE, open_with(&config));
    CHECK(destroyed == 1);
    /* No hook, but user data. */
    config = idem_config_init();
    config.hook_user = &events;
    config.hook_destroy = on_destroy;
    OK(idem_engine_new(&config, &engine));
    CHECK(destroyed == 2);
    OK(idem_engine_free(engine));
    CHECK(destroyed == 2);
}

#ifdef __linux__
static bool helper_blocks_sigterm(void) {
    bool is_seen = false;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        char path[300], line[300], name[300] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof line, status) != NULL) {
            unsigned long long blocked;
            sscanf(line, "Name: %299s", name);
            if (strcmp(name, "idem-helper") == 0 && sscanf(line, "SigBlk: %llx", &blocked) == 1) {
                CHECK(blocked >> (SIGTERM - 1) & 1);
                is_seen = true;
            }
        }
        if (status != NULL)
            fclose(status);
    }
    closedir(tasks);
    return is_seen;
}

/* What the program waits for itself later, the helper thread does not take. */
static void signals(void) {
    idem_engine_t *engine;
    OK(idem_engine_new(NULL, &engine));
    sigset_t mine;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mine) == 0 && !sigismember(&mine, SIGTERM));
    /* It gives itself its name as it begins. */
    bool is_seen = false;
    for (int tries = 0; !is_seen && tries < 5000; tries++) {
        is_seen = helper_blocks_sigterm();
        usleep(1000);
    }
    CHECK(is_seen);
    OK(idem_engine_free(engine));
}
#endif

static char told[200];

static void on_message(void *user, const idem_message_t *message) {
    CHECK(user == told);
    CHECK(message->level == IDEM_LOG_ERROR);
    CHECK(message->text.len < sizeof told);
    memcpy(told, message->text.data, message->text.len);
    told[message->text.len] = 0;
}

static void messages(void) {
    OK(idem_log_to(on_message, told, NULL));
    BAD(records, UINT64_C(1) << 40, IDEM_ERR_RANGE);
    CHECK(strstr(told, "records") != NULL);
    OK(idem_log_to(NULL, NULL, NULL));
    told[0] = 0;
    BAD(records, UINT64_C(1) << 40, IDEM_ERR_RANGE);
    CHECK(told[0] == 0);
}

static void versions(void) {
    char version[40];
    snprintf(version, sizeof version, "%d.%d.%d", IDEM_VERSION_MAJOR, IDEM_VERSION_MINOR,
             IDEM_VERSION_PATCH);
    CHECK(strcmp(version, idem_version()) == 0);
    CHECK(idem_abi_version() == IDEM_ABI_VERSION);
    CHECK(strcmp(idem_status_name(IDEM_STALE), "IDEM_STALE") == 0);
    CHECK(strcmp(idem_status_name(IDEM_ERR_PANIC), "IDEM_ERR_PANIC") == 0);
    CHECK(strcmp(idem_status_name(12345), "unknown") == 0);
}

static void frees_of_nothing(void) {
    OK(idem_engine_free(NULL));
    OK(idem_clock_free(NULL));
    OK(idem_namespace_free(NULL));
    OK(idem_waiter_free(NULL));
    OK(idem_wait_free(NULL));
    OK(idem_queue_free(NULL));
    OK(idem_listing_free(NULL));
    OK(idem_fingerprint_free(NULL));
}

int main(void) {
    RUN(defaults);
    RUN(what_is_wrong_is_said);
    RUN(sizes);
    RUN(options);
    RUN(prefault);
    RUN(secrets);
    RUN(hooks);
#ifdef __linux__
    RUN(signals);
#endif
    RUN(messages);
    RUN(versions);
    RUN(frees_of_nothing);
    return 0;
}
