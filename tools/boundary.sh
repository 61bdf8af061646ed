#!/usr/bin/env bash
# What calls through C cost more than the same calls from Rust: tools/boundary.sh [ROUNDS]
#
# Instructions are counted by callgrind; times are of one thread on one hot key, in turn, medians of ROUNDS
# (20) rounds. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind >/dev/null || { echo "boundary: valgrind is missing" >&2; exit 1; }
rounds=${1:-20}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
stage=$CARGO_TARGET_DIR/c/stage
tools/install.sh install "$stage" >/dev/null
cargo build --quiet --release -p idem-benches --example steps
rust=$CARGO_TARGET_DIR/release/examples/steps
c=$CARGO_TARGET_DIR/c/steps
cc -O2 -Wall -Wextra -Werror -std=c11 -I"$stage/include" benches/c/steps.c -o "$c" -L"$stage/lib" \
    -lidem -Wl,-rpath,"$stage/lib"

# What runs of two lengths differ by is what steps take.
instructions() {
    local few=20000 many=100000 first second
    count() {
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 |
            sed -n 's/.*refs: *//p' | tr -d ,
    }
    first=$(count "$1" "$2" "$few" "$3")
    second=$(count "$1" "$2" "$many" "$3")
    echo $(((second - first) / (many - few)))
}

median() {
    sort -n | awk '{ at[NR] = $1 } END { print (at[int((NR + 1) / 2)] + at[int(NR / 2) + 1]) / 2 }'
}

nanos() {
    "$1" "$2" 2000000 "$3" | sed 's/.*: \(.*\) ns.*/\1/'
}

printf '| one hot key, one thread | from Rust | through C | more | from Rust | through C | more |\n'
printf '| a step | ns | ns | ns | instructions | instructions | |\n|---|--:|--:|--:|--:|--:|--:|\n'
for row in 'execute 1' 'replay 1' 'batch 16'; do
    read -r what keys <<<"$row"
    from=() through=()
    for ((round = 0; round < rounds; round++)); do
        from+=("$(nanos "$rust" "$what" "$keys")")
        through+=("$(nanos "$c" "$what" "$keys")")
    done
    a=$(printf '%s\n' "${from[@]}" | median) b=$(printf '%s\n' "${through[@]}" | median)
    i=$(instructions "$rust" "$what" "$keys") j=$(instructions "$c" "$what" "$keys")
    awk -v w="$what" -v a="$a" -v b="$b" -v i="$i" -v j="$j" 'BEGIN {
        printf "| %s | %.1f | %.1f | %.1f | %d | %d | %d (%.1f %%) |\n", w, a, b, b - a, i, j, j - i, (j - i) * 100 / i }'
done
