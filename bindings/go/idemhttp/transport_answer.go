package idemhttp

import (
	"net/http"
	"strconv"
	"strings"

	"libidem.dev/go/idemhttp/gate"
)

// responseOf is an answer as a response to a caller.
func responseOf(r *http.Request, answer *gate.Answer) *http.Response {
	header, trailer := make(http.Header), make(http.Header)
	for _, field := range answer.Headers {
		header.Add(field.Name, field.Value)
	}
	for _, field := range answer.Trailers {
		trailer.Add(field.Name, field.Value)
	}
	response := &http.Response{
		Status:     strconv.Itoa(answer.Status) + " " + http.StatusText(answer.Status),
		StatusCode: answer.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: http.NoBody, ContentLength: int64(len(answer.Body)), Request: r,
	}
	if len(trailer) > 0 {
		response.Trailer = trailer
	}
	if r.Method == http.MethodHead {
		if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
			response.ContentLength = length
		}
	} else if len(answer.Body) > 0 {
		response.Body = newHeldBody(answer.Body)
	}
	return response
}

// pathOf is the path of a request that is sent.
func pathOf(r *http.Request) string {
	if r.URL.Opaque != "" {
		return gate.Text(r.URL.Opaque)
	}
	if path := r.URL.EscapedPath(); path != "" {
		return path
	}
	return "/"
}

// authorityOf is where a request is sent, and what host it names there if that is another one.
func authorityOf(r *http.Request) string {
	authority := r.URL.Scheme + "://" + r.URL.Host
	if r.Host != "" && r.Host != r.URL.Host {
		authority += " " + r.Host
	}
	return authority
}

// hasField is whether there is a field of a name, however that is written.
func hasField(header http.Header, name string) bool {
	for known, values := range header {
		if len(values) > 0 && strings.EqualFold(known, name) {
			return true
		}
	}
	return false
}

// isStream is whether what has this media type comes piece by piece, and may have no end.
func isStream(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	switch mediaType {
	case "text/event-stream", "application/x-ndjson", "application/json-seq",
		"multipart/x-mixed-replace":
		return true
	}
	return strings.HasPrefix(mediaType, "application/grpc")
}
