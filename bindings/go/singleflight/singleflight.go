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
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	idem "libidem.dev/go"
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
	whole, err := process()
	if err != nil {
		return nil, err
	}
	scope := binary.BigEndian.AppendUint64(nil, groups.Add(1))
	g.keys.CompareAndSwap(nil, whole.Scoped(string(scope)))
	return g.keys.Load(), nil
}

var groups atomic.Uint64

const (
	room    = 1_000_000
	longest = 3650 * 24 * time.Hour
)

// process is the group that all groups are scopes of.
var process = sync.OnceValues(func() (*idem.Group[string, any], error) {
	engine, err := idem.Open(idem.Config{
		Records: room, Waiters: room, WaitersPerKey: room, Retention: idem.None,
		// Functions end by themselves, and however they do this side knows.
		MaxRun: longest,
	})
	if err != nil {
		return nil, err
	}
	return idem.NewGroup[string, any](engine)
})
