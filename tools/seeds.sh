#!/usr/bin/env bash
# Writes a first corpus for the fuzz targets: tools/seeds.sh DIR
#
# Any bytes are good ones for every target, so random ones are as good a start as any; and none reads
# more than 1204 of them. Always the same, and none of them is kept in git.
set -euo pipefail

dir=${1:?usage: tools/seeds.sh DIR}
mkdir -p "$dir"
for seed in {1..12}; do
    state=$seed
    text=
    for ((i = 0; i < 100 * seed; i++)); do
        state=$(((state * 1103515245 + 12345) & 0x7fffffff))
        printf -v byte '\\x%02x' $((state >> 16 & 255))
        text+=$byte
    done
    printf '%b' "$text" >"$dir/seed-$seed"
done
