//go:build !race && !idem_gcstress

package idemhttp_test

const raceEnabled = false
