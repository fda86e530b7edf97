# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import threading

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.live import LiveLine


def line(*texts: str | None) -> tuple[LiveLine, io.StringIO]:
    stream = io.StringIO()
    return LiveLine(stream, threading.RLock(), lambda tick: texts[tick]), stream


def test_the_cursor_waits_above_the_line() -> None:
    live, stream = line("working")
    live.draw(0)
    assert stream.getvalue() == "\x1b[J\nworking\x1b[A\r"


def test_it_goes_away_when_nothing_runs_and_only_once() -> None:
    live, stream = line("working", None, None)
    for tick in range(3):
        live.draw(tick)
    assert stream.getvalue().count("\x1b[J") == 2
    assert stream.getvalue().endswith("\r\x1b[J")


def test_it_stays_away_after_the_end() -> None:
    live, stream = line("working")
    live.stop()
    live.draw(0)
    assert stream.getvalue() == ""


def test_it_draws_under_the_displays_lock() -> None:
    lock = threading.RLock()
    stream = io.StringIO()
    live = LiveLine(stream, lock, lambda tick: "working")
    with lock:
        thread = threading.Thread(target=live.draw, args=(0,))
        thread.start()
        thread.join(0.05)
        assert stream.getvalue() == ""
    thread.join()
    assert "working" in stream.getvalue()
