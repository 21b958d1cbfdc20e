#!/usr/bin/env bash
# Checks, the page's tests, then the Python tests: all of them, whatever fails first.
# Arguments go to pytest.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
failed=()
scripts/check.sh || failed+=("checks")
echo "--- client tests"
npm --prefix client test || failed+=("client tests")
echo "--- tests"
pytest -m "not live" "$@" || failed+=("tests")
if [ "${#failed[@]}" -gt 0 ]; then
    printf 'Failed: %s\n' "$(IFS=,; echo "${failed[*]}")" >&2
    exit 1
fi
