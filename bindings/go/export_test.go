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

// KeyOf is the engine's key of a group's.
func KeyOf(g *Group[string, any], key string) Key { return g.key(&key) }

// ReplaysAnew is whether the key is claimed anew after a replay of the value with this handle.
func ReplaysAnew(g *Group[string, any], key string, value uint64) bool {
	told := cTold{kind: cHalf(Replay), is_copied: 1, value: cWord(value)}
	var got Result[any]
	return g.replay(&key, &told, &got) == anew
}

// Values is a table of kept values by itself.
type Values struct{ table valueTable }

func (v *Values) Add(value any) uint64           { return v.table.add(value) }
func (v *Values) Find(handle uint64) (any, bool) { return v.table.find(handle) }
func (v *Values) Free(handle uint64)             { v.table.free(handle) }
func (v *Values) Clear()                         { v.table.clear() }
