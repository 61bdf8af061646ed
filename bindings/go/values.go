package idem

import "sync"

// A kept is a Go value that a record of the library stands for. The library has its handle; it is
// in the table from before it is handed in until the library says that nobody has it any more.
type kept struct {
	handle uint64
	value  any
}

// valueTable finds values by handle: an index, and a generation that is another one whenever the
// index is used again. So what was found by a handle is what that was made for, also when the
// record is over meanwhile.
type valueTable struct {
	slots slots[kept]

	lock        sync.Mutex
	isClosed    bool
	generations []uint32
	unused      []uint32
}

// add puts a value into the table. Of an engine that is closed there is none, and the handle is
// nobody's.
func (t *valueTable) add(value any) uint64 {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.isClosed {
		return 0
	}
	var index uint32
	if last := len(t.unused) - 1; last >= 0 {
		index, t.unused = t.unused[last], t.unused[:last]
	} else {
		index = uint32(len(t.generations))
		t.generations = append(t.generations, 0)
		t.slots.reach(index)
	}
	generation := uint64(t.generations[index] & generationMask)
	made := &kept{handleBit | generation<<32 | uint64(index), value}
	t.slots.place(index).Store(made)
	return made.handle
}

// find is the value of a handle; false if it is over, or the handle is none.
func (t *valueTable) find(handle uint64) (any, bool) {
	found := t.slots.at(handle)
	if found == nil || found.handle != handle {
		return nil, false
	}
	return found.value, true
}

// free takes a value out of the table, once.
func (t *valueTable) free(handle uint64) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if _, ok := t.find(handle); !ok {
		return
	}
	index := uint32(handle)
	t.slots.place(index).Store(nil)
	t.generations[index]++
	t.unused = append(t.unused, index)
}

// clear lets go of all of them, for good: the engine is gone, and says nothing of them any more.
func (t *valueTable) clear() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.isClosed = true
	t.slots.chunks.Store(nil)
	t.generations, t.unused = nil, nil
}
