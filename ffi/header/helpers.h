/* Structures, ready to be changed. */

/* Bytes. */
static inline idem_bytes_t idem_bytes(const void *data, size_t len) {
    idem_bytes_t bytes;
    bytes.data = data;
    bytes.len = len;
    return bytes;
}

/* The key of these bytes, for one tenant, user or account. */
static inline idem_key_t idem_key_of(const void *scope, size_t scope_len, const void *key,
                                     size_t key_len) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_BYTES;
    made.scope_kind = IDEM_SCOPE_OF;
    made.scope = idem_bytes(scope, scope_len);
    made.key = idem_bytes(key, key_len);
    return made;
}

/* The key of these bytes, which is the same for everybody. */
static inline idem_key_t idem_key_global(const void *key, size_t key_len) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_BYTES;
    made.scope_kind = IDEM_SCOPE_NONE;
    made.key = idem_bytes(key, key_len);
    return made;
}

/* A key of the caller's own 128 bits. */
static inline idem_key_t idem_key_raw(const uint8_t bits[16]) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_RAW;
    made.scope_kind = IDEM_SCOPE_NONE;
    memcpy(made.bits, bits, sizeof made.bits);
    return made;
}

/* The key of a record of the listing, for as long as the record is there. */
static inline idem_key_t idem_key_listed(const idem_record_t *record) {
    idem_key_t made;
    memset(&made, 0, sizeof made);
    made.kind = IDEM_KEY_LISTED;
    made.scope_kind = IDEM_SCOPE_NONE;
    made.key = idem_bytes(record->ref, sizeof record->ref);
    return made;
}

/* A claim of the key on its namespace's terms, ready to wait and to execute. */
static inline idem_claim_t idem_claim_init(idem_key_t key) {
    idem_claim_t claim;
    memset(&claim, 0, sizeof claim);
    claim.struct_size = sizeof claim;
    claim.key = key;
    return claim;
}

/* Binds the claim to what the request says: 16 bytes, of idem_fingerprint_http or its like. */
static inline void idem_claim_fingerprint(idem_claim_t *claim, const uint8_t bits[16]) {
    memcpy(claim->fingerprint, bits, sizeof claim->fingerprint);
    claim->flags |= IDEM_CLAIM_FINGERPRINT;
}

/* Every option at its default. */
static inline idem_config_t idem_config_init(void) {
    idem_config_t config;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    return config;
}

/* Every option as the engine has it. */
static inline idem_namespace_options_t idem_namespace_options_init(void) {
    idem_namespace_options_t options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    return options;
}

/* Ready to be filled in. */
static inline idem_stats_t idem_stats_init(void) {
    idem_stats_t stats;
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    return stats;
}

/* Ready to be filled in. */
static inline idem_http_head_t idem_http_head_init(void) {
    idem_http_head_t head;
    memset(&head, 0, sizeof head);
    head.struct_size = sizeof head;
    return head;
}

/* Ready to be filled in. */
static inline idem_http_response_t idem_http_response_init(void) {
    idem_http_response_t response;
    memset(&response, 0, sizeof response);
    response.struct_size = sizeof response;
    return response;
}
