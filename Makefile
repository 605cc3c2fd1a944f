# make run    from a fresh clone to a running bot       make test     every test
# make check  style and types                           make browser  the chat page in a Chromium
# make clean  remove what was made (data/ is kept)      make lock     pin newer requirements
# make bench  measure the speed beside others           make chaos    every fault in full
# make cover  every test, and which lines none reaches  make secrets  passwords for docker compose
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test cover check browser bench chaos clean lock secrets

help:
	@sed -n 's/^# //p' Makefile

run: $(VENV)/run.stamp
	@exec $(BIN)/python -m bot up

test: $(VENV)/dev.stamp $(VENV)/telebot
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore=tests/browser

cover: $(VENV)/dev.stamp $(VENV)/telebot
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore=tests/browser --cov --cov-report=term

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

browser: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/browser

bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench.run

chaos: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m long -v -s --ignore=tests/browser

secrets:
	@$(PYTHON) -m deploy.secrets

clean:
	rm -rf $(VENV) .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Universal: what some Python or system alone needs is pinned too, with its marker.
lock: $(VENV)/lock.stamp
	for name in requirements requirements-extra requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --no-config --upgrade --universal --python-version 3.11 \
	    --generate-hashes --no-strip-extras --no-emit-index-url \
	    --custom-compile-command "make lock" --output-file $$name.txt $$name.in || exit 1; \
	done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: try make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

# The source of pyTelegramBotAPI has the examples that tests/telebot_examples runs; without a
# network they are left out.
$(VENV)/telebot: requirements.txt | $(VENV)/dev.stamp
	@rm -rf $@
	@sed -n '/^pytelegrambotapi==/,/^    #/p' requirements.txt > $(VENV)/telebot.txt
	-$(PIP:install=download) --no-deps --no-binary pytelegrambotapi -d $@ -r $(VENV)/telebot.txt

$(VENV)/lock.stamp: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@
