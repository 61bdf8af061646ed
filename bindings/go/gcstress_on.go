//go:build idem_gcstress

package idem

import (
	"runtime"
	"sync/atomic"
)

// One of how many crossings has a collection before or after it. A prime, so that it is not always
// the same one of a repeated sequence.
const stressEvery = 97

var crossings atomic.Uint64

// stress collects garbage, which moves stacks, frees what C should not have kept, and empties
// pools.
func stress() {
	if crossings.Add(1)%stressEvery == 0 {
		runtime.GC()
	}
}
