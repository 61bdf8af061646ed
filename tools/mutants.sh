#!/usr/bin/env bash
# Weakens the engine in one place at a time, by engine/mutants.txt, and sees the tests notice.
#
#   tools/mutants.sh              every mutant, against the tests its entry names
#   tools/mutants.sh NAME...      these only
#
# A mutant that its own tests do not notice is tried against all of them. Prints a table, and keeps it
# in target/mutants/table.md. Exits 1 if a mutant survives that is not marked so in the list.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

list=engine/mutants.txt
work=target/mutants
copy=$work/tree
table=$work/table.md
timeout_seconds=${MUTANT_SECONDS:-400}

mkdir -p "$work"
rm -rf "${copy:?}"

# A copy of the tree as it is, so that nothing here can harm it. Its target directories are kept.
fresh_copy() {
    mkdir -p "$copy"
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        mkdir -p "$copy/$(dirname "$file")"
        cmp -s "$file" "$copy/$file" || cp -p "$file" "$copy/$file"
    done
}

# noticed KIND FILTER: whether the tests of a kind fail on the mutated copy.
noticed() {
    local status=0
    case $1 in
        lib)
            (cd "$copy" && timeout "$timeout_seconds" cargo test --quiet -p idem --lib \
                --target-dir "$OLDPWD/$work/lib" "$2") || status=$? ;;
        tests)
            (cd "$copy" && timeout "$timeout_seconds" cargo test --quiet -p idem --test "$2" \
                --target-dir "$OLDPWD/$work/lib") || status=$? ;;
        model)
            (cd "$copy" && RUSTFLAGS="--cfg idem_loom -C debug-assertions" \
                LOOM_MAX_PREEMPTIONS=2 timeout "$timeout_seconds" \
                cargo test --quiet -p idem --release --lib --target-dir "$OLDPWD/$work/loom" \
                "models::$2") || status=$? ;;
        *) echo "mutants: no such kind of tests: $1" >&2; exit 2 ;;
    esac >"$work/output.txt" 2>&1
    if grep -q '^error: could not compile' "$work/output.txt"; then
        echo "mutants: $name does not compile" >&2
        tail -n 20 "$work/output.txt" >&2
        exit 2
    fi
    ((status != 0))
}

# mutate: replaces the text of the entry in its file, which must have it exactly once.
mutate() {
    FROM=$from TO=$to perl -0777 -i -pe '
        BEGIN { $n = 0 }
        $n = () = /\Q$ENV{FROM}\E/g;
        die "found $n times\n" unless $n == 1;
        s/\Q$ENV{FROM}\E/$ENV{TO}/;
    ' "$copy/$file"
}

survivors=0
run_entry() {
    [[ -n ${name:-} ]] || return 0
    if ((${#wanted[@]})) && [[ " ${wanted[*]} " != *" $name "* ]]; then return 0; fi
    fresh_copy
    from=${from%$'\n'} to=${to%$'\n'}
    mutate || { echo "mutants: $name: its text is not in $file exactly once" >&2; exit 2; }
    local kind filter by=-
    while read -r kind filter; do
        [[ -n $kind ]] || continue
        if noticed "$kind" "$filter"; then by="$kind $filter"; break; fi
    done <<<"$kill"
    if [[ $by == - ]]; then
        if noticed model ''; then by="model"; elif noticed lib tests::; then by="lib"; fi
    fi
    local verdict=killed
    if [[ $by == - ]]; then
        verdict=survives
        [[ $expect == survives ]] || survivors=$((survivors + 1))
    fi
    printf '| %s | %s | %s | %s |\n' "$name" "$rules" "$verdict" "$by" | tee -a "$table"
}

wanted=("$@")
printf '| mutant | rules | verdict | by |\n|---|---|---|---|\n' | tee "$table"
name='' rules='' file='' kill='' from='' to='' expect=killed
while IFS= read -r line || [[ -n $line ]]; do
    case $line in
        '## '*) run_entry; name=${line#'## '} rules='' file='' kill='' from='' to='' expect=killed ;;
        'rules: '*) rules=${line#'rules: '} ;;
        'file: '*) file=${line#'file: '} ;;
        'kill: '*) kill+=${line#'kill: '}$'\n' ;;
        'survives: '*) expect=survives ;;
        '- '*) from+=${line#'- '}$'\n' ;;
        '+ '*) to+=${line#'+ '}$'\n' ;;
        '+') to+=$'\n' ;;
    esac
done <"$list"
run_entry
if ((survivors)); then
    echo "mutants: $survivors survive that the list says are killed" >&2
    exit 1
fi
