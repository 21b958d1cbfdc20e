#!/usr/bin/env bash
# How long a newcomer waits: from `make run` in this tree to the first answer heard in Chromium.
# PYTHON names an interpreter that has Playwright (after `make test`: .venv/bin/python).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
port=${PORT:-7875}
began=$(date +%s.%N)
since() { awk -v began="$began" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f s", now - began }'; }
make run PORT="$port" >&2 &
trap 'kill %1 2>/dev/null; wait' EXIT
until curl --silent --fail --noproxy '*' "http://127.0.0.1:$port/healthz" >/dev/null; do sleep 0.2; done
echo "ready to talk:      $(since)"
"${PYTHON:-.venv/bin/python}" -m evals.bench_page "http://127.0.0.1:$port"
echo "first answer heard: $(since)"
