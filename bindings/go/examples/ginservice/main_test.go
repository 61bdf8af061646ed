package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	idem "libidem.dev/go"
)

func TestAnOrderIsTakenOnce(t *testing.T) {
	gin.SetMode(gin.TestMode)
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	router, err := newRouter(engine)
	if err != nil {
		t.Fatal(err)
	}
	send := func(account, key string) (int, string, string) {
		r := httptest.NewRequest("POST", "/orders", strings.NewReader(`{"item": "tea"}`))
		r.Header.Set("X-Account", account)
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		return w.Code, w.Body.String(), w.Header().Get("Idempotent-Replayed")
	}
	for i, replayed := range []string{"", "true", "true"} {
		status, body, mark := send("a", "1")
		if status != http.StatusCreated || body != `{"item":"tea","order":1}` || mark != replayed {
			t.Errorf("%d: %d %s %q", i, status, body, mark)
		}
	}
	if _, body, _ := send("b", "1"); body != `{"item":"tea","order":2}` {
		t.Error(body)
	}
	if status, _, _ := send("", "1"); status != http.StatusUnauthorized {
		t.Error(status)
	}
}
