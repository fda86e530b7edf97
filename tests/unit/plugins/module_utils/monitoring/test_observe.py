# SPDX-License-Identifier: GPL-3.0-or-later
"""A Grafana, a Prometheus and an Alertmanager of the test's own on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.monitoring import observe
from ansible_collections.firebreak.incident.plugins.module_utils.monitoring.decide import judge

VECTOR = {"status": "success", "data": {"result": [{"metric": {"job": "node"}, "value": [1, "3"]}]}}
PAGES: dict[str, tuple[int, str]] = {
    "/p/-/healthy": (200, "Prometheus Server is Healthy.\n"),
    "/p/api/v1/query?query=up%20%3D%3D%200": (200, json.dumps(VECTOR)),
    "/p/api/v1/query?query=count%28up%29": (200, json.dumps(VECTOR)),
    "/api/v2/status": (200, json.dumps({"cluster": {"status": "ready"}})),
    "/api/v2/alerts?active=true&silenced=false&inhibited=false": (200, "[]"),
    "/api/health": (503, json.dumps({"database": "failing", "version": "10.4.1"})),
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, text = PAGES.get(self.path, (404, "page not found"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_each_is_asked_below_its_own_base_url(url: str) -> None:
    given = {"prometheus": f"{url}/p/", "alertmanager": url, "grafana": url}
    data, findings = judge(observe.observe(given, Deadline(5.0)))
    assert data is not None
    assert data["prometheus"]["targets"] == 3
    assert data["alertmanager"]["alerts"] == []
    assert data["grafana"]["version"] == "10.4.1"
    assert [finding.id for finding in findings] == ["monitoring.targets.down", "monitoring.monitor.unwell"]
    assert "database is failing" in findings[1].summary


def test_something_else_on_the_port_is_not_called_healthy(url: str) -> None:
    _data, (finding,) = judge(observe.observe({"alertmanager": f"{url}/elsewhere"}, Deadline(5.0)))
    assert (finding.id, "HTTP 404" in finding.summary) == ("monitoring.monitor.garbled", True)


def test_nobody_on_the_port_is_named(url: str) -> None:
    (monitor,) = observe.observe({"grafana": "http://127.0.0.1:1"}, Deadline(5.0))
    assert monitor.said["health"].problem == "127.0.0.1:1: Connection refused"


def test_an_answer_without_an_end_is_not_read_to_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "BUDGET", 10)
    (monitor,) = observe.observe({"prometheus": f"{url}/p"}, Deadline(5.0))
    assert monitor.said["down"].problem == "it answers with more than 10 bytes"


@pytest.mark.parametrize("given", [None, {}, {"prometheus": None, "alertmanager": ""}])
def test_what_is_not_configured_is_not_asked(given: dict[str, str] | None) -> None:
    assert observe.observe(given, Deadline(5.0)) == ()


def test_a_url_that_is_none_is_refused_without_repeating_a_password() -> None:
    with pytest.raises(BadInput) as refusal:
        observe.observe({"grafana": "http://admin:hunter2@192.0.2.9"}, Deadline(5.0))
    assert "hunter2" not in str(refusal.value)
