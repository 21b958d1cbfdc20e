#!/usr/bin/env bash
# Runs every check, also after one has failed, and names those that failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
failed=()

gate() {
    local name=$1
    shift
    echo "--- $name"
    "$@" || failed+=("$name")
}

gate "ruff" ruff check --quiet .
gate "ruff format" ruff format --quiet --check .
gate "pyright" pyright
gate "import-linter" lint-imports
gate "vulture" vulture
gate "deptry" deptry .
gate "client lint" npm --prefix client run --silent lint

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'Checks that failed: %s\n' "$(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
