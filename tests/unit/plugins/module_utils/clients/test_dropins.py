# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import dropins, systemd
from ansible_collections.firebreak.incident.plugins.module_utils.clients.dropins import Place
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError


def test_a_drop_in_comes_and_goes_without_a_trace(tmp_path: Path) -> None:
    place = Place("postgresql@15-main.service", tmp_path)
    assert dropins.read(place) is None
    dropins.put(place, "[Service]\n", {"LOG_LEVEL": "debug"})
    assert dropins.read(place) == "[Service]\n"
    assert place.environment.read_text() == "LOG_LEVEL=debug\n"
    assert place.environment.stat().st_mode & 0o777 == 0o600
    assert dropins.all_units(tmp_path) == ("postgresql@15-main.service",)
    assert dropins.take(place)
    assert list(tmp_path.iterdir()) == []
    assert not dropins.take(place)


def test_what_others_have_put_beside_it_stays(tmp_path: Path) -> None:
    place = Place("app.service", tmp_path)
    dropins.put(place, "[Service]\n", {})
    other = place.folder / "10-memory.conf"
    other.write_text("[Service]\nMemoryMax=1G\n")
    assert not place.environment.exists()
    dropins.take(place)
    assert list(place.folder.iterdir()) == [other]


def test_the_end_is_armed_with_what_takes_it_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(systemd, "disarm", asked.append)
    monkeypatch.setattr(systemd, "arm", lambda *words: asked.append(words))
    place = Place("postgresql@15-main.service", tmp_path)
    dropins.end_in(place, 600, "systemctl try-restart x")
    timer = "firebreak-logging-postgresql_15-main_service"
    gone = f"rm -f {place.text} {place.environment} && ( rmdir {place.folder} || true )"
    script = f"{gone} && systemctl daemon-reload && systemctl try-restart x"
    assert asked[0] == timer, "the end of an earlier run does not come first"
    assert asked[1][:2] == (timer, 600)
    assert ";" not in script, "systemd 252 garbles it at the next daemon-reload"
    assert asked[1][3] == ["/bin/sh", "-c", script]


def test_a_run_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "app.service.d").write_text("no folder")
    with pytest.raises(FirebreakError, match=r"app\.service\.d: .*See that /run has room"):
        dropins.put(Place("app.service", tmp_path), "", {})


def full_after(files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many more files have room; of the next there is no more than its name."""
    write, left = dropins._write, iter([True] * files)

    def limited(path: Path, text: str, mode: int) -> None:
        if not next(left, False):
            path.touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, text, mode)

    monkeypatch.setattr(dropins, "_write", limited)


@pytest.mark.parametrize("files", [0, 1])
def test_a_full_run_leaves_what_was_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: int
) -> None:
    place = Place("app.service", tmp_path)
    dropins.put(place, "old", {"LOG_LEVEL": "info"})
    full_after(files, monkeypatch)
    with pytest.raises(FirebreakError, match=r"app\.service\.d: No space left.*See that /run has room"):
        dropins.put(place, "new", {"LOG_LEVEL": "debug"})
    assert dropins.read(place) == "old"
    assert place.environment.read_text() == "LOG_LEVEL=info\n"
    assert set(place.folder.iterdir()) == {place.text, place.environment}


def test_a_full_run_leaves_no_folder_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    full_after(1, monkeypatch)
    with pytest.raises(FirebreakError, match="No space left"):
        dropins.put(Place("app.service", tmp_path), "new", {"LOG_LEVEL": "debug"})
    assert list(tmp_path.iterdir()) == []
