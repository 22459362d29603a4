# Kentongan. `make` alone lists what can be made; CI says the same words as a person.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test bench setup check format lock clean

BIN := .venv/bin

# The first Python that starts and is new enough, the one in .venv/ before all: names of Python on
# the path may be empty shims. One that can make environments is worth more than a newer one.
define bootstrap
@for needed in 'sys, ensurepip' sys; do \
  for python in $(BIN)/python python3.13 python3.12 python3.11 python3 python; do \
    if "$$python" -c "import $$needed; sys.exit(sys.version_info < (3, 11))" >/dev/null 2>&1; then \
      exec "$$python" scripts/bootstrap.py $(1); \
    fi; \
  done; \
done; \
printf '%s\n\n    %s\n\n' "Kentongan needs Python 3.11 or newer, and found none on the PATH. Run:" \
  "sudo apt-get install -y python3 python3-venv" >&2; exit 1
endef

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo; echo "  make run PORT=8123 HOST=0.0.0.0    make test ARGS='-k embedded'"

run: ## the whole program with a demo city, on http://localhost:8000 (PORT=, HOST=)
	$(call bootstrap,run)
	@# exec: Ctrl-C then reaches the parent process once, and it stops the rest in order.
	@exec $(BIN)/kentongan up --demo $(if $(HOST),--host '$(HOST)') $(if $(PORT),--port '$(PORT)')

test: setup ## all tests, those in Chromium too (ARGS= for pytest)
	PYTHONASYNCIODEBUG=1 $(BIN)/python -m pytest -n 2 $(ARGS)
	$(BIN)/python scripts/web.py test

bench: setup ## measure speed against its limits, twenty-five minutes (ARGS=--quick: about two)
	$(BIN)/python -m benchmarks $(ARGS)

setup: ## make .venv/ complete: the kentongan command, built pages, test dependencies, Chromium
	$(call bootstrap,setup)

check: ## format, lint, types, import contracts; the web part; containers and units
	$(call bootstrap,check)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/compose-lint check --quiet --skip-suppressed --fail-on low compose.yaml
	$(BIN)/python -m scripts.deployment
	$(BIN)/python scripts/web.py check

format: ## put the Python code into shape
	$(call bootstrap,check)
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .

lock: ## refresh requirements/*.lock from pyproject.toml (ARGS=--upgrade for newer versions)
	$(call bootstrap,check)
	$(BIN)/python scripts/lock.py $(ARGS)

clean: ## remove what was built and installed, never the data in var/
	rm -rf .venv app/static web/node_modules web/dist dist .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis mutants test-results
	find app tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
