# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service, parse_services

APP = {
    "runtime": "systemd",
    "unit": "zekka.service",
    "health": "http://127.0.0.1:3000/health",
    "logs": ["/x"],
}


def test_services_of_both_runtimes() -> None:
    given = {
        "app": APP,
        "db": {"runtime": "compose", "project": "matrixon", "service": "postgres"},
        "side": {"runtime": "compose", "service": "cadvisor", "essential": False},
        "short": {"runtime": "systemd", "unit": "nginx"},
    }
    app, database, side, short = parse_services(given)
    assert (app.target, app.health, app.essential) == ("zekka.service", "http://127.0.0.1:3000/health", True)
    assert database == Service("db", "compose", project="matrixon", service="postgres")
    assert (database.target, side.target) == ("matrixon/postgres", "cadvisor")
    assert not side.essential
    assert short.unit == "nginx.service"


def test_nothing_configured_is_fine() -> None:
    assert parse_services(None) == parse_services({}) == ()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("zekka.service", "service app: it is no dictionary"),
        ({"runtime": "podman", "unit": "x"}, "its runtime is 'podman'"),
        ({"unit": "x"}, "its runtime is None"),
        ({"runtime": "systemd"}, "it has no unit"),
        ({"runtime": "compose", "project": "x"}, "it has no service"),
        ({**APP, "esential": False}, "'esential' means nothing"),
        ({**APP, "essential": "no"}, "essential is of type str. Write a bool"),
        ({**APP, "unit": "--now"}, "no name of a unit"),
        ({**APP, "unit": "*.service"}, "no name of a unit"),
    ],
)
def test_a_mistake_is_named_with_its_service(values: Any, said: str) -> None:
    with pytest.raises(BadInput) as refusal:
        parse_services({"app": values})
    assert said in str(refusal.value)
    assert "service app" in str(refusal.value)
