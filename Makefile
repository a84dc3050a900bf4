PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# All tests of a file run in one process, so that they share what a module's fixtures make.
PARALLEL := --numprocesses=auto --dist=loadfile --no-loadscope-reorder

.PHONY: help serve test check smoke coverage install audit soak bench conformance screenshots protos constraints requirements images sbom clean

help:
	@echo "make serve        install, train demo models if there are none, start the service"
	@echo "make test         install, then run all checks and all tests"
	@echo "make smoke        start the service like make serve, wait until it is ready, stop it"
	@echo "make coverage     measure the coverage of unit and integration tests: build/coverage/html"
	@echo "make install      install the service and all development tools into .venv"
	@echo "make audit        check the pinned versions for known vulnerabilities"
	@echo "make soak         run the tests under load and faults at full length: half an hour"
	@echo "make bench        compare the speed with other servers: over half an hour; needs wrk"
	@echo "make conformance TARGET=host:port   run the client's tests against a model server"
	@echo "make screenshots  retake the README's screenshots in a browser test"
	@echo "make protos       regenerate serving/protos/*_pb2.py"
	@echo "make constraints  pin the newest compatible versions"
	@echo "make requirements rewrite the images' requirements with hashes, from those pins"
	@echo "make images       build the images, labelled with version and revision"
	@echo "make sbom         list the contents of each image in CycloneDX: build/sbom/*.cdx.json"
	@echo "make clean        remove the virtual environment and all caches"

serve: $(VENV)/.serve
	$(BIN)/covidscan serve --demo

# Tests that put the service under load run alone on the machine.
test: check
	$(BIN)/python -m pytest -m "not soak" $(PARALLEL)
	$(BIN)/python -m pytest -m soak

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

smoke: $(VENV)/.serve
	$(BIN)/python .ci/smoke.py $(MAKE) serve

coverage: $(VENV)/.test
	$(BIN)/python -m pytest tests/unit tests/integration -m "not soak" $(PARALLEL) \
		--cov --cov-report=term:skip-covered --cov-report=html

install: $(VENV)/.test

audit: $(VENV)/.test
	$(BIN)/python .ci/audit.py

soak: $(VENV)/.test
	$(BIN)/python -m pytest --soak -m soak

bench: $(VENV)/.serve
	$(BIN)/python -m benchmarks.speed

conformance: $(VENV)/.test
	@test -n "$(TARGET)" || { echo "name the model server: make conformance TARGET=host:port"; exit 2; }
	COVIDSCAN_MODEL_SERVER=$(TARGET) $(BIN)/python -m pytest tests/conformance -m client

screenshots: $(VENV)/.test
	SCREENSHOTS_DIR=$(CURDIR)/docs/screenshots $(BIN)/python -m pytest tests/e2e/test_readme.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "covidscan needs Python 3.11 or later; choose one: make PYTHON=python3.12 serve"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serve: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable '.[embedded,trainer]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) --editable '.[embedded,trainer,tracing,ray,dev]'
	@touch $@ $(VENV)/.serve

# grpcio-tools 1.71 generates code for protobuf 5, which TensorFlow 2.19 needs.
protos:
	$(PYTHON) -m venv build/protos
	build/protos/bin/python -m pip install --quiet 'grpcio-tools==1.71.*'
	build/protos/bin/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. serving/protos/*.proto

# Upgrades all versions.
constraints:
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet uv
	build/constraints/bin/uv pip compile --quiet --universal --upgrade --all-extras --python-version 3.11 \
		--no-annotate --no-header --output-file constraints.txt pyproject.toml
	$(MAKE) requirements

# The images' requirements, with the hash of each file on the index.
LOCK = build/constraints/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command "make requirements" --constraint constraints.txt

requirements:
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet uv
	$(LOCK) --output-file requirements/api.txt --extra tracing pyproject.toml
	$(LOCK) --output-file requirements/trainer.txt --extra trainer pyproject.toml
	echo 'tensorflow[and-cuda]' | $(LOCK) --output-file requirements/trainer-gpu.txt --extra trainer pyproject.toml -
	build/constraints/bin/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCK) --output-file requirements/build.txt -

images:
	docker compose build --build-arg SOURCE="$(SOURCE)" \
		--build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
		--build-arg REVISION="$$(git describe --always --dirty --abbrev=40 --exclude '*')"

# Lists the files and hashes that the images install. The base image has its own SBOM.
SBOMS = api trainer trainer-gpu

sbom:
	$(PYTHON) -m venv build/sbom-tool
	build/sbom-tool/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom==7.*'
	mkdir -p build/sbom
	for image in $(SBOMS); do \
		build/sbom-tool/bin/python -W ignore -m cyclonedx_py requirements requirements/$$image.txt \
			--pyproject pyproject.toml --output-reproducible --output-format JSON \
			--output-file build/sbom/$$image.cdx.json || exit; \
	done

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
