#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes sure that the local container engine knows gVisor as the runtime `runsc`: the Debian package, an entry in
# the engine's daemon.json beside what is there, and a SIGHUP; the engine is not restarted. Quiet when all is well.
#
# --network=none: containers here have no network device, and without it runsc refuses the host's namespace and
# leaves processes behind. --oci-seccomp: the container's own filter also applies inside the Sentry.
set -eu

say() { echo "runsc: $*" >&2; }
fail() {
	say "$*"
	exit 3
}
known() { docker info --format '{{range $name, $_ := .Runtimes}}{{$name}} {{end}}' 2>/dev/null | grep -qw runsc; }

known && exit 0
[ "$(id -u)" = 0 ] || fail "only root can add a runtime to the engine (sudo sh scripts/runsc.sh)"
if ! command -v runsc >/dev/null 2>&1; then
	say "installing gVisor"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq runsc >/dev/null 2>&1 || fail "apt-get install runsc failed"
fi
python3 - "$(command -v runsc)" <<'PYTHON'
import json, pathlib, sys

file = pathlib.Path("/etc/docker/daemon.json")
known = json.loads(file.read_text()) if file.exists() else {}
entry = {"path": sys.argv[1], "runtimeArgs": ["--network=none", "--oci-seccomp"]}
known.setdefault("runtimes", {})["runsc"] = entry
file.parent.mkdir(exist_ok=True)
file.write_text(json.dumps(known) + "\n")
PYTHON
engine=$(pgrep -x dockerd) || fail "dockerd does not run on this machine"
# shellcheck disable=SC2086  # one pid or several
kill -HUP $engine
for _ in 1 2 3 4 5 6 7 8 9 10; do
	known && exit 0
	sleep 0.5
done
fail "the engine does not know the runtime after a SIGHUP; see its log"
