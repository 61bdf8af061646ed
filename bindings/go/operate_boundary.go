package idem

// #cgo noescape idemgo_act
// #cgo nocallback idemgo_act
// #cgo noescape idemgo_peek
// #cgo nocallback idemgo_peek
// #cgo noescape idemgo_fingerprint
// #cgo nocallback idemgo_fingerprint
// #cgo noescape idemgo_fingerprint_http
// #cgo nocallback idemgo_fingerprint_http
// #cgo noescape idemgo_tick
// #cgo nocallback idemgo_tick
// #include "operate.h"
import "C"

import (
	"slices"
	"time"
	"unsafe"
)

type (
	cConfig = C.idemgo_config_t
	cAct    = C.idemgo_act_t
	cRecord = C.idem_record_t
)

const (
	actForget   = C.IDEMGO_FORGET
	actDetach   = C.IDEMGO_DETACH
	actForceEnd = C.IDEMGO_FORCE_END
	actResolve  = C.IDEMGO_RESOLVE
	actOnce     = C.IDEMGO_ONCE
	actHash     = C.IDEMGO_HASH
)

// configFields are where C has the counts and durations of a config.
type configFields struct {
	records, bytes, maxResponse, waiters, waitersPerKey *uint64

	lease, retention, cancelledRetention, haltedRetention, acceptTimeout *uint64
}

func rawConfig(raw *cConfig) configFields {
	at := func(field *C.uint64_t) *uint64 { return (*uint64)(unsafe.Pointer(field)) }
	return configFields{
		records: at(&raw.records), bytes: at(&raw.bytes), maxResponse: at(&raw.max_response),
		waiters: at(&raw.waiters), waitersPerKey: at(&raw.waiters_per_key),
		lease: at(&raw.lease_ms), retention: at(&raw.retention_ms),
		cancelledRetention: at(&raw.cancelled_retention_ms),
		haltedRetention:    at(&raw.halted_retention_ms), acceptTimeout: at(&raw.accept_timeout_ms),
	}
}

func setChoices(raw *cConfig, c *Config) {
	raw.on_abandon, raw.on_expiry = cHalf(c.OnAbandon), cHalf(c.OnExpiry)
	if c.TrustedKeys {
		raw.key_hash = C.IDEM_KEY_HASH_XXH3
	}
	if c.NoHelperThread {
		raw.helper_thread = C.IDEM_SWITCH_OFF
	}
	if c.HugePages {
		raw.huge_pages = C.IDEM_SWITCH_ON
	}
	if c.Prefault {
		raw.prefault = C.IDEM_SWITCH_ON
	}
	if c.Secret != nil {
		raw.has_secret = C.IDEM_SWITCH_ON
		setBits(&raw.secret, (*[16]byte)(c.Secret))
	}
}

func setClock(raw *cConfig, clock uint64) { raw.clock = cWord(clock) }

// crossOpen opens an engine into e, and returns the descriptor to watch; or what is wrong with the
// config, if that is known.
func crossOpen(raw *cConfig, e *Engine) (descriptor int32, why string, status int32) {
	var made C.uint64_t
	var fd C.int32_t
	var words C.idemgo_words_t
	status = int32(C.idemgo_open(raw, &made, &fd, &words))
	if status == statusOK {
		e.c = uintptr(made)
		e.waits = (*int64)(unsafe.Pointer(C.idemgo_waits(C.uintptr_t(e.c))))
	}
	return int32(fd), C.GoString(&words.words[0]), status
}

func crossFree(c uintptr) { C.idemgo_free(C.uintptr_t(c)) }

// crossDrain blocks its thread until nothing is in flight.
func crossDrain(c uintptr, ms uint64) int32 {
	return int32(C.idemgo_drain(C.uintptr_t(c), C.uint64_t(ms)))
}

// crossCutShort ends what is in flight; whether anything was.
func crossCutShort(c uintptr) bool { return C.idemgo_cut_short(C.uintptr_t(c)) != 0 }

func crossTick(c uintptr) (more bool, status int32) {
	stress()
	var is C.uint32_t
	status = int32(C.idemgo_tick(C.uintptr_t(c), &is))
	return is != 0, status
}

func crossAct(c uintptr, ask *cAsk, key *Key, response []byte, act *cAct) int32 {
	stress()
	act.len = cWord(len(response))
	status := C.idemgo_act(C.uintptr_t(c), ask, stringOf(key.name), stringOf(key.scope),
		bytesOf(response), act)
	stress()
	return int32(status)
}

// crossPeek peeks, and copies the response if there is a buffer for it.
func crossPeek(c uintptr, ask *cAsk, key *Key, buffer []byte, wantsBytes bool) (Peeked, int32) {
	stress()
	var peek C.idem_peek_t
	wants := C.uint32_t(0)
	if wantsBytes {
		wants = 1
	}
	status := C.idemgo_peek(C.uintptr_t(c), ask, stringOf(key.name), stringOf(key.scope),
		bytesOf(buffer), C.uint64_t(len(buffer)), wants, &peek)
	stress()
	return Peeked{
		State: State(peek.state), Reason: Reason(peek.reason), IsError: peek.is_error != 0,
		HasResponse: peek.has_response != 0, Halt: HaltToken(peek.halt), Len: int(peek.len),
		Info: recordInfo(&peek.info),
	}, int32(status)
}

func recordInfo(info *C.idem_info_t) Info {
	return Info{
		Age:   time.Duration(info.age_ms) * time.Millisecond,
		Left:  time.Duration(info.left_ms) * time.Millisecond,
		Owner: uint64(info.owner),
	}
}

func crossFingerprint(c uintptr, fields []byte, lens []uint64, bits *[16]byte) int32 {
	stress()
	return int32(C.idemgo_fingerprint(C.uintptr_t(c), bytesOf(fields),
		(*C.uint64_t)(unsafe.SliceData(lens)), C.uint64_t(len(lens)), (*C.uint8_t)(&bits[0])))
}

func crossFingerprintHTTP(c uintptr, method, target string, body []byte, bits *[16]byte) int32 {
	stress()
	return int32(C.idemgo_fingerprint_http(C.uintptr_t(c),
		stringOf(method), C.uint64_t(len(method)), stringOf(target), C.uint64_t(len(target)),
		bytesOf(body), C.uint64_t(len(body)), (*C.uint8_t)(&bits[0])))
}

func crossNamespace(c uintptr, name string, config *NamespaceConfig) (ns uint64, err error) {
	stress()
	var made C.uint64_t
	var raw *C.idemgo_namespace_t
	if config != nil {
		raw = new(C.idemgo_namespace_t)
		if err := namespaceConfig(raw, config); err != nil {
			return 0, err
		}
	}
	status := C.idemgo_namespace(C.uintptr_t(c), stringOf(name), C.uint64_t(len(name)), raw, &made)
	return uint64(made), statusError(int32(status))
}

func namespaceConfig(raw *C.idemgo_namespace_t, config *NamespaceConfig) error {
	raw.on_abandon, raw.on_expiry = cHalf(config.OnAbandon), cHalf(config.OnExpiry)
	at := func(field *C.uint64_t) *uint64 { return (*uint64)(unsafe.Pointer(field)) }
	var errs [6]error
	errs[0] = setDuration("Lease", config.Lease, at(&raw.lease_ms))
	errs[1] = setDuration("Retention", config.Retention, at(&raw.retention_ms))
	errs[2] = setCount("Records", int64(config.Records), at(&raw.records))
	errs[3] = setCount("Bytes", config.Bytes, at(&raw.bytes))
	errs[4] = setCount("RecordsPerScope", int64(config.RecordsPerScope), at(&raw.records_per_scope))
	errs[5] = setCount("BytesPerScope", config.BytesPerScope, at(&raw.bytes_per_scope))
	if at := slices.IndexFunc(errs[:], func(err error) bool { return err != nil }); at >= 0 {
		return errs[at]
	}
	return nil
}

func crossClear(c uintptr, ns uint64) int32 {
	stress()
	return int32(C.idemgo_clear(C.uintptr_t(c), C.uint64_t(ns)))
}

func crossNamespaceFree(ns uint64) { C.idemgo_namespace_free(C.uint64_t(ns)) }

func crossList(c uintptr) (listing uint64, status int32) {
	stress()
	var made C.uint64_t
	status = int32(C.idemgo_list(C.uintptr_t(c), &made))
	return uint64(made), status
}

// crossListNext is the next records of a listing, which needs no engine.
func crossListNext(listing uint64, records []cRecord) int {
	stress()
	var taken C.uint64_t
	C.idemgo_list_next(C.uint64_t(listing), &records[0], C.uint64_t(len(records)), &taken)
	return int(taken)
}

func crossListFree(listing uint64) { C.idemgo_list_free(C.uint64_t(listing)) }

func recordOf(raw *cRecord) Record {
	// The words that name it are copied as bytes, which a Key has room for.
	ref := unsafe.Slice((*byte)(unsafe.Pointer(&raw.ref)), unsafe.Sizeof(raw.ref))
	return Record{
		Key:   Key{name: string(ref), kind: keyListed, scopeKind: scopeNone},
		State: State(raw.state), Reason: Reason(raw.reason), Attempt: uint32(raw.attempt),
		Waiters: int(raw.waiters), IsDetached: raw.is_detached != 0, Halt: HaltToken(raw.halt),
		Info: recordInfo(&raw.info), KeyHash: *(*[16]byte)(unsafe.Pointer(&raw.key_hash)),
	}
}

func crossClockNew() (clock uint64, status int32) {
	var made C.uint64_t
	status = int32(C.idemgo_clock_new(&made))
	return uint64(made), status
}

func crossClockAdvance(clock, ms uint64) {
	stress()
	C.idemgo_clock_advance(C.uint64_t(clock), C.uint64_t(ms))
}

func crossClockNow(clock uint64) (ms uint64) {
	C.idemgo_clock_now(C.uint64_t(clock), (*C.uint64_t)(&ms))
	return ms
}

func crossClockFree(clock uint64) { C.idemgo_clock_free(C.uint64_t(clock)) }

// copied are the bytes of responses that a poll has copied.
func copied(c *cPolled) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&c.bytes[0])), len(c.bytes))
}

func actHashOf(act *cAct) [16]byte { return *(*[16]byte)(unsafe.Pointer(&act.hash)) }
