# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import (
    Endpoint,
    parse_endpoints,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput


def test_only_https_has_a_certificate_and_each_place_is_looked_at_once() -> None:
    given: list[dict[str, object]] = [
        {"url": "http://api.example/"},
        {"url": "https://api.example/health", "connect_to": "127.0.0.1:443", "certificate": "api.example"},
        {"url": "https://api.example/other", "connect_to": "127.0.0.1:443"},
        {"url": "https://api.example:8448/", "verify": False},
    ]
    assert parse_endpoints(given) == (
        Endpoint(
            "api.example", "127.0.0.1", 443, True, Path("/etc/letsencrypt/live/api.example/fullchain.pem")
        ),
        Endpoint("api.example", "api.example", 8448, False, None),
    )


def test_what_begins_without_tls_is_asked_in_its_own_way() -> None:
    urls = (
        "postgresql://db.example/",
        "smtp://mail.example/",
        "smtps://mail.example/",
        "http://api.example/",
    )
    found = parse_endpoints([{"url": url} for url in urls])
    assert [(one.port, one.starttls) for one in found] == [(5432, "postgres"), (25, "smtp"), (465, None)]


@pytest.mark.parametrize(
    ("file", "lineage"),
    [
        ("api.example", "api.example"),
        ("/etc/letsencrypt/live/api.example/cert.pem", "api.example"),
        ("/etc/nginx/tls/api.pem", None),
        (None, None),
    ],
)
def test_a_lineage_is_told_by_where_it_lies(file: str | None, lineage: str | None) -> None:
    (found,) = parse_endpoints([{"url": "https://api.example/", "certificate": file}])
    assert found.lineage == lineage


def test_a_certificate_may_be_named_by_its_path() -> None:
    given = [{"url": "https://api.example/", "certificate": "/etc/nginx/tls/api.pem"}]
    assert parse_endpoints(given)[0].file == Path("/etc/nginx/tls/api.pem")


@pytest.mark.parametrize("name", ["../../etc/shadow", "..", "a/b"])
def test_a_lineage_cannot_lead_out_of_its_directory(name: str) -> None:
    with pytest.raises(BadInput, match="certificate"):
        parse_endpoints([{"url": "https://api.example/", "certificate": name}])


def test_nothing_configured_is_nothing_to_look_at() -> None:
    assert parse_endpoints(None) == ()
