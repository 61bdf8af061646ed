#!/usr/bin/env bash
# The rules of the house that rustfmt and clippy do not know. `make check` runs it.
#
#   tools/tidy.sh [DIR]     DIR: the tree to look at, default this repository
#
# Prints one line per breach, `path:line: what`, and exits 1 if there was any.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

max_lines=600
max_columns=120
file_count=0
breaches=0

breach() {
    echo "$1"
    breaches=$((breaches + 1))
}

# breach_at WHAT FILE GREP-OPTIONS...: one breach for each line of FILE that grep finds.
breach_at() {
    local what=$1 file=$2 line
    shift 2
    while IFS=: read -r line _; do
        breach "$file:$line: $what"
    done < <(LC_ALL=C grep -n "$@" -- "$file")
}

# What git would commit; without git, everything that is not built.
list_files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . -type f -not -path '*/target/*' | sed 's|^\./||'
    fi
}

# The lines of a Markdown file that are not inside a code block.
prose() {
    awk '/^ *```/ { code = !code } !code' "$1"
}

check_any() {
    breach_at 'not ASCII' "$1" -P '[^\x00-\x7F]'
    breach_at 'white space at the end' "$1" -E '[[:blank:]]$'
    breach_at 'a note for later' "$1" -wE 'TO[D]O|FIX[M]E|XX[X]'
    if [[ -s $1 && -n $(tail -c 1 "$1") ]]; then
        breach "$1: no newline at the end"
    fi
}

check_length() {
    local lines
    lines=$(wc -l <"$1")
    if ((lines > max_lines)); then
        breach "$1: $lines lines, more than $max_lines"
    fi
}

check_rust() {
    breach_at "more than $max_columns columns" "$1" -E "^.{$((max_columns + 1))}"
}

check_markdown() {
    local headings target
    headings=$(prose "$1" | grep -c '^# ' || true)
    if ((headings != 1)); then
        breach "$1: $headings headings of the first rank, not one"
    fi
    while IFS= read -r target; do
        if [[ ! -e $(dirname "$1")/$target ]]; then
            breach "$1: links to $target, which is not there"
        fi
    done < <(prose "$1" | grep -oE '\]\([^)#:]+[)#]' | sed -E 's/^..(.*).$/\1/')
}

# The architecture rules of clippy.toml bind the engine only as long as its lib.rs says so.
check_architecture() {
    local lib=engine/src/lib.rs lint
    for lint in clippy::disallowed_methods clippy::disallowed_types; do
        if [[ -f $lib ]] && ! grep -q "$lint" "$lib"; then
            breach "$lib: does not deny $lint"
        fi
    done
}

while IFS= read -r file; do
    [[ -f $file ]] || continue
    file_count=$((file_count + 1))
    case $file in
        LICENSE-* | *.csv | *.lock | *.log) continue ;; # Not written by us, or data.
    esac
    check_any "$file"
    case $file in
        *.rs | *.sh | *.py | *.md | Makefile) check_length "$file" ;;
    esac
    case $file in
        *.rs) check_rust "$file" ;;
        *.md) check_markdown "$file" ;;
    esac
    case $file in
        engine/tests/*) breach_at 'sleeps: advance a ManualClock' "$file" 'thread::sleep' ;;
    esac
done < <(list_files)
check_architecture

echo "tidy: $file_count files, $breaches breaches"
((breaches == 0))
