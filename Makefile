SHELL := /bin/bash
PYTHON := .venv/bin/python
.DEFAULT_GOAL := help

.PHONY: help setup demo up test check format bench

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what the fleet needs (the other targets do it by themselves)
	@scripts/setup

demo: setup ## Start a fleet, capture a page through the API, show the result, stop (URL=… for another page)
	@$(PYTHON) -m launcher demo

up: setup ## Run API, worker, Redis and Flower until Ctrl-C (WORKERS=N, CONCURRENCY=N)
	@$(PYTHON) -m launcher up

test: setup ## Run all tests: unit, integration (real Redis, Celery, Chromium), system (HTTP only)
	@$(PYTHON) -m pytest

check: setup ## Format, lint, types, layers and unit tests, in seconds
	@$(PYTHON) -m ruff format --check --quiet .
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo
	@$(PYTHON) -m pytest -q tests/unit

format: setup ## Rewrite the code in the project's format
	@$(PYTHON) -m ruff format --quiet .
	@$(PYTHON) -m ruff check --fix --quiet .

bench: setup ## Measure the fleet against a plain Playwright script, as ratios
	@$(PYTHON) -m benchmarks
