//go:build idem_static && !idem_tree

package idem

// The static library of an installed one. A linker that finds both takes the shared one, so the
// static one is asked for by its file name; pkg-config says where it is and what else it needs.

// #cgo pkg-config: --static libidem
// #cgo linux LDFLAGS: -Wl,-Bstatic -lidem -Wl,-Bdynamic
import "C"
