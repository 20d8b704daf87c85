SHELL := /bin/bash
VENV := .venv/bin
.DEFAULT_GOAL := help

.PHONY: help setup demo up doctor test test-system check format lock bench chaos pipeline soak viewers simulate screenshots

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what the fleet needs (the other targets do it by themselves)
	@scripts/setup

demo: setup ## Start a fleet, capture a page through the API, show the result, stop (URL=… for another page)
	@$(VENV)/python -m launcher demo

up: setup ## Run API, worker, Redis and Flower until Ctrl-C (WORKERS=N, CONCURRENCY=N, FLEET_FLOWER_BIND=…, DATA=…)
	@$(VENV)/python -m launcher up

doctor: setup ## Is this machine fit for a fleet, and does the one at FLEET_URL work? With a remedy for each fault
	@$(VENV)/python -m fleet_client doctor

test: setup ## Run all tests: unit, integration (real Redis, Celery, Chromium), system (HTTP only)
	@scripts/run_tests

test-system: setup ## Build the images and test a whole fleet of containers, on the Docker engine of DOCKER_HOST
	@scripts/run_container_tests

check: setup ## Format, lint, types, layers and unit tests, in seconds
	@$(VENV)/python -m ruff format --check --quiet .
	@$(VENV)/python -m ruff check --quiet .
	@$(VENV)/python -m mypy
	@$(VENV)/lint-imports --no-logo
	@$(VENV)/python -m pytest -q tests/unit

format: setup ## Rewrite the code in the project's format
	@$(VENV)/python -m ruff format --quiet .
	@$(VENV)/python -m ruff check --fix --quiet .

lock: setup ## Write requirements.txt from requirements.in: all versions, with hashes
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		requirements.in --output-file requirements.txt

bench: setup ## Measure the fleet against a plain Playwright script, as ratios
	@$(VENV)/python -m benchmarks

screenshots: setup ## Make the pictures in docs/images anew, from fleets of their own
	@$(VENV)/python scripts/screenshot_dashboard
	@$(VENV)/python scripts/screenshot_flower

chaos: setup ## Break every part of a fleet under load, and check what it promised (SEED=N, FAULTS=N)
	@$(VENV)/python -m tests.chaos

pipeline: setup ## A batch over 20 sites while a worker, Redis and the API are killed: is it all there? (ITEMS=N)
	@$(VENV)/python -m tests.pipeline

soak: setup ## Thousands of captures, one in ten of a page that fails; does anything grow? (CAPTURES=N)
	@$(VENV)/python -m tests.soak

simulate: setup ## What each operation costs in fleets of different sizes, without Chrome (WORKERS=1,10,100, SESSIONS=N)
	@$(VENV)/python -m benchmarks.simulate_fleet
batches: setup ## What a batch of 100,000 items costs without Chrome (ITEMS=N), on an empty Redis at FLEET_REDIS_URL
	@$(VENV)/python -m benchmarks.batches

viewers: setup ## 100 viewers on 10 sessions, slow and vanishing ones among them (VIEWERS=N, SESSIONS=N, SECONDS=N)
	@$(VENV)/python -m benchmarks.viewers
