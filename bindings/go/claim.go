package idem

import (
	"context"
	"runtime"
	"time"
)

// An Outcome is what a claim or a wait came to. Kind says which of the others count.
type Outcome struct {
	Kind Kind
	// Origin and Attempt are of Execute: how the lease was come by, and 1 for the first execution
	// of the key, one more for each lease before it that ended without a result.
	Origin  Origin
	Attempt uint32
	// Reason is of Cancelled and Halted.
	Reason Reason
	// State is of Mismatch.
	State State
	// Limit is of Full.
	Limit Limit
	// IsError is of Replay: the response is an error that the owner shared.
	IsError bool
	// Info is of InFlight, of the owner's lease; and of Done.
	Info Info
	// Lease is of Execute: end it, or let it run out.
	Lease Lease
	// Response is of Replay. It is the caller's own copy.
	Response []byte
	// Waiter is of InFlight, unless the claim was not to wait: Wait with it, or give it back by
	// Leave.
	Waiter *Waiter
}

// Info is when a record began, how long it has left, and whose it is.
type Info struct {
	// Age is, in flight, since the lease began, and otherwise since it was finished.
	Age time.Duration
	// Left is, in flight, until the lease may be taken over, and otherwise until the record ends.
	Left time.Duration
	// Owner is the owner's label; 0 if it gave none, and of finished records.
	Owner uint64
}

// Err is nil of Execute, InFlight and Replay, and otherwise an error that says what it is.
func (o *Outcome) Err() error {
	told := cTold{kind: cHalf(o.Kind), state: cHalf(o.State), limit: cHalf(o.Limit),
		reason: cHalf(o.Reason)}
	return refusal(&told)
}

// Responses up to this length are copied in the crossing of the claim.
const shortResponse = 512

// Claim decides, in one step, whether the caller executes; there is no separate check. The error
// is nil if the caller executes (Execute), waits (InFlight) or has a response (Replay); otherwise
// it says what the outcome does: ErrDone, ErrMismatch, ErrCancelled, ErrHalted, ErrFull,
// ErrClosed, or that the call was wrong (ErrInvalid; then the Outcome is empty).
//
// It does not block. A ctx that has ended claims nothing, and is no concern of the claim
// afterwards.
func (e *Engine) Claim(ctx context.Context, key Key, options ...Option) (Outcome, error) {
	if err := alive(ctx); err != nil {
		return Outcome{}, err
	}
	var made terms
	if err := made.apply(options, claimOptions|optLease|optOwner); err != nil {
		return Outcome{}, err
	}
	var told cTold
	var buffer [shortResponse]byte
	t, err := e.claim(&key, &made, false, true, buffer[:], &told)
	if err != nil {
		return Outcome{}, err
	}
	outcome := e.outcome(&told, buffer[:])
	if outcome.Kind == InFlight && t != nil {
		outcome.Waiter = e.waiter(t, outcome.Info.Owner)
	}
	return outcome, refusal(&told)
}

// claim claims. It returns a ticket only where that is in use: as an owner's label, if the claim
// is so labelled, or by a wait.
func (e *Engine) claim(
	key *Key, made *terms, isLabelled, wantsPending bool, buffer []byte, told *cTold,
) (*ticket, error) {
	calls := e.enter()
	if calls == nil {
		return nil, ErrClosed
	}
	defer calls.exit()
	var ask cAsk
	if err := key.ask(e, &ask); err != nil {
		return nil, err
	}
	made.into(&ask)
	var t *ticket
	var tag uint64
	if isLabelled || made.flags&flagNoWait == 0 {
		t = e.tickets.take(made.isValued)
		tag = t.handle()
		if isLabelled {
			t.finish = made.finish
			ask.owner = cWord(tag)
		}
		t.publish()
	}
	status := crossClaim(e.c, &ask, key, tag, wantsPending, buffer, told)
	runtime.KeepAlive(key.ns)
	if status == statusOK {
		switch Kind(told.kind) {
		case InFlight:
			if made.flags&flagNoWait == 0 {
				t.pending.Store(uint64(told.pending))
				return t, nil
			}
		case Execute:
			if isLabelled {
				return t, nil
			}
		}
	}
	if t != nil {
		e.tickets.put(t)
	}
	return nil, statusError(status)
}

// outcome is what was told, with a response that is the caller's own.
func (e *Engine) outcome(told *cTold, buffer []byte) Outcome {
	outcome := Outcome{Kind: Kind(told.kind)}
	switch outcome.Kind {
	case Execute:
		outcome.Origin, outcome.Attempt = Origin(told.origin), uint32(told.attempt)
		outcome.Lease = e.lease(told)
	case Replay:
		outcome.IsError = told.is_error != 0
		outcome.Response = response(told, buffer)
	case InFlight, Done:
		outcome.Info = infoOf(told)
	case Mismatch:
		outcome.State = State(told.state)
	case Cancelled, Halted:
		outcome.Reason = Reason(told.reason)
	case Full:
		outcome.Limit = Limit(told.limit)
	}
	return outcome
}

// response is a copy of the response that was told, which is let go of.
func response(told *cTold, buffer []byte) []byte {
	if told.is_copied == 0 {
		return crossTake(told)
	}
	return append(make([]byte, 0, told.len), buffer[told.data:told.data+told.len]...)
}

// alive is nil while ctx has not ended.
func alive(ctx context.Context) error {
	if ctx == nil {
		return errNoContext
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return nil
}

var errNoContext = invalid("the context is nil")
