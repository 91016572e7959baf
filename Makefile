# The commands of this repository; `make` alone lists them. CARGO_TARGET_DIR is honoured: all builds
# and the tests' tools go there. Every check uses the dev profile with the same features and flags, so
# that they share one build; unlike the demo's, it has TLS for Kafka, for which OpenSSL is built.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run dev dev-down test lint bench soak fuzz clean setup toolchain

export PATH := $(shell deploy/dev/setup.sh path):$(PATH)

NEXTEST_PROFILE ?= $(if $(CI),ci,default)
KILL_ROUNDS ?= 1000
FAULT_ROUNDS ?= 20
KAFKA_OUTAGE_SECONDS ?= 300
KAFKA_HANG_SECONDS ?= 25
DETECTOR_TIMES ?= 10
FUZZ_SECONDS ?= 60
CHECKED := --locked --workspace --features tallyhook/kafka-tls

help: ## lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: toolchain ## builds the release binary and runs the demo: simulated shops, live page, figures
	@cargo run --release --locked -p tallyhook -- demo

dev: ## starts Kafka, Redis, two receivers, two aggregators and simulated shops on this machine
	@deploy/dev/setup.sh dev
	@deploy/dev/dev.sh up

dev-down: ## ends what `make dev` started, and nothing else
	@deploy/dev/dev.sh down

test: lint ## sets up what the tests need and runs every check and test
	cargo test $(CHECKED) --doc
	cargo nextest run $(CHECKED) --profile $(NEXTEST_PROFILE)

lint: setup ## checks formatting, lints, licences, the boundaries of the crates, image, Compose and chart
	cargo fmt --all --check
	cargo clippy $(CHECKED) --all-targets -- -D warnings
	cargo fetch --locked
	cargo deny --offline --locked check --hide-inclusion-graph -A unused-wrapper bans licenses sources
	deploy/check.sh

bench: setup ## measures; docs/PERFORMANCE.md says what and how
	cargo bench --locked -p tallyhook --bench throughput

soak: setup ## hours: kills, outages, faults, a real Kubernetes (KILL_ROUNDS=1000 FAULT_ROUNDS=20 KAFKA_OUTAGE_SECONDS=300 KAFKA_HANG_SECONDS=25 DETECTOR_TIMES=10)
	TALLYHOOK_TEST_KILL_ROUNDS=$(KILL_ROUNDS) TALLYHOOK_TEST_FAULT_ROUNDS=$(FAULT_ROUNDS) \
	TALLYHOOK_TEST_KAFKA_OUTAGE_SECONDS=$(KAFKA_OUTAGE_SECONDS) \
	TALLYHOOK_TEST_KAFKA_HANG_SECONDS=$(KAFKA_HANG_SECONDS) TALLYHOOK_TEST_DETECTOR_TIMES=$(DETECTOR_TIMES) \
	cargo nextest run $(CHECKED) --profile soak \
		-E 'test(kill) | test(/^spool::/) | test(/^(brokers|outages|scale|detector|detector_as_shipped)::/)'
	deploy/dev/kube.sh check

fuzz: toolchain ## feeds the parsers random bytes (FUZZ_SECONDS=60 each)
	@if [ ! -d common/fuzz ]; then echo "fuzz: not there yet (no common/fuzz)"; exit 0; fi; \
	command -v cargo-fuzz >/dev/null || { echo "fuzz: cargo-fuzz is missing: cargo install --locked cargo-fuzz"; exit 1; }; \
	cd common && for target in $$(cargo fuzz list); do \
		RUSTC_BOOTSTRAP=1 cargo fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

clean: ## removes everything built, the tests' tools included
	cargo clean

setup:
	@deploy/dev/setup.sh tests

toolchain:
	@deploy/dev/setup.sh toolchain
