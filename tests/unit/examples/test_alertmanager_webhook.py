# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import importlib.util
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import firebreak
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.store import Store

ROOT = Path(__file__).resolve().parents[3]
# As Alertmanager posts it.
PAYLOAD: dict[str, Any] = {
    "receiver": "firebreak",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": "SshBruteForce",
                "instance": "localhost:9100",
                "job": "node",
                "severity": "critical",
            },
            "annotations": {"summary": "412 failed logins in 5 minutes"},
            "startsAt": "2026-11-21T22:01:07.123Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph?g0.expr=rate%28failed_logins%5B5m%5D%29+%3E+1&g0.tab=1",
            "fingerprint": "b5d4045c3f466fa9",
        }
    ],
    "groupLabels": {"alertname": "SshBruteForce"},
    "commonLabels": {"alertname": "SshBruteForce", "job": "node", "severity": "critical"},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "version": "4",
    "groupKey": '{}:{alertname="SshBruteForce"}',
    "truncatedAlerts": 0,
}

INCIDENT = "alert-b5d4045c3f466fa9-20261121-220107"


@pytest.fixture
def server() -> Iterator[Any]:
    path = ROOT / "examples/alertmanager_webhook.py"
    spec = importlib.util.spec_from_file_location("alertmanager_webhook", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Webhook(("127.0.0.1", 0), str(ROOT / "inventories/local"), {"localhost"}) as server:
        server.module = module
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    told: list[tuple[str, str | None]] = []

    def run(playbook: str, limit: str | None, **options: Any) -> firebreak.Outcome:
        firebreak.playbooks()[playbook].check(options["inputs"])
        told.append((playbook, limit))
        return firebreak.Outcome("successful", playbook, {}, None, None, "well", (), 0.0)

    monkeypatch.setattr(firebreak, "run", run)
    return told


def alert(**changes: Any) -> dict[str, Any]:
    payload = copy.deepcopy(PAYLOAD)
    first = payload["alerts"][0]
    first["labels"].update(changes.pop("labels", {}))
    first.update(changes)
    return payload


def post(server: Any, body: bytes) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_address[1]}/", body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def send(server: Any, *payloads: dict[str, Any]) -> list[int]:
    codes = [post(server, json.dumps(payload).encode()) for payload in payloads]
    server.runs.shutdown()
    return codes


def test_an_alert_opens_an_incident_and_has_its_host_looked_at(
    server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(server.module, "REACTIONS", {})
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert send(server, PAYLOAD) == [202]
    said = capsys.readouterr().out
    assert f"triage of {INCIDENT}: successful: 1 host: " in said
    with Store(f"sqlite:///{tmp_path}/firebreak/incidents.db") as store:
        opened, *others = store.events(INCIDENT)
    assert (opened.data["title"], opened.data["severity"]) == ("SshBruteForce on localhost", "Sev1")
    assert opened.data["detected"] == "2026-11-21T22:01:07.000Z"
    assert "findings.seen" in {event.kind for event in others}


def test_each_alert_is_reacted_to_once(server: Any, runs: list[tuple[str, str | None]]) -> None:
    send(server, PAYLOAD, PAYLOAD, PAYLOAD)
    assert runs == [("open_incident", None), ("triage", "localhost"), ("contain_security", "localhost")]


def test_an_alert_that_comes_back_is_a_new_one(server: Any, runs: list[tuple[str, str | None]]) -> None:
    other = {"labels": {"alertname": "HighLoad"}, "fingerprint": "0c1d2e3f4a5b6c7d"}
    send(server, alert(**other), alert(**other, status="resolved"), alert(**other))
    assert runs == [("open_incident", None), ("triage", "localhost")] * 2


@pytest.mark.parametrize("instance", ["all", "*", "web9:9100", "", "localhost,web9", "@/etc/hosts", "~.*"])
def test_no_other_host_is_touched(server: Any, runs: list[tuple[str, str | None]], instance: str) -> None:
    assert send(server, alert(labels={"instance": instance})) == [202]
    assert runs == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"alerts": [1]}', b'{"alerts": [{}]}'])
def test_what_is_no_notification_is_refused(
    server: Any, runs: list[tuple[str, str | None]], body: bytes
) -> None:
    assert post(server, body) == 400
    assert runs == []


def test_a_run_that_fails_does_not_stop_the_next(
    server: Any, runs: list[tuple[str, str | None]], capsys: pytest.CaptureFixture[str]
) -> None:
    server.module.REACTIONS["HighLoad"] = ("nosuch", {})
    send(server, alert(labels={"alertname": "HighLoad"}), alert(fingerprint="0c1d2e3f4a5b6c7d"))
    assert f"nosuch of {INCIDENT} was not run" in capsys.readouterr().out
    assert runs[-1] == ("contain_security", "localhost")


def test_an_end_of_it_is_an_end_of_its_run(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, asked, ended = threading.Event(), threading.Event(), []

    def run(_playbook: str, **options: Any) -> None:
        begun.set()
        ended.append(options["cancel"] == server.cancel and asked.wait(10))

    monkeypatch.setattr(firebreak, "run", run)
    server.cancel = asked.set
    assert post(server, json.dumps(PAYLOAD).encode()) == 202
    assert begun.wait(10)
    server.shutdown()
    server.server_close()
    assert ended[0]
