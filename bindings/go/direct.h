/*
 * Claims of an engine that one package has to itself: of raw bits, on the engine's terms. What is asked and
 * what came of it stay in one place from claim to claim, so nothing is copied and little is written anew.
 */
#ifndef IDEMGO_DIRECT_H
#define IDEMGO_DIRECT_H

#include "boundary.h"
#include <stddef.h>

/* Words, since Go must not look for pointers in what are the library's. */
enum {
    IDEMGO_CLAIM_WORDS = sizeof(idem_claim_t) / 8,
    IDEMGO_OUTCOME_WORDS = sizeof(idem_outcome_t) / 8,
    IDEMGO_LEASE_AT = offsetof(idem_outcome_t, lease) / 8
};

typedef struct {
    uint64_t bits[2];
    uint64_t tag;
    int32_t status;
    uint32_t kind;
    idemgo_told_t told;
    uint64_t claim[IDEMGO_CLAIM_WORDS];
    uint64_t outcome[IDEMGO_OUTCOME_WORDS];
} idemgo_direct_t;

/* Asks for a claim on the engine's terms: what is not the bits or the tag stays so. */
static inline void idemgo_direct_init(idemgo_direct_t *direct) {
    const uint8_t bits[16] = {0};
    *(idem_claim_t *)(void *)direct->claim = idem_claim_init(idem_key_raw(bits));
}

/* Claims the bits, labelled with the tag. The lease stays in `outcome`; any other outcome is told, and a wait
   put into the queue, where it stays until it ends. */
static inline void idemgo_direct_claim(uintptr_t engine, idemgo_direct_t *direct) {
    idemgo_engine_t *e = idemgo_of(engine);
    idem_claim_t *claim = (idem_claim_t *)(void *)direct->claim;
    idem_outcome_t *outcome = (idem_outcome_t *)(void *)direct->outcome;
    memcpy(claim->key.bits, direct->bits, sizeof claim->key.bits);
    claim->owner = direct->tag;
    direct->status = idem_claim(e->engine, claim, outcome);
    direct->kind = outcome->kind;
    if (direct->status == IDEM_OK && outcome->kind != IDEM_EXECUTE)
        direct->status = idemgo_came(e, outcome, direct->tag, 0, NULL, 0, &direct->told);
}

/* Lets go of the lease, for whoever waits longest, or nobody. */
static inline void idemgo_direct_abandon(uintptr_t engine, idemgo_direct_t *direct) {
    const idem_outcome_t *outcome = (const idem_outcome_t *)(const void *)direct->outcome;
    direct->status = idem_abandon(idemgo_of(engine)->engine, outcome->lease);
}

#endif
