// Package examples has whole programs, one to a directory, and compiles the code of the guides.
// With PKG_CONFIG_PATH and LD_LIBRARY_PATH as the README has them:
//
//	go run ./payments    an API with Idempotency-Key, by net/http
//	go run ./ginservice  the same by gin
//	go run ./queue       a consumer of a queue that delivers again, in batches
//	go run ./client      outgoing calls that are made once
package examples
