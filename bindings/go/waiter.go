package idem

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

// A Waiter is a place in the queue of those who wait for one owner's result, which a claim took.
// Use it once: Wait, or Leave. One that is lost is given back when it is collected.
type Waiter struct {
	engine  *Engine
	place   *place
	cleanup runtime.Cleanup
}

// place is what is left to be given back when a Waiter is lost.
type place struct {
	engine *Engine
	ticket *ticket
	joined *ticket
	used   atomic.Bool
}

func (e *Engine) waiter(t *ticket, label uint64) *Waiter {
	p := &place{engine: e, ticket: t, joined: e.tickets.join(label)}
	w := &Waiter{engine: e, place: p}
	w.cleanup = runtime.AddCleanup(w, func(p *place) { p.leave() }, p)
	return w
}

// Wait waits until the owner's lease ends, one way or another, which it always does; the goroutine
// waits, and no thread does. The outcome is Execute (the owner gave up, and the caller is next),
// Replay, or one with an error as Claim says. If ctx ends first it is ctx's error, and the place
// is given back: nobody else is disturbed.
func (w *Waiter) Wait(ctx context.Context) (Outcome, error) {
	if ctx == nil {
		return Outcome{}, errNoContext
	}
	if w == nil || !w.place.used.CompareAndSwap(false, true) {
		return Outcome{}, errWaiterUsed
	}
	w.cleanup.Stop()
	e, p := w.engine, w.place
	came, err := e.awaitEnd(ctx, p.ticket)
	p.joined.leave()
	if err != nil {
		return Outcome{}, err
	}
	e.tickets.put(p.ticket)
	outcome := e.outcome(&came.told, came.response)
	return outcome, refusal(&came.told)
}

// Leave gives the place back without waiting. If the lease was being handed over to it, it passes
// on.
func (w *Waiter) Leave() {
	if w != nil && w.place.used.CompareAndSwap(false, true) {
		w.cleanup.Stop()
		w.place.leave()
	}
}

func (p *place) leave() {
	p.engine.giveUp(p.ticket)
	p.joined.leave()
}

var errWaiterUsed = invalid("the waiter was used already")

// awaitEnd waits for the end of a ticket's wait: it is the caller's, and so is the ticket still.
// With an error there is no end, and the ticket was given back.
func (e *Engine) awaitEnd(ctx context.Context, t *ticket) (end, error) {
	if err := e.await(ctx, nil, t); err != nil {
		return end{}, err
	}
	return e.received(t), nil
}

var errTimeIsUp = errors.New("the time is up")

// await waits until the end of a ticket's wait has come. With an error, errTimeIsUp if it was that
// of the timer, it has not, and the ticket was given back.
func (e *Engine) await(ctx context.Context, timer <-chan time.Time, t *ticket) error {
	select {
	case <-t.ended:
	case <-timer:
		e.giveUp(t)
		return errTimeIsUp
	case <-ctx.Done():
		e.giveUp(t)
		return contextError(ctx)
	case <-e.closed:
		// What came before the end of all is still good to know.
		select {
		case <-t.ended:
		default:
			e.lost(t)
			return ErrClosed
		}
	}
	// It may have come before this side knew what it could be cancelled by.
	t.freePending()
	return nil
}

// received is the end that a ticket has got.
func (e *Engine) received(t *ticket) end {
	came := t.end
	if Kind(came.told.kind) == Replay && came.told.is_copied == 0 {
		came.response = crossTake(&came.told)
	}
	if Kind(came.told.kind) == Replay {
		came.told.is_copied, came.told.data = 1, 0
	}
	return came
}

// giveUp gives a place back, and the ticket. What has come already is let go of.
func (e *Engine) giveUp(t *ticket) {
	calls := e.enter()
	if calls == nil {
		e.lost(t)
		return
	}
	defer calls.exit()
	pending := t.pending.Swap(0)
	if pending != 0 && crossWaitCancel(e.c, pending) == statusOK {
		// Nobody has its tag any more.
		e.tickets.put(t)
		return
	}
	// Somebody is delivering its end. Not for long: they are inside the gate, and wait for nothing.
	<-t.ended
	e.decline(&t.end.told)
	e.tickets.put(t)
	// What was declined may have passed on to one who waits.
	e.pollIfAwaited()
}

// lost gives up a ticket whose engine is gone.
func (e *Engine) lost(t *ticket) {
	t.freePending()
	e.tickets.forget(t)
}

// freePending frees what the wait could be cancelled by, if that is nobody else's to do.
func (t *ticket) freePending() {
	if pending := t.pending.Swap(0); pending != 0 {
		crossWaitFree(pending)
	}
}
