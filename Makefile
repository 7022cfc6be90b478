# The two commands of a newcomer are `make repro` and `make test`; each installs what it needs, once, into .venv.
# What is there stays as it is unless one of these says otherwise:
#   PYTHON=python3.12                                    another interpreter than the newest of 3.13, 3.12 and 3.11
#   EXTRAS='hub onnx'                                    libraries that few need (runtime/extras.py), or all
#   TORCH_INDEX=https://pypi.org/simple                  PyTorch for CUDA 13.0, instead of the CPU's
PYTHON ?=
EXTRAS ?=
TORCH_INDEX ?=
VENV ?= .venv
# What `make real` makes of the real data: a table of m3a ablate (table1, table2, controls), and some of its rows or all.
# Those of Table 1 took 17 minutes on two quiet cores of an AMD EPYC; Table 2's sentences need a folder that is not here.
TABLE ?= table1
ROWS ?= $(ROWS_$(TABLE))
ROWS_table1 := fc,visual,audio-text,all,late_fusion
ROWS_table2 := audio-1,audio-2,audio-3,text-words,audio_text
# Tests that run the whole pipeline in a clone, apart from the others, which they would keep waiting.
WHOLE := tests/end_to_end tests/lineage tests/cli
# What `make test` installs: all that is tested but TensorFlow, transformers and S3, which are large or need a server.
TESTED := dev crate dask onnx tensorboard
export PATH := $(abspath $(VENV))/bin:$(PATH)

need = @sh environment/install.sh '$(VENV)' '$(PYTHON)' '$(TORCH_INDEX)' '$(EXTRAS) $(1)'

.PHONY: help install lock repro real doctor bench test fast whole soak lint format clean

help:  ## list these targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install:  ## make .venv from requirements.lock
	$(call need)

lock:  ## renew requirements.lock after pyproject.toml; newer releases: UPGRADE='numpy scipy'
	$(call need,lock)
	python environment/lock.py $(UPGRADE)

repro:  ## run the pipeline; print the metrics and where the report is
	$(call need)
	dvc repro || { echo 'What a run needs and has not: make doctor' >&2; exit 1; }
	m3a trace map_sample --html data/report/trace.html
	m3a show
	@echo 'to go on, with m3a and dvc in this shell: . $(VENV)/bin/activate; m3a --help'

real:  ## the paper's question on real video (YouTube-8M) and real sound (AudioSet): tuned rows; TABLE=table2 or controls
	$(call need)
	sh environment/real.sh $(TABLE) '$(ROWS)' audioset youtube8m

doctor:  ## tell what a run needs and has not, before hours are spent
	$(call need)
	m3a doctor

test: fast whole  ## the tests; those of a library that is not installed skip

fast:  ## the tests that run no whole pipeline
	$(call need,$(TESTED))
	pytest -n 2 --dist loadgroup -m 'not soak' $(WHOLE:%=--ignore=%)

whole:  ## the tests that do
	$(call need,$(TESTED))
	pytest -m 'not soak' $(WHOLE)

bench:  ## measure how fast this machine does the work, beside plain code: some minutes
	$(call need)
	m3a bench

soak:  ## the long tests: faults by the hour
	$(call need,dev)
	pytest -m soak

lint:  ## style, types, and which module may import which
	$(call need,dev)
	ruff check .
	ruff format --check .
	mypy
	lint-imports

format:  ## rewrite the code in the project's style
	$(call need,dev)
	ruff check --fix .
	ruff format .

clean:  ## remove work in progress (not results)
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
