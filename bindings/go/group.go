package idem

import (
	"context"
	"encoding/binary"
	"reflect"
	"sync/atomic"
)

// A Group makes values by key: of all who ask for one key at a time one makes it, and the others
// wait and get the same. By default nothing is kept beyond that; WithRetention keeps values, within
// the engine's limits. Values stay in Go's memory and are shared, not copied: whoever gets one must
// not change what it points to, or all have agreed on how.
//
// Keys are those of a namespace of the group's own. All methods may be called from any goroutine.
type Group[K comparable, V any] struct {
	engine   *Engine
	space    *Namespace
	scope    string
	isClosed *atomic.Bool
	keyBytes func(K) []byte
	weight   func(V) int
	terms    terms
	shape    keyShape
	// Of the groups of package singleflight; otherwise nil.
	direct *direct
}

// NewGroup makes a group. An option that does not fit K or V, or a K that needs WithKeyBytes and
// has none, is ErrInvalid; a closed engine ErrClosed. Options: WithKeyBytes, WithWeight,
// WithLimits, and those of Group.Do.
func NewGroup[K comparable, V any](e *Engine, options ...GroupOption) (*Group[K, V], error) {
	if e == nil {
		return nil, errNoFunction
	}
	var made groupTerms
	for _, option := range options {
		if option == nil {
			return nil, invalid("NewGroup: an option is nil")
		}
		if err := option.into(&made); err != nil {
			return nil, err
		}
	}
	g := &Group[K, V]{engine: e, isClosed: new(atomic.Bool)}
	g.terms = terms{lease: e.maxRun, isValued: true}
	if err := g.terms.applyGroup(made.calls); err != nil {
		return nil, err
	}
	if g.terms.retention == 0 {
		g.terms.retention = none
	}
	if err := g.fit(&made); err != nil {
		return nil, err
	}
	space, err := e.groupSpace(made.limits)
	if err != nil {
		return nil, err
	}
	g.space = space
	return g, nil
}

// fit takes what depends on the types.
func (g *Group[K, V]) fit(made *groupTerms) error {
	keys, values := reflect.TypeFor[K](), reflect.TypeFor[V]()
	var ok bool
	if g.shape, ok = shapeOf(keys); !ok || made.keyBytes != nil {
		if g.keyBytes, ok = made.keyBytes.(func(K) []byte); !ok || g.keyBytes == nil {
			return invalid("NewGroup: keys of type %v need WithKeyBytes of it", keys)
		}
		g.shape = keyOfCaller
	}
	if made.weight != nil {
		if g.weight, ok = made.weight.(func(V) int); !ok || g.weight == nil {
			return invalid("NewGroup: a value of type %v needs WithWeight of it", values)
		}
	}
	return nil
}

// Scoped is the group for one tenant, user or account: the same key in two scopes is two keys. It
// costs nothing, and may be made for each call. The empty scope is none.
func (g *Group[K, V]) Scoped(scope string) *Group[K, V] {
	scoped := *g
	scoped.scope = scope
	return &scoped
}

// Result is what CallChan sends.
type Result[V any] struct {
	Val V
	Err error
	// Shared: others got it as well.
	Shared bool
}

// Do is the value of the key: a kept one, that of a call that is at it, or what fn returns. What it
// does with contexts, panics, Goexit and errors is as idem.Do has it. What fn returns along with an
// error is returned and shared along with it.
//
// A value for which there is no room is given to those who wait, and not kept: the next call
// executes. ErrStale comes with a value that was not kept since fn took longer than its MaxRun, and
// others have taken over.
//
// Options: WithRetention, WithFingerprint, WithNoWait, WithNoExecute, WithOnExpiry, WithOnAbandon,
// WithOnError, WithMaxRun, WithFinish.
func (g *Group[K, V]) Do(
	ctx context.Context, key K, fn func(context.Context) (V, error), options ...Option,
) (V, error) {
	if err := alive(ctx); err != nil {
		var none V
		return none, err
	}
	if g == nil || fn == nil {
		var none V
		return none, errNoFunction
	}
	made := g.terms
	if err := made.applyGroup(options); err != nil {
		var none V
		return none, err
	}
	var b begun
	var got Result[V]
	switch {
	case !g.claimed(ctx, &key, &made, &b, &got):
	case ctx.Done() != nil:
		got = g.runApart(ctx, key, b.t, g.engine.lease(&b.told), made, fn)
	default:
		run := func() (V, error) { return fn(ctx) }
		g.run(&key, &made, &b, run, &got)
	}
	return got.Val, got.Err
}

// Call is Do without a context, on the group's terms: it waits as long as it takes. shared is
// whether others got the value as well.
func (g *Group[K, V]) Call(key K, fn func() (V, error)) (v V, shared bool, err error) {
	if g == nil || fn == nil {
		return v, false, errNoFunction
	}
	var got Result[V]
	if g.direct != nil {
		g.callDirect(&key, fn, &got)
		return got.Val, got.Shared, got.Err
	}
	var b begun
	if g.claimed(context.Background(), &key, &g.terms, &b, &got) {
		g.run(&key, &g.terms, &b, fn, &got)
	}
	return got.Val, got.Shared, got.Err
}

// CallChan is as Call, and returns at once; the result is sent when it is there. The key is in
// flight from when CallChan returns. fn runs in a goroutine of its own: a panic of fn is therefore
// nobody's to recover from, and ends the program; after a runtime.Goexit nothing is sent.
func (g *Group[K, V]) CallChan(key K, fn func() (V, error)) <-chan Result[V] {
	results := make(chan Result[V], 1)
	if g == nil || fn == nil {
		results <- Result[V]{Err: errNoFunction}
		return results
	}
	b := new(begun)
	if err := g.begin(&key, &g.terms, false, b); err != nil {
		results <- Result[V]{Err: err}
		return results
	}
	go func() {
		var got Result[V]
		if g.concluded(&key, b, &got) {
			g.run(&key, &g.terms, b, fn, &got)
		}
		results <- got
	}()
	return results
}

// begun is a call that has claimed its key.
type begun struct {
	t      *ticket
	joined *ticket
	told   cTold
}

// What a claim comes to.
type verdict uint8

const (
	// Its result is there.
	over verdict = iota
	// The caller executes.
	toRun
	// It was over, and its value is not to be had any more: the key is to be claimed anew.
	anew
)

// claimed is whether the caller executes; otherwise its result is there.
func (g *Group[K, V]) claimed(
	ctx context.Context, key *K, made *terms, b *begun, got *Result[V],
) bool {
	for {
		if got.Err = g.begin(key, made, ctx.Done() != nil, b); got.Err != nil {
			return false
		}
		if is := g.conclude(ctx, key, b, got); is != anew {
			return is == toRun
		}
		if got.Err = alive(ctx); got.Err != nil {
			return false
		}
	}
}

// concluded is claimed, on the group's terms, from where begin has claimed.
func (g *Group[K, V]) concluded(key *K, b *begun, got *Result[V]) bool {
	ctx := context.Background()
	is := g.conclude(ctx, key, b, got)
	return is == toRun || is == anew && g.claimed(ctx, key, &g.terms, b, got)
}

// begin claims, and joins the call that is at it.
func (g *Group[K, V]) begin(key *K, made *terms, canLeave bool, b *begun) (err error) {
	if g.direct != nil {
		return g.begunDirect(g.claimDirect(key), b)
	}
	if g.isClosed.Load() {
		return ErrClosed
	}
	name := g.key(key)
	b.joined = nil
	b.t, err = g.engine.claim(&name, made, true, canLeave, nil, &b.told)
	if err == nil && Kind(b.told.kind) == InFlight && b.t != nil {
		b.joined = g.engine.tickets.join(uint64(b.told.owner))
	}
	return err
}

// conclude is what comes of it.
func (g *Group[K, V]) conclude(ctx context.Context, key *K, b *begun, got *Result[V]) verdict {
	switch Kind(b.told.kind) {
	case Execute:
		return toRun
	case Replay, Done:
		return g.replay(key, &b.told, got)
	case InFlight:
		if b.t == nil {
			got.Err = ErrInFlight
			return over
		}
		return g.follow(ctx, b, got)
	}
	got.Err = refusal(&b.told)
	return over
}

// replay is a value that is kept.
func (g *Group[K, V]) replay(key *K, told *cTold, got *Result[V]) verdict {
	if Kind(told.kind) == Replay {
		if told.is_copied == 0 {
			crossRelease(told)
		}
		if value, ok := g.engine.values.find(uint64(told.value)); ok {
			got.Val, _ = value.(V)
			got.Shared = true
			return over
		}
		if told.value != 0 {
			// It went since.
			return anew
		}
	}
	// A value that there was no room for, or a record that was settled without one.
	if _, err := g.engine.Forget(g.key(key)); err != nil {
		got.Err = err
		return over
	}
	return anew
}

// follow waits for somebody else's call.
func (g *Group[K, V]) follow(ctx context.Context, b *begun, got *Result[V]) verdict {
	e := g.engine
	came, err := e.awaitEnd(ctx, b.t)
	if err != nil {
		b.joined.leave()
		got.Err = err
		return over
	}
	if Kind(came.told.kind) == Execute {
		b.joined.takeOver(b.t)
		b.told = came.told
		return toRun
	}
	told := &came.told
	if len(came.response) == labelSize {
		came.label = binary.NativeEndian.Uint64(came.response)
	}
	// Of one that was to be kept there is no label.
	isLabelled := Kind(told.kind) == Replay && told.value == 0
	value, err, ok := b.joined.shared(isLabelled, came.label)
	if kept, found := e.values.find(uint64(told.value)); found {
		value, err, ok = kept, nil, true
	}
	b.joined.leave()
	e.tickets.put(b.t)
	switch {
	case g.direct != nil && b.joined == nil:
		// However it ended: it was not this waiter's call.
		return anew
	case Kind(told.kind) != Replay && Kind(told.kind) != Done:
		got.Err = refusal(told)
		return over
	case !ok:
		// It ended before it knew of this waiter.
		return anew
	}
	got.Val, _ = value.(V)
	got.Err, got.Shared = err, true
	return over
}

// run runs the function as the owner, in the caller's goroutine.
func (g *Group[K, V]) run(
	key *K, made *terms, b *begun, fn func() (V, error), got *Result[V],
) {
	e, t := g.engine, b.t
	lease := e.lease(&b.told)
	returned := false
	defer func() {
		if !returned {
			// As in Do: it goes on by itself.
			e.abandon(t, &lease)
			e.tickets.put(t)
		}
	}()
	got.Val, got.Err = fn()
	returned = true
	if t.retire() {
		// Nobody has joined, and nobody can any more.
		g.settle(key, nil, &lease, made, got)
		e.tickets.putRetired(t)
		return
	}
	g.settle(key, t, &lease, made, got)
	e.tickets.put(t)
}

// runApart runs the function in a goroutine of its own.
func (g *Group[K, V]) runApart(
	ctx context.Context, key K, t *ticket, lease Lease, made terms,
	fn func(context.Context) (V, error),
) Result[V] {
	run := func(runs context.Context) (got Result[V], _ error) {
		got.Val, got.Err = fn(runs)
		return got, nil
	}
	settled, err := runApart(ctx, g.engine, t, run, func(got *Result[V], _ error) error {
		g.settle(&key, t, &lease, &made, got)
		return nil
	}, func() { g.engine.abandon(t, &lease) })
	if err != nil {
		return Result[V]{Err: err}
	}
	return settled
}

// settle ends the lease with what came of the function; t is nil if it was retired.
func (g *Group[K, V]) settle(key *K, t *ticket, lease *Lease, made *terms, got *Result[V]) {
	failed := got.Err != nil
	abandoned, isAwaited := false, false
	if t != nil {
		t.lock.Lock()
		t.over = true
		abandoned, isAwaited = t.abandoned, t.isJoined()
		if t.waiters > 0 && !(failed && (abandoned || made.onError != ShareError)) {
			// Before anybody is told.
			t.value, t.err, t.isShared = got.Val, got.Err, true
			got.Shared = true
		}
		t.lock.Unlock()
	}
	ending := cEnding{how: endComplete, retention_ms: none}
	var label [labelSize]byte
	var data []byte
	switch {
	case failed && (abandoned || made.onError == HandOverOnError):
		ending.how, ending.on_end = endCancel, cHalf(HandOver)
	case failed && made.onError == HaltOnError:
		ending.how = endHalt
	case !failed && made.retention != none:
		g.keep(key, t, lease, made, got, isAwaited)
		return
	case got.Shared:
		binary.NativeEndian.PutUint64(label[:], t.handle())
		data, ending.len = label[:], labelSize
	}
	_, err := lease.finish(&ending, data, isAwaited)
	g.ended(t, got, err)
}

// ended is what the owner has when the lease was over already.
func (g *Group[K, V]) ended(t *ticket, got *Result[V], err error) {
	if err == nil {
		return
	}
	// Others have taken over, and this is not what came of the key.
	if t != nil {
		t.lock.Lock()
		t.value, t.err, t.isShared = nil, nil, false
		t.lock.Unlock()
	}
	got.Shared = false
	if got.Err == nil {
		got.Err = taken(err)
	}
}
