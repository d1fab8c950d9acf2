# Sparrow's commands. Each makes the environment it needs; nothing is installed outside .venv.
#
#   make demo     watch a small model learn (a few minutes after installing)
#   make test     all tests            make test-fast   without the slow ones
#   make check    style, types, arrows between the rooms
#   make bench    figures beside those of other tools (long)
#   make docs     check that the documentation is true
#
# PyTorch: a plain pip on Linux fetches the CUDA build, several gigabytes. TORCH_INDEX names where
# the CPU build comes from. Behind a mirror:       make demo TORCH_INDEX=https://mirror/whl/cpu
# Where the usual index already serves CPU builds: make demo TORCH_INDEX=

# What does not depend on one another is installed side by side.
MAKEFLAGS += --jobs=2

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PIP_FLAGS ?= --disable-pip-version-check
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install -q $(PIP_FLAGS)
FROM_INDEX = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX) --retries 0)

.PHONY: setup demo test test-fast check bench docs clean

demo: $(VENV)/run.stamp
	$(BIN)/sparrow demo

# A file of tests on each of two processes: more would wait for one another where they train.
test: $(VENV)/dev.stamp $(VENV)/clients.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m "not slow"

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

docs: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/docs

setup: $(VENV)/dev.stamp

$(VENV)/torch.stamp:
	$(PYTHON) -m venv $(VENV)
	@echo "Installing PyTorch, CPU build (about 200 MB) ..."
	$(PIP) $(FROM_INDEX) $(TORCH)
	@touch $@

# Installed once more whenever the compiled part or the list of packages changes.
$(VENV)/run.stamp: $(VENV)/torch.stamp pyproject.toml $(wildcard native/* native/*/*)
	@echo "Installing Sparrow ..."
	$(PIP) "scikit-build-core>=0.11" "nanobind>=2.4"
	$(PIP) --no-build-isolation -e ".[train]"
	@touch $@

# seqeval is built apart: it needs setuptools-scm, which a recent setuptools no longer fetches itself.
$(VENV)/dev.stamp: $(VENV)/run.stamp
	@echo "Installing what the tests need ..."
	$(PIP) "seqeval>=1.2"
	$(PIP) --no-build-isolation -e ".[dev]"
	@touch $@

# Programs that talk to servers, each as its users install it: the tests of the server start them.
# Two majors of one package cannot share an environment. Without npm those for Node are left out.
$(VENV)/clients.stamp: $(VENV)/torch.stamp
	@echo "Installing clients for the tests of the server ..."
	$(PYTHON) -m venv $(VENV)/clients/earlier
	$(VENV)/clients/earlier/bin/python -m pip install -q $(PIP_FLAGS) "openai>=2,<3"
	$(PYTHON) -m venv $(VENV)/clients/current
	$(VENV)/clients/current/bin/python -m pip install -q $(PIP_FLAGS) \
	  "openai>=3,<4" langchain-openai litellm llm "lm-eval[api]>=0.4.9"
	if command -v npm > /dev/null; then \
	  npm install --silent --no-audit --no-fund --prefix $(VENV)/clients/node \
	    openai@6 ai @ai-sdk/openai-compatible; fi
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
