# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.renewal import job as subject
from ansible_collections.firebreak.incident.plugins.module_utils.clients import certbot, ocsp
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_service import NginxService
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable

from .conftest import NEW, held, scene

PARAMS: dict[str, Any] = {
    "name": None,
    "force": False,
    "service": "nginx",
    "services": {"nginx": {"runtime": "systemd", "unit": "nginx.service"}},
    "endpoints": [],
}


def test_force_without_a_name_is_refused() -> None:
    with pytest.raises(BadInput, match="no lineage is named"):
        subject.job({**PARAMS, "force": True})


def test_a_service_that_the_inventory_does_not_know_is_refused() -> None:
    with pytest.raises(BadInput, match=r"services holds none of that name.*nginx"):
        subject.job({**PARAMS, "service": "haproxy"})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The certificates whose authority was asked."""
    asked: list[str] = []

    def revoked(certificate: str, chain: str) -> bool:
        asked.append(certificate)
        return True

    def complaint(self: Any) -> str | None:
        raise Unreachable("service web", "no container of it runs", "See docker compose ps -a.")

    monkeypatch.setattr(subject, "inspect", lambda endpoints, deadline: scene(lineages=(held(NEW),)).seen)
    monkeypatch.setattr(certbot, "program", lambda: None)
    monkeypatch.setattr(ocsp, "revoked", revoked)
    monkeypatch.setattr(NginxService, "complaint", complaint)
    return asked


def test_what_cannot_be_tested_or_run_is_said_and_stops_no_look(asked: list[str]) -> None:
    seen = subject.job(PARAMS).observe()
    assert seen.broken is not None and "no container of it runs" in seen.broken
    assert seen.missing is not None and "package certbot" in seen.missing
    assert asked == []


def test_the_authority_is_asked_only_where_somebody_wants_to_force(asked: list[str]) -> None:
    seen = subject.job({**PARAMS, "name": "api.example", "force": True}).observe()
    assert (set(seen.revoked), len(asked)) == ({"api.example"}, 1)
