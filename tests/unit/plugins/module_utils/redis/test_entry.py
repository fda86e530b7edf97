# SPDX-License-Identifier: GPL-3.0-or-later
"""An undo finds the server of an act again, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import Address
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.redis.entry import (
    find,
    identity_of,
    reach,
    server_for,
)


def params(**redis: Any) -> dict[str, Any]:
    return {"services": {}, "redis": {"port": 6379, **redis} if redis else None}


SECRET = params(host="10.0.0.7", port=6380, password="secret")


def test_the_identity_holds_no_password_and_survives_the_ledger() -> None:
    server = reach(SECRET)
    identity = json.loads(json.dumps(identity_of(server, find(server))))
    assert "secret" not in str(identity)
    again = server_for(identity, SECRET)
    assert (again.address, again.login.password) == (Address("10.0.0.7", 6380), "secret")


def test_without_an_option_the_recorded_server_is_meant() -> None:
    identity = identity_of(reach(SECRET), find(reach(SECRET)))
    assert server_for(identity, params()).address == Address("10.0.0.7", 6380)


def test_another_server_than_the_recorded_one_is_not_touched() -> None:
    identity = identity_of(reach(SECRET), find(reach(SECRET)))
    with pytest.raises(BadInput, match="another server is configured now"):
        server_for(identity, params(host="10.0.0.8", port=6380))


def test_localhost_is_the_same_by_either_name() -> None:
    identity = identity_of(reach(params(host="localhost")), find(reach(params(host="localhost"))))
    assert server_for(identity, params(host="127.0.0.1")).address == Address("127.0.0.1")
