package idem

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"unsafe"

	"libidem.dev/go/internal/own"
)

// direct is what makes a group of an engine that it shares with none but its like: keys are hashed
// on this side, and claimed as the bits they come to, on the engine's terms. Such an engine is not
// closed, so there is no gate to go through; and nothing is kept in it.
type direct struct {
	// Two hashes of 64 bits, each with a seed of the group's own, that nobody can know.
	seeds [2]maphash.Seed
}

func init() {
	own.Flights = func(engine any) any { return flightsOf(engine.(*Engine)) }
	own.Joined = func(engine any) int { return joinedIn(engine.(*Engine)) }
}

// flightsOf is a group of an engine that there are only such groups of: opened with no retention
// and the longest lease, and never closed.
func flightsOf(e *Engine) *Group[string, any] {
	// Each group says so, while calls of others make tickets.
	e.tickets.lock.Lock()
	e.tickets.isDirect = true
	e.tickets.lock.Unlock()
	return &Group[string, any]{
		engine: e, isClosed: new(atomic.Bool), shape: keyOfString,
		terms:  terms{retention: none, isValued: true},
		direct: &direct{[2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}},
	}
}

func (d *direct) hash(name string) [2]uint64 {
	return [2]uint64{maphash.String(d.seeds[0], name), maphash.String(d.seeds[1], name)}
}

// key is that of a name, for calls that are not claims.
func (d *direct) key(name string) Key {
	bits := d.hash(name)
	key := Key{kind: keyRaw, scopeKind: scopeNone}
	binary.LittleEndian.PutUint64(key.bits[:8], bits[0])
	binary.LittleEndian.PutUint64(key.bits[8:], bits[1])
	return key
}

// callDirect is Call.
func (g *Group[K, V]) callDirect(key *K, fn func() (V, error), got *Result[V]) {
	e, t := g.engine, g.claimDirect(key)
	if t.direct.status != statusOK || Kind(t.direct.kind) != Execute {
		g.callOther(key, fn, t, got)
		return
	}
	returned := false
	defer func() {
		if !returned {
			// As in Do: it goes on by itself.
			lease := Lease{e, directLease(t.direct)}
			e.abandon(t, &lease)
			e.tickets.put(t)
		}
	}()
	got.Val, got.Err = fn()
	returned = true
	if !t.retire() {
		lease := Lease{e, directLease(t.direct)}
		g.settle(key, t, &lease, &g.terms, got)
		e.tickets.put(t)
		return
	}
	// Nobody has joined, and nobody can any more: the library has only to know that it is over. If
	// somebody waits there, the first of them executes, who would have claimed anew.
	status := crossDirectAbandon(e.c, t.direct)
	g.ended(nil, got, statusError(status))
	e.tickets.putRetired(t)
}

// claimDirect claims. The outcome is with the ticket.
func (g *Group[K, V]) claimDirect(key *K) *ticket {
	t := g.engine.tickets.take(true)
	// Such keys are strings; who would take others here would have their memory escape.
	t.name, t.group = *(*string)(unsafe.Pointer(key)), g.direct
	t.publish()
	crossDirectClaim(g.engine.c, t.direct, g.direct.hash(t.name), t.handle())
	return t
}

// callOther is Call, from a claim on that did not come to Execute.
func (g *Group[K, V]) callOther(key *K, fn func() (V, error), t *ticket, got *Result[V]) {
	var b begun
	if got.Err = g.begunDirect(t, &b); got.Err != nil {
		return
	}
	if g.concluded(key, &b, got) {
		g.run(key, &g.terms, &b, fn, got)
	}
}

// begunDirect is begin, from where the claim was made on.
func (g *Group[K, V]) begunDirect(t *ticket, b *begun) error {
	e, d := g.engine, t.direct
	b.t, b.joined, b.told = t, nil, d.told
	if status := int32(d.status); status != statusOK {
		e.tickets.put(t)
		return statusError(status)
	}
	switch Kind(d.kind) {
	case Execute:
		words := directLease(d)
		b.told.kind = d.kind
		setLease(&b.told.lease, &words)
	case InFlight:
		b.joined = g.joinDirect(uint64(d.told.owner), t.name)
	default:
		b.t = nil
		e.tickets.put(t)
	}
	return nil
}

// joinDirect joins a call of this name. One of another name with the same bits is waited for, and
// what it returns is not taken.
func (g *Group[K, V]) joinDirect(label uint64, name string) *ticket {
	joined := g.engine.tickets.join(label)
	if joined != nil && (joined.group != g.direct || joined.name != name) {
		joined.leave()
		return nil
	}
	return joined
}
