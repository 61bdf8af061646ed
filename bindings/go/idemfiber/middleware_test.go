package idemfiber_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	idem "libidem.dev/go"
	"libidem.dev/go/idemfiber"
)

// serve serves an app behind the middleware, and is its address.
func serve(t *testing.T, config fiber.Config, handle fiber.Handler) string {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	idempotency, err := idemfiber.New(engine, idemfiber.Policy{Profile: idemfiber.IETF},
		idemfiber.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	config.DisableStartupMessage = true
	app := fiber.New(config)
	app.Use(recover.New(), idempotency)
	app.Post("/charge", handle)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- app.Listener(listener) }()
	t.Cleanup(func() {
		app.Shutdown()
		<-ended
		engine.Close()
	})
	return "http://" + listener.Addr().String() + "/charge"
}

type answer struct {
	status         int
	body, kind     string
	repeated       []string
	isReplay, isOK bool
}

func post(t *testing.T, client *http.Client, url, key, body string) answer {
	r, _ := http.NewRequest("POST", url, strings.NewReader(body))
	r.Header.Set("Idempotency-Key", `"`+key+`"`)
	response, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, string(text), response.Header.Get("Content-Type"),
		response.Header.Values("X-Repeated"),
		response.Header.Get("Idempotent-Replayed") == "true", err == nil}
}

func TestResponses(t *testing.T) {
	long := strings.Repeat("long", 1<<19)
	for name, test := range map[string]struct {
		handle fiber.Handler
		status int
		body   string
		calls  int
		again  string
	}{
		"a text": {func(c *fiber.Ctx) error {
			c.Response().Header.Add("X-Repeated", "one")
			c.Response().Header.Add("X-Repeated", "two")
			return c.Status(201).Send(c.Body())
		}, 201, "amount=1", 1, "amount=1"},
		"nothing": {func(c *fiber.Ctx) error { return nil }, 200, "", 1, ""},
		"an error of the client's": {func(c *fiber.Ctx) error {
			return fiber.NewError(404, "none")
		}, 404, "none", 1, "none"},
		"an error": {func(c *fiber.Ctx) error { return errors.New("planned") }, 500, "planned", 2,
			"planned"},
		"a panic": {func(c *fiber.Ctx) error { panic("planned") }, 500, "planned", 2, "planned"},
		"what it says": {func(c *fiber.Ctx) error {
			_ = idemfiber.Control(c).Keep()
			return errors.New("planned")
		}, 500, "planned", 1, "planned"},
		"a stream": {func(c *fiber.Ctx) error {
			return c.SendStream(strings.NewReader("text"), 4)
		}, 200, "text", 1, "text"},
		"a stream without a length": {func(c *fiber.Ctx) error {
			c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { io.WriteString(w, "text") })
			return nil
		}, 200, "text", 1, "answered"},
		"a long one": {func(c *fiber.Ctx) error { return c.SendString(long) }, 200, long, 1,
			"answered"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			url := serve(t, fiber.Config{}, func(c *fiber.Ctx) error {
				calls++
				return test.handle(c)
			})
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			first := post(t, client, url, "k", "amount=1")
			again := post(t, client, url, "k", "amount=1")
			if first.status != test.status || first.body != test.body || first.isReplay {
				t.Fatalf("%d %.80q", first.status, first.body)
			}
			if !strings.Contains(again.body, test.again) || calls != test.calls {
				t.Fatalf("%d %.80q after %d calls", again.status, again.body, calls)
			}
			if again.isReplay {
				if again.kind != first.kind || again.status != first.status ||
					len(again.repeated) != len(first.repeated) {
					t.Fatalf("%+v, not %+v", again, first)
				}
			}
		})
	}
}

// fasthttp uses its buffers again: what is kept of a request must be a copy.
func TestBuffersThatAreUsedAgain(t *testing.T) {
	for _, streams := range []bool{false, true} {
		url := serve(t, fiber.Config{StreamRequestBody: streams}, func(c *fiber.Ctx) error {
			c.Set("X-Repeated", string(c.Body()))
			return c.Send(c.Body())
		})
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
		defer client.CloseIdleConnections()
		var all sync.WaitGroup
		for n := range 8 {
			all.Add(1)
			go func() {
				defer all.Done()
				for round := range 2 {
					for i := range 100 {
						body := strings.Repeat(fmt.Sprintf("%d-%d ", n, i), 1+i%7) + "."
						got := post(t, client, url, fmt.Sprintf("%d-%d", n, i), body)
						if got.body != body || got.isReplay != (round == 1) ||
							len(got.repeated) != 1 || got.repeated[0] != body {
							t.Errorf("%+v, not %q", got, body)
							return
						}
					}
				}
			}()
		}
		all.Wait()
	}
}

// Bytes that are no text differ as others do.
func TestQueriesThatAreNoText(t *testing.T) {
	url := serve(t, fiber.Config{}, func(c *fiber.Ctx) error { return nil })
	address := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/charge")
	for i, query := range []string{"\xff", "\xfe"} {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(connection, "POST /charge?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+
			"Idempotency-Key: \"k\"\r\nContent-Length: 0\r\n\r\n", query)
		line, _ := bufio.NewReader(connection).ReadString('\n')
		connection.Close()
		if want := []string{" 200 ", " 422 "}[i]; !strings.Contains(line, want) {
			t.Fatalf("%d: %q, not%s", i, line, want)
		}
	}
}

// A deadline of an outer handler's ends a wait, and not with an error of the server's.
func TestAWaitUnderADeadline(t *testing.T) {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	policy := idemfiber.Policy{Profile: idemfiber.IETF, Wait: time.Minute}
	idempotency, err := idemfiber.New(engine, policy, idemfiber.GlobalScope())
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan bool), make(chan bool)
	app := fiber.New()
	app.Use(func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), 50*time.Millisecond)
		defer cancel()
		c.SetUserContext(ctx)
		return c.Next()
	}, idempotency)
	app.Post("/charge", func(c *fiber.Ctx) error { close(begun); <-end; return nil })
	serve := func() (int, string) {
		r, _ := http.NewRequest("POST", "/charge", nil)
		r.Header.Set("Idempotency-Key", `"k"`)
		response, err := app.Test(r, -1)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	first := make(chan int)
	go func() { status, _ := serve(); first <- status }()
	<-begun
	if status, body := serve(); status != 409 || !strings.Contains(body, "outstanding") {
		t.Errorf("%d %s", status, body)
	}
	close(end)
	if got := <-first; got != 200 {
		t.Error(got)
	}
}
