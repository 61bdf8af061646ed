package idem

// Joined is how many waiters count at calls of Do: a test waits for that before it lets callers
// leave.
func Joined(e *Engine) int {
	joined := 0
	chunks := e.tickets.slots.chunks.Load()
	if chunks == nil {
		return 0
	}
	for _, chunk := range *chunks {
		for i := range chunk {
			place := chunk[i].Load()
			if place == nil {
				continue
			}
			if t := place.Value(); t != nil && t.isJoined() {
				t.lock.Lock()
				joined += t.waiters
				t.lock.Unlock()
			}
		}
	}
	return joined
}

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
