# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import shadow
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.in_system import SystemHolder
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The password field of each account; a hash is the secret with a word before it."""
    fields = {"deploy": "hash-of-old", "locked": "!hash-of-x"}
    monkeypatch.setattr(shadow, "password_hash", fields.get)
    monkeypatch.setattr(shadow, "set_hash", fields.__setitem__)
    monkeypatch.setattr(
        shadow, "set_password", lambda user, secret: fields.__setitem__(user, f"hash-of-{secret}")
    )
    monkeypatch.setattr(shadow, "matches", lambda secret, field: field == f"hash-of-{secret}")
    return fields


def test_an_account_is_rotated_and_taken_back_exactly(stored: dict[str, str]) -> None:
    holder = SystemHolder("deploy")
    assert holder.look().problem is None
    holder.begin("deploy")
    holder.add("new")
    assert (holder.accepts("new"), holder.accepts("old")) == (True, False)
    holder.drop_old()
    holder.take_back()
    assert stored["deploy"] == "hash-of-old"
    with pytest.raises(FirebreakError, match="is the old one"):
        holder.drop_old()


@pytest.mark.parametrize("user", ["locked", "nobody-of-that-name"])
def test_an_account_without_a_password_is_left_alone(stored: dict[str, str], user: str) -> None:
    assert SystemHolder(user).look().problem
    with pytest.raises(IdentityChanged):
        SystemHolder(user).begin(user)
