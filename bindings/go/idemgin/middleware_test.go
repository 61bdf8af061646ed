package idemgin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	idem "libidem.dev/go"
	"libidem.dev/go/idemgin"
)

func serve(t *testing.T, handlers ...gin.HandlerFunc) *httptest.Server {
	gin.SetMode(gin.TestMode)
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	idempotency, err := idemgin.New(engine, idemgin.Policy{Profile: idemgin.IETF},
		idemgin.ScopeBy(func(c *gin.Context) string { return c.GetString("account") }))
	if err != nil {
		t.Fatal(err)
	}
	router := gin.New()
	router.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) {
		c.AbortWithStatus(500)
	}))
	router.Use(func(c *gin.Context) { c.Set("account", "a"); c.Header("X-Outer", "yes") })
	router.Use(idempotency)
	router.POST("/charge", handlers...)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return server
}

type answer struct {
	status   int
	body     string
	isReplay bool
}

func post(t *testing.T, server *httptest.Server, path, key string) answer {
	r, _ := http.NewRequest("POST", server.URL+path, strings.NewReader("amount=1"))
	r.Header.Set("Idempotency-Key", `"`+key+`"`)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if got := response.Header.Values("X-Outer"); len(got) != 1 {
		t.Errorf("the outer handler's field: %q", got)
	}
	return answer{response.StatusCode, string(body),
		response.Header.Get("Idempotent-Replayed") == "true"}
}

func TestResponses(t *testing.T) {
	calls := 0
	for name, test := range map[string]struct {
		handle gin.HandlerFunc
		path   string
		status int
		body   string
		calls  int
	}{
		"a text": {func(c *gin.Context) {
			body, _ := io.ReadAll(c.Request.Body)
			c.String(201, string(body))
		}, "/charge", 201, "amount=1", 1},
		"a status alone": {func(c *gin.Context) { c.Status(202) }, "/charge", 202, "", 1},
		"a status that is changed": {func(c *gin.Context) {
			c.Status(500)
			c.JSON(200, gin.H{"a": 1})
		}, "/charge", 200, `{"a":1}`, 1},
		"nothing":   {func(c *gin.Context) {}, "/charge", 200, "", 1},
		"an abort":  {func(c *gin.Context) { c.AbortWithStatus(404) }, "/charge", 404, "", 1},
		"a failure": {func(c *gin.Context) { c.AbortWithStatus(503) }, "/charge", 503, "", 2},
		"a panic": {func(c *gin.Context) {
			c.String(200, "half")
			panic("planned")
		}, "/charge", 500, "", 2},
		"no route": {func(c *gin.Context) {}, "/nowhere", 404, "404 page not found", 0},
		"the context": {func(c *gin.Context) {
			_ = idemgin.Control(c).Release()
		}, "/charge", 200, "", 2},
		"a reader": {func(c *gin.Context) {
			text := struct{ io.Reader }{strings.NewReader("text")}
			c.DataFromReader(201, 4, "text/plain", text, nil)
			if !c.Writer.Written() || c.Writer.Size() != 4 || c.Writer.Status() != 201 {
				t.Error("not written")
			}
		}, "/charge", 201, "text", 1},
		"a writer of gin's": {func(c *gin.Context) {
			if c.Writer.Written() || c.Writer.Size() != -1 || c.Writer.Status() != 200 {
				t.Error("written before it is")
			}
			c.Writer.WriteString("text")
			if !c.Writer.Written() || c.Writer.Size() != 4 || c.Writer.Pusher() != nil {
				t.Error("not written")
			}
		}, "/charge", 200, "text", 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls = 0
			server := serve(t, func(c *gin.Context) { calls++; test.handle(c) })
			for i := range 2 {
				got := post(t, server, test.path, "k")
				if got.status != test.status || got.body != test.body {
					t.Fatalf("%d: %+v", i, got)
				}
				if got.isReplay != (i == 1 && test.calls < 2) {
					t.Fatalf("%d: %+v", i, got)
				}
			}
			if calls != test.calls {
				t.Fatalf("%d calls, not %d", calls, test.calls)
			}
		})
	}
}
