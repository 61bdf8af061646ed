package idem_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/check"
)

func group[K comparable, V any](
	t testing.TB, e *idem.Engine, options ...idem.GroupOption,
) *idem.Group[K, V] {
	t.Helper()
	g, err := idem.NewGroup[K, V](e, options...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

type got[V any] struct {
	v   V
	err error
}

func groupDo[K comparable, V any](
	ctx context.Context, g *idem.Group[K, V], key K, fn func(context.Context) (V, error),
	options ...idem.Option,
) <-chan got[V] {
	came := make(chan got[V], 1)
	go func() {
		v, err := g.Do(ctx, key, fn, options...)
		came <- got[V]{v, err}
	}()
	return came
}

// A thing has a pointer, so that each is an allocation of its own, and a finalizer of it runs.
type thing struct {
	n int
	_ *thing
}

// A making is a function of a group that a test lets go on.
type making struct {
	began chan context.Context
	ends  chan got[*thing]
}

func newMaking() *making {
	return &making{make(chan context.Context, 100), make(chan got[*thing])}
}

func (m *making) run(ctx context.Context) (*thing, error) {
	m.began <- ctx
	came := <-m.ends
	return came.v, came.err
}

func neverThing(context.Context) (*thing, error) { panic("it runs") }

func TestGroupSharesInFlight(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		check.NoGoroutinesLeft(t)
		e := open(t, idem.Config{})
		g, m := group[string, *thing](t, e), newMaking()
		for _, err := range []error{nil, errors.New("broken")} {
			want := got[*thing]{&thing{n: 1}, err}
			owner := groupDo(ctx, g, "k", m.run)
			<-m.began
			var others []<-chan got[*thing]
			for range 200 {
				others = append(others, groupDo(ctx, g, "k", neverThing))
			}
			joined(t, e, 200)
			m.ends <- want
			for _, came := range append(others, owner) {
				if is := <-came; is != want {
					t.Fatalf("%v, not %v", is, want)
				}
			}
			if _, ok := g.Get("k"); ok {
				t.Error("it was kept")
			}
		}
		if stats := e.Stats(); stats.Executes != 2 || stats.Records != 0 {
			t.Errorf("%d executions, %d records", stats.Executes, stats.Records)
		}
	})
}

func TestGroupKeys(t *testing.T) {
	e := open(t, idem.Config{})
	type pair struct{ a, b int }
	type name string
	if _, err := idem.NewGroup[pair, int](e); !errors.Is(err, idem.ErrInvalid) {
		t.Errorf("a pair: %v", err)
	}
	if _, err := idem.NewGroup[float64, int](e); !errors.Is(err, idem.ErrInvalid) {
		t.Errorf("a float: %v", err)
	}
	ofStrings := idem.WithKeyBytes(func(string) []byte { return nil })
	if _, err := idem.NewGroup[pair, int](e, ofStrings); !errors.Is(err, idem.ErrInvalid) {
		t.Errorf("bytes of another type: %v", err)
	}
	weight := idem.WithWeight(func(string) int { return 1 })
	if _, err := idem.NewGroup[int, int](e, weight); !errors.Is(err, idem.ErrInvalid) {
		t.Errorf("weight of another type: %v", err)
	}
	if _, err := idem.NewGroup[int, int](e, idem.WithKeepError(1), nil); err == nil {
		t.Error("options that are none")
	}
	hour := idem.WithRetention(time.Hour)
	apart(t, group[string, string](t, e, hour), "", "a", "b", strings.Repeat("x", 65536),
		strings.Repeat("x", 65537), strings.Repeat("x", 65538), "\x00")
	apart(t, group[name, string](t, e, hour), "a", "b")
	apart(t, group[int, string](t, e, hour), 0, 1, -1, 1<<40)
	apart(t, group[uint8, string](t, e, hour), 0, 1, 255)
	apart(t, group[[3]byte, string](t, e, hour), [3]byte{}, [3]byte{0, 0, 1}, [3]byte{1})
	apart(t, group[pair, string](t, e, hour, idem.WithKeyBytes(func(p pair) []byte {
		return fmt.Append(nil, p.a, "/", p.b)
	})), pair{1, 2}, pair{2, 1}, pair{})
}

// apart is whether each key has its own value.
func apart[K comparable](t *testing.T, g *idem.Group[K, string], keys ...K) {
	t.Helper()
	for range 2 {
		for i, key := range keys {
			for _, scoped := range []*idem.Group[K, string]{g, g.Scoped("a"), g.Scoped("b")} {
				want := fmt.Sprintf("%d %p", i, scoped)
				v, err := scoped.Do(background, key,
					func(context.Context) (string, error) { return want, nil })
				if err != nil || !strings.HasPrefix(v, fmt.Sprint(i, " ")) {
					t.Errorf("%T %.20v: %q, %v", key, key, v, err)
				}
				if kept, ok := scoped.Get(key); !ok || kept != v {
					t.Errorf("%T %.20v: kept %q, %v", key, key, kept, ok)
				}
			}
		}
	}
}

func TestGroupsAreApart(t *testing.T) {
	e := open(t, idem.Config{})
	for n := range 3 {
		g := group[int, int](t, e, idem.WithRetention(time.Hour))
		v, err := g.Do(background, 1, func(context.Context) (int, error) { return n, nil })
		if v != n || err != nil {
			t.Errorf("%d: %d, %v", n, v, err)
		}
		runtime.KeepAlive(g)
	}
}

// Groups that are gone leave nothing, and there may be any number of them.
func TestGroupsAreCollected(t *testing.T) {
	e := open(t, idem.Config{})
	for n := range 3000 {
		g := group[int, int](t, e, idem.WithRetention(time.Hour))
		v, err := g.Do(background, 1, func(context.Context) (int, error) { return n, nil })
		if v != n || err != nil {
			t.Fatalf("%d: %d, %v", n, v, err)
		}
		if n%100 == 0 {
			runtime.GC()
		}
	}
	check.Eventually(t, "nothing is kept", func() bool {
		runtime.GC()
		_, _ = e.Tick()
		return idem.Kept(e) == 0
	})
	if made := idem.Groups(e); made > 2900 {
		t.Errorf("%d namespaces for 3000 groups", made)
	}
}

func TestGroupKeepsValues(t *testing.T) {
	e, clock := openManual(t, idem.Config{})
	g := group[string, *thing](t, e, idem.WithRetention(time.Minute))
	made := func(n int) func(context.Context) (*thing, error) {
		return func(context.Context) (*thing, error) { return &thing{n: n}, nil }
	}
	var gone atomic.Int64
	fill := func(n int) {
		t.Helper()
		for key := range 100 {
			v, err := g.Do(background, fmt.Sprint(key), made(n))
			if err != nil || v.n != n {
				t.Fatalf("%v, %v", v, err)
			}
			runtime.SetFinalizer(v, func(*thing) { gone.Add(1) })
			again, err := g.Do(background, fmt.Sprint(key), neverThing)
			if kept, ok := g.Get(fmt.Sprint(key)); again != v || kept != v || !ok || err != nil {
				t.Fatalf("%v, %v, %v", again, kept, err)
			}
		}
		if kept := idem.Kept(e); kept != 100 {
			t.Errorf("%d kept", kept)
		}
	}
	empty := func(after string, want int64) {
		t.Helper()
		check.Eventually(t, "empty after "+after, func() bool {
			_, _ = e.Tick()
			runtime.GC()
			return idem.Kept(e) == 0 && gone.Load() == want
		})
		if _, ok := g.Get("1"); ok {
			t.Errorf("there is a value after %s", after)
		}
	}
	fill(1)
	clock.Advance(2 * time.Minute)
	empty("retention", 100)
	fill(2)
	if err := g.Clear(); err != nil {
		t.Error(err)
	}
	empty("clear", 200)
	fill(3)
	for key := range 100 {
		if err := g.Forget(fmt.Sprint(key)); err != nil {
			t.Error(err)
		}
	}
	empty("forget", 300)
	fill(4)
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	empty("close", 400)
	if _, err := g.Do(background, "k", neverThing); err != idem.ErrClosed {
		t.Errorf("closed: %v", err)
	}
	if err := g.Forget("k"); err != idem.ErrClosed {
		t.Errorf("closed: %v", err)
	}
	if bytes := e.Stats().Bytes; bytes != 0 {
		t.Errorf("%d bytes", bytes)
	}
}

// What there is no room for is made each time, and shared by those who wait.
func TestGroupLimits(t *testing.T) {
	e := open(t, idem.Config{MaxResponse: 1000})
	g := group[int, *thing](t, e, idem.WithRetention(time.Hour),
		idem.WithWeight(func(v *thing) int { return v.n }))
	for _, weight := range []int{-1, 100, 900} {
		want := &thing{n: weight}
		for range 2 {
			v, err := g.Do(background, weight,
				func(context.Context) (*thing, error) { return want, nil })
			if v != want || err != nil {
				t.Errorf("%v, %v", v, err)
			}
		}
		if kept, ok := g.Get(weight); kept != want || !ok {
			t.Errorf("%d: not kept", weight)
		}
	}
	m := newMaking()
	for n := range 3 {
		want := got[*thing]{&thing{n: 1 << 40}, nil}
		owner := groupDo(background, g, 7, m.run)
		<-m.began
		other := groupDo(background, g, 7, neverThing)
		joined(t, e, 1)
		m.ends <- want
		if a, b := <-owner, <-other; a != want || b != want {
			t.Fatalf("%d: %v, %v", n, a, b)
		}
		if _, ok := g.Get(7); ok {
			t.Error("it was kept")
		}
	}
	check.Eventually(t, "what was not kept is gone", func() bool { return idem.Kept(e) == 3 })

	small := group[int, int](t, e, idem.WithRetention(time.Hour),
		idem.WithLimits(idem.NamespaceConfig{Records: 10}))
	full := 0
	for key := range 20 {
		_, err := small.Do(background, key, func(context.Context) (int, error) { return key, nil })
		if errors.Is(err, idem.ErrFull) {
			full++
		} else if err != nil {
			t.Error(err)
		}
	}
	if full != 10 {
		t.Errorf("%d found no room", full)
	}
}

func TestGroupForgetInFlight(t *testing.T) {
	e := open(t, idem.Config{})
	for _, options := range [][]idem.GroupOption{nil, {idem.WithRetention(time.Hour)}} {
		g, m := group[string, *thing](t, e, options...), newMaking()
		first, second := got[*thing]{&thing{n: 1}, nil}, got[*thing]{&thing{n: 2}, nil}
		one := groupDo(background, g, "k", m.run)
		<-m.began
		with := groupDo(background, g, "k", neverThing)
		joined(t, e, 1)
		if err := g.Forget("k"); err != nil {
			t.Error(err)
		}
		n := newMaking()
		two := groupDo(background, g, "k", n.run)
		<-n.began
		m.ends <- first
		if a, b := <-one, <-with; a != first || b != first {
			t.Errorf("%v, %v", a, b)
		}
		n.ends <- second
		if a := <-two; a != second {
			t.Errorf("%v", a)
		}
		if kept, ok := g.Get("k"); ok != (options != nil) || ok && kept != second.v {
			t.Errorf("%v, %v", kept, ok)
		}
	}
}

func TestGroupContexts(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	g, m := group[string, *thing](t, e), newMaking()
	ctx, cancel := context.WithCancel(background)
	owner := groupDo(ctx, g, "k", m.run)
	runs := <-m.began
	other := groupDo(background, g, "k", neverThing)
	joined(t, e, 1)
	cancel()
	if a := <-owner; a.err != context.Canceled {
		t.Errorf("%v", a.err)
	}
	if runs.Err() != nil {
		t.Error("cancelled while somebody waits")
	}
	want := got[*thing]{&thing{n: 1}, nil}
	m.ends <- want
	if a := <-other; a != want {
		t.Errorf("%v", a)
	}

	// Nobody is left: it is told so, and its error is nobody's.
	ctx, cancel = context.WithCancel(background)
	owner = groupDo(ctx, g, "k", m.run)
	runs = <-m.began
	cancel()
	<-owner
	<-runs.Done()
	if !errors.Is(context.Cause(runs), idem.ErrCancelled) {
		t.Errorf("%v", context.Cause(runs))
	}
	late := groupDo(background, g, "k", m.run)
	joined(t, e, 1)
	m.ends <- got[*thing]{nil, errors.New("broken")}
	<-m.began
	m.ends <- want
	if a := <-late; a != want {
		t.Errorf("%v", a)
	}
	if _, err := g.Do(background, "k", neverThing, idem.WithKeepError(1)); !errors.Is(err,
		idem.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestGroupPanicsAndGoexit(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		check.NoGoroutinesLeft(t)
		e := open(t, idem.Config{OnPanic: func(any, []byte) {}})
		g := group[string, *thing](t, e)
		for _, end := range []func(){func() { panic("value") }, runtime.Goexit} {
			m, returned := newMaking(), false
			ended := make(chan any)
			go func() {
				defer func() { ended <- recover() }()
				g.Do(ctx, "k", func(ctx context.Context) (*thing, error) {
					m.run(ctx)
					end()
					return nil, nil
				})
				returned = true
			}()
			<-m.began
			next := groupDo(ctx, g, "k", m.run)
			waiting(t, e, 1)
			other := groupDo(ctx, g, "k", neverThing)
			joined(t, e, 2)
			m.ends <- got[*thing]{}
			if value := <-ended; returned || value != nil && value != "value" {
				t.Errorf("%v, %v", returned, value)
			}
			<-m.began
			want := got[*thing]{&thing{n: 1}, nil}
			m.ends <- want
			if a, b := <-next, <-other; a != want || b != want {
				t.Errorf("%v, %v", a, b)
			}
		}
	})
}

func TestGroupOutlivedItsLease(t *testing.T) {
	both(t, func(t *testing.T, ctx context.Context) {
		for _, options := range [][]idem.GroupOption{nil, {idem.WithRetention(time.Hour)}} {
			e, clock := openManual(t, idem.Config{})
			g := group[string, *thing](t, e, options...)
			old, next := newMaking(), newMaking()
			first := groupDo(ctx, g, "k", old.run, idem.WithMaxRun(time.Second))
			<-old.began
			second := groupDo(ctx, g, "k", next.run)
			joined(t, e, 1)
			third := groupDo(ctx, g, "k", neverThing)
			joined(t, e, 2)
			clock.Advance(2 * time.Second)
			if _, err := e.Tick(); err != nil {
				t.Fatal(err)
			}
			<-next.began
			stale, want := got[*thing]{&thing{n: 1}, nil}, got[*thing]{&thing{n: 2}, nil}
			old.ends <- stale
			if a := <-first; a.v != stale.v || !errors.Is(a.err, idem.ErrStale) {
				t.Errorf("%v", a)
			}
			next.ends <- want
			if a, b := <-second, <-third; a != want || b != want {
				t.Errorf("%v, %v", a, b)
			}
		}
	})
}

func TestGroupCall(t *testing.T) {
	check.NoGoroutinesLeft(t)
	e := open(t, idem.Config{})
	g := group[string, int](t, e)
	if v, shared, err := g.Call("k", func() (int, error) { return 7, nil }); v != 7 || shared ||
		err != nil {
		t.Errorf("%d, %v, %v", v, shared, err)
	}
	broken, goes := errors.New("broken"), make(chan bool)
	owner := g.CallChan("k", func() (int, error) { <-goes; return 8, broken })
	other := g.CallChan("k", func() (int, error) { return 9, nil })
	joined(t, e, 1)
	close(goes)
	want := idem.Result[int]{Val: 8, Err: broken, Shared: true}
	if a, b := <-owner, <-other; a != want || b != want {
		t.Errorf("%v, %v", a, b)
	}
}

// Many keys, with and without retention, and callers that come and go: each gets the value of its
// key, and one is made at a time.
func TestGroupRaces(t *testing.T) {
	for _, options := range [][]idem.GroupOption{
		nil, {idem.WithRetention(time.Millisecond)}, {idem.WithRetention(time.Hour)},
	} {
		check.NoGoroutinesLeft(t)
		e := open(t, idem.Config{})
		g := group[int, *thing](t, e, options...)
		var running [8]atomic.Int32
		var callers sync.WaitGroup
		for caller := range 32 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				for round := range 300 {
					n := (caller*7 + round) % len(running)
					ctx, cancel := context.WithCancel(background)
					stays := (caller+round)%3 != 0
					if !stays {
						time.AfterFunc(time.Duration(caller*31+round*17)%200*time.Microsecond,
							cancel)
					}
					if round%4 == 0 {
						ctx = background
					}
					forgets := caller == 0 && round%10 == 0 && len(options) > 0
					v, err := g.Do(ctx, n, func(context.Context) (*thing, error) {
						if running[n].Add(1) != 1 {
							t.Error("two execute at a time")
						}
						runtime.Gosched()
						running[n].Add(-1)
						return &thing{n: n}, nil
					})
					switch {
					case err == nil && v.n == n:
					case ctx != background && !stays && errors.Is(err, context.Canceled):
					default:
						t.Errorf("%v, %v", v, err)
					}
					if forgets {
						if _, err := e.Tick(); err != nil {
							t.Error(err)
						}
						g.Get(n)
					}
					cancel()
				}
			}()
		}
		callers.Wait()
		if err := g.Clear(); err != nil {
			t.Error(err)
		}
		check.Eventually(t, "nothing is kept", func() bool {
			_, _ = e.Tick()
			return idem.Kept(e) == 0
		})
	}
}

func TestGroupCallAllocatesNothing(t *testing.T) {
	if check.RaceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	e := open(t, idem.Config{})
	strings, ints := group[string, *thing](t, e), group[int, int](t, e)
	v := &thing{n: 1}
	// Of Do's own; one that has variables is the caller's allocation.
	none := func(context.Context) (*thing, error) { return nil, nil }
	if n := testing.AllocsPerRun(1000, func() {
		_, _, _ = strings.Call("key", func() (*thing, error) { return v, nil })
		_, _ = strings.Do(background, "key", none)
		_, _, _ = ints.Call(1234, func() (int, error) { return v.n + 1000, nil })
	}); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
}

// Keys of groups of package singleflight are hashed on this side: what has the same bits is not
// therefore the same.
func TestFlightsCompareKeys(t *testing.T) {
	e := open(t, idem.Config{Retention: idem.None, Lease: 1000 * time.Hour})
	a, b := idem.Flights(e), idem.Flights(e)
	began, goes := make(chan bool), make(chan bool)
	came := a.CallChan("k", func() (any, error) { close(began); <-goes; return 1, nil })
	<-began
	if !idem.JoinsAs(a, "k", a, "k") {
		t.Error("its own key is another")
	}
	if idem.JoinsAs(a, "k", a, "l") {
		t.Error("another key is its own")
	}
	if idem.JoinsAs(a, "k", b, "k") {
		t.Error("another group's key is its own")
	}
	if n := idem.Joined(e); n != 0 {
		t.Errorf("%d count as waiters", n)
	}
	close(goes)
	if got := <-came; got.Val != 1 || got.Err != nil || got.Shared {
		t.Errorf("%v", got)
	}
}

// What is claimed by two groups is apart, and a call that nobody shares leaves nothing.
func TestFlightsLeaveNothing(t *testing.T) {
	e := open(t, idem.Config{Retention: idem.None, Lease: 1000 * time.Hour})
	a, b := idem.Flights(e), idem.Flights(e)
	for _, key := range []string{"", "k", strings.Repeat("k", 100_000)} {
		v, shared, err := a.Call(key, func() (any, error) {
			v, _, err := b.Call(key, func() (any, error) { return key, nil })
			return v, err
		})
		if v != key || shared || err != nil {
			t.Errorf("%d bytes: %v, %v", len(key), shared, err)
		}
	}
	if stats := e.Stats(); stats.Executes != 6 || stats.Records != 0 {
		t.Errorf("%d executed, %d records are left", stats.Executes, stats.Records)
	}
}
