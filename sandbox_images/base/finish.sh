#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The last step of the base image, for mmdebstrap (`finish.sh ROOT`) and for the Dockerfile (`finish.sh /`):
# no setuid or setgid bit, nothing that differs from one build to the next, and the list of what is inside.
set -eu
root=${1%/}

mkdir -p "$root/etc/yett"
dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${Version} ${Architecture}\n' |
	LC_ALL=C sort >"$root/etc/yett/packages"

rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/var/cache/ldconfig \
	"$root"/var/lib/dpkg/*-old "$root"/var/log/* "$root"/tmp/* "$root"/etc/ssl/certs/*.old
# Whatever the machine that built it is called and asks for names is no business of a sandbox.
: >"$root/etc/machine-id"
if [ -n "$root" ]; then
	rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
fi

find "$root/" -xdev \( -type f -o -type d \) -perm /6000 -exec chmod a-s {} +
left=$(find "$root/" -xdev \( -type f -o -type d \) -perm /6000 | head -n 3)
[ -z "$left" ] || {
	echo "setuid or setgid is still set: $left" >&2
	exit 1
}

# The name of the user that programs run as: git, ssh and whoami ask for it.
grep -q '^sandbox:' "$root/etc/passwd" || {
	echo 'sandbox:x:60871:60871::/workspace:/bin/sh' >>"$root/etc/passwd"
	echo 'sandbox:x:60871:' >>"$root/etc/group"
}
