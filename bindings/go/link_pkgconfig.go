//go:build !idem_static && !idem_tree

package idem

// An installed library, found by pkg-config (PKG_CONFIG_PATH says where else to look).

// #cgo pkg-config: libidem
import "C"
