# Everything that is run on libidem. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

LOG ?=
ARGS ?=
MODEL_PREEMPTIONS ?= 2
SCENARIO ?=
FUZZ_SECONDS ?= 60
TSAN_SECONDS ?= 20
PREFIX ?= /usr/local

HOST = $(shell rustc -vV | sed -n 's/^host: //p')

EXAMPLES = cache_fill jobs webhooks event_loop

ABSORB = cargo run --release -p idem --example absorb --
SOAK = cargo run --release -p idem --example soak --
# Each planted defect, and the fault by which the verdict must name it.
SABOTAGE = double:double corrupt:bytes refused:refused miscount:counts leak:drain grow:memory

# Each way of building has its own target directory, so that none of them rebuilds another's work.
LOOM = RUSTFLAGS="--cfg idem_loom -C debug-assertions" cargo
PAUSE = RUSTFLAGS="--cfg idem_pause" cargo
# The stable compiler has the sanitizers; RUSTC_BOOTSTRAP lets it take the unstable flag for them.
FUZZ = RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg idem_asan" cargo fuzz

##@ Daily

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\n%s\n%s\n%s\n' 'Variables: LOG=file (run, exact), ARGS="..." (run, mutate, soak, bench),' \
		'MODEL_PREEMPTIONS=$(MODEL_PREEMPTIONS) (model), FUZZ_SECONDS=$(FUZZ_SECONDS) (fuzz),' \
		'TSAN_SECONDS=$(TSAN_SECONDS) (tsan), SCENARIO="part of its name" (pause)'

.PHONY: setup
setup: ## Fetch and install what is missing; Rust, gcc, g++, Go, pkg-config and make must be there
	@for tool in cargo gcc g++ pkg-config; do \
		command -v $$tool >/dev/null || { echo "setup: $$tool is missing" >&2; exit 1; }; \
	done
	cargo fetch --target $(HOST)

.PHONY: run
run: ## Replay a log (LOG=file, or a synthetic one) and see its duplicates absorbed
	$(ABSORB) $(if $(LOG),--log '$(LOG)') $(ARGS)

.PHONY: exact
exact: ## Compare the first/repeated counts (LOG=file, or the sample) with an independent script
	tools/exact.sh $(if $(LOG),'$(LOG)')

.PHONY: test
test: setup test-engine test-http test-c test-go test-examples test-absorb test-soak test-benches model ## All that must pass before a commit

.PHONY: check
check: setup ## Format, lints, documentation, dependencies, the rules of the house
	@cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
	cargo fmt --all --check
	if [[ -f fuzz/Cargo.toml ]]; then cargo fmt --manifest-path fuzz/Cargo.toml --check; fi
	cargo clippy --workspace --all-targets -- -D warnings
	$(LOOM) clippy -p idem --lib --profile test --target-dir target/loom -- -D warnings
	$(PAUSE) clippy -p idem --lib --profile test --target-dir target/pause -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc -p idem -p idem-http -p idem-tower --no-deps
	if cargo deny --version >/dev/null 2>&1; then cargo deny check; fi
	for script in .ci/run tools/*.sh; do bash -n "$$script"; done
	tools/rules.sh --check
	tools/tidy.sh

.PHONY: lib
lib: ## Build libidem for C, for an install by somebody else
	tools/install.sh build

.PHONY: install
install: ## Build libidem for C, and put it in place: PREFIX=/usr/local
	tools/install.sh install '$(PREFIX)'

.PHONY: uninstall
uninstall: ## Take it away again
	tools/install.sh uninstall '$(PREFIX)'

.PHONY: header
header: ## Write include/idem.h anew, from ffi/src
	IDEM_BLESS=1 cargo test -q -p idem-ffi --test header

##@ Proofs

.PHONY: model
model: ## Run the loom models (MODEL_PREEMPTIONS: how often a thread may be interrupted)
	LOOM_MAX_PREEMPTIONS=$(MODEL_PREEMPTIONS) \
		$(LOOM) test -p idem --release --lib --target-dir target/loom models

.PHONY: pause
pause: ## Stop a thread at each shared access, and see the others go on (SCENARIO: only some)
	SCENARIO='$(SCENARIO)' $(PAUSE) test -p idem --lib --target-dir target/pause \
		tests::pause -- --nocapture

.PHONY: asan
asan: ## Run the tests under the sanitizers, and see those find planted defects
	tools/asan.sh
	tools/c.sh asan

.PHONY: valgrind
valgrind: ## Run the programs in C under valgrind, and see it find a planted leak
	tools/c.sh valgrind

.PHONY: server
server: ## Build by CMake, and run the HTTP server in C under bursts of one key
	tools/c.sh cmake
	tools/c.sh server

.PHONY: abi
abi: ## Compare the library with the ABIs that are frozen; by clang as well; and see each guard notice
	tools/c.sh clang
	tools/c.sh abidiff
	tools/guards.sh

.PHONY: demo
demo: ## A payments service under a storm of clients; ARGS="--no-idempotency", "--serve", "--log FILE"
	cargo run --release -p idem-demo -- $(ARGS)

.PHONY: go
go: ## The Go binding: lints, its other two links, its servers under the kit, random operations for FUZZ_SECONDS
	tools/go.sh lint
	tools/go.sh tree
	tools/go.sh static
	tools/go.sh conformance
	FUZZ_SECONDS=$(FUZZ_SECONDS) tools/go.sh fuzz

.PHONY: tsan
tsan: ## Run threads at the engine under ThreadSanitizer for TSAN_SECONDS, and see it find planted races
	TSAN_SECONDS=$(TSAN_SECONDS) tools/tsan.sh
	tools/c.sh tsan

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZ_SECONDS; installs cargo-fuzz if it is missing
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --version 0.13.2 cargo-fuzz
	targets=$$(cargo fuzz list); for target in $$targets; do \
		tools/seeds.sh "fuzz/corpus/$$target"; \
		$(FUZZ) run --no-trace-compares "$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=1204 -timeout=20; \
	done

.PHONY: mutants
mutants: ## Weaken each ordering and check in turn, and see the tests notice
	tools/mutants.sh

.PHONY: mutate
mutate: ## Let cargo-mutants change one place at a time, ARGS="--file F" or "--shard 1/40"; takes hours
	tools/mutate.sh $(ARGS)

.PHONY: soak
soak: ## Everything at full load, for a minute or ARGS="--seconds N --seed S"; ends in a verdict
	$(SOAK) $(ARGS)

.PHONY: stress
stress: ## Run the long random tests that `make test` leaves out
	cargo test -p idem --release --lib --tests -- --ignored

.PHONY: test-full
test-full: test pause asan stress ## `make test` and every long run; takes hours
	$(MAKE) soak ARGS="--seconds 1800"
	$(MAKE) model MODEL_PREEMPTIONS=3
	$(MAKE) tsan TSAN_SECONDS=1800
	$(MAKE) fuzz FUZZ_SECONDS=1800
	$(MAKE) mutants

##@ Figures

.PHONY: bench
bench: ## Measure the engine against its peers (benches/RESULTS.md says how to read it)
	cargo run --release -p idem-benches -- $(ARGS)

# The parts of `make test`.

.PHONY: test-engine test-http test-c test-go test-examples test-absorb test-soak test-benches
test-engine:
	cargo test -p idem

test-http:
	cargo test -p idem-http -p idem-conformance -p idem-tower -p idem-demo

test-c:
	cargo test -p idem-ffi
	tools/c.sh plain

# Needs Go 1.24 or newer.
test-go:
	tools/go.sh test

# With the profile of the tests, which have built them already. Each ends by itself and checks itself.
test-examples:
	for example in $(EXAMPLES); do cargo run -q --profile test -p idem --example $$example; done

test-absorb:
	$(ABSORB) --seconds 2
	@echo "Bypassing the engine: the next run must find double executions and fail."
	status=0; $(ABSORB) --seconds 2 --sabotage || status=$$?; test $$status -eq 1
	if command -v python3 >/dev/null; then tools/exact.sh; else echo "exact: left out, no python3"; fi

test-soak:
	$(SOAK) --seconds 3
	@echo "Planting defects: the verdict of each of the next runs must name it."
	@for sabotage in $(SABOTAGE); do \
		status=0; verdict=$$($(SOAK) --seconds 2 --sabotage $${sabotage%:*} | tail -n 1) || \
			status=$$?; echo "$${sabotage%:*}: $$verdict"; \
		[[ $$status -eq 1 && $$verdict == "verdict: failed: "*"$${sabotage#*:} ("* ]]; \
	done

test-benches:
	cargo test -p idem-benches --release --all-targets
