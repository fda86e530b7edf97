# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.credentials.model import (
    Credential,
    parse_credentials,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

GIVEN: dict[str, Any] = {"name": "vault_db", "kind": "postgres", "user": "web", "deploy": ["set", "it"]}


def test_a_credential_is_read_as_given() -> None:
    (one,) = parse_credentials([{**GIVEN, "old": "", "new": None, "verify": None}])
    assert one == Credential("vault_db", "postgres", "web", ("set", "it"))
    assert one.target == "postgres web (vault_db)"


def test_secrets_do_not_show() -> None:
    (one,) = parse_credentials([{**GIVEN, "old": "hunter1", "new": "hunter2"}])
    assert "hunter" not in repr(one)


@pytest.mark.parametrize(
    "given",
    [
        [{**GIVEN, "name": "vault-db"}],
        [{**GIVEN, "name": ""}],
        [{**GIVEN, "user": ""}],
        [{**GIVEN, "user": "a:b"}],
        [{**GIVEN, "user": "a\nb:c"}],
        [GIVEN, {**GIVEN, "user": "other"}],
        [GIVEN, {**GIVEN, "name": "other"}],
    ],
)
def test_what_cannot_be_meant_is_refused(given: list[dict[str, Any]]) -> None:
    with pytest.raises(BadInput):
        parse_credentials(given)


def test_the_same_name_of_a_user_in_two_servers_is_fine() -> None:
    assert len(parse_credentials([GIVEN, {**GIVEN, "name": "vault_os", "kind": "system"}])) == 2
