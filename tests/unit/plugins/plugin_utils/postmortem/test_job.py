# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.plugin_utils.postmortem.job import is_draft, write
from ansible_collections.firebreak.incident.plugins.plugin_utils.record.recorder import RECORD_VARIABLE

from .conftest import Record
from .story import ID, night, said


@pytest.fixture
def folder(tmp_path: Path, record: Record) -> Path:
    record(night())
    return tmp_path / "postmortems"


def written(url: str, folder: Path, check: bool = False, incident: str = ID) -> dict[str, Any]:
    return write({RECORD_VARIABLE: url}, incident, str(folder), check)


def test_two_private_files_are_written_once(url: str, folder: Path) -> None:
    result = written(url, folder)
    files = [folder / f"{ID}.md", folder / f"{ID}.html"]
    assert result["files"] == [str(path) for path in files]
    assert [path.stat().st_mode & 0o777 for path in (folder, *files)] == [0o700, 0o600, 0o600]
    assert [result["changed"], written(url, folder)["changed"]] == [True, False]
    assert result["record_altered"] == result["warnings"] == []


def test_in_check_mode_nothing_is_written(url: str, folder: Path) -> None:
    assert written(url, folder, check=True)["changed"]
    assert not folder.exists()


def test_a_draft_is_replaced_when_there_is_more_to_tell(url: str, folder: Path, record: Record) -> None:
    written(url, folder)
    record([said(4000, "reopen", text="it is back")])
    assert written(url, folder)["changed"]
    assert "it is back" in (folder / f"{ID}.md").read_text(encoding="utf-8")


def test_what_people_wrote_is_not_overwritten(url: str, folder: Path, record: Record) -> None:
    written(url, folder)
    path = folder / f"{ID}.md"
    text = path.read_text(encoding="utf-8")
    assert is_draft(text)
    path.write_text(text.replace("Why could it happen", "A deploy"), encoding="utf-8")
    with pytest.raises(BadInput, match=f"{ID}.md: people have written in it"):
        written(url, folder)
    assert "A deploy" in path.read_text(encoding="utf-8")


def test_an_unknown_incident_is_refused_by_its_name(url: str, folder: Path) -> None:
    with pytest.raises(BadInput, match="incident inc-9: there is none"):
        written(url, folder, incident="inc-9")
    assert not folder.exists()


def test_an_id_is_no_path(url: str, folder: Path) -> None:
    with pytest.raises(BadInput, match="it is not an id"):
        written(url, folder, incident="../../etc/passwd")


def test_an_altered_record_is_told_in_the_document(url: str, folder: Path) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE firebreak_events SET actor = 'nobody' WHERE number = 7")
    result = written(url, folder)
    assert [each.partition(" (")[0] for each in result["record_altered"]] == ["event 7"]
    assert "was altered" in result["warnings"][0]
    for name in result["files"]:
        assert "Do not rely on this document" in Path(name).read_text(encoding="utf-8")


def test_a_directory_that_cannot_be_made_is_named(url: str, tmp_path: Path, record: Record) -> None:
    record(night())
    (tmp_path / "taken").write_text("")
    with pytest.raises((Unreachable, BadInput), match="taken"):
        written(url, tmp_path / "taken")
