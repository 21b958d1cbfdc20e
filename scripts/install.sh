#!/usr/bin/env bash
# Installs requirements/NAME.txt into .venv: each package by its hash, from pip's configured index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=$1
locked=requirements/$name.txt
log=.venv/pip-$name.log
total=$(grep -c '^[^ #].*==' "$locked")

show() {
    if [ -t 1 ]; then printf '\r\033[K      %s' "$1"; fi
}

watch() {
    local count=0 line
    while IFS= read -r line; do
        case $line in
            Collecting* | *'already satisfied'*) count=$((count + 1)) ;;
            'Installing collected'*) show "unpacking" && continue ;;
            *) continue ;;
        esac
        show "$count of $total packages"
    done
    show ""
}

pip_install() {
    .venv/bin/python -m pip install --no-input --disable-pip-version-check --progress-bar off \
        "$@" 2>&1
}

# The environment's own pip, at first, knows no build backend: nothing in boot.txt needs one.
if ! pip_install --no-build-isolation --require-hashes -r "$locked" | tee "$log" | watch; then
    echo "The packages of $locked could not be installed; pip said:" >&2
    tail -n 20 "$log" >&2
    exit 1
fi
