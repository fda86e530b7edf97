# SPDX-License-Identifier: GPL-3.0-or-later
.DEFAULT_GOAL := help
.PHONY: help setup lab demo test unit lint bench docs lock down

bin := .venv/bin
export PATH := $(CURDIR)/$(bin):$(PATH)
export PYTHONPATH := $(CURDIR)/molecule/lab

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

setup: ## Make the virtual environment
	@tools/setup

lab: setup ## Start the lab: two production hosts and a client, as containers
	@tools/engine
	@python -m firebreak_lab up

demo: lab ## An attack and a breakage on each host, triage, containment, proof from outside
	@python tools/demo

test: lab ## Every test: unit, integration on the lab, molecule
	pytest -n auto tests/unit
	pytest tests/integration
	molecule reset
	molecule test

unit: setup ## The tests that need no lab
	pytest -n auto tests/unit

lint: setup ## ansible-lint, ruff, mypy, generated tables, ansible-test sanity
	tools/lint

bench: lab ## Benchmarks; prints what was reached
	python tests/performance/login_scan.py
	python tests/performance/triage.py
	python tests/performance/pg_locks.py
	python tests/performance/pg_sessions.py
	python tests/performance/redis_sample.py
	python tests/performance/redis_unlink.py
	python tests/performance/disk_walk.py

docs: setup ## Write the generated tables
	python tools/docs

lock: setup ## Pin what pyproject.toml's development group resolves to now
	tools/lock

down: ## Remove the lab: containers, networks, volumes, keys
	@if [ -x $(bin)/python ]; then python -m firebreak_lab down; fi
	@tools/engine stop
