package idem

// #cgo noescape idemgo_direct_begin
// #cgo nocallback idemgo_direct_begin
// #cgo noescape idemgo_direct_try
// #cgo nocallback idemgo_direct_try
// #cgo noescape idemgo_direct_end
// #cgo nocallback idemgo_direct_end
// #include "direct.h"
import "C"

import "unsafe"

type cDirect = C.idemgo_direct_t

func newDirect() *cDirect {
	made := new(cDirect)
	C.idemgo_direct_begin(made)
	return made
}

// crossDirectTry claims: the tag is the owner's label, and that of the wait that it may come to.
func crossDirectTry(c uintptr, direct *cDirect, bits [2]uint64, tag uint64) {
	stress()
	direct.bits = [2]cWord{cWord(bits[0]), cWord(bits[1])}
	direct.tag = cWord(tag)
	C.idemgo_direct_try(C.uintptr_t(c), direct)
	stress()
}

// crossDirectEnd lets go of the lease.
func crossDirectEnd(c uintptr, direct *cDirect) int32 {
	stress()
	C.idemgo_direct_end(C.uintptr_t(c), direct)
	return int32(direct.status)
}

// directLease is the lease, for those who end it otherwise.
func directLease(direct *cDirect) [8]uint64 {
	return *(*[8]uint64)(unsafe.Pointer(&direct.outcome[C.IDEMGO_LEASE_AT]))
}
