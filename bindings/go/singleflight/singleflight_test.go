package singleflight_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"libidem.dev/go/internal/check"
	"libidem.dev/go/singleflight"
)

func TestDo(t *testing.T) {
	var g singleflight.Group
	v, err, shared := g.Do("key", func() (any, error) { return "value", nil })
	if v != "value" || err != nil || shared {
		t.Errorf("%v, %v, %v", v, err, shared)
	}
	broken := errors.New("broken")
	v, err, shared = g.Do("key", func() (any, error) { return 7, broken })
	if v != 7 || err != broken || shared {
		t.Errorf("%v, %v, %v", v, err, shared)
	}
	if v, err, _ := g.Do("", func() (any, error) { return nil, nil }); v != nil || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

// joined waits until as many wait, each counted at the call that it waits for.
func joined(t testing.TB, count int) {
	t.Helper()
	check.Eventually(t, "those who join", func() bool { return singleflight.Joined() == count })
}

// others calls Do, until all but those who run have joined.
func others(
	t testing.TB, g *singleflight.Group, count, run int, fn func() (any, error),
) <-chan singleflight.Result {
	t.Helper()
	results := make(chan singleflight.Result, count)
	for range count {
		go func() {
			v, err, shared := g.Do("key", fn)
			results <- singleflight.Result{Val: v, Err: err, Shared: shared}
		}()
	}
	joined(t, count-run)
	return results
}

func TestOneRunsForAll(t *testing.T) {
	var g singleflight.Group
	for _, err := range []error{nil, errors.New("broken")} {
		var runs atomic.Int32
		goes := make(chan bool)
		results := others(t, &g, 50, 1, func() (any, error) {
			runs.Add(1)
			<-goes
			return "value", err
		})
		close(goes)
		for range 50 {
			got := <-results
			if got != (singleflight.Result{Val: "value", Err: err, Shared: true}) {
				t.Fatalf("%v", got)
			}
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("%d ran", n)
		}
	}
}

func TestGroupsAreApart(t *testing.T) {
	var a, b singleflight.Group
	a.Do("key", func() (any, error) {
		ran := false
		b.Do("key", func() (any, error) { ran = true; return nil, nil })
		if !ran {
			t.Error("it waited for another group")
		}
		return nil, nil
	})
}

func TestForget(t *testing.T) {
	var g singleflight.Group
	g.Forget("key")
	goes := make(chan bool)
	first := g.DoChan("key", func() (any, error) { <-goes; return 1, nil })
	with := g.DoChan("key", func() (any, error) { return "it runs", nil })
	g.Forget("key")
	second := g.DoChan("key", func() (any, error) { <-goes; return 2, nil })
	third := g.DoChan("key", func() (any, error) { return "it runs", nil })
	close(goes)
	for i, results := range []<-chan singleflight.Result{first, with, second, third} {
		if got := <-results; got.Val != 1+i/2 || got.Err != nil || !got.Shared {
			t.Errorf("%d: %v", i, got)
		}
	}
}

func TestDoChan(t *testing.T) {
	var g singleflight.Group
	results := g.DoChan("key", func() (any, error) { return "value", nil })
	if got := <-results; got != (singleflight.Result{Val: "value"}) {
		t.Errorf("%v", got)
	}
	if cap(results) != 1 {
		t.Errorf("room for %d", cap(results))
	}
}

// The others go on: the first of them runs its own function.
func TestPanicAndGoexit(t *testing.T) {
	for _, end := range []func(){func() { panic("value") }, runtime.Goexit} {
		var g singleflight.Group
		goes, began, ended := make(chan bool), make(chan bool), make(chan any, 1)
		returned := false
		go func() {
			defer func() { ended <- recover() }()
			g.Do("key", func() (any, error) {
				close(began)
				<-goes
				end()
				return nil, nil
			})
			returned = true
		}()
		<-began
		var runs atomic.Int32
		results := others(t, &g, 10, 0, func() (any, error) {
			runs.Add(1)
			// So that the others are still there.
			joined(t, 9)
			return "next", nil
		})
		close(goes)
		if value := <-ended; returned || value != nil && value != "value" {
			t.Errorf("%v, %v", value, returned)
		}
		for range 10 {
			if got := <-results; got.Val != "next" || got.Err != nil {
				t.Errorf("%v", got)
			}
		}
		if n := runs.Load(); n != 1 {
			t.Errorf("%d ran", n)
		}
	}
}

func TestManyKeys(t *testing.T) {
	var g singleflight.Group
	var callers sync.WaitGroup
	var running [4]atomic.Int32
	for caller := range 16 {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for round := range 1000 {
				n := (caller + round) % len(running)
				v, err, _ := g.Do(fmt.Sprint(n), func() (any, error) {
					if running[n].Add(1) != 1 {
						t.Error("two run at a time")
					}
					runtime.Gosched()
					running[n].Add(-1)
					return n, nil
				})
				if v != n || err != nil {
					t.Errorf("%v, %v", v, err)
				}
			}
		}()
	}
	callers.Wait()
}

func ExampleGroup_Do() {
	var g singleflight.Group
	v, err, shared := g.Do("key", func() (any, error) { return "value", nil })
	fmt.Println(v, err, shared)
	// Output: value <nil> false
}

func TestGroupsBeginAtTheSameTime(t *testing.T) {
	var group sync.WaitGroup
	for range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			var g singleflight.Group
			for range 20 {
				v, err, shared := g.Do("k", func() (any, error) { return 7, nil })
				if v != 7 || err != nil || shared {
					t.Errorf("%v, %v, %v", v, err, shared)
				}
			}
		}()
	}
	group.Wait()
}
