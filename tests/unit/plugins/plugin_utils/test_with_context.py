# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.with_context import (
    actor,
    own_addresses_towards,
)


def test_the_controller_knows_the_address_it_comes_from() -> None:
    assert list(own_addresses_towards(["127.0.0.2", "::1"])) == ["127.0.0.1", "::1"]


def test_the_person_is_the_one_awx_knows() -> None:
    assert actor({"awx_user_name": "ada"}) == "ada"


def test_at_a_terminal_the_person_is_the_one_before_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    assert actor({}) == f"ada@{socket.gethostname()}"
