#!/usr/bin/env bash
# Writes requirements/*.txt: every package with its hashes, no index address. Arguments go to uv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
uv=.venv/bin/uv

compile() {
    local name=$1
    shift
    local locked=requirements/$name.txt
    echo "      $locked"
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --output-file "$locked" "$@"
    sed -i '1i # Written by "make lock": do not edit.' "$locked"
}

compile boot requirements/boot.in "$@"
compile run pyproject.toml --extra local --extra cloud --extra daily --constraint requirements/boot.txt "$@"
compile dev pyproject.toml --all-extras --constraint requirements/run.txt "$@"
compile node requirements/node.in "$@"
compile lock requirements/lock.in "$@"
