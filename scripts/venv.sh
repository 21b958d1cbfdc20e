#!/usr/bin/env bash
# Makes .venv with Python 3.11 or newer and puts the locked pip and build backend into it.
# PYTHON=/path/to/python chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=${PATH//"$PWD/.venv/bin:"/}

version='import sys; print("%d.%d" % sys.version_info[:2])'

can() {
    "$1" -c "$2" 2>/dev/null
}

is_new_enough() {
    can "$1" 'import sys; sys.exit(sys.version_info < (3, 11))'
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if is_new_enough "$candidate"; then
            "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
            return
        fi
    done
    echo "No Python 3.11 or newer was found. Install one, or name it: make run PYTHON=/path/to/python3" >&2
    return 1
}

# Debian splits the venv module from Python, and llama.cpp links to the OpenMP library.
need_system_parts() {
    local packages=()
    can "$1" 'import ensurepip, venv' || packages+=("python$("$1" -c "$version")-venv")
    can "$1" 'import ctypes; ctypes.CDLL("libgomp.so.1")' || packages+=(libgomp1)
    scripts/apt.sh "${packages[@]}"
}

# Commands in a virtual environment name its folder: one that was moved here is of no use.
is_ours() {
    [ -x .venv/bin/pip ] && [ "$(head -c "$((${#PWD} + 9))" .venv/bin/pip)" = "#!$PWD/.venv/" ] &&
        is_new_enough .venv/bin/python
}

python=$(find_python)
need_system_parts "$python"
is_ours || "$python" -m venv --clear .venv
scripts/install.sh boot
