# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.sockets import Connection
from ansible_collections.firebreak.incident.plugins.module_utils.isolation.traffic import sort, tracked

from .conftest import MANAGEMENT, OWN

Make = Callable[..., Connection]
FILTERED = frozenset({4, 6})
CONTAINER = "pid 4242"


def kind(each: Connection, filtered: frozenset[int] = FILTERED) -> str:
    found = sort([each], OWN, MANAGEMENT, 22, filtered)
    return next(name for name in ("management", "inside", "bridged", "foreign") if getattr(found, name))


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (("192.0.2.1", 22, "198.51.100.7", 50000), "management"),
        (("192.0.2.1", 22, "203.0.113.9", 50000), "foreign"),
        (("192.0.2.1", 443, "198.51.100.7", 50000), "foreign"),
        (("192.0.2.1", 50000, "198.51.100.7", 22), "foreign"),
        (("127.0.0.1", 5432, "127.0.0.1", 50000), "inside"),
        (("192.0.2.1", 443, "192.0.2.1", 50000), "inside"),
        (("172.18.0.1", 50000, "172.18.0.7", 443), "foreign"),
        (("192.0.2.1", 50000, "203.0.113.9", 443), "foreign"),
        (("172.18.0.7", 443, "203.0.113.9", 50000, CONTAINER), "foreign"),
        (("172.18.0.7", 22, "198.51.100.7", 50000, CONTAINER), "foreign"),
        (("127.0.0.1", 80, "127.0.0.1", 50000, CONTAINER), "inside"),
        (("172.18.0.7", 50000, "172.18.0.3", 5432, CONTAINER), "foreign"),
        (("172.18.0.7", 50000, "192.0.2.1", 443, CONTAINER), "foreign"),
    ],
)
def test_only_management_and_what_stays_inside_is_kept(
    connection: Make, ends: tuple[str, int, str, int], expected: str
) -> None:
    assert kind(connection(*ends)) == expected


def test_containers_among_themselves_are_not_foreign_where_the_table_cannot_part_them(
    connection: Make,
) -> None:
    each = connection("172.18.0.7", 50000, "172.18.0.3", 5432, CONTAINER)
    assert kind(each, filtered=frozenset()) == "bridged"
    host = connection("172.18.0.7", 50000, "172.18.0.1", 5432, CONTAINER)
    assert kind(host, filtered=frozenset()) == "foreign"


def test_the_flow_of_management_is_not_forgotten(connection: Make) -> None:
    kept = connection("192.0.2.1", 22, "198.51.100.7", 50000, "conntrack")
    local = connection("127.0.0.1", 5432, "127.0.0.1", 50000, "conntrack")
    out = connection("203.0.113.9", 443, "192.0.2.1", 50000, "conntrack")
    published = connection("192.0.2.1", 443, "198.51.100.7", 50000, "conntrack")
    assert tracked([kept, local, out, published], OWN, MANAGEMENT, 22) == (out, published)
