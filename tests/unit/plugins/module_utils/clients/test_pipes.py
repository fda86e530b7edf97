# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.pipes import Tail, pipe
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

MEGABYTES = b"x" * 3_000_000


def test_what_is_read_comes_out_at_the_other_end_and_complaints_apart() -> None:
    sink = io.BytesIO()
    done = pipe(["sh", "-c", "cat; echo oh >&2; exit 3"], 10, io.BytesIO(MEGABYTES), sink)
    assert (done.code, done.stdout, done.stderr) == (3, "", "oh\n")
    assert sink.getvalue() == MEGABYTES


def test_without_ends_nothing_is_read_and_the_output_is_thrown_away() -> None:
    assert pipe(["cat"], 10).code == 0
    assert pipe(["echo", "words"], 10).stdout == ""


def test_a_program_that_stops_reading_is_no_error() -> None:
    sink = io.BytesIO()
    assert pipe(["head", "-c", "5"], 10, io.BytesIO(MEGABYTES), sink).code == 0
    assert sink.getvalue() == b"xxxxx"


def test_it_is_given_time_to_take_back_what_it_began(tmp_path: Path) -> None:
    mark = tmp_path / "interrupted"
    code = (
        "import pathlib, signal, sys, time\n"
        f"def end(*_): pathlib.Path({str(mark)!r}).touch(); sys.exit(1)\n"
        "signal.signal(signal.SIGINT, end)\nprint('ready', flush=True)\ntime.sleep(60)"
    )

    class Impatient:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    started = time.monotonic()
    with pytest.raises(OSError, match="No space"):
        pipe([sys.executable, "-c", code], 30, sink=Impatient())
    assert mark.exists()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("script", ["trap '' INT; sleep 60", "while :; do echo x; done"])
def test_what_takes_too_long_is_ended_with_all_its_children(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{pipe.__module__}.GRACE_SECONDS", 0.05)
    with pytest.raises(Unreachable, match=r"did not finish within 0\.2 s"):
        pipe(["sh", "-c", script], 0.2, sink=io.BytesIO())


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(Unreachable, match="program /nowhere/pg_dump"):
        pipe(["/nowhere/pg_dump"], 1)


def test_it_starts_where_everybody_may_be_and_speaks_english() -> None:
    sink = io.BytesIO()
    pipe(["sh", "-c", "pwd; echo $LC_ALL $PGHOST"], 10, sink=sink, env={"PGHOST": "db1"})
    assert sink.getvalue().split() == [b"/", b"C", b"db1"]
    assert "PGHOST" not in os.environ


def test_of_many_words_the_last_are_kept() -> None:
    tail = Tail(4)
    for piece in (b"abcdef", b"gh", b"ijk"):
        tail.add(piece)
    assert str(tail) == "hijk"
