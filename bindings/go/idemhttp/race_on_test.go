//go:build race || idem_gcstress

package idemhttp_test

// Pools lose what is in them.
const raceEnabled = true
