#!/bin/sh
# A virtual environment with the package and its development tools, in the versions of constraints.txt.
# Idempotent; quiet when all is well; says why and exits 3 when it can't.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() {
	printf 'setup: %s\n' "$*" >&2
	exit 3
}
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "this needs root or sudo: $*"
	fi
}
# Runs a command whose words matter only when it fails.
quietly() {
	if ! words=$("$@" 2>&1); then
		printf '%s\n' "$words" >&2
		return 1
	fi
}
pip() { quietly .venv/bin/python -m pip -q --disable-pip-version-check install -c constraints.txt "$@"; }

stamp=.venv/.stamp
wanted=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -d' ' -f1)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

command -v python3 >/dev/null 2>&1 || die "python3 is missing; on Debian: apt-get install python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "python3 is $(python3 -V 2>&1); 3.11 or newer is needed"

if ! .venv/bin/python -c '' >/dev/null 2>&1; then
	if ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
		command -v apt-get >/dev/null 2>&1 || die "python3 has no ensurepip; install your system's python3-venv"
		say "installing python3-venv"
		quietly as_root apt-get -qq update || say "the package lists could not be refreshed; trying with the old ones"
		quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv ||
			die "apt-get could not install python3-venv; its words are above"
	fi
	say "making .venv"
	python3 -m venv --clear .venv
fi
say "installing packages (a minute or two the first time)"
pip 'pip>=25.1' || die "pip could not renew itself; its words are above"
pip --group dev -e '.[presidio]' || die "the packages did not install; pip's words are above"
.venv/bin/python -c 'import yett, mcp, pytest' || die "the packages did not install; the lines above say why"
printf '%s' "$wanted" >"$stamp"
say "ready"
