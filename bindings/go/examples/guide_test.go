package examples

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the pieces of code in the guides may name without saying where it comes from.
const world = `
type User struct{ Name string }

var (
	ctx             context.Context
	engine          *idem.Engine
	id              int64
	key             string
	charges         http.Handler
	mux             *http.ServeMux
	router          *gin.Engine
	e               *echo.Echo
	app             *fiber.App
	hits, conflicts atomic.Int64
)

func load(context.Context, int64) (*User, error)   { return nil, nil }
func charge(context.Context) ([]byte, error)       { return nil, nil }
func ship(context.Context) ([]byte, error)         { return nil, nil }
func work(context.Context) ([]byte, error)         { return nil, nil }
func account(context.Context) string               { return "" }
func authenticated(next http.Handler) http.Handler { return next }
func hash([]byte) []byte                           { return nil }
`

var packages = map[string]string{
	"atomic":    "sync/atomic",
	"context":   "context",
	"echo":      "github.com/labstack/echo/v4",
	"errors":    "errors",
	"fiber":     "github.com/gofiber/fiber/v2",
	"fmt":       "fmt",
	"gin":       "github.com/gin-gonic/gin",
	"http":      "net/http",
	"idem":      "libidem.dev/go",
	"idemecho":  "libidem.dev/go/idemecho",
	"idemfiber": "libidem.dev/go/idemfiber",
	"idemgin":   "libidem.dev/go/idemgin",
	"idemhttp":  "libidem.dev/go/idemhttp",
	"time":      "time",
}

var fence = regexp.MustCompile("(?ms)^```go([^\n]*)\n(.*?)^```$")

// Every piece of code in the guides is compiled, but for what is said to be the code before.
func TestGuides(t *testing.T) {
	for _, guide := range []string{"README.md", "MIGRATING.md"} {
		text, err := os.ReadFile(filepath.Join("..", guide))
		if err != nil {
			t.Fatal(err)
		}
		pieces := fence.FindAllSubmatch(text, -1)
		if len(pieces) < 5 {
			t.Fatalf("%s has %d pieces of code", guide, len(pieces))
		}
		for i, piece := range pieces {
			kind := strings.TrimSpace(string(piece[1]))
			if kind == "before" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", guide, i+1), func(t *testing.T) {
				if out, err := compile(t, kind, string(piece[2])); err != nil {
					t.Errorf("%v\n%s\n%s", err, out, piece[2])
				}
			})
		}
	}
}

// A test that cannot fail is none.
func TestWrongCodeIsNoticed(t *testing.T) {
	for _, piece := range []string{
		"engine.Nothing()\n", "users := 5\nusers.Do()\n", "return idem.Open(idem.Config{})\n",
	} {
		if _, err := compile(t, "", piece); err == nil {
			t.Errorf("compiled: %s", piece)
		}
	}
}

// compile builds a piece of code: a whole file, or the statements of a function that returns an
// error, and before it what `kind` says.
func compile(t *testing.T, kind, piece string) ([]byte, error) {
	t.Helper()
	// Within the module, for what it requires; and not seen by ./...
	dir, err := os.MkdirTemp(".", "_guide")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	files := map[string]string{"piece.go": piece}
	if kind != "file" {
		files["piece.go"] = imported(statements(t, kind, piece))
		files["world.go"] = imported(world)
	}
	for name, text := range files {
		source, err := format.Source([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		if err := os.WriteFile(filepath.Join(dir, name), source, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", os.DevNull, "-tags", tags(), "./"+dir)
	return build.CombinedOutput()
}

// statements are the body of a function, in which nothing is unused.
func statements(t *testing.T, kind, piece string) string {
	t.Helper()
	results, end := "error", "return nil"
	if kind == "bytes" {
		results, end = "([]byte, error)", "return nil, nil"
	}
	head := "func _() " + results + " {\n" + piece
	parsed, err := parser.ParseFile(token.NewFileSet(), "", "package guide\n"+head+"}\n", 0)
	if err != nil {
		t.Fatal(err)
	}
	var used bytes.Buffer
	for _, declared := range parsed.Decls {
		for _, statement := range declared.(*ast.FuncDecl).Body.List {
			assigned, ok := statement.(*ast.AssignStmt)
			if !ok || assigned.Tok != token.DEFINE {
				continue
			}
			for _, name := range assigned.Lhs {
				fmt.Fprintf(&used, "_ = %s\n", name)
			}
		}
	}
	return head + used.String() + end + "\n}\n"
}

func imported(text string) string {
	var head strings.Builder
	head.WriteString("package guide\n")
	for name, path := range packages {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(text) {
			fmt.Fprintf(&head, "import %s %q\n", name, path)
		}
	}
	return head.String() + text
}

// tags are those that this test was built with: how the library is linked.
func tags() string { return os.Getenv("IDEM_GO_TAGS") }
