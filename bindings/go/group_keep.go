package idem

import "unsafe"

// keep ends the lease with a value that is to be kept.
func (g *Group[K, V]) keep(
	key *K, t *ticket, lease *Lease, made *terms, got *Result[V], isAwaited bool,
) {
	values := &g.engine.values
	var boxed any = got.Val
	handle := values.add(boxed)
	ending := cEnding{how: endValue, value: cWord(handle), len: cWord(g.weightOf(got.Val, boxed)),
		retention_ms: cWord(made.retention)}
	completion, err := lease.finish(&ending, nil, isAwaited)
	if err != nil && err != ErrStale {
		// The library has not taken it.
		values.free(handle)
	}
	if completion == TooLarge || completion == NoRoomForBody {
		// To be done is not all that is wanted of a value. Whoever comes before this does the same.
		_, _ = g.engine.Forget(g.key(key))
	}
	g.ended(t, got, err)
}

// weightOf is what a kept value counts.
func (g *Group[K, V]) weightOf(v V, boxed any) uint64 {
	if g.weight != nil {
		return uint64(max(g.weight(v), 0))
	}
	weight := uint64(unsafe.Sizeof(v))
	switch of := boxed.(type) {
	case string:
		weight += uint64(len(of))
	case []byte:
		weight += uint64(cap(of))
	}
	return weight
}

// Get is the kept value of the key, if there is one. It never waits.
func (g *Group[K, V]) Get(key K) (v V, ok bool) {
	if g == nil || g.isClosed.Load() {
		return v, false
	}
	e, name := g.engine, g.key(&key)
	peeked, err := e.Peek(name)
	if err != nil || peeked.State != StateCompleted {
		return v, false
	}
	made := terms{flags: flagNoWait}
	var told cTold
	if _, err := e.claim(&name, &made, false, false, nil, &told); err != nil {
		return v, false
	}
	switch Kind(told.kind) {
	case Execute:
		// It went since. Whoever has come meanwhile is next.
		_ = e.lease(&told).Cancel(WithOnEnd(HandOver))
	case Replay:
		if told.is_copied == 0 {
			crossRelease(&told)
		}
		value, found := e.values.find(uint64(told.value))
		if found {
			// A nil in an interface is no V by this, and the zero one all the same.
			v, _ = value.(V)
		}
		return v, found
	}
	return v, ok
}

// Forget lets go of the key's value. A call that is at it goes on for those who wait for it
// already, and its value is not kept; the next call executes beside it.
func (g *Group[K, V]) Forget(key K) error {
	if g == nil || g.isClosed.Load() {
		return ErrClosed
	}
	for {
		removal, err := g.engine.Forget(g.key(&key))
		if err != nil {
			return err
		}
		if removal == RemovalHalted {
			_, err := g.engine.ForgetForced(g.key(&key))
			return err
		}
		if removal != RemovalInFlight {
			return nil
		}
		if done, err := g.engine.Detach(g.key(&key)); err != nil || done {
			return err
		}
		// It ended in between, and may have left a value.
	}
}

// Clear forgets all keys of the group, in all scopes, in one step however many there are.
func (g *Group[K, V]) Clear() error {
	if g == nil || g.isClosed.Load() {
		return ErrClosed
	}
	return g.space.Clear()
}

// Close lets go of all values, and every call from here on is ErrClosed; those under way end as
// after Clear. A group that is collected needs no Close. It is for all scopes of the group.
func (g *Group[K, V]) Close() error {
	if g == nil || g.isClosed.Swap(true) {
		return nil
	}
	return g.space.Clear()
}
