package singleflight

import "libidem.dev/go/internal/own"

// Joined is how many wait, in all groups, if all of them count at the calls that they wait for;
// otherwise -1.
func Joined() int {
	engine, err := process()
	if err != nil {
		return -1
	}
	if joined := own.Joined(engine); uint64(joined) == engine.Stats().Waiters {
		return joined
	}
	return -1
}
