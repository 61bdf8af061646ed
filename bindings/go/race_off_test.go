//go:build !race && !idem_gcstress

package idem_test

const raceEnabled = false
