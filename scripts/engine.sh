#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes sure that a container engine answers and that the sandbox image can be built: a static busybox, ripgrep, a
# C compiler and make. Quiet when all is well. Exit 3, with one sentence, when that is not possible.
#
#   PROGRAM...            more programs to have, each from the Debian package of its name (mmdebstrap)
#   DOCKER_HOST           the engine to ask (default unix:///var/run/docker.sock); only a local one is started
#   YETT_ENGINE_LOG       where a started dockerd writes (default /var/log/yett-dockerd.log)
#   YETT_ENGINE_DEADLINE  seconds to wait for it (default 60)
set -eu

log=${YETT_ENGINE_LOG:-/var/log/yett-dockerd.log}
deadline=${YETT_ENGINE_DEADLINE:-60}
host=${DOCKER_HOST:-unix:///var/run/docker.sock}

say() { echo "engine: $*" >&2; }
fail() {
	say "$*"
	exit 3
}
have() { command -v "$1" >/dev/null 2>&1; }
root() { [ "$(id -u)" = 0 ]; }

# Asked over the socket itself: neither curl nor the docker client need be there.
answers() {
	case $host in
	unix://*)
		[ -S "${host#unix://}" ] || return 1
		if have docker; then
			timeout 10 docker -H "$host" version >/dev/null 2>&1
		elif have curl; then
			curl -sf -m 10 --unix-socket "${host#unix://}" http://engine/_ping >/dev/null 2>&1
		else
			return 1
		fi
		;;
	*) have docker && timeout 10 docker -H "$host" version >/dev/null 2>&1 ;;
	esac
}

static_busybox() {
	[ -x /bin/busybox ] && ! grep -q '/ld-linux\|/ld-musl' /bin/busybox
}

compiler() { have musl-gcc; }

wanted() {
	static_busybox || printf 'busybox-static '
	compiler || printf 'musl-tools '
	have make || printf 'make '
	have rg || printf 'ripgrep '
	for program in "$@"; do
		have "$program" || printf '%s ' "$program"
	done
	answers || have dockerd || printf 'docker.io '
}

packages=$(wanted "$@")
if [ -n "$packages" ]; then
	root || fail "these packages are missing and only root can install them (sudo sh scripts/engine.sh): $packages"
	have apt-get || fail "please install what these Debian packages hold: $packages"
	say "installing $packages(a minute or less)"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >/dev/null 2>&1 || say "the package lists could not be refreshed; trying with the old ones"
	# shellcheck disable=SC2086  # a list of words
	words=$(apt-get install -y -qq --no-install-recommends $packages 2>&1) || {
		printf '%s\n' "$words" | tail -n 5 >&2
		fail "apt-get could not install: $packages"
	}
fi

if ! answers; then
	socket=${host#unix://}
	if [ -S "$socket" ] && ! [ -w "$socket" ]; then
		fail "this user may not use the container engine at $host: run this as root, or add the user to the socket's group (which is as good as root)"
	fi
	[ "$host" = unix:///var/run/docker.sock ] || fail "no container engine answers at $host"
	root || fail "no container engine answers, and only root can start one: sudo sh scripts/engine.sh"
	have dockerd || fail "no container engine answers and dockerd is not installed"
	# The package's own service may be on its way up.
	waited=0
	while [ $waited -lt 5 ] && ! answers && pgrep -x dockerd >/dev/null 2>&1; do
		sleep 1
		waited=$((waited + 1))
	done
	if ! answers; then
		say "starting dockerd, its log is in $log"
		setsid dockerd >>"$log" 2>&1 </dev/null &
		pid=$!
		waited=0
		until answers; do
			kill -0 "$pid" 2>/dev/null || fail "dockerd ended at once: $(tail -n 1 "$log")"
			[ $waited -lt "$deadline" ] || fail "dockerd does not answer after $deadline s; see $log"
			sleep 1
			waited=$((waited + 1))
		done
		say "dockerd answers"
	fi
fi

static_busybox || fail "/bin/busybox is missing or not static; install busybox-static"
compiler || fail "there is no static C compiler; install musl-tools"
