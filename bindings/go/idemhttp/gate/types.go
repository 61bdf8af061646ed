package gate

import (
	"strings"
	"unicode/utf8"

	"libidem.dev/go/internal/seam"
)

// What crosses to the library and back.
type (
	// A Head is the head of a request: Method, Authority, Path, Query (HasQuery: there is a
	// question mark) and Fields. The rest of it is Enter's to say.
	Head = seam.Head
	// Fields are header or trailer fields, packed. Add adds one.
	Fields = seam.Fields
	// A Field has a Name and a Value.
	Field = seam.Field
	// A Response has a Status, Headers, Trailers, and a Body that is borrowed.
	Response = seam.Response
	// An Answer is sent as it is, and in its order: Status, Headers, Trailers, Body, which is not
	// to be sent with answers to HEAD. Refusal is a word that says why it is refused, as the
	// code of problem details has it; it is empty if it is answered as it was before.
	Answer = seam.Answer
	// A Fault is why a request's body did not come.
	Fault = seam.Fault
	// A Fate is what becomes of a response.
	Fate = seam.Fate
)

// Why a request's body did not come.
const (
	// NoFault: it did.
	NoFault = seam.None
	// TooSlow: it took longer than it may.
	TooSlow = seam.TooSlow
	// CutOff: it ended before it was whole.
	CutOff = seam.CutOff
	// TooLarge: it is longer than it may be.
	TooLarge = seam.TooLarge
)

// What becomes of a response.
const (
	// Keep: it is kept and replayed, for the policy's retention.
	Keep = seam.Keep
	// KeepFor: it is kept and replayed, for a time of its own.
	KeepFor = seam.KeepFor
	// Share: those who wait get it; the next request executes.
	Share = seam.Share
	// Release: the key is free; who waits executes.
	Release = seam.Release
	// Halt: nobody executes until the halted retention is over, or an operator settles it.
	Halt = seam.Halt
)

// Add adds a field.
func Add[T string | []byte](fields *Fields, name string, value T) { seam.Add(fields, name, value) }

// Text is a path, a query or a name with what is no UTF-8 spelled as it could have been sent
// instead: what differs goes on to differ.
func Text(target string) string {
	if utf8.ValidString(target) {
		return target
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(target) {
		if c := target[i]; c >= utf8.RuneSelf {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
