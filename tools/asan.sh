#!/usr/bin/env bash
# Runs the engine's tests under AddressSanitizer and LeakSanitizer, and sees both find defects that
# are planted for them (engine/examples/planted.rs): a sanitizer that is blind passes everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The stable compiler has the sanitizers; this lets it take the unstable flag for them.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="-Zsanitizer=address --cfg idem_asan"
export ASAN_OPTIONS=detect_leaks=1
target=$(rustc -vV | sed -n 's/^host: //p')
target_dir=${CARGO_TARGET_DIR:-target/asan}

# build KIND...: cargo for the engine, with the sanitizer in it and not in the build scripts.
build() {
    cargo "$@" --package idem --target "$target" --target-dir "$target_dir"
}

# planted DEFECT: runs it; prints what it said, with its exit code as the last line.
planted() {
    local status=0
    "$target_dir/$target/debug/examples/planted" "$1" 2>&1 || status=$?
    echo "exit $status"
}

# must_see DEFECT WORDS: the defect is reported, in these words.
must_see() {
    local said
    said=$(planted "$1")
    if [[ $said == *"exit 0" || $said != *"$2"* ]]; then
        printf 'asan: blind to the planted %s; it said:\n%s\n' "$1" "$said" >&2
        exit 1
    fi
    echo "asan: planted $1: seen"
}

# Not tests/memory.rs: it measures resident memory, and the sanitizer's own drowns the engine's.
build test --lib --test configuration --test history --test keys --test reference
build build --example planted
said=$(planted none)
if [[ $said != *"exit 0" ]]; then
    printf 'asan: the program without a defect failed:\n%s\n' "$said" >&2
    exit 1
fi
must_see use-after-free "AddressSanitizer: use-after-poison"
must_see leak "LeakSanitizer: detected memory leaks"
must_see forgotten-replay "still held: 320 bytes, 0 records"
