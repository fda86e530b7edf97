# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.persistence.containers import exposure


def mount(source: str, writable: bool = True) -> dict[str, Any]:
    return {"Mounts": [{"Type": "bind", "Source": source, "RW": writable}]}


@pytest.mark.parametrize(
    ("inspected", "how"),
    [
        ({}, ()),
        ({"HostConfig": {"Privileged": True}}, ("privileged",)),
        ({"HostConfig": {"PidMode": "host"}}, ("it sees the host's processes",)),
        ({"HostConfig": {"CapAdd": ["CAP_SYS_ADMIN", "NET_ADMIN"]}}, ("capability SYS_ADMIN",)),
        (mount("/run/docker.sock"), ("it has the socket /run/docker.sock",)),
        (mount("/"), ("it has / of the host, writable",)),
        (mount("/", writable=False), ("it has / of the host, read-only",)),
        (mount("/srv/data"), ()),
        ({"HostConfig": None, "Mounts": None, "State": None, "Name": None}, ()),
    ],
)
def test_how_a_container_reaches_its_host(inspected: dict[str, Any], how: tuple[str, ...]) -> None:
    assert exposure(inspected).how == how
