# make run    everything, on this machine
# make test   the tests
# Both set up what they need in .venv, once.

PYTHON ?= python3
JOBS   ?= 4
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
MUTMUT := .cache/mutmut
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# pip's own words, a line or three for each library, as one number that moves
COUNT  := /^Collecting / { n++; if (tty) printf "\r  libraries, checked by hash: %d of %d", n, all; \
            else if (n % 20 == 0 || n == all) printf "  libraries, checked by hash: %d of %d\n", n, all; fflush() } \
          /^Installing / { if (tty && n) print ""; print "  putting them in place"; fflush() }

# Hundreds of processes are started here: without what Python has compiled once, each takes two seconds to begin.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test test-unit check bench chaos mutants pictures lint format clean

help:  ## Show this.
	@echo "make run      Run everything here, and watch the changes come in (Ctrl-C stops)."
	@echo "make test     Run the tests."
	@echo "make test-unit  Run the tests that need no Kafka, but for the long ones: less than a minute."
	@echo "make check    Everything that must hold before a change is taken: tests, chaos and benches in short, lint."
	@echo "make chaos    Kill workers and the broker at random, and count what is lost or repeated."
	@echo "make bench    Measure, beside simpler programs doing the same; writes bench/results.md."
	@echo "make mutants  Change the pure modules bit by bit, and name the changes that no unit test notices."
	@echo "make pictures Draw the README's picture of a Slack message again (needs Chromium)."
	@echo "make lint     Check format, style, types and layers."
	@echo "make format   Format the code."
	@echo "make install  Only the set-up of the above: .venv, with the changecast command in it."
	@echo "make clean    Remove .venv and caches; data in .changecast stays."
	@echo
	@echo "PYTHON=python3.12 make run   takes another Python (3.11 or later)."

install: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "changecast needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo not there)." >&2; \
	  echo "Install one, or name it: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv and ensurepip, which Debian and Ubuntu pack apart:" >&2; \
	  echo "  sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Setting up .venv (once; a minute or two of downloads)"
	@test -x $(BIN)/python && $(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || $(PYTHON) -m venv --clear $(VENV)
	@test -t 1 && tty=1 || tty=0; status=$$( { { $(PIP) install --no-compile --require-hashes -r requirements.lock; echo $$? >&3; } \
	  | awk -v all=$$(grep -c == requirements.lock) -v tty=$$tty '$(COUNT)' >&2; } 3>&1 ); exit $$status
	@echo "  changecast itself"
	@$(PIP) --quiet install --no-deps --no-build-isolation -e .
	@touch $@
	@echo "  done"

run: install  ## Everything, with changecast.yaml where there is one, else the example.
	@exec $(BIN)/changecast up -c $$(test -e changecast.yaml && echo changecast.yaml || echo changecast.example.yaml)

test: install  ## ARGS="-k cursor" for some of them, JOBS=8 with more cores, KAFKA=docker or HOST:PORT for another than the embedded.
	@$(BIN)/python -m pytest -n $(JOBS) --dist load --maxschedchunk 1 $(if $(KAFKA),--kafka $(KAFKA)) $(ARGS)

test-unit: install  ## Those that need no Kafka, without the long ones.
	@$(BIN)/python -m pytest -n 3 --kafka none -m "not long" $(ARGS)

check:
	@PYTHON="$(PYTHON)" .ci/run

bench: install  ## Streams, sinks and catchup; PART=sinks for one of them, ARGS=--short for a look in a minute.
	@set -e; for part in $(or $(PART),streams sinks catchup); do $(BIN)/python -m bench $$part $(ARGS); done

chaos: install  ## Streams, then sinks; PART=sinks for one of them, KILLS=10 for fewer, ARGS="--seed 7" for the same plan again.
	@set -e; for part in $(or $(PART),streams sinks); do $(BIN)/python -m tests.chaos.$$part --kills $(or $(KILLS),50) $(ARGS); done

# In an environment of its own: mutmut 3.7 needs an older pytest than the tests do.
mutants: install  ## At low priority, an hour or more; ARGS='"sinks.tracker*"' for some modules. `make mutants SHOW=1`: what survived.
	@test -x $(MUTMUT)/bin/mutmut || { $(PYTHON) -m venv --clear $(MUTMUT) \
	  && $(MUTMUT)/bin/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock \
	  && $(MUTMUT)/bin/python -m pip install --quiet --no-compile mutmut==3.7.0 'pytest<9' 'click<8.4'; }
	@$(if $(SHOW),$(MUTMUT)/bin/mutmut results,nice -n 19 $(MUTMUT)/bin/mutmut run --max-children 1 $(ARGS))

pictures: install
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python docs/pictures/slack.py

lint: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info mutants $(MUTMUT)
