// Package singleflight runs a function once for all who call it by one key at a time. Its types and
// functions are those of golang.org/x/sync/singleflight, so that changing the import path is all
// there is to do:
//
//	import "libidem.dev/go/singleflight"
//
// What differs is what becomes of a function that does not return. A panic, or a runtime.Goexit,
// goes on in the caller whose function it was, and in no other: of those who wait, whoever has
// waited longest runs its own function, for all that are left. A panic in DoChan ends the program.
//
// All groups of the process are in one engine, which is made on first use and lasts as long as the
// process. It has room for a million keys and a million callers who wait at a time; who finds no
// room has idem.ErrFull as error, and idem.ErrSystem if the engine could not be made. For keys that
// are kept, contexts, limits, and types other than any, see idem.Group.
package singleflight

import (
	"sync"
	"sync/atomic"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/internal/own"
)

// A Group is a set of keys of its own. The zero one is ready to be used. It must not be copied
// after its first use.
type Group struct {
	keys atomic.Pointer[idem.Group[string, any]]
}

// Result is what DoChan sends: Val, Err, and whether it is Shared by several callers.
type Result = idem.Result[any]

// Do runs fn, or waits for a call of the same key that is at it, and returns what that returned.
// shared is whether several callers got it.
func (g *Group) Do(key string, fn func() (any, error)) (v any, err error, shared bool) {
	keys, err := g.group()
	if err != nil {
		return nil, err, false
	}
	v, shared, err = keys.Call(key, fn)
	return v, err, shared
}

// DoChan is as Do, and returns at once a channel with room for the result, which is sent when it is
// there. The channel is not closed.
func (g *Group) DoChan(key string, fn func() (any, error)) <-chan Result {
	keys, err := g.group()
	if err != nil {
		results := make(chan Result, 1)
		results <- Result{Err: err}
		return results
	}
	return keys.CallChan(key, fn)
}

// Forget lets the next Do of the key run its function, and not wait for a call that is at it now.
func (g *Group) Forget(key string) {
	if keys := g.keys.Load(); keys != nil {
		// It fails only of a closed engine, and this one is not closed.
		_ = keys.Forget(key)
	}
}

// group is the engine's part of the group.
func (g *Group) group() (*idem.Group[string, any], error) {
	if keys := g.keys.Load(); keys != nil {
		return keys, nil
	}
	engine, err := process()
	if err != nil {
		return nil, err
	}
	g.keys.CompareAndSwap(nil, own.Flights(engine).(*idem.Group[string, any]))
	return g.keys.Load(), nil
}

const (
	room    = 1_000_000
	longest = 3650 * 24 * time.Hour
)

// process is the engine of all groups. It is never closed.
var process = sync.OnceValues(func() (*idem.Engine, error) {
	return idem.Open(idem.Config{
		Records: room, Waiters: room, WaitersPerKey: room, Retention: idem.None,
		// Functions end by themselves, and however they do this side knows.
		Lease: longest,
	})
})
