# make lab   set up everything and open the first notebook in JupyterLab
# make html  write the notebooks as web pages into build/html: no network, no kernel
# make test  set up everything and run all that CI runs
# make test-latest  the same with the newest versions of everything, in an environment of its own
PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= torch
PINS   ?= -c constraints.txt
BIN     = $(VENV)/bin

.PHONY: lab html test test-latest install dev notebooks latency bench clean

lab: install
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

html: install
	$(BIN)/python -m widgets.site

install: $(VENV)/installed
dev: $(VENV)/installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# PyTorch first and by itself, so that `make lab TORCH="torch --extra-index-url ..."` can choose its build
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet $(PINS) $(TORCH)
	$(BIN)/pip install --quiet $(PINS) -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet $(PINS) -e ".[dev]"
	touch $@

# torch threads are held to one a worker; nbval must keep a notebook's cells on one worker
test: dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout=120 --nbval-sanitize-with tests/nbval.cfg notebooks

test-latest:
	rm -rf .venv-latest
	$(MAKE) dev VENV=.venv-latest PINS=
	.venv-latest/bin/pip list
	$(MAKE) test VENV=.venv-latest PINS=

notebooks: dev
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb

latency: dev
	$(BIN)/python -m pytest -q -m latency tests/browser/test_latency.py

bench: dev
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) .venv-latest build *.egg-info
