//go:build idem_tree

package idem

// The static library as cargo built it in this repository, without an install:
//
//	cargo rustc -p idem-ffi --lib --crate-type staticlib,cdylib --profile release
//
// The shared one has a name for the loader (libidem.so.N) that only an installed one is found by.
// Where CARGO_TARGET_DIR is elsewhere, CGO_LDFLAGS=-L<that directory>/release says so.

// #cgo CFLAGS: -I${SRCDIR}/../../include
// #cgo LDFLAGS: -L${SRCDIR}/../../target/release
// #cgo linux LDFLAGS: -Wl,-Bstatic -lidem_ffi -Wl,-Bdynamic -lutil -lrt -lpthread -lm -ldl
// #cgo !linux LDFLAGS: ${SRCDIR}/../../target/release/libidem_ffi.a
import "C"
