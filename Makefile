# make up            everything on loopback, with a demo mail; again: repairs it (STATE=… PORT_BASE=… for a second one)
# make down|status|logs
# make selftest      looks at it from outside, with Python's own IMAP and SMTP clients
# make test          all tests on a stack of their own (FILTER=IMAPTests: one target)
# make fuzz          libFuzzer over the parsers (FUZZ_SECONDS=60 each, TARGETS="imap html")
# make bench         what it costs (ROWS=webmail: one part)
# make containers           images, the compose stack, the main flow and rolling restarts through Traefik; needs root
# make outages              the same, and what is seen when each container is killed, frozen or cut off
# make lint|fmt|build|clean
SHELL := /bin/bash
.DEFAULT_GOAL := up
.PHONY: up down status logs selftest install build test lint fmt bench fuzz containers outages clean

STATE ?= .local/dev
BIN ?= .build/release
FILTER ?=
ROWS ?=
TARGETS ?=
export STATE PORT_BASE BIN

stack := deploy/local/stack
swift_folders := Package.swift Shared Services Tests Bench
python := deploy/local deploy/local/stack deploy/local/demo deploy/local/selftest scripts/check-imports scripts/check-docs \
    Tests/Live/outside deploy/clients/xynap-token deploy/compose_client.py deploy/compose-flow deploy/compose-outages \
    deploy/sbom deploy/observability/check deploy/kubernetes/check
shell := deploy/local/install.sh deploy/local/with-stack scripts/run-tests scripts/fuzz .ci/run deploy/engine deploy/images \
    deploy/compose-init deploy/compose-check deploy/backup deploy/restore deploy/rolling-restart \
    deploy/dockerfiles/collect-root $(filter-out %/render,$(wildcard deploy/dockerfiles/entry/*))

up: install build
	@$(stack) up
	@deploy/local/demo

down status logs:
	@$(stack) $@

selftest:
	@deploy/local/selftest

install:
	@deploy/local/install.sh

build: install .build/release/built

# Folders are listed too: a file that was deleted is a change.
.build/release/built: Package.swift $(shell find Shared Services Bench 2>/dev/null)
	@echo "==> building in release (the first time: minutes, nearly all of it dependencies)"
	swift build -c release
	@touch $@

test: install
	swift build --build-tests
	@STATE=.local/test PORT_BASE=22000 BIN=.build/debug deploy/local/with-stack scripts/run-tests "$(FILTER)"

bench: build
	@STATE=.local/bench PORT_BASE=23000 BIN=.build/release deploy/local/with-stack .build/release/Bench $(ROWS)

containers: $(if $(filter .build/release,$(BIN)),build)
	@deploy/compose-check

outages:
	@OUTAGES=1 $(MAKE) --no-print-directory containers

fuzz: install
	@scripts/fuzz $(TARGETS)

lint: install
	swift format lint --strict --parallel --recursive $(swift_folders)
	swift build --build-tests --explicit-target-dependency-import-check error
	scripts/check-imports
	scripts/check-docs
	.local/venv/bin/ruff check --quiet --line-length 120 --select E,F,I,B,UP $(python)
	shellcheck $(shell)

fmt:
	swift format --in-place --parallel --recursive $(swift_folders)

clean:
	@for state in .local/dev .local/test .local/faults .local/bench; do STATE=$$state $(stack) down; done
	rm -rf .build .build-* .local
