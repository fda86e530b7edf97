# SPDX-License-Identifier: GPL-3.0-or-later
"""Which database of which server is meant."""

from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres import Access
from ansible_collections.firebreak.incident.plugins.module_utils.postgres import entry
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.server import Server
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.write_access.job import Meant


@pytest.mark.parametrize(
    ("access", "target"),
    [
        (Access(), "database shop"),
        (Access(port=5433), "database shop on /var/run/postgresql:5433"),
        (Access(host="db1"), "database shop on db1:5432"),
        (Access(container="shop-postgres-1"), "database shop in container shop-postgres-1"),
    ],
)
def test_the_same_name_on_another_server_is_another_target(access: Access, target: str) -> None:
    assert Meant(Server(access), "shop").target == target


@pytest.mark.parametrize(("given", "database"), [(None, "shop"), ("stock", "stock")])
def test_the_configured_database_is_meant_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, given: str | None, database: str
) -> None:
    monkeypatch.setattr(entry, "reach", lambda _params: Server(Access(database="shop")))
    meant = Meant.by({"database": given})
    assert (meant.database, meant.subject) == (database, f"postgresql {database} on /var/run/postgresql")
