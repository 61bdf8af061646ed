package idemhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"libidem.dev/go/idemhttp"
)

// endless answers with a body that is sent on, and ends with its connection.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, "begun")
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func TestABodyThatIsSentOnEndsWithItsCaller(t *testing.T) {
	o := newOutside(t, idemhttp.Policy{}, endless)
	close(o.end)
	planned := errors.New("planned")
	soon := 100 * time.Millisecond
	for name, of := range map[string]struct {
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		timeout time.Duration
	}{
		"a deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, soon)
		}, 0},
		"a cause": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, soon, planned)
		}, 0},
		"the client's": {context.WithCancel, soon},
	} {
		t.Run(name, func(t *testing.T) {
			client := http.Client{Transport: o.client.Transport, Timeout: of.timeout}
			ctx, cancel := of.ctx(context.Background())
			defer cancel()
			r, _ := http.NewRequestWithContext(ctx, "GET", o.url, nil)
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			stuck := time.AfterFunc(5*time.Second, func() { response.Body.Close() })
			defer stuck.Stop()
			body, err := io.ReadAll(response.Body)
			isIts := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, planned) ||
				os.IsTimeout(err)
			if string(body) != "begun" || !isIts {
				t.Fatalf("%q %v", body, err)
			}
		})
	}
}

// For the race detector.
func TestABodyIsClosedWhileItIsRead(t *testing.T) {
	long := strings.Repeat("long", 1<<18)
	o := newOutside(t, idemhttp.Policy{ResponseMax: 1 << 10}, func(
		w http.ResponseWriter, r *http.Request,
	) {
		w.(http.Flusher).Flush()
		io.WriteString(w, long)
	})
	close(o.end)
	for range 20 {
		response, err := o.client.Get(o.url)
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan bool)
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, response.Body)
		}()
		response.Body.Close()
		<-read
	}
}
