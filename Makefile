# make demo    the first run, from nothing          make test    the tests, but for the slow ones
# make check   format, lint, types, layers           make smoke   a run, a sweep, a report; slow tests
# make long    all claims, all the fuzz, lowest versions, other Pythons, other CPUs, kills: hours

PYTHON ?= python3
BIN := .venv/bin

# A virtual environment that never writes byte code recompiles every import for ever.
unexport PYTHONDONTWRITEBYTECODE
# What smoke does a quarter of, each commit another; `make long` does all.
export QUARTER ?= $(shell expr $$(git rev-list --count HEAD 2>/dev/null || echo 0) % 4)
# No project but this one, whatever the shell was set to.
unexport PYTHONPATH VIRTUAL_ENV

.PHONY: demo test check smoke long format lock clean

demo: .venv/ready
	$(BIN)/isoexp train activation=iso_tanh model=mlp

test: .venv/dev
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

smoke: .venv/dev
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/smoke.sh
	$(BIN)/python -m pytest -n auto --dist loadgroup -m slow
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/numerical.sh
	$(BIN)/python benchmarks/fuzz.py --lines 400 --quarter $(QUARTER)
	$(BIN)/python benchmarks/corrupt.py --count 200 --quarter $(QUARTER)

long: .venv/dev
	PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/long.sh

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The exact versions that the tests ran with; they name no index host.
lock: .venv/dev
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --upgrade --all-extras \
	    --no-header --no-annotate --no-emit-index-url --no-emit-package isoexp \
	    pyproject.toml -o constraints.txt

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache

# uv where there is one, else from the package registry into the environment itself.
.venv/uv:
	@command -v uv >/dev/null && uv venv -q --allow-existing .venv || $(PYTHON) -m venv .venv
	@command -v uv >/dev/null && ln -sf "$$(command -v uv)" $(BIN)/uv || $(BIN)/python -m pip install -q uv
	@touch $@

.venv/ready: .venv/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/uv pyproject.toml constraints.txt
	$(BIN)/uv pip install -q -p $(BIN)/python -c constraints.txt -e ".[dev]"
	@touch .venv/ready $@
