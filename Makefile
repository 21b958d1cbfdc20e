# `make run` to talk, `make test` to check; both do all of their own set-up and may be repeated.
# A stamp file remembers each finished step, so that a step runs again only when its input changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PORT ?= 7860
ARGS ?=

export ORT_DISABLE_TELEMETRY := 1
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# The stamps die with the environment they vouch for, and count for nothing in a moved tree.
STAMPS := .venv/stamps-$(shell pwd | cksum | cut -d ' ' -f 1)
BROKEN := $(shell .venv/bin/python -c '' 2>/dev/null || echo always)
PAGE := client/dist/index.html
PAGE_SOURCES := $(wildcard client/*.*) $(shell find client/src client/public 2>/dev/null)
# The last line is noises, for what must not stop the bot.
DEBIAN_FOR_TESTS := chromium pocketsphinx-testdata asterisk-core-sounds-en-wav iproute2 coturn \
	asterisk-core-sounds-en sound-icons sound-theme-freedesktop heroes-sound-effects tuxpaint-data

.PHONY: run test check lock client weights test-weights debian clean help always

run: $(STAMPS)/offhook weights $(PAGE)  ## Talk: set up what is missing, then serve (PORT=7860 ARGS=...)
	@echo "[5/5] Server"
	@exec offhook serve --port $(PORT) $(ARGS)

test: debian $(STAMPS)/dev weights test-weights $(PAGE)  ## Every check and test but the live ones (ARGS go to pytest)
	@exec scripts/test.sh $(ARGS)

check: $(STAMPS)/dev client/node_modules/.installed  ## Lint, types, layers, dead code, dependencies
	@exec scripts/check.sh

lock: $(STAMPS)/boot  ## Write requirements/*.txt anew (ARGS=--upgrade for newer versions)
	@scripts/install.sh lock
	@scripts/lock.sh $(ARGS)

client: $(PAGE)  ## Build the page

clean:  ## Remove what make made: the environment, the page, the caches; not the calls in data/
	rm -rf .venv client/node_modules client/dist .hypothesis .import_linter_cache .pytest_cache .ruff_cache

help:  ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMPS)/boot: requirements/boot.txt scripts/venv.sh $(BROKEN)
	@echo "[1/5] Python environment"
	@scripts/venv.sh
	@mkdir -p $(@D)
	@touch $@

$(STAMPS)/run: requirements/run.txt $(STAMPS)/boot
	@echo "[2/5] Python packages"
	@scripts/install.sh run
	@touch $@

$(STAMPS)/offhook: pyproject.toml $(STAMPS)/run
	@pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/offhook
	@echo "[2/5] Python packages of the checks and tests"
	@scripts/install.sh dev
	@scripts/node.sh
	@touch $@

weights: $(STAMPS)/offhook
	@echo "[3/5] Weights"
	@offhook models pull

# Tests of what has no weights say so and are skipped.
test-weights: $(STAMPS)/dev
	@offhook models pull kokoro-82m || true
	@python -m tests.support.whisper_weights || true

client/node_modules/.installed: client/package.json client/package-lock.json | $(STAMPS)/boot
	@echo "[4/5] Packages of the page"
	@scripts/node.sh
	@cd client && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error
	@touch $@

$(PAGE): client/node_modules/.installed $(PAGE_SOURCES)
	@echo "[4/5] Page"
	@scripts/node.sh
	@npm --prefix client run --silent build -- --logLevel warn
	@touch $@

debian:
	@scripts/apt.sh $(DEBIAN_FOR_TESTS)
