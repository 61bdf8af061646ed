// Package gate is what the bindings of HTTP frameworks are made of: idemhttp, idemgin, idemecho and
// idemfiber. It knows no framework, not even net/http. Users of those need nothing of it.
//
// A Gate is a policy at work. A binding asks Passes of each request, and for those that do not,
// puts a Head together and calls Enter, which reads the body, claims the key and waits, and comes
// back with an Answer to send, or with a Ticket to execute by:
//
//	defer ticket.End()         // before anything that could panic
//	... the handler, with ticket.Control() in its context ...
//	added := ticket.Finish(response)
//	... send the response, with what is added ...
//
// What a request comes to is decided by the library alone, which every binding in every language
// calls. Here is only what takes time: reading, waiting, and keeping the lease of a slow handler.
package gate
