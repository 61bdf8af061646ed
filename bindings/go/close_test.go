package idem_test

// Resident memory is compared here, in a file whose tests run before those with 100 000 stacks.

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

func TestCloseWithOthersWaiting(t *testing.T) {
	check.NoGoroutinesLeft(t)
	for _, isManual := range []bool{false, true} {
		config := idem.Config{}
		if isManual {
			clock, err := idem.NewClock()
			if err != nil {
				t.Fatal(err)
			}
			defer clock.Free()
			config.Clock = clock
		}
		e, err := idem.Open(config)
		if err != nil {
			t.Fatal(err)
		}
		key := idem.Global("k")
		owner := claim(t, e, key, idem.Execute, idem.WithLease(time.Hour))
		detached := idem.Global("detached")
		claim(t, e, detached, idem.Execute)
		var came []<-chan did
		for i := range 100 {
			came = append(came, do(background, e, key, never))
			if i < 10 {
				came = append(came, do(background, e, detached, never))
			}
		}
		waiting(t, e, 110)
		if was, err := e.Detach(detached); !was || err != nil {
			t.Fatalf("detach: %v, %v", was, err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		for _, came := range came {
			got := <-came
			var cancelled *idem.CancelledError
			if !errors.Is(got.err, idem.ErrClosed) &&
				!(errors.As(got.err, &cancelled) && cancelled.Reason == idem.ReasonShutdown) {
				t.Errorf("a waiter of a closed engine: %v", got.err)
			}
		}
		if _, err := owner.Lease.Complete(nil); !errors.Is(err, idem.ErrClosed) {
			t.Errorf("the owner: %v", err)
		}
		if _, err := e.Claim(background, key); !errors.Is(err, idem.ErrClosed) {
			t.Errorf("a claim: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
		if stats := e.Stats(); stats.Shutdowns == 0 || stats.Executes != 2 {
			t.Errorf("stats of the end: %+v", stats)
		}
	}
}

func TestCloseWithinLetsOwnersFinish(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	done, key, w := idem.Global("done"), idem.Global("k"), newWork()
	if _, err := claim(t, e, done, idem.Execute).Lease.Complete([]byte("x")); err != nil {
		t.Fatal(err)
	}
	owner := do(background, e, key, w.run)
	<-w.began
	other := do(background, e, key, never)
	waiting(t, e, 1)
	closed := make(chan error, 2)
	go func() { closed <- e.CloseWithin(background) }()
	check.Eventually(t, "it closes", func() bool {
		_, err := e.Claim(background, idem.Global("new"), idem.WithLease(time.Millisecond))
		return errors.Is(err, idem.ErrClosed)
	})
	claim(t, e, done, idem.Replay)
	go func() { closed <- e.CloseWithin(background) }()
	w.ends <- did{response: []byte("made")}
	if a, b := <-owner, <-other; string(a.response) != "made" || string(b.response) != "made" {
		t.Errorf("%v, %v", a, b)
	}
	for range 2 {
		if err := <-closed; err != nil {
			t.Errorf("close: %v", err)
		}
	}

	e, _ = idem.Open(idem.Config{})
	claim(t, e, key, idem.Execute)
	ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
	defer cancel()
	if err := e.CloseWithin(ctx); err != context.DeadlineExceeded {
		t.Errorf("cut short: %v", err)
	}
}

func TestCloseRacesWithEverything(t *testing.T) {
	check.NoGoroutinesLeft(t)
	for round := range 30 {
		e, err := idem.Open(idem.Config{Records: 1000})
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		var begun atomic.Int64
		for caller := range 16 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				for n := 0; ; n++ {
					ctx, cancel := context.WithTimeout(background, time.Millisecond)
					key := idem.Raw([16]byte{byte(caller / 4), byte(n), byte(n >> 8)})
					_, err := idem.Do(ctx, e, key,
						func(context.Context) ([]byte, error) {
							runtime.Gosched()
							return make([]byte, n%900), nil
						})
					cancel()
					begun.Add(1)
					if errors.Is(err, idem.ErrClosed) {
						return
					}
				}
			}()
		}
		for begun.Load() < int64(round*20) {
			runtime.Gosched()
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		callers.Wait()
	}
}

// What the library holds goes back when an engine is closed, however it was used.
func TestClosedEnginesLeaveNoMemory(t *testing.T) {
	if testing.Short() || check.RaceEnabled {
		t.Skip("it opens many engines, and counts what the race detector has as well")
	}
	cycle := func() {
		e, err := idem.Open(idem.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20_000 {
			key := idem.Raw([16]byte{byte(i), byte(i >> 8), byte(i >> 16)})
			lease := claim(t, e, key, idem.Execute).Lease
			waiter := claim(t, e, key, idem.InFlight).Waiter
			if _, err := lease.Complete(make([]byte, 600)); err != nil {
				t.Fatal(err)
			}
			if i%8 == 0 {
				waiter.Leave()
			} else if _, err := waiter.Wait(background); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cycle()
	debug.FreeOSMemory()
	before := check.Resident(t)
	for range 15 {
		cycle()
	}
	debug.FreeOSMemory()
	after := check.Resident(t)
	t.Logf("%d MB resident, %d MB before fifteen engines of 20000 records", after, before)
	if after > before+12 {
		t.Error("closed engines hold memory")
	}
}

func TestMemoryComesBackByRetention(t *testing.T) {
	e, clock := openManual(t, idem.Config{Retention: time.Minute})
	for i := range 1000 {
		key := idem.Raw([16]byte{byte(i), byte(i >> 8)})
		lease := claim(t, e, key, idem.Execute).Lease
		waiter, leaver := claim(t, e, key, idem.InFlight), claim(t, e, key, idem.InFlight)
		// Of every way that a response is copied: too long for a claim's buffer, or for a poll's.
		if _, err := lease.Complete(make([]byte, i*20)); err != nil {
			t.Fatal(err)
		}
		claim(t, e, key, idem.Replay)
		leaver.Waiter.Leave()
		if _, err := waiter.Waiter.Wait(background); err != nil {
			t.Fatal(err)
		}
	}
	if stats := e.Stats(); stats.Records != 1000 || stats.Bytes == 0 {
		t.Errorf("stored: %d records, %d bytes", stats.Records, stats.Bytes)
	}
	clock.Advance(2 * time.Minute)
	for more := true; more; {
		var err error
		if more, err = e.Tick(); err != nil {
			t.Fatal(err)
		}
	}
	if stats := e.Stats(); stats.Records != 0 || stats.Bytes != 0 || stats.Waiters != 0 {
		t.Errorf("left: %d records, %d bytes, %d waiters",
			stats.Records, stats.Bytes, stats.Waiters)
	}
}
