package idem

import (
	"context"
	"runtime"
	"sync"
)

// A Request is one of many claims.
type Request struct {
	Key Key
	// Fingerprint binds the key to what the request says; the zero one binds it to nothing.
	Fingerprint Fingerprint
	// Owner is a label, as of WithOwner.
	Owner uint64
}

// batchRoom is what a batch is made with.
type batchRoom struct {
	asks     [claimBatch]cAsk
	told     [claimBatch]cTold
	endings  [claimBatch]cEnding
	statuses [claimBatch]int32
	bytes    []byte
	buffer   [8192]byte
}

var batchPool = sync.Pool{New: func() any { return new(batchRoom) }}

// ClaimBatch claims many keys, which is faster than one by one; outcomes[i] is of requests[i], and
// outcomes[i].Err() says what is to be said of it. Each claim is what it would be alone, one after
// the other, but none waits: a key in flight (the second of two in one batch is) is InFlight
// without a Waiter.
//
// If the error is not nil a request or an option is wrong, or the engine is closed; the requests
// are claimed sixteen at a time, and only those before are then claimed: their outcomes have a
// Kind.
//
// Options: those of Claim but WithFingerprint, WithOwner.
func (e *Engine) ClaimBatch(
	ctx context.Context, requests []Request, outcomes []Outcome, options ...Option,
) error {
	if err := alive(ctx); err != nil {
		return err
	}
	if len(outcomes) < len(requests) {
		return invalid("ClaimBatch: %d outcomes for %d requests", len(outcomes), len(requests))
	}
	var made terms
	if err := made.apply(options, claimOptions&^optFingerprint|optLease); err != nil {
		return err
	}
	made.flags |= flagNoWait
	clear(outcomes[:len(requests)])
	calls := e.enter()
	if calls == nil {
		return ErrClosed
	}
	defer calls.exit()
	room := batchPool.Get().(*batchRoom)
	defer batchPool.Put(room)
	for from := 0; from < len(requests); from += claimBatch {
		to := min(from+claimBatch, len(requests))
		if err := e.claimSome(requests[from:to], outcomes[from:to], made, room); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) claimSome(
	requests []Request, outcomes []Outcome, made terms, room *batchRoom,
) error {
	room.bytes = room.bytes[:0]
	for i := range requests {
		request, ask := &requests[i], &room.asks[i]
		*ask = cAsk{}
		if err := request.Key.ask(e, ask); err != nil {
			return err
		}
		if request.Owner >= handleBit {
			return invalid("a label is less than 1<<63")
		}
		one := made
		one.owner = request.Owner
		if one.fingerprint = request.Fingerprint; one.fingerprint.made {
			one.flags |= flagFingerprint
		}
		one.into(ask)
		if len(request.Key.name) > longestKey || len(request.Key.scope) > longestKey {
			return statusError(statusTooLong)
		}
		ask.key_at = cHalf(len(room.bytes))
		room.bytes = append(room.bytes, request.Key.name...)
		ask.scope_at = cHalf(len(room.bytes))
		room.bytes = append(room.bytes, request.Key.scope...)
	}
	told := room.told[:len(requests)]
	status := crossClaimBatch(e.c, room.asks[:len(requests)], room.bytes, room.buffer[:], told)
	runtime.KeepAlive(requests)
	if status != statusOK {
		return statusError(status)
	}
	for i := range told {
		outcomes[i] = e.outcome(&told[i], room.buffer[:])
	}
	return nil
}

const longestKey = 65536

// An Ending completes one of many leases.
type Ending struct {
	Lease    Lease
	Response []byte
	// Completion is written: how it was stored, if Err is nil.
	Completion Completion
	// Err is written: as Lease.Complete would return it.
	Err error
}

// CompleteBatch completes many leases of this engine, each as Complete does without options, which
// is faster than one by one. What came of each is in it; the error is only ErrClosed.
func (e *Engine) CompleteBatch(endings []Ending) error {
	calls := e.enter()
	if calls == nil {
		return ErrClosed
	}
	defer calls.exit()
	room := batchPool.Get().(*batchRoom)
	defer batchPool.Put(room)
	for from := 0; from < len(endings); from += claimBatch {
		some := endings[from:min(from+claimBatch, len(endings))]
		room.bytes = room.bytes[:0]
		for i := range some {
			ending := &some[i]
			room.endings[i] = cEnding{len: cWord(len(ending.Response))}
			setLease(&room.endings[i].lease, &ending.Lease.words)
			room.bytes = append(room.bytes, ending.Response...)
		}
		crossCompleteBatch(e.c, room.endings[:len(some)], room.bytes, room.statuses[:len(some)])
		for i := range some {
			some[i].Completion = Completion(room.endings[i].completion)
			some[i].Err = statusError(room.statuses[i])
		}
	}
	if cap(room.bytes) > longestKey {
		// A pool is no place for what was long once.
		room.bytes = nil
	}
	e.pollIfAwaited()
	return nil
}
