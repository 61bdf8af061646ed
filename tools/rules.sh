#!/usr/bin/env bash
# Lists each rule of the contract with the tests that carry its name, as the table in
# engine/TESTING.md. With --check it compares the two; with --write it brings the file up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

testing=engine/TESTING.md

table() {
    echo '| rule | tests, in `engine/src/tests` |'
    echo '|---|---|'
    # A name starts with its rules: fn r1_r3_response_sizes_may_shift() shows R1 and R3.
    for file in engine/src/tests/*.rs; do
        module=$(basename "$file" .rs)
        sed -n 's/^ *fn \([a-z][0-9]_[a-z0-9_]*\)().*/\1/p' "$file" | while read -r name; do
            rest=$name
            while [[ $rest =~ ^([tklwrpo][0-9])_(.*)$ ]]; do
                echo "${BASH_REMATCH[1]} $module::$name"
                rest=${BASH_REMATCH[2]}
            done
        done
    done | awk '
        {
            rule = toupper($1)
            comma = (rule in tests) ? ", " : ""
            tests[rule] = tests[rule] comma "`" $2 "`"
        }
        END {
            count = split("T K L W R P O", sections, " ")
            for (s = 1; s <= count; s++)
                for (n = 1; n <= 9; n++)
                    if ((sections[s] n) in tests) print "| " sections[s] n " | " tests[sections[s] n] " |"
        }'
}

listed() {
    sed -n '/^<!-- rules -->$/,/^<!-- end of rules -->$/p' "$testing" | sed '1d;$d'
}

case ${1:-} in
    --check)
        diff <(listed) <(table) || { echo "rules: run tools/rules.sh --write" >&2; exit 1; } ;;
    --write)
        table >"$testing.rules"
        sed -i -e "/^<!-- rules -->\$/r $testing.rules" \
            -e '/^<!-- rules -->$/,/^<!-- end of rules -->$/{/^<!-- /!d}' "$testing"
        rm "$testing.rules" ;;
    *) table ;;
esac
