// Package own is how the packages of this module get at what package idem has for nobody else. That
// package fills it in.
package own

var (
	// Flights is a new *idem.Group[string, any] of an *idem.Engine that has none but such groups,
	// was opened with no retention and the longest lease, and is never closed.
	Flights func(engine any) (group any)
	// Joined is how many waiters of an *idem.Engine count at the calls that they wait for. For
	// tests.
	Joined func(engine any) int
)
