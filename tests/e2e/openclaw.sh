#!/bin/sh
# `make e2e-openclaw`: the real OpenClaw, headless, on a scripted model, with the configuration that
# `yett setup openclaw` prints. A line a check; stops at the first that fails.
set -eu
cd "$(dirname "$0")/../.."
. tests/e2e/npm.sh

with_node "$PWD/.cache/openclaw" 24.21.0 openclaw@2026.9.6
exec .venv/bin/python tests/e2e/openclaw.py
