#!/usr/bin/env bash
# Converts a BPX file and bundled sets, and compares what PyBaMM makes of them.
#   PYTHON   an interpreter with pybamm 26.10 and bpx 1.1 (default: python3)
#   SCALADE  the program (default: scalade)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
scalade=${SCALADE:-scalade}
file=$here/../../data/cell/bpx/nmc_pouch_cell_BPX.json
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

"$scalade" bpx check "$file"
"$scalade" bpx convert "$file" "$out/nmc.json"
"$scalade" bpx convert "$file" "$out/nmc.py"
for set in Chen2020 Marquis2019 Mohtat2020 Ecker2015 Ai2020 OKane2022 Chen2020_composite Xu2019; do
    "$scalade" bpx convert "$set" "$out/$set.py"
done
"$python" "$here/compare.py" "$file" "$out"
