// Package idem answers one question: has this request been seen, and what became of it?
//
// At most one live lease per key: whoever gets Execute holds it and does the work; everybody else
// waits for the result, gets it replayed, or is told why not. Do does all of it around a function:
//
//	engine, err := idem.Open(idem.Config{})
//	...
//	defer engine.Close()
//	receipt, err := idem.Do(ctx, engine, idem.Scoped(customer, key), charge)
//
// With Claim the caller holds the lease itself. The promise is kept within one process and until
// it ends: nothing is written to disk or shared. Work may run again after a cancel, and after a
// lease that ran out or was abandoned, unless the policy is Halt.
//
// Nothing here blocks a thread, but Close. Goroutines that wait are parked as on any channel.
//
// # Linking
//
// The package calls libidem by cgo. By default pkg-config finds an installed one
// (PKG_CONFIG_PATH); the loader must find it as well. The tag idem_static takes its static
// library, so that the program needs none; idem_tree the one that cargo built in the repository:
//
//	go build
//	go build -tags idem_static
//	go build -tags idem_tree
package idem
