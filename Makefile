# The two commands of a newcomer are `make repro` and `make test`; each installs what it needs, once.

PYTHON ?= python3.11
VENV := .venv
INSTALLED := $(VENV)/.installed
TORCH := torch==2.13.0
# Tests that run the whole pipeline in a clone, apart from the others, which they would keep waiting.
WHOLE := tests/house tests/lineage tests/cli
# A CUDA build: make repro TORCH_INDEX=https://download.pytorch.org/whl/cu130
TORCH_INDEX ?=
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install repro doctor bench test soak lint presets format deps clean

help:  ## list these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED)  ## make .venv from requirements.lock

# TensorFlow's CPU build goes by another name than the one tf-keras asks for, hence --no-deps; PyTorch comes
# apart, so that the lock does not decide between CPU and CUDA.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-deps -r requirements.lock
ifeq ($(TORCH_INDEX),)
	$(VENV)/bin/python -m pip install --quiet '$(TORCH)+cpu' \
		|| $(VENV)/bin/python -m pip install --quiet '$(TORCH)+cpu' --extra-index-url $(TORCH_CPU_INDEX)
else
	$(VENV)/bin/python -m pip install --quiet '$(TORCH)' --index-url $(TORCH_INDEX)
endif
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

repro: $(INSTALLED)  ## run the pipeline; print the metrics and where the report is
	dvc repro || { echo 'What a run needs and has not: make doctor' >&2; exit 1; }
	m3a trace data/metrics.json --html data/report/trace.html
	m3a show
	@echo 'to go on, with m3a and dvc in this shell: . $(VENV)/bin/activate; m3a --help'

doctor: $(INSTALLED)  ## tell what a run needs and has not, before hours are spent
	m3a doctor

test: $(INSTALLED)  ## the tests
	pytest -n 2 --dist loadgroup -m 'not soak' $(WHOLE:%=--ignore=%)
	pytest -m 'not soak' $(WHOLE)

bench: $(INSTALLED)  ## measure how fast this machine does the work, beside plain code: some minutes
	m3a bench

soak: $(INSTALLED)  ## the long tests: faults by the hour
	pytest -m soak

lint: $(INSTALLED)  ## style, types, and which module may import which
	ruff check .
	ruff format --check .
	mypy
	lint-imports

presets: $(INSTALLED)  ## write params/*.yaml anew, from params.yaml and params/make.py
	python params/make.py

format: $(INSTALLED)  ## rewrite the code in the project's style
	ruff check --fix .
	ruff format .

deps: $(INSTALLED)  ## renew the modules that dvc.yaml names, after imports have changed
	python tests/house/declare.py

clean:  ## remove work in progress (not results)
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
