//go:build race || idem_gcstress

package idem_test

// Pools lose what is in them.
const raceEnabled = true
