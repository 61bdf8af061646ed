package idem

import "time"

// A Lease is the right to execute, until its deadline has passed and somebody has acted on that.
// It is a plain value: copy, store and send it as you like, and end it once, from any goroutine.
// If it is lost its deadline is the safety net. The methods do not block.
//
// Each of them returns ErrStale if the lease was over: nothing was overwritten.
type Lease struct {
	engine *Engine
	words  [8]uint64
}

func (e *Engine) lease(told *cTold) Lease {
	return Lease{e, leaseWords(&told.lease)}
}

// LeaseInfo is what is known of a lease.
type LeaseInfo struct {
	// Left is until others may take over; 0: they may.
	Left time.Duration
	// KeyHash stands for the key in the listing.
	KeyHash [16]byte
}

// Complete stores the response, gives it to everybody who waits, and ends the lease. It never
// fails for room or size: then it is marked as done, so as not to be done again, and the
// Completion says why the response was not kept. Options: WithRetention.
func (l Lease) Complete(response []byte, options ...Option) (Completion, error) {
	return l.end(endComplete, response, options, optRetention)
}

// Fail shares an error with everybody who waits, and ends the lease. It is kept if WithRetention
// says so; otherwise the key is free. Those who wait get it as a Replay with IsError; in Do, as a
// FailedError.
func (l Lease) Fail(text []byte, options ...Option) (Completion, error) {
	return l.end(endFail, text, options, optRetention)
}

// Cancel gives up. Whoever has waited longest executes next, and without a waiter the key is free,
// unless WithOnEnd says otherwise. WithReason says why.
func (l Lease) Cancel(options ...Option) error {
	_, err := l.end(endCancel, nil, options, optOnEnd|optReason)
	return err
}

// Halt says that the outcome is unknown: nobody executes the key until Config.HaltedRetention is
// over, or Resolve settles it. WithReason says why.
func (l Lease) Halt(options ...Option) error {
	_, err := l.end(endHalt, nil, options, optReason)
	return err
}

// Abandon lets go of the lease as one who cannot say what became of the work: what happens is what
// WithOnAbandon said in the claim.
func (l Lease) Abandon() error {
	_, err := l.end(endAbandon, nil, nil, 0)
	return err
}

func (l *Lease) end(
	how uint32, data []byte, options []Option, allowed optionKind,
) (Completion, error) {
	var made terms
	if err := made.apply(options, allowed); err != nil {
		return 0, err
	}
	if how == endFail && made.retention == none {
		made.retention = 0
	}
	ending := cEnding{how: cHalf(how), on_end: cHalf(made.onEnd), reason: cHalf(made.reason),
		retention_ms: cWord(made.retention), len: cWord(len(data))}
	return l.finish(&ending, data, true)
}

// finish ends the lease; isAwaited: somebody may wait for it.
func (l *Lease) finish(ending *cEnding, data []byte, isAwaited bool) (Completion, error) {
	if l.engine == nil {
		return 0, ErrStale
	}
	calls := l.engine.enter()
	if calls == nil {
		return 0, ErrClosed
	}
	defer calls.exit()
	setLease(&ending.lease, &l.words)
	if status := l.engine.end(ending, data, isAwaited); status != statusOK {
		return 0, statusError(status)
	}
	return Completion(ending.completion), nil
}

// Renew moves the deadline to a time from now, at most ten years, never earlier.
func (l Lease) Renew(time time.Duration) error {
	ms, err := someTime("Renew", time)
	if err != nil {
		return err
	}
	if l.engine == nil {
		return ErrStale
	}
	calls := l.engine.enter()
	if calls == nil {
		return ErrClosed
	}
	defer calls.exit()
	return statusError(crossRenew(l.engine.c, &l.words, ms))
}

// Info is how long the lease has left, and of which record it is.
func (l Lease) Info() (LeaseInfo, error) {
	if l.engine == nil {
		return LeaseInfo{}, ErrStale
	}
	calls := l.engine.enter()
	if calls == nil {
		return LeaseInfo{}, ErrClosed
	}
	defer calls.exit()
	info, status := crossLeaseInfo(l.engine.c, &l.words)
	return info, statusError(status)
}
