package examples

// What the guides speak of, and this module must have.
import (
	_ "github.com/gin-gonic/gin"
	_ "github.com/gofiber/fiber/v2"
	_ "github.com/labstack/echo/v4"

	_ "libidem.dev/go/idemecho"
	_ "libidem.dev/go/idemfiber"
	_ "libidem.dev/go/idemgin"
)
