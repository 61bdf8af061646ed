// Package idemhttp handles Idempotency-Key for net/http: duplicates are refused, wait, or get the
// first one's answer, byte for byte.
//
//	engine, err := idem.Open(idem.Config{})
//	...
//	gate, err := idemhttp.New(engine, idemhttp.Policy{Profile: idemhttp.IETF},
//		idemhttp.ScopeBy(func(r *http.Request) string { return accountOf(r.Context()) }))
//	...
//	mux.Handle("POST /charges", gate.Handler(http.HandlerFunc(charge)))
//
// Transport is for outgoing calls: identical ones at the same time go out once.
//
// # What is promised
//
// A request that nothing is done about goes through untouched. A keyed one is read to BodyMax
// before its key is claimed, if its body counts, and its handler gets the body from memory. The
// answer is sent when it has been stored; until then it is held, but for one that is longer than
// ResponseMax, which is sent on and not kept, and for those that are streamed (StreamResponses).
//
// A handler goes on although its client goes away, and its answer is kept for the retry: its
// context has no deadline and is not cancelled, unless it streams. If it panics, the panic goes on
// after the key was released, or what else the policy says. If it is slower than its lease, that is
// kept alive, up to MaxRun.
//
// Limits on time, as http.TimeoutHandler, go outside of the gate. Within it their answer would be
// taken for the handler's, which goes on: a 503 gives the key free, and a retry executes beside it.
//
// A handler sees and drives what becomes of its request by FromContext. What is set in the header
// by layers outside of this one is not stored with the response, and stays in replays, unless the
// handler has set it anew.
//
// When the engine is closed a gate answers 503 to every request, also to those that would pass:
// stop the server first.
package idemhttp
