package idem

// #cgo noescape idemgo_direct_init
// #cgo nocallback idemgo_direct_init
// #cgo noescape idemgo_direct_claim
// #cgo nocallback idemgo_direct_claim
// #cgo noescape idemgo_direct_abandon
// #cgo nocallback idemgo_direct_abandon
// #include "direct.h"
import "C"

import "unsafe"

type cDirect = C.idemgo_direct_t

func newDirect() *cDirect {
	made := new(cDirect)
	C.idemgo_direct_init(made)
	return made
}

// crossDirectClaim claims: the tag is the owner's label, and that of the wait that it may come to.
func crossDirectClaim(c uintptr, direct *cDirect, bits [2]uint64, tag uint64) {
	stress()
	direct.bits = [2]cWord{cWord(bits[0]), cWord(bits[1])}
	direct.tag = cWord(tag)
	C.idemgo_direct_claim(C.uintptr_t(c), direct)
	stress()
}

// crossDirectAbandon lets go of the lease.
func crossDirectAbandon(c uintptr, direct *cDirect) int32 {
	stress()
	C.idemgo_direct_abandon(C.uintptr_t(c), direct)
	return int32(direct.status)
}

// directLease is the lease, for those who end it otherwise.
func directLease(direct *cDirect) [8]uint64 {
	return *(*[8]uint64)(unsafe.Pointer(&direct.outcome[C.IDEMGO_LEASE_AT]))
}
