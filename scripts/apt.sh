#!/usr/bin/env bash
# Sees to it that Debian packages are installed: does it as root, else says what to do.
set -euo pipefail

missing=()
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Missing: what Debian calls ${missing[*]}. Install the like and run this again." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Missing: ${missing[*]}. Install with: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "      installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
wait_for_lock=(-o DPkg::Lock::Timeout=300)
if ! { apt-get "${wait_for_lock[@]}" update &&
    apt-get "${wait_for_lock[@]}" install --yes --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    echo "apt-get could not install ${missing[*]}; it said:" >&2
    tail -n 20 "$log" >&2
    exit 1
fi
