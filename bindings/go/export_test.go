package idem

// Joined is how many waiters count at calls of Do: a test waits for that before it lets callers
// leave.
func Joined(e *Engine) int { return joinedIn(e) }

// Kept is how many values the engine's groups keep.
func Kept(e *Engine) int {
	e.values.lock.Lock()
	defer e.values.lock.Unlock()
	return len(e.values.generations) - len(e.values.unused)
}

// Groups is how many namespaces there are of groups.
func Groups(e *Engine) int {
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.groups
}

// Flights is a group as package singleflight has them.
func Flights(e *Engine) *Group[string, any] { return flightsOf(e) }

// JoinsAs is whether a waiter of a group would take what the call returns that is at a key of
// another, or the same, if both keys had the same bits.
func JoinsAs(at *Group[string, any], key string, g *Group[string, any], name string) bool {
	peeked, err := at.engine.Peek(at.key(&key))
	if err != nil || peeked.State != StateInFlight {
		return false
	}
	joined := g.joinDirect(peeked.Info.Owner, name)
	joined.leave()
	return joined != nil
}
