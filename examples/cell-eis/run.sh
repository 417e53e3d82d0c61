#!/usr/bin/env bash
# Impedance of a cell at five states of charge, by three models at one of them.
set -euo pipefail
cd "$(dirname "$0")"
scalade=${SCALADE:-scalade}
mkdir -p out
for soc in 5 20 50 80 100; do
  "$scalade" eis cell --parameters chen2020 --soc "$soc%" --frequencies 1e-4:1e4:120 --json >"out/$soc.json"
done
for model in spm spme; do
  "$scalade" eis cell --parameters chen2020 --soc 50% --model "$model" --frequencies 1e-4:1e4:120 --json >"out/50-$model.json"
done
