# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.action.persistence_info import (
    file_of,
    public_keys,
    read_baseline,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput


def test_a_folder_has_a_file_for_each_host_and_a_file_is_itself() -> None:
    assert file_of("/b", "web1") == Path("/b/web1.json")
    assert file_of("/b/one.json", "web1") == Path("/b/one.json")
    assert file_of("", "web1") is file_of(None, "web1") is None


def test_a_host_without_a_baseline_has_none(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "web1.json", "web1") is None


@pytest.mark.parametrize("text", ["no json", "[]", json.dumps({"host": "web2"}), "\udcff"])
def test_what_is_not_this_host_s_baseline_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "web1.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=r"web1\.json"):
        read_baseline(path, "web1")


def test_only_public_halves_that_exist_are_sent(tmp_path: Path) -> None:
    (tmp_path / "a.pub").write_text("ssh-ed25519 AAAA me\n")
    assert public_keys([tmp_path / "a.pub", tmp_path / "b.pub"]) == ["ssh-ed25519 AAAA me"]
