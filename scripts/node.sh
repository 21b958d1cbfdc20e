#!/usr/bin/env bash
# Sees to it that a Node.js and npm new enough for the page's build are on the PATH of `make`:
# the system's own, or else the locked one in .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

is_new_enough() {
    node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        const enough = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
        process.exit(enough ? 0 : 1);
    ' 2>/dev/null && [ "$(npm --version 2>/dev/null | cut -d. -f1)" -ge 11 ] 2>/dev/null
}

is_new_enough && exit
echo "      Node.js 20.19 or newer with npm 11 is not on this machine: taking one into .venv"
scripts/install.sh node
