package idemtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/idemtest"
)

func TestSeeds(t *testing.T) {
	h := idemtest.New(t)
	ctx := context.Background()
	key := idem.Global
	h.Completed(key("completed"), []byte("response"))
	h.Done(key("done"))
	h.Halted(key("halted"))
	lease := h.InFlight(key("in flight"))
	h.Asked()
	for name, want := range map[string]error{
		"completed": nil, "done": idem.ErrDone, "halted": idem.ErrHalted, "in flight": nil,
	} {
		outcome, err := h.Engine.Claim(ctx, key(name), idem.WithNoWait())
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, %v", name, outcome.Kind, err)
		}
	}
	want := idemtest.Asked{Replays: 1, Done: 1, Halted: 1, InFlight: 1}
	if asked := h.Asked(); asked != want {
		t.Errorf("%+v", asked)
	}
	h.Pass(31 * time.Second)
	if asked := h.Asked(); asked.Expiries != 1 || asked.Replays != 0 {
		t.Errorf("%+v", asked)
	}
	if _, err := lease.Complete(nil); !errors.Is(err, idem.ErrStale) {
		t.Error(err)
	}
	if h.Full(); !errors.Is(claim(h, "one more"), idem.ErrFull) {
		t.Error("there is room")
	}
}

func claim(h *idemtest.Harness, key string) error {
	_, err := h.Engine.Claim(context.Background(), idem.Global(key))
	return err
}

func TestAServiceUnderTest(t *testing.T) {
	h, recorder := idemtest.New(t), new(idemtest.Recorder)
	gate, err := idemhttp.New(h.Engine, idemhttp.Policy{Profile: idemhttp.IETF},
		idemhttp.GlobalScope(), idemtest.Record[*http.Request](recorder))
	if err != nil {
		t.Fatal(err)
	}
	key := idemtest.FreshKey()
	idemtest.Answered(t, gate, "POST", "/charge", key, "", func(w http.ResponseWriter) {
		io.WriteString(w, "charged before")
	})
	service := gate.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "charged")
	}))
	post := func(key string) string {
		r := httptest.NewRequest("POST", "/charge", nil)
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		return w.Body.String()
	}
	if got := post(key); got != "charged before" {
		t.Fatal(got)
	}
	// The retention of a day is over.
	h.Pass(25 * time.Hour)
	if got := post(key); got != "charged" {
		t.Fatal(got)
	}
	post("no key")
	want := []idemtest.Event{{What: "executed", Fate: idemhttp.Keep}, {What: "replayed"},
		{What: "executed", Fate: idemhttp.Keep}, {What: "refused", Code: "key-malformed"}}
	if got := recorder.Events(); !slices.Equal(got, want) {
		t.Fatalf("%+v", got)
	}
}
