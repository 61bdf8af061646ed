package idemecho_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	idem "libidem.dev/go"
	"libidem.dev/go/idemecho"
)

func TestResponses(t *testing.T) {
	for name, test := range map[string]struct {
		handle echo.HandlerFunc
		status int
		body   string
		calls  int
	}{
		"a text": {func(c echo.Context) error {
			body, _ := io.ReadAll(c.Request().Body)
			return c.String(201, string(body))
		}, 201, "amount=1", 1},
		"nothing":    {func(c echo.Context) error { return nil }, 200, "", 1},
		"no content": {func(c echo.Context) error { return c.NoContent(204) }, 204, "", 1},
		"an error of the client's": {func(c echo.Context) error {
			return echo.NewHTTPError(404, "none")
		}, 404, `{"message":"none"}` + "\n", 1},
		"an error": {func(c echo.Context) error { return errors.New("planned") }, 500,
			`{"message":"Internal Server Error"}` + "\n", 2},
		"a panic": {func(c echo.Context) error { panic("planned") }, 500,
			`{"message":"Internal Server Error"}` + "\n", 2},
		"a panic after a response": {func(c echo.Context) error {
			c.String(201, "half")
			panic("planned")
		}, 500, `{"message":"Internal Server Error"}` + "\n", 2},
		"what it says": {func(c echo.Context) error {
			_ = idemecho.Control(c).Keep()
			return errors.New("planned")
		}, 500, `{"message":"Internal Server Error"}` + "\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			engine, err := idem.Open(idem.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			idempotency, err := idemecho.New(engine, idemecho.Policy{Profile: idemecho.IETF},
				idemecho.GlobalScope())
			if err != nil {
				t.Fatal(err)
			}
			calls := 0
			e := echo.New()
			e.Logger.SetOutput(io.Discard)
			e.Use(middleware.Recover(), idempotency)
			e.POST("/charge", func(c echo.Context) error { calls++; return test.handle(c) })
			server := httptest.NewServer(e)
			defer server.Close()
			for i := range 2 {
				r, _ := http.NewRequest("POST", server.URL+"/charge", strings.NewReader("amount=1"))
				r.Header.Set("Idempotency-Key", `"k"`)
				response, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if response.StatusCode != test.status || string(body) != test.body {
					t.Fatalf("%d: %d %q", i, response.StatusCode, body)
				}
				isReplay := response.Header.Get("Idempotent-Replayed") == "true"
				if isReplay != (i == 1 && test.calls < 2) {
					t.Fatalf("%d: a replay: %v", i, isReplay)
				}
			}
			if calls != test.calls {
				t.Fatalf("%d calls, not %d", calls, test.calls)
			}
		})
	}
}

// A deadline of an outer layer's ends a wait, and not with a response of nothing.
func TestAWaitUnderADeadline(t *testing.T) {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	policy := idemecho.Policy{Profile: idemecho.IETF, Wait: time.Minute}
	idempotency, err := idemecho.New(engine, policy, idemecho.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan bool), make(chan bool)
	e := echo.New()
	e.Use(middleware.ContextTimeout(50*time.Millisecond), idempotency)
	e.POST("/charge", func(c echo.Context) error { close(begun); <-end; return nil })
	serve := func() *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("POST", "/charge", nil), httptest.NewRecorder()
		r.Header.Set("Idempotency-Key", `"k"`)
		e.ServeHTTP(w, r)
		return w
	}
	first := make(chan int)
	go func() { first <- serve().Code }()
	<-begun
	if got := serve(); got.Code != 409 || !strings.Contains(got.Body.String(), "outstanding") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	close(end)
	if got := <-first; got != 200 {
		t.Error(got)
	}
}
