# Two commands do everything on a machine with Python 3.11 or newer: `make run` and `make test`.
# Each target makes .venv by itself when needed.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEMO := --config config/demo.toml

.PHONY: run test check fmt bench fuzz pythons constraints clean

run: $(READY) ## the main job on embedded SQLite, with a small invented world
	@$(BIN)/mailgate demo $(DEMO) || [ $$? -eq 65 ]
	@exec $(BIN)/mailgate serve $(DEMO)

test: $(READY) ## every test, on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n auto --dist loadgroup

check: $(READY) ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(READY) ## put the code in form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## mails per second on this machine, beside Postfix; listings of up to 1,000,000 activities
	$(BIN)/python -m tests.benchmarks

fuzz: $(READY) ## mails made of mails for ten minutes (FUZZ_SECONDS); what breaks is kept in tests/corpus/seeds
	$(BIN)/python -m tests.corpus.test_fuzz

pythons: $(READY) ## the same is seen in every mail by every supported Python that is there
	$(BIN)/python -m tests.corpus.pythons

constraints: $(READY) ## write down the versions that are installed now
	$(BIN)/pip freeze --exclude-editable --exclude pip | LC_ALL=C sort -f > constraints.txt

clean:
	rm -rf .venv data dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mailgate needs Python 3.11 or newer; name it with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e . --group test --group lint
	@touch $@
