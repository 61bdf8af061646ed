// An order service by gin: an order that is sent again is not taken again.
//
//	go run ./ginservice
//	curl -i localhost:8080/orders -H 'X-Account: a' -H 'Idempotency-Key: 1' -d '{"item": "tea"}'
package main

import (
	"log"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	idem "libidem.dev/go"
	"libidem.dev/go/idemgin"
)

func main() {
	engine, err := idem.Open(idem.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	router, err := newRouter(engine)
	if err != nil {
		log.Print(err)
		return
	}
	log.Print(router.Run("localhost:8080"))
}

func newRouter(engine *idem.Engine) (*gin.Engine, error) {
	middleware, err := idemgin.New(engine, idemgin.Policy{
		// Keys without quotes, and optional; failures may be tried again.
		Profile: idemgin.StripeV2,
		Wait:    5 * time.Second,
	}, idemgin.ScopeBy(func(c *gin.Context) string { return c.GetString("account") }))
	if err != nil {
		return nil, err
	}
	var orders atomic.Int64
	router := gin.New()
	router.Use(gin.Recovery(), authenticate)
	router.POST("/orders", middleware, func(c *gin.Context) {
		var asked struct {
			Item string `json:"item" binding:"required"`
		}
		if err := c.ShouldBindJSON(&asked); err != nil {
			c.AbortWithStatusJSON(http.StatusBadRequest, gin.H{"error": err.Error()})
			return
		}
		c.JSON(http.StatusCreated, gin.H{"order": orders.Add(1), "item": asked.Item})
	})
	return router, nil
}

// authenticate goes before the gate, whose scope it finds out.
func authenticate(c *gin.Context) {
	account := c.GetHeader("X-Account")
	if account == "" {
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	c.Set("account", account)
}
