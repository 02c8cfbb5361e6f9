# Every target prepares what it needs by itself; on a fresh Debian only git, make and python3-venv must be there.
# `make run ARGS="--data /srv/island"` passes words on to the program.

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

# Trio rules that cannot see through a call: a clean-up that shields itself (102, 120), a parameter named timeout
# (109), polling a real process (110), which tasks report their start (114, 128), a fake without await (124), and those
# that demand a checkpoint on every path (9xx) or belong to other libraries.
NOT_JUDGED := ASYNC102,ASYNC109,ASYNC110,ASYNC114,ASYNC120,ASYNC128,ASYNC124,ASYNC900,ASYNC910,ASYNC911,ASYNC912,ASYNC913

# The environment's programs come first; .node exists only where the machine's own Node is too old or missing.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/.node/bin:$(PATH):/usr/sbin:/sbin

.PHONY: run demo test check check-ready check-tree check-style check-types check-layers check-web format bench
.PHONY: freeze freeze-arm64 release-check lock upgrade clean

run:
	@$(PYTHON) build/setup.py run
	$(BIN)/island run $(ARGS)

demo:
	@$(PYTHON) build/setup.py run
	$(BIN)/island demo $(ARGS)

test:
	@$(PYTHON) build/setup.py test
	cd web && npm test
	$(BIN)/pytest --numprocesses auto --dist worksteal --verbosity=0 --durations=10 $(ARGS)

# `make -k check` goes on after a failure and shows every one.
check: check-tree check-style check-types check-layers check-web

check-ready:
	@$(PYTHON) build/setup.py check

check-tree: check-ready
	$(BIN)/python build/tree.py

check-style: check-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	find appliance tor tests -name "*.py" | xargs -n 50 -P 2 $(BIN)/flake8-async --enable=ASYNC --disable=$(NOT_JUDGED)

check-types: check-ready
	$(BIN)/mypy
	$(BIN)/mypy build

check-layers: check-ready
	$(BIN)/lint-imports

check-web: check-ready
	cd web && npm run check

format:
	@$(PYTHON) build/setup.py check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench:
	@$(PYTHON) build/setup.py bench
	$(BIN)/python build/bench $(ARGS)

freeze:
	@$(PYTHON) build/setup.py freeze
	.cache/freeze-venv-$$(uname -m)/bin/python build/freeze.py

freeze-arm64:
	@$(PYTHON) build/setup.py freeze-arm64
	$(PYTHON) build/freeze_arm64.py

# As root: the executables prove themselves in a root folder that holds only the C library.
release-check:
	$(PYTHON) build/release_check.py

# Pins anew after pyproject.toml changed; `make upgrade` looks for newer releases of everything below it.
lock:
	@$(PYTHON) build/setup.py lock
	$(BIN)/python build/lock.py

upgrade:
	@$(PYTHON) build/setup.py lock
	$(BIN)/python build/lock.py --upgrade

clean:
	rm -rf .venv .node .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf dist web/dist web/node_modules bench.json
