//go:build !race && !idem_gcstress

package check

// RaceEnabled is whether pools lose what is in them, and memory is not as it is.
const RaceEnabled = false
