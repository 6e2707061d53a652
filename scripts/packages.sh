#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes sure that these Debian packages are there. Quiet when they are. Exit 3, with one sentence, when they can't be had.
#
#   PACKAGE...  their names
set -eu

fail() {
	echo "packages: $*" >&2
	exit 3
}

command -v dpkg-query >/dev/null 2>&1 || fail "please install what these Debian packages hold: $*"
missing=
for package in "$@"; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing$package "
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] || fail "these packages are missing and only root can install them: apt-get install $missing"
echo "packages: installing $missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null 2>&1 || echo "packages: the package lists could not be refreshed; trying with the old ones" >&2
# shellcheck disable=SC2086  # a list of words
words=$(apt-get install -y -qq --no-install-recommends $missing 2>&1) || {
	printf '%s\n' "$words" | tail -n 5 >&2
	fail "apt-get could not install: $missing"
}
