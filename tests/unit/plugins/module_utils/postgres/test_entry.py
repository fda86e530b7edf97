# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back to the server that an act was done on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.postgres import entry
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.services import Service

COMPOSE = Service("db", "compose", project="shop", service="postgres")
SERVICES = {"db": {"runtime": "compose", "project": "shop", "service": "postgres"}}


@pytest.fixture(autouse=True)
def located(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's name is found anew each time."""

    def locate(server: Server, _remaining: object) -> Server:
        access = replace(server.administrator, container="shop-postgres-2" if server.service else None)
        return replace(server, administrator=access)

    monkeypatch.setattr(entry, "locate", locate)


def _params(postgres: Any = None, services: Any = None) -> dict[str, Any]:
    return {"postgres": postgres, "services": services or {}}


def test_it_holds_no_password_and_is_plain_json() -> None:
    server = Server(Access(user="root", database="shop", host="db1", port=5433, password="hunter2"))
    identity = entry.identity_of(server)
    assert identity == {"server": {"user": "root", "database": "shop", "host": "db1", "port": 5433}}
    assert json.loads(json.dumps(identity)) == identity


def test_a_container_is_named_by_its_service_for_its_own_name_changes() -> None:
    server = Server(Access(container="shop-postgres-1"), service=COMPOSE)
    identity = entry.identity_of(server)
    assert identity["server"]["service"] == "postgres"
    assert "container" not in identity["server"]
    for params in (_params(), _params({"service": "db", "database": "other", "password": "x"}, SERVICES)):
        found = entry.server_for(identity, params).administrator
        assert (found.container, found.database) == ("shop-postgres-2", "postgres")


def test_the_password_is_that_of_the_same_server_in_the_inventory() -> None:
    identity = entry.identity_of(Server(Access(host="localhost", database="shop")))
    given = {"host": "127.0.0.1", "user": "postgres", "password": "x", "application_user": "web"}
    found = entry.server_for(identity, _params(given))
    assert (found.administrator.password, found.administrator.database) == ("x", "shop")
    assert found.application and found.application.user == "web"


@pytest.mark.parametrize(
    "given", [{"socket": "/run/postgresql"}, {"socket": "/run/postgresql", "port": 5433}, None]
)
def test_over_its_socket_it_is_entered_whatever_is_configured(given: Any) -> None:
    identity = entry.identity_of(Server(Access(host="/run/postgresql", port=5507, database="shop")))
    found = entry.server_for(identity, _params(given)).administrator
    assert (found.host, found.port, found.database, found.password) == ("/run/postgresql", 5507, "shop", None)


def test_another_server_over_tcp_is_not_given_the_password_of_this_one() -> None:
    identity = entry.identity_of(Server(Access(host="db1")))
    with pytest.raises(BadInput, match=r"as postgres on db1:5432.*postgresql postgres on db2"):
        entry.server_for(identity, _params({"host": "db2", "password": "x"}))


def test_an_administrator_writes_where_others_begin_read_only() -> None:
    server = Server(Access(database="shop"))
    assert entry.access_to(server) == Access(database="shop", writes=True)
    assert entry.access_to(server, "other").database == "other"
