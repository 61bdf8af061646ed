#!/usr/bin/env bash
# Builds and runs the programs in C and C++ against libidem.
#
#   tools/c.sh plain          tests, headers, layout, earlier ABIs, examples, symbols; by gcc
#   tools/c.sh clang          tests, headers and layout by clang
#   tools/c.sh cmake          examples and wrapper by CMake, against an installed library
#   tools/c.sh server         the HTTP server, under a burst of one key
#   tools/c.sh earlier        programs of earlier headers
#   tools/c.sh symbols        what the library exports is what the header declares
#   tools/c.sh asan           the tests under AddressSanitizer and UBSan, Rust instrumented as well; then
#                             planted defects, which must be seen
#   tools/c.sh valgrind       the tests under valgrind, and planted defects
#   tools/c.sh tsan           the threads under ThreadSanitizer, Rust instrumented but for its own library
#   tools/c.sh abidiff        the library against the frozen ABIs
#   tools/c.sh freeze N       writes ffi/tests/abi/vN/libidem.abi
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
host=$(rustc -vV | sed -n 's/^host: //p')
work=$CARGO_TARGET_DIR/c
stage=$work/stage
tests=ffi/tests/c
warnings=(-Wall -Wextra -Wpedantic -Werror)
# What has no argument, and the storm, which has one.
units=(config claims waits values operate http steps)
programs=("${units[@]}" storm)

# fetch PACKAGE: by apt, where that is.
fetch() {
    local get="apt-get install -y -q $1"
    command -v apt-get >/dev/null || { echo "c: $1 is missing" >&2; exit 1; }
    { $get || { apt-get update -q && $get; }; } >/dev/null 2>&1 || { echo "c: no $1 to be had" >&2; exit 1; }
}

# need TOOL PACKAGE
need() {
    command -v "$1" >/dev/null || fetch "$2"
}

install_stage() {
    rm -rf "$stage"
    tools/install.sh install "$stage" >/dev/null
}

# build COMPILER OUT SOURCES... with the flags for the staged shared library.
build() {
    local compiler=$1 out=$2
    shift 2
    "$compiler" "${warnings[@]}" -I"$stage/include" "$@" -o "$out" \
        -L"$stage/lib" -lidem -Wl,-rpath,"$stage/lib" -pthread
}

# What a program takes that is linked with the static library.
static_flags() {
    sed -n 's/^Libs.private: //p' "$stage/lib/pkgconfig/libidem.pc"
}

plain_c() {
    local compiler=$1 out=$work/$1
    mkdir -p "$out"
    build "$compiler" "$out/header" -Wshadow -Wconversion -std=c99 "$tests/header_a.c" "$tests/header_b.c"
    "$out/header"
    build "$compiler" "$out/layout" -std=c99 "$tests/layout.c"
    "$out/layout" | diff - ffi/tests/layout.txt
    for program in "${programs[@]}"; do
        build "$compiler" "$out/$program" -std=gnu11 -O1 -g "$tests/$program.c"
        "$out/$program" >"$out/$program.txt" || { cat "$out/$program.txt"; return 1; }
    done
    echo "c: $compiler: $(cat "$out"/*.txt | wc -l) tests, header, layout: well"
}

plain_cpp() {
    local compiler=$1 out=$work/$1
    mkdir -p "$out"
    build "$compiler" "$out/header" -Wshadow -Wconversion -std=c++17 -x c++ "$tests/header_a.c" "$tests/header_b.c" -x none
    "$out/header"
    for define in "" -DIDEM_EXCEPTIONS; do
        build "$compiler" "$out/wrapper" -Wshadow -std=c++17 -O1 -g $define bindings/cpp/test.cpp
        "$out/wrapper" >/dev/null
    done
    echo "c: $compiler: header, wrapper with and without exceptions: well"
}

# Programs as they were compiled against earlier headers, with the library of today.
run_earlier() {
    local version
    for version in ffi/tests/abi/v*/; do
        version=$(basename "$version")
        cc "${warnings[@]}" -Iffi/tests/abi/"$version" ffi/tests/abi/"$version"/program.c \
            -o "$work/program-$version" -L"$stage/lib" -lidem -Wl,-rpath,"$stage/lib"
        "$work/program-$version"
    done
}

examples() {
    local out=$work/examples
    mkdir -p "$out"
    for example in hello threads eventloop; do
        build cc "$out/$example" -std=c11 -O2 "bindings/c/$example.c"
        "$out/$example"
    done
    cc -I"$stage/include" bindings/c/hello.c "$stage/lib/libidem.a" \
        $(static_flags) -o "$out/hello-static"
    "$out/hello-static" >/dev/null
}

plain() {
    install_stage
    plain_c gcc
    plain_cpp g++
    run_earlier
    examples
    compare_symbols
}

by_clang() {
    need clang clang
    install_stage
    plain_c clang
    plain_cpp clang++
}

by_cmake() {
    need cmake cmake
    install_stage
    cmake -S bindings/c -B "$work/cmake" -DCMAKE_PREFIX_PATH="$stage" -DCMAKE_BUILD_TYPE=Release >/dev/null
    cmake --build "$work/cmake" --clean-first >/dev/null
    for program in hello hello_static threads eventloop wrapper; do
        "$work/cmake/$program" >/dev/null
    done
    echo "c: cmake: well"
}

# A hundred requests with one key at a time, then a mismatch: one charge for each key.
server() {
    need curl curl
    [[ -f /usr/include/microhttpd.h ]] || fetch libmicrohttpd-dev
    install_stage
    local port=18080 key status charges
    build cc "$work/server" -std=gnu11 -O1 bindings/c/server.c -lmicrohttpd
    "$work/server" "$port" >"$work/server.txt" &
    local clients
    server_pid=$!
    trap 'kill "$server_pid" 2>/dev/null || true' EXIT
    curl -s --retry 50 --retry-connrefused --retry-delay 1 -o /dev/null "localhost:$port/"
    charge() {
        curl -s -m 20 -X POST -H "Idempotency-Key: $1" -d "$2" "localhost:$port/charge"
    }
    for key in one two three; do
        clients=()
        for ((i = 0; i < 100; i++)); do
            charge "$key" amount=100 >"$work/answer-$i.txt" &
            clients+=($!)
        done
        wait "${clients[@]}"
        [[ $(cat "$work"/answer-*.txt | sort -u | wc -l) -eq 1 ]] || {
            echo "c: server: answers differ" >&2
            return 1
        }
        [[ $(cat "$work"/answer-*.txt | wc -l) -eq 100 ]] || {
            echo "c: server: answers lack" >&2
            return 1
        }
    done
    status=$(curl -s -o /dev/null -w '%{http_code}' -X POST -H 'Idempotency-Key: one' -d amount=200 \
        "localhost:$port/charge")
    [[ $status -eq 422 ]] || { echo "c: server: a mismatch got $status" >&2; return 1; }
    kill "$server_pid"
    wait "$server_pid"
    charges=$(tail -n 1 "$work/server.txt")
    [[ $charges == "3 charges" ]] || { echo "c: server: $charges" >&2; return 1; }
    echo "c: server: 300 requests, $charges: well"
}

exported() {
    nm -D --defined-only "$stage/lib/libidem.so" | awk '$2 ~ /[A-Z]/ { sub("@.*", "", $3); print $3 }'
}

compare_symbols() {
    local wanted
    wanted=$(sed -n 's/^[a-z].*\b\(idem_[a-z_]*\)(.*/\1/p' "$stage/include/idem.h" |
        grep -vxF -f <(sed -n 's/^static inline .*\b\(idem_[a-z_]*\)(.*/\1/p' "$stage/include/idem.h") |
        sort -u)
    diff <(exported | sort) <(echo "$wanted") || {
        echo "c: what the library exports (<) is not what the header declares (>)" >&2
        return 1
    }
    echo "c: $(wc -l <<<"$wanted") symbols, as the header declares"
}

# The library as a static one that is instrumented: instrumented SANITIZER FLAGS.
instrumented() {
    local directory=$work/$1
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="$2" CARGO_TARGET_DIR=$directory \
        cargo rustc -q -p idem-ffi --lib --crate-type staticlib --release --target "$host"
    library=$directory/$host/release/libidem_ffi.a
}

# fails PATTERN COMMAND...: whether it fails, and says so.
fails() {
    local pattern=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "c: not noticed: $*" >&2
        return 1
    fi
    grep -q "$pattern" <<<"$output" || { echo "$output" >&2; return 1; }
    echo "c: noticed: $*" | sed "s|$work/||"
}

sanitized() {
    local out=$1 program
    shift
    mkdir -p "$out"
    for program in "${programs[@]}" planted; do
        "$cc" "${warnings[@]}" "$@" -std=gnu11 -O1 -g -Iinclude "$tests/$program.c" "$library" \
            $(static_flags) -pthread -o "$out/$program"
    done
}

asan() {
    install_stage
    instrumented asan "-Zsanitizer=address --cfg idem_asan"
    local out=$work/asan/bin program
    cc=gcc sanitized "$out" -fsanitize=address,undefined -fno-sanitize-recover=all
    export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
    for program in "${units[@]}"; do
        "$out/$program" >"$out/$program.txt"
    done
    "$out/storm" 50 >"$out/storm.txt"
    "$out/planted" none
    fails 'use-after-poison\|heap-use-after-free' "$out/planted" use-after-free
    fails 'detected memory leaks' "$out/planted" lost-waiter
    echo "c: asan, ubsan: $(cat "$out"/*.txt | wc -l) tests: well"
}

valgrind_run() {
    valgrind -q --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=9 "$@"
}

run_valgrind() {
    need valgrind valgrind
    install_stage
    local out=$work/valgrind program
    mkdir -p "$out"
    for program in "${programs[@]}" planted; do
        build gcc "$out/$program" -std=gnu11 -O1 -g "$tests/$program.c"
    done
    for program in "${units[@]}"; do
        valgrind_run "$out/$program" >"$out/$program.txt"
    done
    valgrind_run "$out/storm" 10 >"$out/storm.txt"
    valgrind_run "$out/planted" none
    fails 'definitely lost' valgrind_run "$out/planted" lost-waiter
    echo "c: valgrind: $(cat "$out"/*.txt | wc -l) tests: well"
}

tsan() {
    install_stage
    instrumented tsan "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg idem_tsan"
    # The runtime that comes with rustc: older ones of C compilers lack what it calls.
    local out=$work/tsan/bin runtime program
    runtime=$(rustc --print sysroot)/lib/rustlib/$host/lib/librustc-stable_rt.tsan.a
    mkdir -p "$out"
    for program in waits storm racing; do
        gcc "${warnings[@]}" -fsanitize=thread -std=gnu11 -O1 -g -Iinclude -c "$tests/$program.c" \
            -o "$out/$program.o"
        g++ "$out/$program.o" "$library" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive \
            $(static_flags) -pthread -o "$out/$program"
    done
    export TSAN_OPTIONS="suppressions=$PWD/$tests/tsan.supp exitcode=66"
    "$out/waits" >"$out/waits.txt"
    "$out/storm" 50 >"$out/storm.txt"
    "$out/racing" none
    fails 'data race' "$out/racing"
    echo "c: tsan: well"
}

compare_abis() {
    need abidiff abigail-tools
    install_stage
    local version status
    for version in ffi/tests/abi/v*/; do
        status=0
        abidiff --headers-dir2 "$stage/include" "$version/libidem.abi" "$stage/lib/libidem.so" ||
            status=$?
        # 4: it has changed; 8: in a way that breaks programs. Additions alone are 4.
        ((status & 11)) && { echo "c: $version: the ABI is broken" >&2; return 1; }
        echo "c: $(basename "$version"): the ABI holds"
    done
}

freeze() {
    need abidw abigail-tools
    install_stage
    abidw --headers-dir "$stage/include" --no-show-locs --no-corpus-path --out-file "ffi/tests/abi/v$1/libidem.abi" \
        "$stage/lib/libidem.so"
}

mkdir -p "$work"
case ${1:-plain} in
    plain) plain ;;
    clang) by_clang ;;
    cmake) by_cmake ;;
    server) server ;;
    earlier) install_stage && run_earlier ;;
    symbols) install_stage && compare_symbols ;;
    asan) asan ;;
    valgrind) run_valgrind ;;
    tsan) tsan ;;
    abidiff) compare_abis ;;
    freeze) freeze "${2:?N}" ;;
    *) sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
