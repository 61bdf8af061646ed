// Server is what the conformance kit is run against:
//
//	server -framework net/http|gin|echo|fiber -profile ietf|stripe_v1|stripe_v2|coalesce
//
// It serves on a port of the system's choice, and writes its address on a line. With -broken it has
// no middleware, which the kit has to notice.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	idem "libidem.dev/go"
	"libidem.dev/go/idemecho"
	"libidem.dev/go/idemfiber"
	"libidem.dev/go/idemgin"
	"libidem.dev/go/idemhttp"
	"libidem.dev/go/idemhttp/gate"
)

func main() {
	framework := flag.String("framework", "net/http", "net/http, gin, echo or fiber")
	profile := flag.String("profile", "ietf", "ietf, stripe_v1, stripe_v2 or coalesce")
	broken := flag.Bool("broken", false, "without the middleware")
	flag.Parse()
	if err := run(*framework, gate.Profile(*profile), *broken); err != nil {
		log.Fatal(err)
	}
}

func run(framework string, profile gate.Profile, isBroken bool) error {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		return err
	}
	defer engine.Close()
	frameworks := map[string]func(*idem.Engine, idemhttp.Policy, bool) (server, error){
		"net/http": withNetHTTP, "gin": withGin, "echo": withEcho, "fiber": withFiber,
	}
	maker, ok := frameworks[framework]
	if !ok {
		return fmt.Errorf("no framework is called %s", framework)
	}
	served, err := maker(engine, idemhttp.Policy{Profile: profile}, isBroken)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/charge\n", listener.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := started(served, listener)
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = served.stop()
	}
	return err
}

// server is one that serves until it is told to stop.
type server struct {
	serve func(net.Listener) error
	stop  func() error
}

func started(s server, listener net.Listener) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- s.serve(listener) }()
	return ended
}

func overHTTP(handler http.Handler) server {
	s := &http.Server{Handler: handler}
	return server{s.Serve, s.Close}
}

// account is whose keys they are. A real service takes what its authentication has found out.
func account(authorization string) string {
	if authorization == "" {
		return "nobody"
	}
	return authorization
}

var executions atomic.Int64

// execution is how one is to go: each has a body of its own.
func execution(status, delay string) (int, string) {
	number := executions.Add(1)
	if ms, err := strconv.Atoi(delay); err == nil {
		time.Sleep(time.Duration(min(ms, 5000)) * time.Millisecond)
	}
	code, err := strconv.Atoi(status)
	if err != nil || code < 200 || code > 599 {
		code = http.StatusCreated
	}
	return code, fmt.Sprintf("execution %d", number)
}

var fields = [][2]string{
	{"X-Repeated", "one"}, {"X-Repeated", "two"}, {"Set-Cookie", "session=secret"},
}

func withNetHTTP(engine *idem.Engine, policy idemhttp.Policy, isBroken bool) (server, error) {
	gate, err := idemhttp.New(engine, policy, idemhttp.ScopeBy(func(r *http.Request) string {
		return account(r.Header.Get("Authorization"))
	}))
	if err != nil {
		return server{}, err
	}
	charge := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, body := execution(r.URL.Query().Get("status"), r.URL.Query().Get("delay_ms"))
		for _, field := range fields {
			w.Header().Add(field[0], field[1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	})
	if isBroken {
		return overHTTP(charge), nil
	}
	return overHTTP(gate.Handler(charge)), nil
}

func withGin(engine *idem.Engine, policy idemhttp.Policy, isBroken bool) (server, error) {
	gin.SetMode(gin.ReleaseMode)
	idempotency, err := idemgin.New(engine, policy, idemgin.ScopeBy(func(c *gin.Context) string {
		return account(c.GetHeader("Authorization"))
	}))
	if err != nil {
		return server{}, err
	}
	router := gin.New()
	if !isBroken {
		router.Use(idempotency)
	}
	router.Any("/charge", func(c *gin.Context) {
		code, body := execution(c.Query("status"), c.Query("delay_ms"))
		for _, field := range fields {
			c.Writer.Header().Add(field[0], field[1])
		}
		c.String(code, body)
	})
	return overHTTP(router), nil
}

func withEcho(engine *idem.Engine, policy idemhttp.Policy, isBroken bool) (server, error) {
	idempotency, err := idemecho.New(engine, policy, idemecho.ScopeBy(func(c echo.Context) string {
		return account(c.Request().Header.Get("Authorization"))
	}))
	if err != nil {
		return server{}, err
	}
	router := echo.New()
	if !isBroken {
		router.Use(idempotency)
	}
	router.Any("/charge", func(c echo.Context) error {
		code, body := execution(c.QueryParam("status"), c.QueryParam("delay_ms"))
		for _, field := range fields {
			c.Response().Header().Add(field[0], field[1])
		}
		if code >= 400 {
			return echo.NewHTTPError(code, body)
		}
		return c.String(code, body)
	})
	return overHTTP(router), nil
}

func withFiber(engine *idem.Engine, policy idemhttp.Policy, isBroken bool) (server, error) {
	idempotency, err := idemfiber.New(engine, policy, idemfiber.ScopeBy(func(c *fiber.Ctx) string {
		return account(c.Get("Authorization"))
	}))
	if err != nil {
		return server{}, err
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	if !isBroken {
		app.Use(idempotency)
	}
	app.All("/charge", func(c *fiber.Ctx) error {
		code, body := execution(c.Query("status"), c.Query("delay_ms"))
		for _, field := range fields {
			c.Response().Header.Add(field[0], field[1])
		}
		if code >= 400 {
			return fiber.NewError(code, body)
		}
		return c.Status(code).SendString(body)
	})
	return server{app.Listener, app.Shutdown}, nil
}
