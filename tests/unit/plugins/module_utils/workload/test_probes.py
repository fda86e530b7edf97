# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.workload.probes import parse_probes

APP = {"runtime": "systemd", "unit": "zekka.service", "health": "http://127.0.0.1:3000/health"}


def test_nothing_configured_is_nothing_to_ask() -> None:
    assert parse_probes({}, None) == parse_probes(None, []) == ()


def test_health_comes_before_endpoints_and_knows_its_service() -> None:
    health, endpoint = parse_probes(
        {"app": {**APP, "essential": False}},
        [{"url": "https://api.example/", "connect_to": "127.0.0.1:443", "verify": False, "certificate": "x"}],
    )
    assert (health.service, health.essential, health.verify) == ("app", False, True)
    assert (endpoint.service, endpoint.essential, endpoint.verify) == (None, True, False)
    assert (endpoint.target.connect_host, endpoint.target.connect_port) == ("127.0.0.1", 443)


def test_certificates_are_verified_unless_it_is_said_otherwise() -> None:
    (endpoint,) = parse_probes({}, [{"url": "https://api.example/", "verify": None}])
    assert endpoint.verify


def test_what_does_not_speak_http_is_not_asked_for_a_page() -> None:
    urls = (
        "postgresql://db.example/",
        "smtp://mail.example/",
        "smtps://mail.example/",
        "https://api.example/",
    )
    (probe,) = parse_probes({}, [{"url": url} for url in urls])
    assert probe.target.host == "api.example"
