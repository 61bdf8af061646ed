//go:build !idem_gcstress

package idem

// With the tag idem_gcstress the garbage collector is run around crossings.
func stress() {}
