package idem

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// The gate counts who is inside the library, so that an engine is freed when nobody is. It is cut
// into pieces, each on cache lines of its own, so that callers do not meet on it.
type gate struct {
	pieces [gatePieces]gatePiece
	shut   atomic.Bool
}

const gatePieces = 32

type gatePiece struct {
	inside atomic.Int64
	_      [120]byte
}

// enter is the piece to leave by; nil if the gate is shut.
func (g *gate) enter() *gatePiece {
	// Goroutines have stacks of their own, and mostly stay on one processor.
	var here byte
	at := uintptr(unsafe.Pointer(&here))
	piece := &g.pieces[(at>>11^at>>16)%gatePieces]
	// Counted first, then looked: whoever shuts the gate does it the other way round, and one of
	// the two sees the other.
	piece.inside.Add(1)
	if g.shut.Load() {
		piece.inside.Add(-1)
		return nil
	}
	return piece
}

func (p *gatePiece) exit() { p.inside.Add(-1) }

// close shuts the gate and returns when nobody is inside. Nothing inside blocks, but for a drain.
func (g *gate) close() {
	g.shut.Store(true)
	for i := range g.pieces {
		for tries := 0; g.pieces[i].inside.Load() != 0; tries++ {
			if tries < 100 {
				runtime.Gosched()
			} else {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
}
