package idem_test

// What each test here is about was once broken on purpose, and no other test noticed.

import (
	"context"
	"errors"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

func plain(t testing.TB, e *idem.Engine, options ...idem.GroupOption) *idem.Group[string, any] {
	t.Helper()
	g, err := idem.NewGroup[string, any](e, options...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A record of a group's key that has no value is no answer.
func TestGroupRecordWithoutAValue(t *testing.T) {
	e := open(t, idem.Config{})
	g := plain(t, e)
	for _, response := range [][]byte{nil, []byte("response")} {
		outcome := claim(t, e, idem.KeyOf(g, "k"), idem.Execute)
		if _, err := outcome.Lease.Complete(response); err != nil {
			t.Fatal(err)
		}
		v, err := g.Do(background, "k", func(context.Context) (any, error) { return "made", nil })
		if v != "made" || err != nil {
			t.Errorf("after %q: %v, %v", response, v, err)
		}
	}
}

// Who finds that a value went since leaves alone what is kept instead by now.
func TestGroupValueThatWentSince(t *testing.T) {
	e := open(t, idem.Config{})
	g := plain(t, e, idem.WithRetention(time.Hour))
	made := func(context.Context) (any, error) { return "made", nil }
	if _, err := g.Do(background, "k", made); err != nil {
		t.Fatal(err)
	}
	if !idem.ReplaysAnew(g, "k", 1<<63|1<<40) {
		t.Error("a value that is gone was an answer")
	}
	if v, ok := g.Get("k"); v != "made" || !ok {
		t.Errorf("what is kept by now: %v, %v", v, ok)
	}
}

// A waiter takes only the value of whose label its end has: here that of a call which has a value
// ready for it, but whose lease another has completed since.
func TestGroupTakesTheLabelledValue(t *testing.T) {
	e, clock := openManual(t, idem.Config{})
	weighs, goes := make(chan bool), make(chan bool)
	weight := idem.WithWeight(func(v any) int {
		if v == "late" {
			close(weighs)
			<-goes
		}
		return 1
	})
	g := plain(t, e, idem.WithRetention(time.Hour), idem.WithMaxRun(time.Second), weight)
	w := make(chan bool)
	late := make(chan error, 1)
	go func() {
		_, err := g.Do(background, "k", func(context.Context) (any, error) {
			w <- true
			<-w
			return "late", nil
		})
		late <- err
	}()
	<-w
	next := claim(t, e, idem.KeyOf(g, "k"), idem.InFlight).Waiter
	came := make(chan any, 1)
	go func() {
		v, _ := g.Do(background, "k", func(context.Context) (any, error) { return "anew", nil })
		came <- v
	}()
	joined(t, e, 2)
	w <- true
	<-weighs
	clock.Advance(2 * time.Second)
	if _, err := e.Tick(); err != nil {
		t.Fatal(err)
	}
	outcome, err := next.Wait(background)
	if err != nil || outcome.Kind != idem.Execute {
		t.Fatalf("%v, %v", outcome.Kind, err)
	}
	if _, err := outcome.Lease.Complete([]byte("12345678")); err != nil {
		t.Fatal(err)
	}
	if v := <-came; v != "anew" {
		t.Errorf("the waiter got %v", v)
	}
	close(goes)
	if err := <-late; !errors.Is(err, idem.ErrStale) {
		t.Errorf("the late one: %v", err)
	}
}

// A waiter that has left counts no more: when the caller leaves as well the function is told.
func TestGroupWaiterLeaves(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	g := plain(t, e)
	first, leaveFirst := context.WithCancel(background)
	second, leaveSecond := context.WithCancel(background)
	defer leaveFirst()
	began, told := make(chan bool), make(chan error, 1)
	left := make(chan error, 2)
	go func() {
		_, err := g.Do(first, "k", func(ctx context.Context) (any, error) {
			close(began)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Second):
			}
			told <- ctx.Err()
			return nil, ctx.Err()
		})
		left <- err
	}()
	<-began
	go func() {
		_, err := g.Do(second, "k", func(context.Context) (any, error) { return nil, nil })
		left <- err
	}()
	joined(t, e, 1)
	leaveSecond()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiter: %v", err)
	}
	leaveFirst()
	if err := <-told; err == nil {
		t.Error("the function was not told that nobody waits")
	}
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the owner: %v", err)
	}
}

// A handle is good for what it was made for, until that is freed, and for nothing else.
func TestValues(t *testing.T) {
	var values idem.Values
	first := values.Add("first")
	values.Free(first)
	second := values.Add("second")
	if v, ok := values.Find(first); ok || first == second {
		t.Errorf("a handle that was freed finds %v", v)
	}
	// Its index is the second's now, and then free once, whoever frees it again.
	values.Free(first)
	if v, ok := values.Find(second); v != "second" || !ok {
		t.Errorf("%v, %v", v, ok)
	}
	values.Free(second)
	values.Free(second)
	third, fourth := values.Add("third"), values.Add("fourth")
	if v, ok := values.Find(third); v != "third" || !ok || third == fourth {
		t.Errorf("%v, %v", v, ok)
	}
	values.Clear()
	if handle := values.Add("fifth"); handle != 0 {
		t.Errorf("after the end there is a value: %x", handle)
	}
	if v, ok := values.Find(0); ok {
		t.Errorf("no handle finds %v", v)
	}
}

// A value that there is no room for leaves nothing, also if nobody asks again.
func TestGroupForgetsItsTombstone(t *testing.T) {
	e := open(t, idem.Config{MaxResponse: 100})
	weight := idem.WithWeight(func(any) int { return 1000 })
	g := plain(t, e, idem.WithRetention(time.Hour), weight)
	v, err := g.Do(background, "k", func(context.Context) (any, error) { return "made", nil })
	if v != "made" || err != nil {
		t.Errorf("%v, %v", v, err)
	}
	peeked, err := e.Peek(idem.KeyOf(g, "k"))
	if err != nil || peeked.State != idem.StateVacant {
		t.Errorf("%v is left, %v", peeked.State, err)
	}
}
