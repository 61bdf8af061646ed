package idem

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"sync"
)

// Do executes fn, unless it was done, or somebody else is at it. Of all who call Do with one key
// at a time one executes; the others wait, and get its response, each a copy of their own, or the
// very same error. Later calls get the stored response, until its retention is over.
//
// Contexts. A ctx that ends takes only its own caller away, whose Do returns ctx's error. fn's
// context has the values of the ctx of its own caller, and ends when nobody waits for the result
// any more, of those who called and those who joined (or never, WithFinish): its Cause is then
// ErrCancelled. If ctx cannot end, fn runs in the caller's goroutine; otherwise in one of its own,
// so as to survive the caller.
//
// Errors. What fn returns as an error is shared with those who wait, and not stored: the next call
// executes. WithOnError and WithKeepError say otherwise. An error of an fn that was told that
// nobody waits is nobody's: whoever has come meanwhile executes.
//
// Panics. If fn panics, or calls runtime.Goexit, its lease is abandoned (WithOnAbandon): by
// default whoever has waited longest executes next. The panic, or the Goexit, goes on in the
// caller whose fn it was and in no other; if that has gone, Config.OnPanic is told.
//
// Leases. fn is the only one as long as it runs, up to WithMaxRun. When others have taken over
// since, its response is not stored, and Do returns it along with ErrStale. Otherwise Do returns
// an error and no response: ErrDone, ErrMismatch, ErrCancelled, ErrHalted, ErrFull, ErrClosed, or
// ErrInFlight.
//
// Options: WithRetention, WithFingerprint, WithNoWait, WithNoExecute, WithOnExpiry, WithOnAbandon,
// WithOnError, WithKeepError, WithMaxRun, WithFinish.
func Do(
	ctx context.Context, e *Engine, key Key, fn func(context.Context) ([]byte, error),
	options ...Option,
) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	if fn == nil || e == nil {
		return nil, errNoFunction
	}
	made := terms{lease: e.maxRun}
	if err := made.apply(options, claimOptions|optMaxRun|optFinish|optOnError); err != nil {
		return nil, err
	}
	if made.maxRun != 0 {
		made.lease = made.maxRun
	}
	var told cTold
	var buffer [shortResponse]byte
	t, err := e.claim(&key, &made, true, ctx.Done() != nil, buffer[:], &told)
	if err != nil {
		return nil, err
	}
	switch Kind(told.kind) {
	case Execute:
		return e.run(ctx, t, &told, &made, fn)
	case Replay:
		stored := response(&told, buffer[:])
		if told.is_error != 0 {
			return nil, &FailedError{string(stored)}
		}
		return stored, nil
	case InFlight:
		if t == nil {
			return nil, ErrInFlight
		}
		return e.follow(ctx, t, uint64(told.owner), &made, fn)
	}
	return nil, refusal(&told)
}

var (
	errNoFunction = invalid("Do: the engine or the function is nil")
	// The Cause of a function's context that nobody waits for.
	errNobodyWaits = fmt.Errorf("%w: nobody waits for the result", ErrCancelled)
)

// follow waits for somebody else's call.
func (e *Engine) follow(
	ctx context.Context, t *ticket, label uint64, made *terms,
	fn func(context.Context) ([]byte, error),
) ([]byte, error) {
	joined := e.tickets.join(label)
	came, err := e.awaitEnd(ctx, t)
	if err != nil {
		joined.leave()
		return nil, err
	}
	told := &came.told
	if Kind(told.kind) == Execute {
		// t is this call's label, and those who wait with it are its own now.
		joined.takeOver(t)
		return e.run(ctx, t, told, made, fn)
	}
	joined.leave()
	e.tickets.put(t)
	switch {
	case Kind(told.kind) == Replay && told.is_error != 0:
		return nil, sharedError(joined, string(came.response))
	case Kind(told.kind) == Replay:
		return came.response, nil
	case Kind(told.kind) == Done:
		// An error whose text was too long to be shared comes to this as well.
		if failure := joined.failure(); failure != nil {
			return nil, failure
		}
	}
	return nil, refusal(told)
}

// sharedError is the error that an owner has shared: the very same, if it is of the call that was
// joined.
func sharedError(joined *ticket, text string) error {
	failure := joined.failure()
	if failure != nil && errorText(failure) == text {
		return failure
	}
	return &FailedError{text}
}

// run runs the function as the owner.
func (e *Engine) run(
	ctx context.Context, t *ticket, told *cTold, made *terms,
	fn func(context.Context) ([]byte, error),
) ([]byte, error) {
	lease := e.lease(told)
	if ctx.Done() != nil {
		return e.runDoApart(ctx, t, lease, *made, fn)
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		// A panic, which goes on by itself, or a Goexit. If it is a panic, recovering from it
		// would only lose where it came from.
		e.abandon(t, &lease)
		e.tickets.put(t)
	}()
	response, err := fn(ctx)
	returned = true
	if err == nil && t.retire() {
		// Nobody has joined, and nobody can any more.
		ending := completing(response, made)
		_, err = lease.finish(&ending, response, false)
		e.tickets.putRetired(t)
		return result(response, taken(err))
	}
	err = e.settle(t, &lease, response, err, made)
	e.tickets.put(t)
	return result(response, err)
}

func (e *Engine) runDoApart(
	ctx context.Context, t *ticket, lease Lease, made terms,
	fn func(context.Context) ([]byte, error),
) ([]byte, error) {
	return result(runApart(ctx, e, t, fn, func(response *[]byte, err error) error {
		return e.settle(t, &lease, *response, err, &made)
	}, func() { e.abandon(t, &lease) }))
}

// A flight is a function that runs in a goroutine of its own.
type flight[V any] struct {
	done     chan struct{}
	value    V
	err      error
	thrown   any
	panicked bool
	exited   bool
}

// runApart runs the function in a goroutine of its own, and waits for it until ctx ends. settle
// ends the lease by what came of it, and abandon if nothing did.
func runApart[V any](
	ctx context.Context, e *Engine, t *ticket, fn func(context.Context) (V, error),
	settle func(*V, error) error, abandon func(),
) (V, error) {
	runs, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	t.lock.Lock()
	t.cancel = cancel
	t.lock.Unlock()
	f := &flight[V]{done: make(chan struct{})}
	go func() {
		returned := false
		defer func() {
			if !returned {
				f.thrown = recover()
				f.panicked = f.thrown != nil
				f.exited = !f.panicked
				abandon()
			}
			cancel(nil)
			isWanted := t.leaveFunction()
			if f.panicked {
				e.tellPanic(f.thrown, isWanted)
			}
			if isWanted {
				close(f.done)
			} else {
				e.tickets.put(t)
			}
		}()
		value, err := fn(runs)
		returned = true
		f.value = value
		f.err = settle(&f.value, err)
	}()
	select {
	case <-f.done:
	case <-ctx.Done():
		if t.leaveOwner() {
			var none V
			return none, contextError(ctx)
		}
		// Just over.
		<-f.done
	}
	e.tickets.put(t)
	if f.panicked {
		panic(f.thrown)
	}
	if f.exited {
		runtime.Goexit()
	}
	return f.value, f.err
}

// result is what the caller gets: no response with an error, but with one that was not stored.
func result(response []byte, err error) ([]byte, error) {
	if err != nil && !errors.Is(err, errTaken) {
		return nil, err
	}
	return response, err
}

// errTaken is ErrStale with the response: others have taken over, and it was not stored.
var errTaken = fmt.Errorf("%w: the function outlived it, and its response was not stored", ErrStale)

// settle ends the lease with what came of the function.
func (e *Engine) settle(
	t *ticket, lease *Lease, response []byte, err error, made *terms,
) error {
	t.lock.Lock()
	t.over = true
	abandoned := t.abandoned
	isAwaited := t.isJoined()
	policy := made.onError
	if err != nil && !abandoned && (policy == ShareError || policy == keepError) {
		// Before anybody is told.
		t.err = err
	}
	t.lock.Unlock()
	if err == nil {
		ending := completing(response, made)
		_, ended := lease.finish(&ending, response, isAwaited)
		return taken(ended)
	}
	ending := cEnding{how: endCancel}
	var text []byte
	switch {
	case abandoned:
		// Nobody wanted it; whoever came since has not been served by that.
		ending.on_end = cHalf(HandOver)
	case policy == HandOverOnError:
		ending.on_end = cHalf(HandOver)
	case policy == HaltOnError:
		ending.how = endHalt
	default:
		text = []byte(errorText(err))
		ending.how, ending.len = endFail, cWord(len(text))
		ending.retention_ms = cWord(made.errorRetention)
		// Whoever has been told to wait, and has not come to join, still finds it for a while.
		e.failed.keep(&e.tickets, t)
		t.lock.Lock()
		t.kept = true
		t.lock.Unlock()
	}
	// What comes of it is no news to one who has an error already.
	_, ended := lease.finish(&ending, text, isAwaited)
	if ending.how == endFail && ended != nil {
		// Others have taken over, and this is not what came of the key.
		t.lock.Lock()
		t.err = nil
		t.lock.Unlock()
	}
	return err
}

func completing(response []byte, made *terms) cEnding {
	return cEnding{how: endComplete, retention_ms: cWord(made.retention), len: cWord(len(response))}
}

// taken is what the caller is told whose response was not stored.
func taken(err error) error {
	if err == ErrStale {
		return errTaken
	}
	return err
}

// abandon ends the lease of a function that did not return.
func (e *Engine) abandon(t *ticket, lease *Lease) {
	t.lock.Lock()
	t.over = true
	t.lock.Unlock()
	ending := cEnding{how: endAbandon}
	// If it was over already there is nothing to abandon.
	_, _ = lease.finish(&ending, nil, true)
}

// The most bytes of an error's text that are shared.
const longestText = 1024

func errorText(err error) string {
	text := err.Error()
	return text[:min(len(text), longestText)]
}

func logPanic(value any, stack []byte) {
	log.Printf("idem: a function of Do panicked, and its caller has gone: %v\n%s", value, stack)
}

// failedCalls keeps the last calls that failed, whose handle somebody may have been told and not
// yet have looked up: between the claim and the join of a waiter.
type failedCalls struct {
	lock sync.Mutex
	kept [256]*ticket
	next int
}

func (f *failedCalls) keep(table *ticketTable, t *ticket) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if oldest := f.kept[f.next]; oldest != nil {
		table.forget(oldest)
	}
	f.kept[f.next] = t
	f.next = (f.next + 1) % len(f.kept)
}
