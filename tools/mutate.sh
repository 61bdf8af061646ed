#!/usr/bin/env bash
# Lets cargo-mutants change the engine, one place at a time, and sees the tests notice.
#
#   tools/mutate.sh [ARGS]...     ARGS: as cargo-mutants takes them, to run a part of it, as in
#                                 --file engine/src/key.rs, --shard 3/40, --re 'Table::scan'
#   tools/mutate.sh --table       what is known so far, by file; runs nothing
#
# First the quick unit and contract tests; what survives those, against all tests in a plain build,
# unless MUTATE_QUICK is set. What each mutant came to is kept in target/mutate/verdicts, so that parts
# add up. Exits 1 if one survives that engine/equivalent.txt has no reason for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

reasons=engine/equivalent.txt
work=$PWD/target/mutate
copy=$work/tree
verdicts=$work/verdicts
host=$(rustc -vV | sed -n 's/^host: //p')

# Tests of seconds, and of races that take many rounds.
slow=(
    l7_many_races_of_leaving r1_r3_response_sizes r1_the_limits_hold r3_churn r3_equal_deadlines
    r3_ticks_find_every_record r4_r2_a_claim_makes_room p1_held_replays w5_a_callback_may_call
    wheel_and_lists_agree
)

# A copy of the tree as it is, so that nothing here can harm it. It is built in its own directory, and
# newer than all that was built there: the last build may be of a mutant.
fresh_copy() {
    rm -rf "${copy:?}"
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [[ -f $file ]] || continue
        mkdir -p "$copy/$(dirname "$file")"
        cp "$file" "$copy/$file"
    done
}

# Without a test after one that failed: libtest has that behind a flag for the nightly compiler.
mutate() {
    local variable=CARGO_TARGET_${host^^}_RUNNER status=0
    env "${variable//-/_}=env RUSTC_BOOTSTRAP=1" CARGO_TARGET_DIR="$work/build" \
        cargo mutants --dir "$copy" --in-place --package idem --output "$work" --colors never \
        --no-shuffle "$@" -- -- -Z unstable-options --fail-fast "${skipped[@]}" || status=$?
    # 2: some survive; 3: some came to no end. Others are about cargo-mutants itself.
    ((status == 0 || status == 2 || status == 3))
}

# Adds what the last run came to; a later verdict replaces an earlier one.
keep_verdicts() {
    local verdict
    touch "$verdicts"
    for verdict in caught missed timeout unviable; do
        sed "s/^/$verdict\t/" "$work/mutants.out/$verdict.txt"
    done | awk -F '\t' '{ verdict[$2] = $1 } END { for (m in verdict) print verdict[m] "\t" m }' \
        "$verdicts" - >"$verdicts.new"
    mv "$verdicts.new" "$verdicts"
}

# What survives, each with the source line that it is in: line numbers do not last.
survivors() {
    sed -n 's/^missed\t//p' "$verdicts" | sort -t : -k 1,1 -k 2,2n | while IFS= read -r mutant; do
        [[ $mutant =~ ^([^:]+):([0-9]+):[0-9]+:\ (.*)$ ]] || continue
        printf '%s: %s: %s\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[3]}" \
            "$(sed -n "${BASH_REMATCH[2]}{s/^ *//;p}" "${BASH_REMATCH[1]}")"
    done
}

unexplained() {
    survivors | grep -vxF -f <(sed -n 's/^- //p' "$reasons") || true
}

# By file: how many there are, and what is known of them.
table() {
    cargo mutants --list --package idem | awk -F '\t' '
        function row(name, key, cells, v) {
            for (v = 1; v <= kinds; v++) cells = cells " | " (count[key, kind[v]] + 0)
            return "| " name cells " |"
        }
        BEGIN { kinds = split("made caught timeout unviable missed left", kind, " ") }
        !is_list { verdict[$2] = $1; next }
        {
            split($0, part, ":")
            if (!((part[1], "made") in count)) files[++file_count] = part[1]
            known = ($0 in verdict) ? verdict[$0] : "left"
            count[part[1], "made"]++; count[part[1], known]++
            count["all", "made"]++; count["all", known]++
        }
        END {
            print "| file | made | killed | no end | not built | survive | not run |"
            print "|---|--:|--:|--:|--:|--:|--:|"
            for (f = 1; f <= file_count; f++) {
                name = files[f]
                sub("engine/src/", "", name)
                print row("`" name "`", files[f])
            }
            print row("all", "all")
        }
    ' "$verdicts" is_list=1 -
}

cargo mutants --version >/dev/null 2>&1 || cargo install --locked --version 27.1.0 cargo-mutants
mkdir -p "$work"
touch "$verdicts"
if [[ ${1:-} == --table ]]; then
    table
    exit
fi

fresh_copy
# A build that was stopped may have left there what does not link any more.
rm -rf "$work/build/mutants/incremental"
skipped=()
for name in "${slow[@]}"; do skipped+=(--skip "$name"); done
rm -rf "$work/mutants.out" "$work/mutants.out.old"
stopped=0
mutate --cargo-arg=--lib "$@" || stopped=1
keep_verdicts
((stopped == 0)) || exit 2
if [[ -z ${MUTATE_QUICK:-} && -s $work/mutants.out/missed.txt ]]; then
    skipped=()
    mutate --iterate --cargo-arg=--tests "$@"
    keep_verdicts
fi
table
left=$(unexplained)
if [[ -n $left ]]; then
    printf 'mutate: these survive, and %s has no reason for them:\n%s\n' "$reasons" "$left" >&2
    exit 1
fi
