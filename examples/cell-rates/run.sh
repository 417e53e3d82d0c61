#!/usr/bin/env bash
# Capacity and energy of a cell against the rate of its discharge.
set -euo pipefail
cd "$(dirname "$0")"
scalade=${SCALADE:-scalade}
mkdir -p out
for rate in 0.1 0.5 1 2; do
  "$scalade" cell --parameters chen2020 --soc 1 --rate "${rate}C" --json >"out/$rate.json"
  "$scalade" cell --parameters chen2020 --soc 1 --rate "${rate}C" --thermal --json >"out/$rate-warm.json"
  "$scalade" cell --parameters chen2020 --soc 1 --rate "${rate}C" --model spm --json >"out/$rate-spm.json"
done
