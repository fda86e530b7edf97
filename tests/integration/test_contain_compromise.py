# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody got in: evidence, then isolation, then the accounts; and all of it taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firebreak_lab import Attacker, Lab

from .conftest import at_once

HOST, INTRUDER, USER = "zekka1", 67, 50


def run_id(done: Any) -> str:
    return str(done.result(HOST, "begin")["run"]["id"])


def test_a_break_in_that_the_logs_show_is_looked_into_and_nothing_is_cut_off(
    pristine: Lab, attacker: Attacker, play: Callable[..., Any], tmp_path: Path
) -> None:
    attacker.failures_then_success(HOST, INTRUDER)
    done = play("contain_security", limit=HOST, evidence="volatile", evidence_directory=str(tmp_path))
    assert done.code == 0, done.output
    assert json.loads((tmp_path / run_id(done) / HOST / "manifest.json").read_text())["complete"] is True
    assert done.result(HOST, "persistence_info")["failed"] is False
    assert (HOST, "network_isolation") not in {
        key for key in done.results if "skipped" not in done.results[key]
    }
    assert attacker.get(HOST, "/api/items")[0] == 200
    assert any("threat=compromise" in line for line in done.result(HOST, "summary")["next"])


def test_a_compromised_host_is_cut_off_after_its_evidence_was_taken_and_freed_by_undo(
    pristine: Lab,
    attacker: Attacker,
    play: Callable[..., Any],
    host_state: Callable[[str], str],
    tmp_path: Path,
) -> None:
    attacker.failures_then_success(HOST, INTRUDER)
    asked = {
        "threat": "compromise",
        "users": ["deploy"],
        "evidence": "volatile",
        "evidence_directory": str(tmp_path),
    }
    before = host_state(HOST)
    planned = play("contain_security", "--check", "--diff", limit=HOST, **asked)
    assert planned.code == 0, planned.output
    assert "network.isolate" in planned.output
    assert "accounts.lock" in planned.output
    assert host_state(HOST) == before
    assert list(tmp_path.glob("*/*/manifest.json")) == []

    done = play("contain_security", limit=HOST, **asked)
    assert done.code == 0, done.output
    manifest = json.loads((tmp_path / run_id(done) / HOST / "manifest.json").read_text())
    isolated = next(
        entry
        for entry in map(json.loads, ledger(pristine))
        if entry["action"] == "network.isolate" and entry["status"] == "planned"
    )
    assert manifest["finished"] < isolated["time"]
    assert at_once(lambda port: attacker.probe(HOST, port, USER), (22, 443)) == [False, False]
    summary = done.result(HOST, "summary")
    said = {finding["id"] for finding in summary["findings"] if finding["level"] == "critical"}
    assert "logins.source.success_after_failures" in said
    assert any("undo.yml" in line for line in summary["next"])

    looked = play("triage", limit=HOST, sections=["firewall"]).result(HOST, "triage_info")["findings"]
    assert any(finding["id"] == "firewall.host.isolated" for finding in looked)

    again = play("contain_security", limit=HOST, **asked)
    assert (again.code, again.changed()) == (0, 0), again.output

    undone = play("undo", limit=HOST, id=run_id(done))
    assert undone.code == 0, undone.output
    assert attacker.get(HOST, "/api/items")[0] == 200
    assert "firebreak_isolation" not in pristine.run(HOST, ["nft", "list", "ruleset"]).stdout
    assert (expiry := pristine.run(HOST, ["getent", "shadow", "deploy"]).stdout.split(":")[7]) == "", expiry
    nothing = play("undo", limit=HOST, id=run_id(done))
    assert (nothing.code, nothing.changed()) == (0, 0), nothing.output


def ledger(lab: Lab) -> list[str]:
    return lab.run(HOST, ["cat", "/var/lib/firebreak/ledger.jsonl"]).stdout.splitlines()
