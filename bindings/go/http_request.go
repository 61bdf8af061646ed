package idem

import (
	"context"
	"sync"
	"time"

	"libidem.dev/go/internal/seam"
)

// httpRequest is a request. Its steps are one goroutine's, but what a handler says and renewals may
// come from any, at any time: so c is read and cleared under the lock.
type httpRequest struct {
	engine *Engine
	lock   sync.Mutex
	c      uint64
}

// step is a step of a request, which is over if it comes to an answer.
func (r *httpRequest) step(
	do func(c uint64, scratch *httpScratch) int32,
) (seam.Decision, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return seam.Decision{}, errRequestOver
	}
	scratch := httpScratches.Get().(*httpScratch)
	defer scratch.giveBack()
	if status := do(r.c, scratch); status != statusOK {
		return seam.Decision{}, statusError(status)
	}
	decision := scratch.decision()
	r.c = uint64(scratch.told.request)
	return decision, nil
}

var errRequestOver = invalid("the request is over")

func (r *httpRequest) Claim(body, says []byte) (seam.Decision, error) {
	return r.step(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPClaim(c, body, says, &scratch.told, scratch.buffer[:])
	})
}

func (r *httpRequest) Refuse(fault seam.Fault) (seam.Decision, error) {
	return r.step(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPRefuse(c, fault, &scratch.told, scratch.buffer[:])
	})
}

// waited gives what a wait came to; nil: it was given up.
func (r *httpRequest) waited(came *cTold) (seam.Decision, error) {
	return r.step(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPWaited(c, came, &scratch.told, scratch.buffer[:])
	})
}

// Wait puts the waiter into the engine's queue, as a claim does, and the goroutine waits.
func (r *httpRequest) Wait(
	ctx context.Context, decision seam.Decision,
) (seam.Decision, error) {
	e := r.engine
	t, err := e.queueHTTPWaiter(decision.Waiter)
	if err != nil {
		return seam.Decision{}, err
	}
	timer := time.NewTimer(time.Duration(min(decision.Time, uint64(longest/time.Millisecond))) *
		time.Millisecond)
	defer timer.Stop()
	switch ended := e.await(ctx, timer.C, t); ended {
	case nil:
		came := t.end.told
		e.tickets.put(t)
		return r.waited(&came)
	case errTimeIsUp:
		return r.waited(nil)
	case ErrClosed:
		r.Free()
		return seam.Decision{}, ErrClosed
	default:
		decision, err := r.waited(nil)
		if err != nil {
			return decision, err
		}
		return decision, ended
	}
}

func (e *Engine) queueHTTPWaiter(waiter uint64) (*ticket, error) {
	calls := e.enter()
	if calls == nil {
		crossHTTPWaiterFree(waiter)
		return nil, ErrClosed
	}
	defer calls.exit()
	t := e.tickets.take(false)
	pending, status := crossHTTPWait(e.c, waiter, t.handle()|heldBit)
	if status != statusOK {
		e.tickets.put(t)
		return nil, statusError(status)
	}
	t.pending.Store(pending)
	return t, nil
}

// control is for what may come at any time: after the end it is too late.
func (r *httpRequest) control(do func(c uint64) int32) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return ErrStale
	}
	status := do(r.c)
	if status == statusState {
		// Its end has begun.
		status = statusStale
	}
	return statusError(status)
}

func (r *httpRequest) Renew() error { return r.control(crossHTTPRenew) }

func (r *httpRequest) SideEffectsBegan() error { return r.control(crossHTTPSideEffectsBegan) }

func (r *httpRequest) Say(fate seam.Fate, ms uint64) error {
	return r.control(func(c uint64) int32 { return crossHTTPSay(c, fate, ms) })
}

// end ends an execution, and hands on what that brings about to those who wait.
func (r *httpRequest) end(
	do func(c uint64, scratch *httpScratch) int32,
) (seam.Finished, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return seam.Finished{}, ErrStale
	}
	scratch := httpScratches.Get().(*httpScratch)
	defer scratch.giveBack()
	if status := do(r.c, scratch); status != statusOK {
		return seam.Finished{}, statusError(status)
	}
	told := &scratch.told
	finished := seam.Finished{Fate: seam.Fate(told.fate), IsSettled: told.is_settled != 0}
	if told.header_count > 0 {
		buffer := scratch.buffer[:]
		if told.is_copied == 0 {
			buffer = crossHTTPTake(told)
		}
		count := int(told.header_count)
		finished.Headers = fieldsOf(buffer, string(buffer[8*count:told.need]), count)
	}
	r.c = uint64(told.request)
	r.engine.deliverHTTP()
	return finished, nil
}

func (r *httpRequest) Finish(response *seam.Response) (seam.Finished, error) {
	return r.end(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPFinish(c, response, &scratch.told, scratch.buffer[:])
	})
}

func (r *httpRequest) Lose(status int, wasCutOff bool) (seam.Finished, error) {
	return r.end(func(c uint64, scratch *httpScratch) int32 {
		return crossHTTPLose(c, status, wasCutOff, &scratch.told, scratch.buffer[:])
	})
}

func (r *httpRequest) Fail() error {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return ErrStale
	}
	status := crossHTTPFail(r.c)
	r.c = 0
	r.engine.deliverHTTP()
	return statusError(status)
}

func (r *httpRequest) Free() {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.c == 0 {
		return
	}
	crossHTTPFree(r.c)
	r.c = 0
	r.engine.deliverHTTP()
}

// deliverHTTP hands on what the end of a lease has brought about, unless the engine is gone: a
// request may outlive it.
func (e *Engine) deliverHTTP() {
	calls := e.enter()
	if calls == nil {
		return
	}
	e.pollIfAwaited()
	calls.exit()
}
