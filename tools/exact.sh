#!/bin/sh
# Counts first and repeated requests of access logs twice, by the engine and by a script that
# shares nothing with it, and fails if they differ: tools/exact.sh [LOG...]
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
absorb="$root/engine/examples/absorb"
sample="$absorb/sample.log"

count_by_engine() {
    cargo run --quiet --release --manifest-path "$root/Cargo.toml" --package idem \
        --example absorb -- --exact --log "$1" --window "$2"
}

# Prints what both counted. Two assignments, so that a failure of either ends the script.
compare() {
    engine=$(count_by_engine "$1" "$2")
    script=$(python3 "$absorb/count.py" "$1" "$2")
    if [ "$engine" != "$script" ]; then
        printf '%s, window %s s:\n  engine: %s\n  script: %s\n' \
            "$1" "$2" "$engine" "$script" >&2
        exit 1
    fi
    echo "$engine"
}

if [ $# -gt 0 ]; then
    for log in "$@"; do
        compare "$log" 60
    done
    exit
fi

# The sample has requests exactly at, one second before and one second past the window. If the
# three counts were not all different, agreeing on them would say nothing about its edge.
before=$(compare "$sample" 59)
at=$(compare "$sample" 60)
past=$(compare "$sample" 61)
if [ "$before" = "$at" ] || [ "$at" = "$past" ]; then
    echo "$sample no longer covers the edge of the window" >&2
    exit 1
fi
compare "$sample" 0 >/dev/null
echo "$at"
