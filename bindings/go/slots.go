package idem

import "sync/atomic"

// A handle has the top bit, 30 bits of generation, and the index of a slot. The tag of a wait may
// have one bit more.
const (
	handleBit      = 1 << 63
	heldBit        = heldTag
	generationMask = 1<<30 - 1
	chunkSize      = 1024
)

type slotChunk[T any] [chunkSize]atomic.Pointer[T]

// slots are places by index. They are read at any time; whoever makes more of them has a lock of
// its own.
type slots[T any] struct {
	chunks atomic.Pointer[[]*slotChunk[T]]
}

// reach makes the slot of an index that is at most one more than the last.
func (s *slots[T]) reach(index uint32) {
	var chunks []*slotChunk[T]
	if known := s.chunks.Load(); known != nil {
		chunks = *known
	}
	if int(index/chunkSize) < len(chunks) {
		return
	}
	// Readers have the old slice, or this one; the chunks are the same.
	grown := append(chunks[:len(chunks):len(chunks)], new(slotChunk[T]))
	s.chunks.Store(&grown)
}

// place is the slot of an index that was reached.
func (s *slots[T]) place(index uint32) *atomic.Pointer[T] {
	return &(*s.chunks.Load())[index/chunkSize][index%chunkSize]
}

// at is what the slot of a handle has, whatever its generation; nil if the handle is none.
func (s *slots[T]) at(handle uint64) *T {
	chunks, index := s.chunks.Load(), uint32(handle)
	if handle < handleBit || chunks == nil || int(index/chunkSize) >= len(*chunks) {
		return nil
	}
	return (*chunks)[index/chunkSize][index%chunkSize].Load()
}
