package idem_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

type did struct {
	response []byte
	err      error
}

// do calls Do in a goroutine of its own.
func do(
	ctx context.Context, e *idem.Engine, key idem.Key, fn func(context.Context) ([]byte, error),
	options ...idem.Option,
) <-chan did {
	came := make(chan did, 1)
	go func() {
		response, err := idem.Do(ctx, e, key, fn, options...)
		came <- did{response, err}
	}()
	return came
}

func never(context.Context) ([]byte, error) { panic("it runs") }

// A work is a function of Do that a test lets go on.
type work struct {
	began chan context.Context
	ends  chan did
}

func newWork() *work { return &work{make(chan context.Context, 100), make(chan did)} }

func (w *work) run(ctx context.Context) ([]byte, error) {
	w.began <- ctx
	came := <-w.ends
	return came.response, came.err
}

// runUntil ends as the context does as well.
func (w *work) runUntil(ctx context.Context) ([]byte, error) {
	w.began <- ctx
	select {
	case came := <-w.ends:
		return came.response, came.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Each test of Do that does not say otherwise runs with a caller that cannot be cancelled, whose
// function runs in its own goroutine, and with one that can.
func both(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Run("here", func(t *testing.T) { test(t, context.Background()) })
	t.Run("apart", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		test(t, ctx)
	})
}

func TestDoSharesTheResponse(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		check.NoGoroutinesLeft(t)
		e := open(t, idem.Config{})
		key, w := idem.Global("k"), newWork()
		owner := do(ctx, e, key, w.run)
		<-w.began
		var others []<-chan did
		for range 200 {
			others = append(others, do(ctx, e, key, never))
		}
		joined(t, e, 200)
		w.ends <- did{response: []byte("made")}
		for _, came := range append(others, owner) {
			if got := <-came; string(got.response) != "made" || got.err != nil {
				t.Fatalf("%q, %v", got.response, got.err)
			}
		}
		if got := <-do(ctx, e, key, never); string(got.response) != "made" {
			t.Errorf("replay: %q, %v", got.response, got.err)
		}
		if executes := e.Stats().Executes; executes != 1 {
			t.Errorf("%d executions", executes)
		}
	})
}

func TestDoSharesTheVerySameError(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		e := open(t, idem.Config{})
		for _, text := range []string{"broken", strings.Repeat("very ", 1000)} {
			key, w := idem.Global("k"), newWork()
			broken := errors.New(text)
			owner := do(ctx, e, key, w.run)
			<-w.began
			var others []<-chan did
			for range 50 {
				others = append(others, do(ctx, e, key, never))
			}
			joined(t, e, 50)
			w.ends <- did{err: broken}
			for _, came := range append(others, owner) {
				if got := <-came; got.err != broken || got.response != nil {
					t.Fatalf("%q, %v", got.response, got.err)
				}
			}
			if state, _ := e.Peek(key); state.State != idem.StateVacant {
				t.Errorf("an error was kept: %v", state.State)
			}
		}
	})
}

func TestDoErrorWithoutRoomForItsText(t *testing.T) {
	e := open(t, idem.Config{MaxResponse: idem.None})
	key, w := idem.Global("k"), newWork()
	broken := errors.New("broken")
	owner := do(background, e, key, w.run)
	<-w.began
	other := do(background, e, key, never)
	joined(t, e, 1)
	w.ends <- did{err: broken}
	if a, b := <-owner, <-other; a.err != broken || b.err != broken {
		t.Errorf("%v, %v", a.err, b.err)
	}
}

func TestDoOnError(t *testing.T) {
	e := open(t, idem.Config{})
	broken := errors.New("broken")
	fails := func(context.Context) ([]byte, error) { return nil, broken }

	kept := idem.Global("kept")
	if _, err := idem.Do(background, e, kept, fails, idem.WithKeepError(time.Hour)); err != broken {
		t.Errorf("%v", err)
	}
	_, err := idem.Do(background, e, kept, never)
	var failed *idem.FailedError
	if !errors.As(err, &failed) || failed.Text != "broken" || !errors.Is(err, idem.ErrFailed) {
		t.Errorf("a kept error: %v", err)
	}

	halted := idem.Global("halted")
	if _, err := idem.Do(background, e, halted, fails, idem.WithOnError(idem.HaltOnError)); err !=
		broken {
		t.Errorf("%v", err)
	}
	if _, err := idem.Do(background, e, halted, never); !errors.Is(err, idem.ErrHalted) {
		t.Errorf("halted: %v", err)
	}

	key, w := idem.Global("handed over"), newWork()
	owner := do(background, e, key, w.run, idem.WithOnError(idem.HandOverOnError))
	<-w.began
	next := do(background, e, key, w.run)
	joined(t, e, 1)
	w.ends <- did{err: broken}
	<-w.began
	w.ends <- did{response: []byte("second")}
	if a, b := <-owner, <-next; a.err != broken || string(b.response) != "second" {
		t.Errorf("%v; %q, %v", a.err, b.response, b.err)
	}

	if _, err := idem.Do(background, e, key, never, idem.WithNoWait()); err != nil {
		t.Errorf("a replay without waiting: %v", err)
	}
	busy := idem.Global("busy")
	claim(t, e, busy, idem.Execute)
	if _, err := idem.Do(background, e, busy, never, idem.WithNoWait()); !errors.Is(err,
		idem.ErrInFlight) {
		t.Errorf("in flight: %v", err)
	}
}

func TestDoCancelledCallerFailsNobodyElse(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	key, w := idem.Global("k"), newWork()
	type name struct{}
	reason := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(context.WithValue(background, name{}, "v"))
	owner := do(ctx, e, key, w.runUntil)
	runs := <-w.began
	if runs.Value(name{}) != "v" {
		t.Error("the function's context has lost its values")
	}
	other := do(background, e, key, never)
	joined(t, e, 1)
	third, cancelThird := context.WithCancel(background)
	leaver := do(third, e, key, never)
	joined(t, e, 2)
	cancel(reason)
	if got := <-owner; !errors.Is(got.err, context.Canceled) || !errors.Is(got.err, reason) {
		t.Errorf("the caller: %v", got.err)
	}
	cancelThird()
	if got := <-leaver; got.err != context.Canceled {
		t.Errorf("the leaver: %v", got.err)
	}
	joined(t, e, 1)
	if runs.Err() != nil {
		t.Fatalf("the function was cancelled while somebody waits: %v", context.Cause(runs))
	}
	w.ends <- did{response: []byte("made")}
	if got := <-other; string(got.response) != "made" || got.err != nil {
		t.Errorf("the other: %q, %v", got.response, got.err)
	}
}

func TestDoEndsTheFunctionNobodyWaitsFor(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	key, w := idem.Global("k"), newWork()
	ctx, cancel := context.WithCancel(background)
	first := do(ctx, e, key, w.runUntil)
	runs := <-w.began
	second := do(ctx, e, key, never)
	joined(t, e, 1)
	cancel()
	<-first
	<-second
	<-runs.Done()
	if !errors.Is(context.Cause(runs), idem.ErrCancelled) {
		t.Errorf("the cause: %v", context.Cause(runs))
	}
	check.Eventually(t, "the key is free", func() bool {
		peeked, _ := e.Peek(key)
		return peeked.State == idem.StateVacant
	})

	// One that is to finish does.
	ctx, cancel = context.WithCancel(background)
	first = do(ctx, e, key, w.runUntil, idem.WithFinish())
	<-w.began
	cancel()
	if got := <-first; got.err != context.Canceled {
		t.Errorf("the caller: %v", got.err)
	}
	w.ends <- did{response: []byte("finished")}
	check.Eventually(t, "it is stored", func() bool {
		peeked, _ := e.Peek(key)
		return peeked.State == idem.StateCompleted
	})
	if got := <-do(background, e, key, never); string(got.response) != "finished" {
		t.Errorf("finished: %q, %v", got.response, got.err)
	}
}

// Who takes over has the other waiters with it: its function lives as long as they wait.
func TestDoWaitersCountWithWhoTakesOver(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	key, w := idem.Global("k"), newWork()
	owner := do(background, e, key, w.run, idem.WithOnError(idem.HandOverOnError))
	<-w.began
	ctx, cancel := context.WithCancel(background)
	next := do(ctx, e, key, w.runUntil)
	joined(t, e, 1)
	other := do(background, e, key, never)
	joined(t, e, 2)
	w.ends <- did{err: errors.New("broken")}
	<-owner
	runs := <-w.began
	cancel()
	if got := <-next; got.err != context.Canceled {
		t.Errorf("the next: %v", got.err)
	}
	// Time for a mistake to show.
	for range 100 {
		runtime.Gosched()
	}
	if runs.Err() != nil {
		t.Error("its function was cancelled while somebody waits")
	}
	broken := errors.New("broken again")
	w.ends <- did{err: broken}
	if got := <-other; got.err != broken {
		t.Errorf("the other: %v", got.err)
	}
}

func TestDoPanicsInItsOwnCallerOnly(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		check.NoGoroutinesLeft(t)
		e := open(t, idem.Config{OnPanic: func(any, []byte) {}})
		key, w := idem.Global("k"), newWork()
		value := errors.New("value")
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			idem.Do(ctx, e, key, func(ctx context.Context) ([]byte, error) {
				w.run(ctx)
				panic(value)
			})
		}()
		<-w.began
		next := do(ctx, e, key, w.run)
		joined(t, e, 1)
		other := do(ctx, e, key, never)
		joined(t, e, 2)
		w.ends <- did{}
		if got := <-panicked; got != value {
			t.Errorf("panicked: %v", got)
		}
		<-w.began
		w.ends <- did{response: []byte("made")}
		if a, b := <-next, <-other; string(a.response) != "made" || string(b.response) != "made" {
			t.Errorf("after a panic: %q %v, %q %v", a.response, a.err, b.response, b.err)
		}
	})
}

func TestDoGoexit(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		check.NoGoroutinesLeft(t)
		e := open(t, idem.Config{})
		key, w := idem.Global("k"), newWork()
		var returned atomic.Bool
		exited := make(chan any, 1)
		go func() {
			defer func() { exited <- recover() }()
			idem.Do(ctx, e, key, func(ctx context.Context) ([]byte, error) {
				w.run(ctx)
				runtime.Goexit()
				return nil, nil
			}, idem.WithOnAbandon(idem.FailWaiters))
			returned.Store(true)
		}()
		<-w.began
		other := do(ctx, e, key, never)
		joined(t, e, 1)
		w.ends <- did{}
		if got := <-exited; got != nil || returned.Load() {
			t.Errorf("Do returned, or panicked with %v", got)
		}
		var cancelled *idem.CancelledError
		if got := <-other; !errors.As(got.err, &cancelled) ||
			cancelled.Reason != idem.ReasonDropped {
			t.Errorf("the other: %v", got.err)
		}
	})
}

func TestDoPanicOfACallerThatHasGone(t *testing.T) {
	check.NoGoroutinesLeft(t)
	told := make(chan string, 1)
	e := open(t, idem.Config{OnPanic: func(value any, stack []byte) {
		told <- value.(string) + "\n" + string(stack)
	}})
	w := newWork()
	ctx, cancel := context.WithCancel(background)
	owner := do(ctx, e, idem.Global("k"), func(ctx context.Context) ([]byte, error) {
		w.run(ctx)
		panic("value")
	})
	<-w.began
	cancel()
	<-owner
	w.ends <- did{}
	if got := <-told; !strings.HasPrefix(got, "value\n") || !strings.Contains(got, "do_test.go") {
		t.Errorf("told: %s", got)
	}
}

func TestDoOutlivedItsLease(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		e, clock := openManual(t, idem.Config{})
		key, w := idem.Global("k"), newWork()
		first := do(ctx, e, key, w.run, idem.WithMaxRun(time.Second))
		<-w.began
		second := do(ctx, e, key, w.run)
		waiting(t, e, 1)
		clock.Advance(2 * time.Second)
		if _, err := e.Tick(); err != nil {
			t.Fatal(err)
		}
		<-w.began
		w.ends <- did{response: []byte("one of them")}
		w.ends <- did{response: []byte("one of them")}
		a, b := <-first, <-second
		if !errors.Is(a.err, idem.ErrStale) || string(a.response) != "one of them" || b.err != nil {
			t.Errorf("%q %v, %q %v", a.response, a.err, b.response, b.err)
		}
	})
}

// Callers that come and go at random: whoever stays gets a response, and one executes at a time.
func TestDoCancellationRaces(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{Retention: idem.None})
	var running [8]atomic.Int32
	var callers sync.WaitGroup
	var served, left atomic.Int64
	for caller := range 64 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for round := range 150 {
				n := (caller*7 + round) % len(running)
				ctx, cancel := context.WithCancel(background)
				stays := (caller+round)%3 == 0
				if !stays {
					time.AfterFunc(time.Duration((caller*31+round*17)%200)*time.Microsecond, cancel)
				}
				got, err := idem.Do(ctx, e, idem.Raw([16]byte{byte(n)}),
					func(ctx context.Context) ([]byte, error) {
						if running[n].Add(1) != 1 {
							t.Error("two execute at a time")
						}
						defer running[n].Add(-1)
						select {
						case <-ctx.Done():
							return nil, context.Cause(ctx)
						case <-time.After(100 * time.Microsecond):
							return []byte{byte(n)}, nil
						}
					})
				switch {
				case err == nil && len(got) == 1 && got[0] == byte(n):
					served.Add(1)
				case !stays && errors.Is(err, context.Canceled):
					left.Add(1)
				default:
					t.Errorf("stays %v: %v, %v", stays, got, err)
				}
				cancel()
			}
		}()
	}
	callers.Wait()
	t.Logf("%d served, %d left", served.Load(), left.Load())
	if served.Load() == 0 || left.Load() == 0 {
		t.Error("nothing was tried")
	}
}
