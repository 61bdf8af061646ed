package idem

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"
)

// polled is what a poll took, and the waits to be freed after it.
type polled struct {
	c       cPolled
	pending []uint64
}

var polledPool = sync.Pool{New: func() any { return new(polled) }}

// pollLoop is the poller: it sleeps in Go's own poller until the queue has something, and hands it
// on. Whoever completes a lease does the same in passing, so it often finds nothing.
func (e *Engine) pollLoop(descriptor syscall.RawConn) {
	defer close(e.pollerDone)
	// The function is called whenever the descriptor may be readable. It does not read from it: the
	// library does, before it looks, so whatever comes later makes it readable anew.
	_ = descriptor.Read(func(uintptr) bool {
		calls := e.enter()
		if calls == nil {
			return true
		}
		e.poll()
		calls.exit()
		return false
	})
}

// poll hands on all that has ended. Inside the gate.
func (e *Engine) poll() {
	took := polledPool.Get().(*polled)
	for {
		crossPoll(e.c, took.pending, &took.c)
		if e.deliver(took) < batch {
			break
		}
	}
	e.giveBack(took)
}

// pollIfAwaited polls if anybody waits. Inside the gate.
func (e *Engine) pollIfAwaited() {
	if atomic.LoadInt64(e.waits) > 0 {
		e.poll()
	}
}

// At most as many batches for others come before a caller's own result. What is left makes the
// descriptor readable, and is the poller's.
const courtesy = 4

// end ends a lease, and, if somebody may wait for it, hands on what that brings about.
func (e *Engine) end(ending *cEnding, data []byte, isAwaited bool) int32 {
	if !isAwaited || atomic.LoadInt64(e.waits) == 0 {
		return crossEnd(e.c, ending, data, nil)
	}
	took := polledPool.Get().(*polled)
	status := crossEnd(e.c, ending, data, &took.c)
	for range courtesy {
		if e.deliver(took) < batch {
			break
		}
		crossPoll(e.c, took.pending, &took.c)
	}
	e.giveBack(took)
	return status
}

// giveBack gives back what a poll was made with.
func (e *Engine) giveBack(took *polled) {
	for _, pending := range took.pending {
		crossWaitFree(pending)
	}
	took.pending = took.pending[:0]
	polledPool.Put(took)
}

// deliver hands on what was taken: each end by the tag of its wait. It returns how many.
func (e *Engine) deliver(took *polled) int {
	took.pending = took.pending[:0]
	count := int(took.c.taken)
	for i := range count {
		ended := &took.c.ended[i]
		told := &ended.told
		if told.kind == evicted {
			e.values.free(uint64(told.value))
			continue
		}
		to := e.tickets.find(uint64(ended.tag) &^ heldBit)
		if to == nil {
			// Not possible while each tag is of one wait; a lease would not be lost even so.
			e.decline(told)
			continue
		}
		to.end.told = *told
		to.end.response, to.end.label = nil, 0
		if to.isValued && told.is_copied != 0 && told.len == labelSize {
			to.end.label = binary.NativeEndian.Uint64(copied(&took.c)[told.data:])
		}
		if Kind(told.kind) == Replay && told.is_copied != 0 && told.len > 0 && !to.isValued {
			at := told.data
			to.end.response = bytes.Clone(copied(&took.c)[at : at+told.len])
		}
		if pending := to.pending.Swap(0); pending != 0 {
			took.pending = append(took.pending, pending)
		}
		// There is room: a ticket has one end. It is the receiver's from here on.
		to.ended <- struct{}{}
	}
	return count
}

// decline lets go of what nobody was given: a lease is the next waiter's, whatever the policy for
// leases that are abandoned, since nobody has begun. Inside the gate.
func (e *Engine) decline(told *cTold) {
	switch {
	case Kind(told.kind) == Execute:
		ending := cEnding{how: endCancel, on_end: cHalf(HandOver), lease: told.lease}
		// Not polled for here: this may be called from within a poll.
		crossEnd(e.c, &ending, nil, nil)
	case Kind(told.kind) == Replay && told.is_copied == 0:
		crossRelease(told)
	}
}
