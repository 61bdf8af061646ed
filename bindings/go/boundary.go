package idem

// #cgo noescape idemgo_claim
// #cgo nocallback idemgo_claim
// #cgo noescape idemgo_take
// #cgo nocallback idemgo_take
// #cgo noescape idemgo_poll
// #cgo nocallback idemgo_poll
// #cgo noescape idemgo_end_only
// #cgo nocallback idemgo_end_only
// #cgo noescape idemgo_end
// #cgo nocallback idemgo_end
// #cgo noescape idemgo_wait_cancel
// #cgo nocallback idemgo_wait_cancel
// #cgo noescape idemgo_wait_free
// #cgo nocallback idemgo_wait_free
// #cgo noescape idemgo_claim_batch
// #cgo nocallback idemgo_claim_batch
// #cgo noescape idemgo_complete_batch
// #cgo nocallback idemgo_complete_batch
// #cgo noescape idemgo_renew
// #cgo nocallback idemgo_renew
// #cgo noescape idemgo_lease_info
// #cgo nocallback idemgo_lease_info
// #include "boundary.h"
import "C"

import (
	"time"
	"unsafe"
)

// The structures that cross. They hold words and bytes and no pointer, so they may be of Go's
// memory, on a stack as well.
type (
	cAsk    = C.idemgo_ask_t
	cTold   = C.idemgo_told_t
	cPolled = C.idemgo_polled_t
	cEnding = C.idemgo_ending_t
)

const (
	// Of the tag of a wait whose response is not copied: what it comes to is handed on as it is.
	heldTag = C.IDEMGO_HELD

	batch      = C.IDEMGO_BATCH
	claimBatch = C.IDEMGO_CLAIMS

	keyBytes       = C.IDEM_KEY_BYTES
	keyFingerprint = C.IDEM_KEY_FINGERPRINT
	keyRaw         = C.IDEM_KEY_RAW
	keyListed      = C.IDEM_KEY_LISTED
	scopeNone      = C.IDEM_SCOPE_NONE
	scopeOf        = C.IDEM_SCOPE_OF

	flagFingerprint = C.IDEM_CLAIM_FINGERPRINT
	flagNoWait      = C.IDEM_CLAIM_NO_WAIT
	flagNoExecute   = C.IDEM_CLAIM_NO_EXECUTE

	statusOK        = C.IDEM_OK
	statusStale     = C.IDEM_STALE
	statusTooLate   = C.IDEM_TOO_LATE
	statusTimedOut  = C.IDEM_TIMED_OUT
	statusFull      = C.IDEM_FULL
	statusUndecided = C.IDEM_UNDECIDED
	statusBuffer    = C.IDEM_ERR_BUFFER
	statusTooLong   = C.IDEM_ERR_TOO_LONG

	endComplete = C.IDEMGO_COMPLETE
	endValue    = C.IDEMGO_VALUE
	endFail     = C.IDEMGO_FAIL
	endCancel   = C.IDEMGO_CANCEL
	endHalt     = C.IDEMGO_HALT
	endAbandon  = C.IDEMGO_ABANDON

	// A duration, count or size of none at all, where 0 is the default.
	none = C.IDEM_ZERO

	forever = C.IDEM_FOREVER

	evicted = C.IDEM_EVICTED
)

// The pointers to bytes that C borrows. cgo checks nothing of a *uint8 at each call, and C reads no
// byte where the length is 0.
func bytesOf(b []byte) *C.uint8_t  { return (*C.uint8_t)(unsafe.SliceData(b)) }
func stringOf(s string) *C.uint8_t { return (*C.uint8_t)(unsafe.StringData(s)) }

// crossClaim claims in one crossing: a wait is put into the queue under tag (wantsPending: so that
// it can be cancelled), and a response that fits is copied to buffer.
func crossClaim(
	c uintptr, ask *cAsk, key *Key, tag uint64, wantsPending bool, buffer []byte, told *cTold,
) int32 {
	stress()
	pending := C.uint32_t(0)
	if wantsPending {
		pending = 1
	}
	status := C.idemgo_claim(C.uintptr_t(c), ask, stringOf(key.name), stringOf(key.scope),
		C.uint64_t(tag), pending, bytesOf(buffer), C.uint64_t(len(buffer)), told)
	stress()
	return int32(status)
}

// crossTake copies a held response and releases it.
func crossTake(told *cTold) []byte {
	stress()
	response := make([]byte, told.len)
	C.idemgo_take(told.data, told.len, told.hold[0], told.hold[1], bytesOf(response))
	stress()
	return response
}

// crossRelease releases a held response that nobody wants.
func crossRelease(told *cTold) {
	stress()
	C.idemgo_take(told.data, told.len, told.hold[0], told.hold[1], nil)
}

// crossEnd ends a lease, and, if polled is not nil, takes out of the queue what has ended.
func crossEnd(c uintptr, ending *cEnding, data []byte, polled *cPolled) int32 {
	stress()
	var status C.int32_t
	if polled == nil {
		status = C.idemgo_end_only(C.uintptr_t(c), ending, bytesOf(data))
	} else {
		status = C.idemgo_end(C.uintptr_t(c), ending, bytesOf(data), polled)
	}
	stress()
	return int32(status)
}

// crossPoll frees waits, which go on, and takes out of the queue what has ended.
func crossPoll(c uintptr, pending []uint64, polled *cPolled) {
	stress()
	C.idemgo_poll(C.uintptr_t(c), (*C.uint64_t)(unsafe.SliceData(pending)),
		C.uint64_t(len(pending)), polled)
	stress()
}

func crossWaitCancel(c uintptr, pending uint64) int32 {
	stress()
	return int32(C.idemgo_wait_cancel(C.uintptr_t(c), C.uint64_t(pending)))
}

// crossWaitFree needs no engine: a wait outlives it.
func crossWaitFree(pending uint64) {
	stress()
	C.idemgo_wait_free(C.uint64_t(pending))
}

func crossClaimBatch(c uintptr, asks []cAsk, bytes, buffer []byte, told []cTold) int32 {
	stress()
	status := C.idemgo_claim_batch(C.uintptr_t(c), unsafe.SliceData(asks), C.uint64_t(len(asks)),
		bytesOf(bytes), bytesOf(buffer), C.uint64_t(len(buffer)), unsafe.SliceData(told))
	stress()
	return int32(status)
}

func crossCompleteBatch(c uintptr, endings []cEnding, bytes []byte, statuses []int32) {
	stress()
	C.idemgo_complete_batch(C.uintptr_t(c), unsafe.SliceData(endings), C.uint64_t(len(endings)),
		bytesOf(bytes), (*C.int32_t)(unsafe.SliceData(statuses)))
	stress()
}

func crossRenew(c uintptr, words *[8]uint64, ms uint64) int32 {
	stress()
	return int32(C.idemgo_renew(C.uintptr_t(c), (*C.uint64_t)(&words[0]), C.uint64_t(ms)))
}

func crossLeaseInfo(c uintptr, words *[8]uint64) (LeaseInfo, int32) {
	stress()
	var info C.idem_lease_info_t
	status := C.idemgo_lease_info(C.uintptr_t(c), (*C.uint64_t)(&words[0]), &info)
	return LeaseInfo{
		Left:    time.Duration(info.left_ms) * time.Millisecond,
		KeyHash: *(*[16]byte)(unsafe.Pointer(&info.key_hash)),
	}, int32(status)
}

// infoOf is the times of a record, as told.
func infoOf(told *cTold) Info {
	return Info{
		Age:   time.Duration(told.age_ms) * time.Millisecond,
		Left:  time.Duration(told.left_ms) * time.Millisecond,
		Owner: uint64(told.owner),
	}
}

// Words of C's structures.
type (
	cWord = C.uint64_t
	cHalf = C.uint32_t
)

func leaseWords(from *[8]cWord) [8]uint64       { return *(*[8]uint64)(unsafe.Pointer(from)) }
func setLease(to *[8]cWord, from *[8]uint64)    { *(*[8]uint64)(unsafe.Pointer(to)) = *from }
func setBits(to *[16]C.uint8_t, from *[16]byte) { *(*[16]byte)(unsafe.Pointer(to)) = *from }
