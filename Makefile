# siprec-src. `make help` lists what there is.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
NATIVE_SOURCES := native/CMakeLists.txt $(wildcard native/include/rtpfork/*.h native/src/*.[ch] native/bpf/* siprec_src/media/*.pyx siprec_src/media/*.px[di])

# make load RATE=50 DURATION_S=60 CONCURRENCY=400 KILL_SRS=1
RATE       ?= 20
DURATION_S ?= 60
CONCURRENCY ?=
KILL_SRS   ?=

# make soak CALLS=100000 RATE=80; make overload RATE=80
CALLS      ?= 100000

# make siege SECONDS=60
SECONDS    ?= 60

# make bench ONLY=control BENCH_RATE=100
ONLY       ?=
BENCH_RATE ?=

TARGET     ?=
MEDIA_IO   ?=
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo test unit property native-test integration interop interop-npm lint format load api-load overload soak siege bench bench-quick fuzz docs lock build clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: build  ## one real call, recorded: WAV, metadata, picture and summary in demo/
	@$(PY) -m tests.demo demo

test: unit property native-test integration  ## all tests: those below, the C engine under ASan/UBSan, SIPp against the daemon

unit: build  ## unit and flow tests; no network, no sleep, less than half a minute
	PYTHONASYNCIODEBUG=1 $(PY) -m pytest -q -n 2 tests/unit tests/flows

property: build  ## what holds whatever comes: made-up input, and the torture messages of RFC 4475
	PYTHONASYNCIODEBUG=1 $(PY) -m pytest -q -n 2 tests/property tests/torture

native-test: build  ## the engine: C tests under ASan, UBSan and TSan, then through its Python door
	$(MAKE) --no-print-directory -C native -j2 test tsan
	$(PY) -m pytest -q tests/native

integration: export TEST_MEDIA_IO := $(MEDIA_IO)
integration: build  ## the real daemon with SIPp as caller, callee and SRS; MEDIA_IO=sockets: by that, without capabilities
	$(PY) -m pytest -q -n 2 --dist loadfile tests/integration --ignore tests/integration/test_load.py
	$(PY) -m pytest -q tests/integration/test_load.py

interop: build  ## calls of PJSIP through the daemon, some minutes; Python 3.12 at most, for which it has wheels
	@$(PY) -m pip install -q --disable-pip-version-check --only-binary :all: pjsua2-python==2.15.1.post1
	$(PY) -m pytest -q tests/interop

interop-npm: build  ## the platform's Node library against the daemon; skipped where npm or its registry is not there
	@if command -v npm >/dev/null && npm install --no-audit --no-fund --silent --prefix $(VENV)/node twilio@6; then \
		TWILIO_NODE=$(CURDIR)/$(VENV)/node $(PY) -m pytest -q tests/interop/test_npm.py; \
	else echo "skipped: no npm, or it got nothing from its registry"; fi

lint: build  ## ruff, mypy, import-linter, clang-format, clang-tidy, and that the generated page is true
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PY) -m tests.support.matrix --check
	$(MAKE) --no-print-directory -C native format-check tidy

format: build  ## put Python and C into house style
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $(shell git ls-files 'native/*.[ch]')

load: build  ## SIPp load with media: RATE, DURATION_S, CONCURRENCY, KILL_SRS=1, KILL_MEDIA=1; TARGET, CALLEE, SRS for a daemon elsewhere
	@$(PY) -m tests.load --rate $(RATE) --duration-s $(DURATION_S) \
		$(if $(CONCURRENCY),--concurrency $(CONCURRENCY)) $(if $(KILL_SRS),--kill-srs) $(if $(KILL_MEDIA),--kill-media) \
		$(if $(TARGET),--target $(TARGET) --callee $(CALLEE) --srs $(SRS))

api-load: build  ## 1,000 Siprecs on 500 live calls with media, at 100 requests a second: packets lost, answer times
	@$(PY) -m tests.load.api

overload: build  ## how many recorded calls a second, and what becomes of twice as many: RATE to begin with
	@$(PY) -m tests.load.overload --rate $(RATE)

soak: build  ## CALLS recorded calls at RATE a second, and the memory of the control process meanwhile
	@$(PY) -m tests.load.soak --rate $(RATE) --calls $(CALLS)

siege: build  ## calls in each media engine for SECONDS with 10,000 datagrams a second of strangers, then frozen for 10 s
	@$(PY) -m tests.load.siege --seconds $(SECONDS)

bench: build  ## media engines beside rtpengine, calls set up, instructions, control; ONLY=media, calls, instructions or control
	@$(PY) -m tests.bench --limit $(if $(ONLY),--only $(ONLY)) $(if $(BENCH_RATE),--rate $(BENCH_RATE))

bench-quick: build  ## the media engines at one load, in less than two minutes
	@$(PY) -m tests.bench --only media --runs 1 --seconds 2 --modes RELAY,FORK,SRTP

fuzz: build  ## coverage-guided fuzzing of all parsers, C and Python, for FUZZ_SECONDS each; ONLY=sdp for one; the API by its document
	$(if $(ONLY),,$(MAKE) --no-print-directory -C native fuzz FUZZ_SECONDS=$(FUZZ_SECONDS))
	$(if $(ONLY),,FUZZ_SECONDS=$(FUZZ_SECONDS) $(PY) -m pytest -q tests/integration/api/test_openapi.py)
	@$(PY) -m pip install -q --disable-pip-version-check --only-binary :all: 'atheris>=3,<4'
	@for target in $(or $(ONLY),$$($(PY) -m tests.fuzz --list)); do \
		echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
		$(PY) -m tests.fuzz $$target --seconds $(FUZZ_SECONDS) || exit 1; \
	done

docs: build  ## write what is generated: docs/rfc-matrix.md, docs/errors.md, configs/siprec-src.full.toml
	$(PY) -m tests.support.matrix
	$(PY) -m siprec_src.api.codes > docs/errors.md
	$(PY) -m siprec_src.config > configs/siprec-src.full.toml

lock: build  ## resolve the dependencies anew into requirements.lock
	$(VENV)/bin/python -m pip install -q uv
	$(VENV)/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -q -U -o requirements.lock

build: $(VENV)/.built  ## the virtual environment and the engine in it

$(VENV)/.dependencies: requirements.lock .ci/packages
	@.ci/packages
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked Python packages into $(VENV) (once)"
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.built: $(VENV)/.dependencies pyproject.toml $(NATIVE_SOURCES)
	@echo "building the engine"
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:  ## remove the virtual environment and everything built
	rm -rf $(VENV) build dist demo native/build
