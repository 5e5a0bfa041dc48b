#!/bin/sh
# Makes sure that bubblewrap is there: by apt as root, else by naming it.
set -eu

command -v bwrap >/dev/null 2>&1 && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "The Debian package bubblewrap is missing: run 'sudo apt-get install bubblewrap' once, then again this." >&2
    exit 1
fi
command -v apt-get >/dev/null 2>&1 || { echo "Install bubblewrap with this system's package manager, then run this again." >&2; exit 1; }
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends bubblewrap >/dev/null
