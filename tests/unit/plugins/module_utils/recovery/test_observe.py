# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus and a service of the test's own on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.job import SPEC, limits, look
from ansible_collections.firebreak.incident.plugins.module_utils.recovery.observe import (
    Measured,
    Snapshot,
    observe,
)
from ansible_collections.firebreak.incident.plugins.module_utils.workload.probes import parse_probes


def vector(*values: str) -> str:
    result = [{"metric": {}, "value": [1, value]} for value in values]
    return json.dumps({"status": "success", "data": {"result": result}})


ANSWERS: dict[str, tuple[int, str]] = {
    "several": (200, vector("0.5", "2.5")),
    "nothing": (200, vector()),
    "no traffic": (200, vector("NaN")),
    "endless": (200, vector("+Inf")),
    "garbage": (200, json.dumps({"data": {"result": [{"value": 3}]}})),
    "sentence": (200, "hello"),
    "refused": (400, json.dumps({"error": "parse error"})),
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query).get("query", [""])[0]
        status, text = ANSWERS.get(asked, (200, "ok"))
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


@pytest.mark.parametrize(
    ("query", "measured"),
    [
        ("several", Measured(2.5)),
        ("nothing", Measured()),
        ("no traffic", Measured()),
        ("endless", Measured(float("inf"))),
        ("garbage", Measured(unseen="its answer cannot be read")),
        ("sentence", Measured(unseen="its answer cannot be read")),
        ("refused", Measured(unseen="it answers HTTP 400")),
    ],
)
def test_a_query_tells_its_highest_value_or_why_there_is_none(
    url: str, query: str, measured: Measured
) -> None:
    assert observe((), f"{url}/", {"errors": query}).measured == {"errors": measured}


def test_a_prometheus_that_is_not_there_is_not_seen() -> None:
    measured = observe((), "http://127.0.0.1:1", {"errors": "several"}).measured["errors"]
    assert measured.value is None
    assert measured.unseen


def test_without_one_only_the_services_are_asked(url: str) -> None:
    seen = observe(parse_probes({}, [{"url": f"{url}/health"}]), None, {"errors": "several"})
    assert [probed.answer.status for probed in seen.probed] == [200]
    assert seen.measured == {}


def test_an_address_that_is_no_url_is_refused() -> None:
    with pytest.raises(BadInput):
        observe((), "prometheus", {"errors": "several"})


def test_the_options_of_the_module_say_what_is_asked(url: str) -> None:
    params: dict[str, Any] = {name: option.get("default") for name, option in SPEC.items()}
    params |= {"endpoints": [{"url": url}], "prometheus": url, "error_query": "several"}
    seen = look(params)
    assert isinstance(seen, Snapshot)
    assert seen.measured["errors"] == Measured(2.5)
    assert (limits(params).error_percent, limits(params).latency_seconds) == (1.0, 5.0)
