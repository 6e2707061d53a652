# Yett: every target sets up what it needs and says what it does. The two to start with: demo, test.
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest

.PHONY: help setup engine demo test fuzz arm64 lint coverage bench inspector e2e-openclaw lock clean engines docs runsc images test-images bench-sandbox

help: ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -e 's/:.*## /\t/' | expand -t 16

setup: ## virtual environment and package (seconds when nothing changed)
	@sh scripts/setup.sh

engine: setup ## a Docker engine that answers, the runner and the tiny image
	@sh scripts/engine.sh
	@$(VENV)/bin/yett sandbox build --quiet

images: engine ## the base image, too, from Debian's packages (half a minute and 80 MB the first time)
	@sh scripts/engine.sh mmdebstrap
	@$(VENV)/bin/yett sandbox build base

test-images: images ## the tests of the base image and of images made of it (a minute)
	@$(PYTEST) tests_images

demo: engine ## the main job on real input, as a story in the terminal
	@$(VENV)/bin/yett demo

test: engine ## every test but the long suites; needs the engine (it is set up)
	@$(PYTEST) -n auto --dist loadfile

runsc: engine ## the sandbox under gVisor (installs runsc and tells the engine of it)
	@sh scripts/runsc.sh
	@$(PYTEST) tests/sandbox/runtimes

FUZZ_SECONDS ?= 60
fuzz: setup ## both ends of a container's line: the runner under libFuzzer for FUZZ_SECONDS, then the gateway's parsers
	@sh scripts/packages.sh clang libclang-rt-14-dev
	@$(MAKE) -s -C sandbox_images/runner/fuzz run SECONDS=$(FUZZ_SECONDS)
	@$(PYTEST) -q --hypothesis-profile=fuzz tests/sandbox/test_sandbox_protocol.py tests/sandbox/test_sandbox_transports.py -k "not engine" -m "not engine"

# qemu-user has no child subreapers, so what needs supervisors is left to a real machine.
arm64: setup ## the runner for arm64, under qemu (half a minute)
	@sh scripts/packages.sh gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
	@mkdir -p .build && $(MAKE) -s -B -C sandbox_images/runner CC=aarch64-linux-gnu-gcc OUT=$(CURDIR)/.build/yett-runner-arm64
	@YETT_TEST_RUNNER=$(CURDIR)/.build/yett-runner-arm64 YETT_TEST_EMULATOR=/usr/bin/qemu-aarch64-static \
		$(PYTEST) -q -m "not supervised" tests/sandbox/test_runner_*.py

engines: setup ## the sandbox on engines of its own, user-mapped and rootless; needs root (half a minute)
	@$(PYTEST) tests/engines

docs: engine ## the tables in docs/ that a probe writes
	@$(PY) scripts/sandbox_table.py

lint: setup ## ruff, mypy strict, import contracts
	@$(VENV)/bin/ruff format --check src tests tests_images benchmarks examples
	@$(VENV)/bin/ruff check src tests tests_images benchmarks examples
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo

coverage: engine ## branch coverage of the tests
	@$(VENV)/bin/coverage run -m pytest -q
	@$(VENV)/bin/coverage combine -q && $(VENV)/bin/coverage report

bench: engine ## latency and throughput against direct, side by side in one run
	@$(PY) benchmarks/gateway.py

bench-sandbox: engine ## a call in a sandbox against docker run, docker exec, bubblewrap, llm-sandbox (two minutes)
	@$(PY) benchmarks/sandbox.py

inspector: engine ## the official Inspector CLI over stdio and HTTP, both eras (Node 22 from npm)
	@sh tests/e2e/inspector.sh

e2e-openclaw: engine ## the real OpenClaw from npm on a scripted model (about 1 GB; Node 24 from npm)
	@sh tests/e2e/openclaw.sh

# To take newer versions: empty constraints.txt, then `make clean lock test`.
lock: setup ## write constraints.txt from what is installed
	@$(PY) -m pip -qqq freeze --all --exclude-editable --exclude setuptools > $(VENV)/installed
	@LC_ALL=C sort -f $(VENV)/installed > constraints.txt

clean: ## remove what the targets made in this folder
	rm -rf $(VENV) .build .cache .coverage* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
