#!/bin/sh
# Looks at a report with a real browser: tests/browser_check.sh REPORT.html [CHROMIUM]
exec python3 "$(dirname "$0")/browser_check.py" "$@"
