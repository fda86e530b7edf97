# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for both views."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.command import Launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.failure import Failure
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.model import (
    Begun,
    Closing,
    Header,
    Outcome,
    Row,
    Step,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.painter import Painter
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.plain import Plain
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.screen import Screen
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.view import View

from .conftest import EVIL, make_act, make_finding, make_step

STARTED = datetime(2026, 11, 21, 22, 14, 3, tzinfo=UTC)
ALLOWED_SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")


def painter(color: bool = True) -> Painter:
    return Painter(io.StringIO(), color=color, force=True)


def everything(view: View, step: Step) -> Iterator[str]:
    closing = Closing(
        rows=[Row(EVIL, "critical", "critical", "2 done", EVIL)],
        common=[EVIL],
        next=["ansible-playbook playbooks/undo.yml -l h"],
        seconds=3,
        check_mode=True,
    )
    yield view.header(Header(EVIL, STARTED, [EVIL, "b"], True))
    yield view.begun(Begun(EVIL, EVIL, True, False, "disruptive"))
    yield view.play(EVIL)
    yield view.step(step, Launcher(), True)
    yield view.notice(EVIL)
    yield view.closing(closing)


@pytest.mark.parametrize("view", [Plain(), painter(), painter(color=False)])
def test_no_word_of_an_attacker_reaches_the_terminal_as_a_command(view: View, evil_step: Step) -> None:
    for text in everything(view, evil_step):
        bare = ALLOWED_SEQUENCE.sub("", text)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", bare)


def test_markup_in_a_finding_is_text() -> None:
    step = make_step(Outcome("h", "ok", [Report((make_finding(summary="[bold red]x[/bold red]"),))]))
    assert "[bold red]x[/bold red]" in ALLOWED_SEQUENCE.sub("", painter().step(step, Launcher(), False))


def test_plain_text_is_one_event_a_line_without_decoration(evil_step: Step) -> None:
    lines = Plain().step(evil_step, Launcher(), False).split("\n")
    assert [line.partition(":")[0] for line in lines] == ["ok", "refused", "verdict", "critical"]
    assert all(line.isascii() and line == line.strip() for line in lines)


def test_colours_are_left_out_when_they_are_not_wanted() -> None:
    step = make_step(Outcome("h", "failed", failures=[("", Failure(("gone",)))]))
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", painter(color=False).step(step, Launcher(), False))


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_nothing_but_a_command_is_wider_than_the_terminal(width: int) -> None:
    long = "97 of 97 client connections in use; 61 idle in transaction by app 'web' " * 3
    step = make_step(
        Outcome(
            "a.long.host.name.example", "changed", [Report((make_finding(summary=long),), (make_act(),))]
        ),
        Outcome("b", "failed", failures=[("item", Failure((long, long), long))], warnings=[long]),
        name=long,
    )
    screen = Screen(width)
    closing = Closing([Row("h" * 60, "failed", "failed", "1 done", long)], [long], [], 3.0, False)
    for line in [*screen.step(step, Launcher(), False), *screen.closing(closing)]:
        if "ansible-playbook" not in line.plain:
            assert cell_len(line.plain) < width


def test_a_command_is_never_broken() -> None:
    hosts = [f"host-{number}.example" for number in range(30)]
    step = make_step(*(Outcome(host, "ok", [Report((make_finding(),))]) for host in hosts), hosts=30)
    lines = [line.plain for line in Screen(80).step(step, Launcher(), False)]
    assert f"  {Launcher().command('fix_connections', hosts)}" in lines


def test_a_rescued_failure_is_shown_as_such() -> None:
    step = make_step(Outcome("h", "rescued", failures=[("", Failure(("no jail",), "Install it."))]))
    assert Plain().step(step, Launcher(), False).split("\n")[1].startswith("rescued: h: no jail")
    screen = "\n".join(line.plain for line in Screen(80).step(step, Launcher(), False))
    assert "rescued" in screen and "in its rescue steps" in screen


def test_every_refusal_has_its_reason_in_both_views() -> None:
    act = make_act(status="refused", reason="it is a management address of this site")
    step = make_step(Outcome("h", "ok", [Report((), (act,))]))
    for text in (Plain().step(step, Launcher(), False), painter(color=False).step(step, Launcher(), False)):
        assert "refused" in text and "it is a management address of this site" in text


def test_the_kernels_console_gets_ascii_marks() -> None:
    step = make_step(Outcome("h", "ok"))
    assert all(line.plain.isascii() for line in Screen(80, ascii_only=True).step(step, Launcher(), False))
    assert Screen(80, ascii_only=True).live("Look", 1.0, 3).isascii()


def test_the_live_line_fits() -> None:
    assert cell_len(Screen(80).live("漢字" * 80, 75.0, 1)) < 80


def test_two_blank_lines_never_meet() -> None:
    view = painter(color=False)
    step = make_step(Outcome("h", "ok", [Report((make_finding(),))]))
    text = view.step(step, Launcher(), False) + view.closing(Closing([], [], [], 1.0, False))
    assert "\n\n\n" not in ALLOWED_SEQUENCE.sub("", text)
