package idemhttp

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"libidem.dev/go/idemhttp/gate"
)

// A Writer is what a handler writes its response to. It holds it until it is stored, and does with
// it what net/http would. It is an http.Flusher, Hijacker, Pusher and io.ReaderFrom, and an
// http.ResponseController finds through it what it is made on. One goroutine at a time may use it.
type Writer struct {
	to     http.ResponseWriter
	ticket *gate.Ticket
	isHead bool
	// Whether what is flushed is to be sent at once; nil: it is not.
	streams func() bool
	unwatch func() bool

	// What the handler sees, and what it was when it wrote its status.
	header, sent http.Header
	// What others have set, of a response that is stored after it was sent.
	before http.Header
	status int
	// The length that the header says; -1: none.
	length  int64
	written int64
	held    []byte

	phase phase
	// Not all that was sent has reached the client.
	isCut bool
	// There is more than is kept.
	isTooLong bool
}

// phase is where a response goes.
type phase uint8

const (
	// It is held.
	holds phase = iota
	// It is sent as it comes, and held as well.
	tees
	// It is sent as it comes.
	sends
	// The connection is the handler's.
	hijacked
)

func newWriter(to http.ResponseWriter, r *http.Request, ticket *gate.Ticket) *Writer {
	w := &Writer{to: to, ticket: ticket, isHead: r.Method == http.MethodHead, length: -1}
	// Layers further out have set theirs, and may be asked for them.
	w.header = to.Header().Clone()
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w
}

// Header is the header to be sent, which changes until the status is written, and the trailers
// after that.
func (w *Writer) Header() http.Header { return w.header }

// Status is the status that was written; 0: none yet.
func (w *Writer) Status() int { return w.status }

// Holds is whether nothing of the response was sent.
func (w *Writer) Holds() bool { return w.phase == holds }

// WriteHeader writes the status. Informational ones are sent at once.
func (w *Writer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	}
	if w.status != 0 || w.phase == hijacked {
		return
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.inform(status)
		return
	}
	w.status = status
	w.sent = w.header.Clone()
	if said := w.sent.Get("Content-Length"); said != "" {
		length, err := strconv.ParseInt(said, 10, 64)
		if err != nil || length < 0 {
			w.sent.Del("Content-Length")
		} else {
			w.length = length
		}
	}
	if w.length > int64(w.ticket.ResponseMax()) && w.hasBody() {
		w.sendOn()
	}
}

// inform sends a response before the response.
func (w *Writer) inform(status int) {
	header := w.to.Header()
	before := header.Clone()
	replace(header, w.header)
	w.to.WriteHeader(status)
	replace(header, before)
}

// hasBody is whether a body is sent with the status and to the method.
func (w *Writer) hasBody() bool { return !w.isHead && allowsBody(w.status) }

func allowsBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// Write writes a part of the body.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.begin(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	if keep(w, p) {
		return len(p), nil
	}
	n, err := w.to.Write(p)
	w.isCut = w.isCut || err != nil
	return n, err
}

// WriteString is the same of a string.
func (w *Writer) WriteString(s string) (int, error) {
	if err := w.begin(len(s)); err != nil || len(s) == 0 {
		return 0, err
	}
	if keep(w, s) {
		return len(s), nil
	}
	n, err := io.WriteString(w.to, s)
	w.isCut = w.isCut || err != nil
	return n, err
}

// begin is whether so many bytes may be written.
func (w *Writer) begin(count int) error {
	if w.phase == hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if count == 0 {
		return nil
	}
	if !allowsBody(w.status) {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(count)
	if w.length != -1 && w.written > w.length {
		// Counted all the same: it is more than the header says.
		return http.ErrContentLength
	}
	return nil
}

// Bytes of the body of an answer to HEAD that its type is told by.
const sniffed = 512

// keep holds bytes, if there is room, and is whether that was all to be done with them.
func keep[T string | []byte](w *Writer, p T) bool {
	if w.isHead {
		p = p[:min(len(p), max(sniffed-len(w.held), 0))]
	}
	switch {
	case w.isTooLong:
	case len(p) <= w.ticket.ResponseMax()-len(w.held):
		w.held = append(w.held, p...)
	case w.phase == holds:
		w.sendOn()
	default:
		w.isTooLong, w.held = true, nil
	}
	return w.phase == holds
}

// sendOn sends what is held, and from here on whatever comes: there is more than is kept.
func (w *Writer) sendOn() {
	w.isTooLong = true
	w.phase = sends
	w.sendHead()
	w.sendHeld()
	w.held = nil
}

func (w *Writer) sendHead() {
	if w.phase == tees {
		w.before = w.to.Header().Clone()
	}
	replace(w.to.Header(), w.sent)
	w.to.WriteHeader(w.status)
}

func (w *Writer) sendHeld() {
	if len(w.held) == 0 || !w.hasBody() {
		return
	}
	_, err := w.to.Write(w.held)
	w.isCut = w.isCut || err != nil
}

// ReadFrom writes all that comes. What is sent as it comes goes the way that net/http has for it,
// as from file to socket.
func (w *Writer) ReadFrom(from io.Reader) (n int64, err error) {
	if err := w.begin(0); err != nil {
		return 0, err
	}
	buffer := make([]byte, 32<<10)
	for w.phase != sends {
		read, err := from.Read(buffer)
		if read > 0 {
			written, err := w.Write(buffer[:read])
			n += int64(written)
			if err != nil {
				return n, err
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	if w.length != -1 {
		from = io.LimitReader(from, w.length-w.written)
	}
	copied, err := io.Copy(w.to, from)
	w.written += copied
	w.isCut = w.isCut || err != nil
	return n + copied, err
}

// Flush sends what there is, if responses are streamed; otherwise it is held until it is stored.
func (w *Writer) Flush() { _ = w.FlushError() }

// FlushError is the same, for an http.ResponseController.
func (w *Writer) FlushError() error {
	if err := w.begin(0); err != nil {
		return err
	}
	if w.phase == holds && w.streams != nil && w.hasBody() && w.streams() {
		w.tee()
	}
	if w.phase == holds {
		return nil
	}
	err := http.NewResponseController(w.to).Flush()
	w.isCut = w.isCut || err != nil
	return err
}

// tee sends what is held, and from here on whatever comes, which is held as well.
func (w *Writer) tee() {
	w.sniff()
	w.phase = tees
	w.sendHead()
	w.sendHeld()
}

// Hijack takes the connection over, after what was written until then is sent. The request counts
// as done then, and its response as lost.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.phase == holds && w.status != 0 {
		w.tee()
		_ = w.FlushError()
	}
	connection, buffered, err := http.NewResponseController(w.to).Hijack()
	if err == nil {
		w.phase = hijacked
	}
	return connection, buffered, err
}

// Push is that of HTTP/2.
func (w *Writer) Push(target string, options *http.PushOptions) error {
	if pusher, ok := w.to.(http.Pusher); ok {
		return pusher.Push(target, options)
	}
	return http.ErrNotSupported
}

// Unwrap is for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.to }

// sniff says what the body is, where the handler does not, as net/http does.
func (w *Writer) sniff() {
	_, isSaid := w.sent["Content-Type"]
	if isSaid || len(w.held) == 0 || w.sent.Get("Content-Encoding") != "" ||
		w.sent.Get("Transfer-Encoding") != "" {
		return
	}
	w.sent.Set("Content-Type", http.DetectContentType(w.held))
}

// finish settles the request by what was written, and sends it if it was not sent.
func (w *Writer) finish() {
	w.stopWatching()
	if w.phase == hijacked {
		// What was done is not known here; that it was done is.
		_ = w.ticket.Control().Keep()
		w.ticket.Lose(http.StatusOK, false)
		return
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	trailers := w.trailers()
	switch {
	case w.isLost():
		w.ticket.Lose(w.status, false)
	case w.isBroken():
		w.ticket.Lose(w.status, true)
	default:
		w.store(trailers)
	}
	to := w.to.Header()
	if w.phase == holds {
		to = w.sent
	}
	announced := announcedIn(w.sent)
	for name, values := range trailers {
		if !slices.Contains(announced, name) {
			to[http.TrailerPrefix+name] = values
		}
	}
	if w.phase == holds {
		w.sendHead()
		w.sendHeld()
	}
	setAnnounced(w.to, announced, trailers)
}

// isLost is whether it was done, and is not kept: of a response that is longer than that what
// reaches the client is no matter.
func (w *Writer) isLost() bool {
	isLong := w.isTooLong && (w.isCut || w.written > int64(w.ticket.ResponseMax()))
	return isLong || w.status > 599 || w.status < 200
}

// isBroken is whether it is not what its header says, or went to a client that has left.
func (w *Writer) isBroken() bool {
	return w.isCut || (w.length != -1 && w.hasBody() && w.written != w.length)
}

// store settles the request by its response, and adds to that what is to be added.
func (w *Writer) store(trailers http.Header) {
	if allowsBody(w.status) && w.phase == holds {
		w.sniff()
	}
	if w.isHead && w.written > 0 && w.length == -1 && len(trailers) == 0 {
		w.sent.Set("Content-Length", strconv.FormatInt(w.written, 10))
	}
	response := gate.Response{Status: w.status, Body: w.held}
	if w.isHead {
		response.Body = nil
	}
	before := w.before
	if w.phase == holds {
		before = w.to.Header()
	}
	pack(&response.Headers, w.sent, before)
	pack(&response.Trailers, trailers, nil)
	for _, field := range w.ticket.Finish(&response) {
		w.sent.Add(field.Name, field.Value)
	}
}

// trailers are those that the handler has set: by names that the header announces, or by names
// with a prefix. What is left of the latter is no header field.
func (w *Writer) trailers() http.Header {
	var trailers http.Header
	set := func(name string, values []string) {
		if trailers == nil {
			trailers = make(http.Header)
		}
		trailers[name] = values
	}
	for name, values := range w.header {
		if rest, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			set(http.CanonicalHeaderKey(rest), values)
			delete(w.sent, name)
		}
	}
	for _, name := range announcedIn(w.sent) {
		if values := w.header[name]; len(values) > 0 {
			set(name, values)
		}
	}
	return trailers
}

// stopWatching lets the client's end be nobody's concern any more.
func (w *Writer) stopWatching() {
	if w.unwatch != nil {
		w.unwatch()
		w.unwatch = nil
	}
}
