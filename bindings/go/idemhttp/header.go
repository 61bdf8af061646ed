package idemhttp

import (
	"net/http"
	"slices"
	"strings"

	"libidem.dev/go/idemhttp/gate"
)

// replace makes a header the same as another one.
func replace(to, from http.Header) {
	for name := range to {
		if _, ok := from[name]; !ok {
			delete(to, name)
		}
	}
	for name, values := range from {
		to[name] = values
	}
}

// pack packs fields by name: those that are not as they were before.
func pack(to *gate.Fields, header, before http.Header) {
	if len(header) == 0 {
		return
	}
	names := make([]string, 0, len(header))
	for name, values := range header {
		if !slices.Equal(values, before[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			gate.Add(to, name, value)
		}
	}
}

// announcedIn are the names of the trailers that a header announces.
func announcedIn(header http.Header) (names []string) {
	for _, line := range header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if isTrailer(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func isTrailer(name string) bool {
	switch name {
	case "", "Content-Length", "Transfer-Encoding", "Trailer":
		return false
	}
	return true
}

// setAnnounced sets the trailers that were announced, once the header was sent: that may have
// fields of the same names, and by names with a prefix they would be sent twice.
func setAnnounced(w http.ResponseWriter, announced []string, trailers http.Header) {
	if len(announced) == 0 {
		return
	}
	// Where a framework sends the header with what is written, be it nothing.
	_, _ = w.Write(nil)
	header := w.Header()
	for _, name := range announced {
		if values, ok := trailers[name]; ok {
			header[name] = values
		}
	}
}

// writeAnswer sends an answer. Its fields go before those of the same names that layers further out
// have set.
func writeAnswer(w http.ResponseWriter, r *http.Request, answer *gate.Answer) {
	header := w.Header()
	for i, field := range answer.Headers {
		name := http.CanonicalHeaderKey(field.Name)
		isFirst := !slices.ContainsFunc(answer.Headers[:i], func(other gate.Field) bool {
			return http.CanonicalHeaderKey(other.Name) == name
		})
		if isFirst {
			header[name] = []string{field.Value}
		} else {
			header[name] = append(header[name], field.Value)
		}
	}
	if _, ok := header["Content-Type"]; !ok {
		// It had none, and is not to be given one.
		header["Content-Type"] = nil
	}
	announced, trailers := announcedIn(header), make(http.Header)
	for _, field := range answer.Trailers {
		name := http.CanonicalHeaderKey(field.Name)
		if slices.Contains(announced, name) {
			trailers[name] = append(trailers[name], field.Value)
			continue
		}
		name = http.TrailerPrefix + name
		header[name] = append(header[name], field.Value)
	}
	w.WriteHeader(answer.Status)
	if r.Method != http.MethodHead && len(answer.Body) > 0 && allowsBody(answer.Status) {
		// The client may have gone: it comes again.
		_, _ = w.Write(answer.Body)
	}
	setAnnounced(w, announced, trailers)
}
