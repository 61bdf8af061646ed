#!/usr/bin/env bash
# Runs threads at the engine (engine/examples/races) under ThreadSanitizer, which must have nothing
# to report, and sees it report races that are planted for it: a sanitizer that is blind passes
# everything.
#
#   TSAN_SECONDS=20 TSAN_SEED=... tools/tsan.sh
#
# Not the tests: their harness, threads and locks are the standard library's, which is not built for
# the sanitizer and would be reported for words that it does not see ordered. Nothing is suppressed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${TSAN_SECONDS:-20}
seed=${TSAN_SEED:-$$}

# The stable compiler has the sanitizers; this lets it take the unstable flags for them.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg idem_tsan"
export TSAN_OPTIONS="exitcode=66 history_size=4"
target=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-target/tsan}
races=$target_dir/$target/debug/examples/races

runtime=$(rustc --print sysroot)/lib/rustlib/$target/lib
if ! compgen -G "$runtime/librustc-*_rt.tsan.*" >/dev/null; then
    echo "tsan: left out, this toolchain has no ThreadSanitizer for $target"
    exit 0
fi

# must_see RACE: it is reported.
must_see() {
    local said status=0
    said=$(timeout 60 "$races" --plant "$1" 2>&1) || status=$?
    if ((status != 66)) || [[ $said != *"ThreadSanitizer: data race"* ]]; then
        printf 'tsan: blind to the planted %s; exit %s, it said:\n%s\n' "$1" "$status" "$said" >&2
        exit 1
    fi
    echo "tsan: planted $1: seen"
}

# The profile of tests: debug assertions, but fast enough for races to happen.
cargo build --package idem --example races --profile test --target "$target" \
    --target-dir "$target_dir"
# It checks the answers, and fails by itself for a wrong one. A hang is one too.
status=0
timeout $((seconds + 120)) "$races" --seconds "$seconds" --seed "$seed" || status=$?
if ((status != 0)); then
    echo "tsan: failed with $status (66: a race is reported above); TSAN_SEED=$seed" >&2
    exit 1
fi
must_see weak-order
must_see owner-goes-on
must_see reader-goes-on
