# Two commands: `make book` and `make test`. `make help` lists the rest.

PROFILE ?= quick
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
comma := ,
# The first Python that is new enough and not too new for PyTorch; or give one: make book PYTHON=...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
# Named after the content of the files it depends on: a fresh checkout changes their times only.
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d ' ' -f 1)
say = @printf '\n== %s\n' $(1)

.DEFAULT_GOAL := help
.PHONY: help setup book test lint browser lock clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile
	@echo
	@echo '  PROFILE=smoke|quick|standard|paper   how much the notebooks compute (quick)'
	@echo '  DATA=/path                           a folder of prepared data sets'
	@echo '  PYTHON=/path/to/python               the Python of the environment'
	@echo '  JOBS=N                               processes of the test run (2)'

setup: $(STAMP)  ## make .venv and install everything the book and the tests need

$(STAMP): requirements.lock pyproject.toml
	@test -n '$(PYTHON)' || { \
		echo 'Python 3.11, 3.12 or 3.13 is needed, and none was found (python3 is:' \
		"$$(python3 --version 2>&1))."; \
		echo 'Install one, or name it: make book PYTHON=/path/to/python3.12'; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is: $$($(PYTHON) --version 2>&1)"; \
		exit 1; }
	$(call say,'making the environment $(VENV) with $(PYTHON)')
	@$(BIN)/python -c '' 2>/dev/null || '$(PYTHON)' -m venv --clear $(VENV) || { \
		echo 'the venv module is not complete; on Debian and Ubuntu: apt install python3-venv'; \
		exit 1; }
	$(call say,'installing the packages of requirements.lock: one to three minutes and 2 GB')
	@$(BIN)/python -m pip install --no-compile --disable-pip-version-check --no-input \
		-c requirements.lock -e '.[book$(comma)test]'
	@rm -f $(VENV)/.installed-*
	@touch $@

book: $(STAMP)  ## execute the notebooks and build the book
	$(call say,'executing the notebooks (profile $(PROFILE)) and building the book')
	@$(BIN)/modeconn book --profile $(PROFILE) $(if $(DATA),--data '$(DATA)')

lint: $(STAMP)  ## check format, style, layers and types
	$(call say,'format'); $(BIN)/ruff format --check
	$(call say,'style'); $(BIN)/ruff check
	$(call say,'layers'); $(BIN)/lint-imports
	$(call say,'types'); $(BIN)/mypy

test: lint browser  ## lint, then every test: laws, notebooks, book, browser
	$(call say,'tests in $(JOBS) processes: some minutes; the book is built on the way')
	@$(if $(DATA),MODECONN_DATA='$(DATA)') OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
		-m 'not slow and not gpu' --numprocesses $(JOBS) --dist worksteal

browser: $(STAMP)  ## find or install a Chromium for the page tests
	$(call say,'looking for a browser')
	@if $(BIN)/python tests/book/browser.py; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		echo 'none: installing the package chromium'; \
		apt-get update -qq && \
		apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core > /dev/null; \
	else \
		echo "none: downloading playwright's own"; $(BIN)/playwright install chromium; \
	fi || echo 'NO BROWSER COULD BE INSTALLED: the page tests will be skipped'

lock: $(STAMP)  ## write requirements.lock from what is installed
	@$(BIN)/python .ci/lock.py > $(VENV)/requirements.lock
	@mv $(VENV)/requirements.lock requirements.lock
	@echo 'wrote requirements.lock'

clean:  ## remove what was built; keep .venv and the computed results
	rm -rf _build/html _build/notebooks _build/values _build/smoke _build/.doctrees _build/.jupyter_cache
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
