#!/usr/bin/env bash
# 100 cycles of a cell whose SEI grows by three laws.
set -euo pipefail
cd "$(dirname "$0")"
scalade=${SCALADE:-scalade}
mkdir -p out
for law in solvent-diffusion reaction-limited electron-migration; do
  "$scalade" cell --parameters mohtat2020 --soc 1 --model spm --sei "$law" --protocol cycles.txt --times "0 s" --json >"out/$law.json"
done
"$scalade" cell --parameters mohtat2020 --soc 1 --sei solvent-diffusion --protocol cycles.txt --times "0 s" --json >out/dfn.json
