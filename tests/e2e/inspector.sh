#!/bin/sh
# `make inspector`: the official MCP Inspector's command line against a gateway, over stdio and HTTP, in
# both protocol eras. A line a check; stops at the first that fails.
set -eu
cd "$(dirname "$0")/../.."
. tests/e2e/npm.sh

with_node "$PWD/.cache/inspector" 22.23.3 @modelcontextprotocol/inspector@2.12.0
exec .venv/bin/python tests/e2e/inspector.py
