#!/usr/bin/env bash
# NMC532 against lithium metal: slow discharge and titration.
set -euo pipefail
cd "$(dirname "$0")"
scalade=${SCALADE:-scalade}
mkdir -p out
"$scalade" cell --parameters xu2019 --rate C/50 --json >out/slow.json
"$scalade" cell --parameters xu2019 --rate 1C --json >out/fast.json
"$scalade" cell --parameters xu2019 --protocol gitt.txt --json >out/gitt.json
