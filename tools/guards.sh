#!/usr/bin/env bash
# Breaks what each guard of the ABI guards, in a copy of the tree, and sees the guard notice.
#
#   tools/guards.sh              all of them
#   tools/guards.sh NAME...      these only
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=${CARGO_TARGET_DIR:-$PWD/target}/guards
copy=$work/tree
export CARGO_TARGET_DIR=$work/target
wanted=("$@")
missed=0
known=" "

fresh_copy() {
    rm -rf "${copy:?}"
    mkdir -p "$copy"
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$copy"
}

# guard NAME FILE EDIT PATTERN COMMAND...: makes the edit (of sed), and sees that the command fails so.
guard() {
    local name=$1 file=$2 edit=$3 pattern=$4 output
    shift 4
    known+="$name "
    if ((${#wanted[@]})) && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
    fresh_copy
    sed -i -E "$edit" "$copy/$file"
    if cmp -s "$file" "$copy/$file"; then
        echo "guards: $name: nothing to edit in $file" >&2
        missed=1
    elif output=$(cd "$copy" && "$@" 2>&1); then
        echo "guards: $name: not noticed by $*" >&2
        missed=1
    elif ! grep -q "$pattern" <<<"$output"; then
        echo "guards: $name: $* fails otherwise:" >&2
        tail -n 20 <<<"$output" >&2
        missed=1
    else
        echo "guards: $name: noticed by $*"
    fi
}

header() {
    cargo test -q -p idem-ffi --test header
}

layout() {
    cargo test -q -p idem-ffi --test layout
}

# The header: a comment, an argument, a field.
guard comment ffi/src/version.rs 's/^(\/\/\/ The ABI of the library that is loaded), to/\1; to/' \
    'is stale' header
guard argument ffi/src/version.rs 's/fn idem_abi_version\(\)/fn idem_abi_version(_: u32)/' \
    'is stale' header
guard added-field ffi/src/types.rs \
    '/^pub struct idem_claim_t/,/^}/ s/^    pub owner: u64,$/&\n    \/\/\/ New.\n    pub extra: u64,/' \
    'is stale' header

# The layout: an order of fields, a value, a width; from Rust, and from C.
guard order-of-fields ffi/src/types.rs \
    '/^pub struct idem_outcome_t/,/^}/ { s/reason: u32/swap: u32/; s/state: u32/reason: u32/; s/swap: u32/state: u32/ }' \
    'idem_outcome_t.reason' layout
guard value ffi/src/types.rs 's/IDEM_EXECUTE = [0-9]+/IDEM_EXECUTE = 77/' 'IDEM_EXECUTE' layout
guard value-in-c include/idem.h 's/IDEM_EXECUTE = [0-9]+/IDEM_EXECUTE = 77/' \
    'IDEM_EXECUTE' tools/c.sh plain
guard width-in-c include/idem.h '/^typedef struct idem_outcome_t/,/^}/ s/uint32_t attempt/uint64_t attempt/' \
    'idem_outcome_t' tools/c.sh plain

# The symbols: one too few, one too many.
guard lost-symbol ffi/src/version.rs 's/fn idem_version\(/fn idem_release(/' \
    'idem_version' tools/c.sh symbols
guard more-symbols ffi/src/lib.rs '$ a #[unsafe(no_mangle)] pub extern "C" fn stray() {}' \
    'stray' tools/c.sh symbols

# Programs of earlier headers: a function that went away, a structure that has become too short.
guard lost-function ffi/src/clock.rs 's/fn idem_clock_new\(/fn idem_clock_make(/' \
    'idem_clock_new' tools/c.sh earlier
guard refused-size ffi/src/types.rs \
    '/^pub struct idem_claim_t/,/^}/ s/^    pub reserved: u32,$/&\n    \/\/\/ New.\n    pub extra: u64,/; s/const LEAST: usize = 128/const LEAST: usize = 136/' \
    'ABI 0' tools/c.sh earlier
guard lost-to-abidiff ffi/src/version.rs 's/fn idem_abi_version\(/fn idem_abi(/' \
    'is broken' tools/c.sh abidiff

for name in "${wanted[@]}"; do
    [[ $known == *" $name "* ]] || { echo "guards: no guard is called $name" >&2; missed=1; }
done
exit "$missed"
