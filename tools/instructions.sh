#!/usr/bin/env bash
# Counts the instructions of a step: tools/instructions.sh [replay|batch|churn...]
#
# Two runs under callgrind that differ in nothing but their number of steps: what is not a step
# cancels out. Needs valgrind. Unlike times, the figures are the same on a busy machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v valgrind >/dev/null || { echo "instructions: valgrind is missing" >&2; exit 1; }
cargo build --quiet --release -p idem-benches --example steps
steps=${CARGO_TARGET_DIR:-target}/release/examples/steps
few=32000 many=160000

# count WHAT STEPS KEYS
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$steps" "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*refs: *//p' | tr -d ,
}

(($#)) || set -- replay batch churn
for what in "$@"; do
    case $what in
        churn) keys=20480 ;;
        *) keys=1000 ;;
    esac
    first=$(count "$what" "$few" "$keys")
    second=$(count "$what" "$many" "$keys")
    echo "$what: $(((second - first) / (many - few))) instructions a step"
done
