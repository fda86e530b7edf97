# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import os
import zlib

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.package import pack, unpack


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(70_000), b"\0" * 500_000])
def test_what_is_packed_comes_out_again(data: bytes) -> None:
    assert unpack(pack(data), len(data)) == data


def test_a_bomb_does_not_go_off() -> None:
    with pytest.raises(Unreachable, match="more than the 1000 bytes"):
        unpack(pack(b"\0" * 500_000), 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64 !",
        "é",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"x" * 100)[:-3]).decode(),
        base64.b64encode(zlib.compress(b"x") + b"more").decode(),
        "A" * 1_000_000,
    ],
)
def test_what_is_damaged_is_refused(text: str) -> None:
    with pytest.raises(Unreachable):
        unpack(text, 1000)
