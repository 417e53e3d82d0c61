#!/usr/bin/env bash
# A cell on a drive: power over time from a table, with regenerative braking.
set -euo pipefail
cd "$(dirname "$0")"
scalade=${SCALADE:-scalade}
mkdir -p out
"$scalade" cell --parameters chen2020 --soc 90% --thermal --protocol protocol.txt --json >out/drive.json
"$scalade" cell --parameters chen2020 --soc 90% --thermal --protocol protocol.txt --stream out/drive.csv --json >out/streamed.json
