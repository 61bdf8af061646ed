package idem

// #cgo noescape idemgo_http_passes
// #cgo nocallback idemgo_http_passes
// #cgo noescape idemgo_http_admit
// #cgo nocallback idemgo_http_admit
// #cgo noescape idemgo_http_fingerprint
// #cgo nocallback idemgo_http_fingerprint
// #cgo noescape idemgo_http_claim
// #cgo nocallback idemgo_http_claim
// #cgo noescape idemgo_http_refuse
// #cgo nocallback idemgo_http_refuse
// #cgo noescape idemgo_http_wait
// #cgo nocallback idemgo_http_wait
// #cgo noescape idemgo_http_waited
// #cgo nocallback idemgo_http_waited
// #cgo noescape idemgo_http_renew
// #cgo nocallback idemgo_http_renew
// #cgo noescape idemgo_http_side_effects_began
// #cgo nocallback idemgo_http_side_effects_began
// #cgo noescape idemgo_http_say
// #cgo nocallback idemgo_http_say
// #cgo noescape idemgo_http_finish
// #cgo nocallback idemgo_http_finish
// #cgo noescape idemgo_http_lose
// #cgo nocallback idemgo_http_lose
// #cgo noescape idemgo_http_fail
// #cgo nocallback idemgo_http_fail
// #cgo noescape idemgo_http_take
// #cgo nocallback idemgo_http_take
// #cgo noescape idemgo_http_free
// #cgo nocallback idemgo_http_free
// #include "http.h"
import "C"

import (
	"unsafe"

	"libidem.dev/go/internal/seam"
)

type (
	cHTTPHead = C.idemgo_http_head_t
	cHTTPTold = C.idemgo_http_told_t
)

const (
	statusPolicy  = C.IDEM_ERR_POLICY
	statusState   = C.IDEM_ERR_STATE
	flagHTTPOff   = C.IDEM_HTTP_OFF
	httpHeaderMax = 256
)

func lensOf(lens []uint32) *C.uint32_t { return (*C.uint32_t)(unsafe.SliceData(lens)) }

// crossHTTPPolicy reads a policy's text: all of it, or what is wrong.
func crossHTTPPolicy(text string) (string, int32) {
	buffer := make([]byte, 4096)
	for {
		stress()
		var size C.uint64_t
		status := int32(C.idemgo_http_policy(stringOf(text), C.uint64_t(len(text)), bytesOf(buffer),
			C.uint64_t(len(buffer)), &size))
		if uint64(size) <= uint64(len(buffer)) {
			return string(buffer[:size]), status
		}
		buffer = make([]byte, size)
	}
}

func crossHTTPGateNew(c uintptr, ns uint64, policy string) (gate uint64, status int32) {
	stress()
	var made C.uint64_t
	status = int32(C.idemgo_http_gate_new(C.uintptr_t(c), C.uint64_t(ns), stringOf(policy),
		C.uint64_t(len(policy)), &made))
	return uint64(made), status
}

func crossHTTPGateFree(gate uint64) { C.idemgo_http_gate_free(C.uint64_t(gate)) }

func crossHTTPGateHeader(gate uint64) string {
	var buffer [httpHeaderMax]byte
	size := C.idemgo_http_gate_header(C.uint64_t(gate), bytesOf(buffer[:]), httpHeaderMax)
	return string(buffer[:size])
}

func crossHTTPPasses(gate uint64, method, path string, hasHeader bool) bool {
	stress()
	has := C.int32_t(0)
	if hasHeader {
		has = 1
	}
	return C.idemgo_http_passes(C.uint64_t(gate), stringOf(method), C.uint64_t(len(method)),
		stringOf(path), C.uint64_t(len(path)), has) == 1
}

// crossHTTPAdmit begins a request. bytes are those of the fields, and what head says comes after.
func crossHTTPAdmit(
	gate uint64, head *cHTTPHead, bytes []byte, lens []uint32, told *cHTTPTold, buffer []byte,
) int32 {
	stress()
	status := C.idemgo_http_admit(C.uint64_t(gate), head, bytesOf(bytes), lensOf(lens), told,
		bytesOf(buffer), C.uint64_t(len(buffer)))
	stress()
	return int32(status)
}

func crossHTTPFingerprint(
	gate uint64, head *cHTTPHead, bytes []byte, lens []uint32, body []byte, bits *[16]byte,
) int32 {
	stress()
	return int32(C.idemgo_http_fingerprint(C.uint64_t(gate), head, bytesOf(bytes), lensOf(lens),
		bytesOf(body), C.uint64_t(len(body)), (*C.uint8_t)(&bits[0])))
}

// crossHTTPClaim gives the body, and claims.
func crossHTTPClaim(request uint64, body, says []byte, told *cHTTPTold, buffer []byte) int32 {
	stress()
	status := C.idemgo_http_claim(C.uint64_t(request), bytesOf(body), C.uint64_t(len(body)),
		bytesOf(says), C.uint64_t(len(says)), told, bytesOf(buffer), C.uint64_t(len(buffer)))
	stress()
	return int32(status)
}

func crossHTTPRefuse(request uint64, fault seam.Fault, told *cHTTPTold, buffer []byte) int32 {
	stress()
	return int32(C.idemgo_http_refuse(C.uint64_t(request), C.uint32_t(fault), told, bytesOf(buffer),
		C.uint64_t(len(buffer))))
}

// crossHTTPWait puts a waiter, which is gone then, into the queue.
func crossHTTPWait(c uintptr, waiter, tag uint64) (pending uint64, status int32) {
	stress()
	var made C.uint64_t
	status = int32(C.idemgo_http_wait(C.uintptr_t(c), C.uint64_t(waiter), C.uint64_t(tag), &made))
	return uint64(made), status
}

// crossHTTPWaiterFree gives back a waiter that nobody waits with.
func crossHTTPWaiterFree(waiter uint64) { C.idemgo_http_waiter_free(C.uint64_t(waiter)) }

// crossHTTPWaited tells what a wait came to, which is gone then; nil: it was given up.
func crossHTTPWaited(request uint64, came *cTold, told *cHTTPTold, buffer []byte) int32 {
	stress()
	status := C.idemgo_http_waited(C.uint64_t(request), came, told, bytesOf(buffer),
		C.uint64_t(len(buffer)))
	stress()
	return int32(status)
}

func crossHTTPRenew(request uint64) int32 {
	stress()
	return int32(C.idemgo_http_renew(C.uint64_t(request)))
}

func crossHTTPSideEffectsBegan(request uint64) int32 {
	stress()
	return int32(C.idemgo_http_side_effects_began(C.uint64_t(request)))
}

func crossHTTPSay(request uint64, fate seam.Fate, ms uint64) int32 {
	stress()
	return int32(C.idemgo_http_say(C.uint64_t(request), C.uint32_t(fate), C.uint64_t(ms)))
}

// crossHTTPFinish ends an execution by its response.
func crossHTTPFinish(
	request uint64, response *seam.Response, told *cHTTPTold, buffer []byte,
) int32 {
	stress()
	headers, trailers := &response.Headers, &response.Trailers
	status := C.idemgo_http_finish(C.uint64_t(request), C.uint32_t(response.Status),
		C.uint64_t(headers.Count()), C.uint64_t(trailers.Count()),
		bytesOf(headers.Bytes), lensOf(headers.Lens),
		bytesOf(trailers.Bytes), lensOf(trailers.Lens),
		bytesOf(response.Body), C.uint64_t(len(response.Body)), told, bytesOf(buffer),
		C.uint64_t(len(buffer)))
	stress()
	return int32(status)
}

func crossHTTPLose(
	request uint64, httpStatus int, wasCutOff bool, told *cHTTPTold, buffer []byte,
) int32 {
	stress()
	cut := C.int32_t(0)
	if wasCutOff {
		cut = 1
	}
	return int32(C.idemgo_http_lose(C.uint64_t(request), C.uint32_t(httpStatus), cut, told,
		bytesOf(buffer), C.uint64_t(len(buffer))))
}

// crossHTTPFail fails a request and frees it.
func crossHTTPFail(request uint64) int32 {
	stress()
	return int32(C.idemgo_http_fail(C.uint64_t(request)))
}

// crossHTTPTake copies what was told of and did not fit, and frees the request.
func crossHTTPTake(told *cHTTPTold) []byte {
	stress()
	buffer := make([]byte, told.need)
	C.idemgo_http_take(told, bytesOf(buffer))
	stress()
	return buffer
}

// crossHTTPFree frees a request, whatever state it is in.
func crossHTTPFree(request uint64) {
	stress()
	C.idemgo_http_free(C.uint64_t(request))
	stress()
}
