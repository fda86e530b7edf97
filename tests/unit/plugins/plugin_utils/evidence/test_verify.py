# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import BY_NAME
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.answer import read_answer
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.collection import Collection
from ansible_collections.firebreak.incident.plugins.plugin_utils.evidence.verify import (
    Verified,
    collections_in,
    verify,
)


@pytest.fixture
def kept(collection: Collection, entry: Callable[..., dict[str, Any]]) -> Collection:
    entries = [entry("clock", b"now"), entry("processes", b"init"), entry("cron", b"* * * * *")]
    answer = read_answer({"artefacts": entries, "not_collected": []}, list(BY_NAME.values()), 1000, 100_000)
    for piece in answer.pieces:
        collection.append(collection.begin(piece, "2026-11-22T02:00:00.000Z"), piece, piece.data)
    collection.save()
    return collection


def ids(found: Verified) -> list[str]:
    return [finding.id for finding in found.findings]


def test_what_was_not_touched_is_intact(kept: Collection) -> None:
    found = verify(kept.path, kept.manifest_sha256)
    assert (found.intact, found.findings, found.artefacts, found.bytes) == (True, (), 3, 16)
    assert found.as_dict()["host"] == "host1"


def test_one_changed_byte_names_the_artefact(kept: Collection) -> None:
    (kept.path / "002-processes.jsonl").write_bytes(b"inij")
    found = verify(kept.path)
    assert ids(found) == ["evidence.artefact.changed"]
    assert "002-processes.jsonl" in found.findings[0].summary
    assert not found.intact


def test_an_artefact_changed_together_with_its_sum_is_named_by_the_manifest(kept: Collection) -> None:
    (kept.path / "002-processes.jsonl").write_bytes(b"evil")
    sums = (kept.path / "SHA256SUMS").read_text()
    old, new = (hashlib.sha256(data).hexdigest() for data in (b"init", b"evil"))
    (kept.path / "SHA256SUMS").write_text(sums.replace(old, new))
    assert ids(verify(kept.path)) == ["evidence.artefact.changed"]


def test_what_is_gone_or_was_added_is_named(kept: Collection) -> None:
    (kept.path / "001-clock.json").unlink()
    (kept.path / "notes.txt").touch()
    found = verify(kept.path)
    assert ids(found) == ["evidence.artefact.missing", "evidence.artefact.unlisted"]


def test_a_link_in_the_place_of_an_artefact_is_a_change(kept: Collection, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"now")
    (kept.path / "001-clock.json").unlink()
    (kept.path / "001-clock.json").symlink_to(tmp_path / "same")
    assert ids(verify(kept.path)) == ["evidence.artefact.changed"]


def rewrite(kept: Collection, change: Callable[[dict[str, Any]], None]) -> None:
    path = kept.path / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_manifest_that_was_changed_does_not_fit_the_sums(kept: Collection) -> None:
    rewrite(kept, lambda manifest: manifest.update(host="another"))
    assert ids(verify(kept.path)) == ["evidence.manifest.changed"]


def test_an_artefact_left_out_of_the_manifest_is_noticed(kept: Collection) -> None:
    rewrite(kept, lambda manifest: manifest["artefacts"].pop(0))
    assert set(ids(verify(kept.path))) == {"evidence.manifest.changed", "evidence.artefact.unlisted"}


def test_a_manifest_and_sums_rewritten_together_are_noticed_by_the_digest(kept: Collection) -> None:
    written_down = kept.manifest_sha256
    kept.header["host"] = "another"
    kept.save()
    assert ids(verify(kept.path)) == []
    assert ids(verify(kept.path, written_down)) == ["evidence.manifest.changed"]


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "", ".hidden", 5, "a/b"])
def test_a_manifest_cannot_lead_out_of_the_collection(kept: Collection, name: Any) -> None:
    rewrite(kept, lambda manifest: manifest["artefacts"][0].update(path=name))
    found = verify(kept.path)
    assert "evidence.manifest.changed" in ids(found)
    assert all(str(finding.evidence["path"]).startswith(str(kept.path)) for finding in found.findings)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"artefacts": 5}', '{"artefacts": [5]}'])
def test_a_manifest_that_is_none_is_a_change(kept: Collection, text: str) -> None:
    (kept.path / "manifest.json").write_text(text)
    assert "evidence.manifest.changed" in ids(verify(kept.path))


def test_missing_sums_or_manifest_are_noticed(kept: Collection) -> None:
    (kept.path / "SHA256SUMS").unlink()
    assert "evidence.manifest.changed" in ids(verify(kept.path))
    (kept.path / "manifest.json").unlink()
    with pytest.raises(BadInput):
        collections_in(kept.path)


def test_a_collection_that_was_cut_off_is_intact_and_said_to_be_incomplete(kept: Collection) -> None:
    kept.header.update(complete=False, reason="the host was lost")
    kept.save()
    found = verify(kept.path)
    assert [(finding.id, finding.level) for finding in found.findings] == [
        ("evidence.collection.incomplete", "notice")
    ]
    assert found.intact


def test_collections_of_a_run_and_of_all_runs_are_found(kept: Collection) -> None:
    for path in (kept.path, kept.path.parent, kept.path.parent.parent):
        assert collections_in(path) == [kept.path]
    with pytest.raises(BadInput, match="no directory"):
        collections_in(kept.path / "nothing")
