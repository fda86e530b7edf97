# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import UTC, datetime

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.command import Launcher
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.contract import Report
from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.report import as_markdown, as_text
from ansible_collections.firebreak.incident.plugins.plugin_utils.summary import (
    UNREACHABLE,
    Run,
    Seen,
    Summary,
    summarise,
)

from .conftest import make_act, make_finding

NOW = datetime(2026, 11, 21, 22, 14, 3, tzinfo=UTC)


def summary(words: str = "97 of 97 connections in use") -> Summary:
    seen = {
        "zekka1": Seen([Report((make_finding(summary=words),), (make_act(),), "improved")]),
        "zekka2": Seen([Report()]),
        "matrixon1": Seen((), UNREACHABLE, "no answer from 192.0.2.9 port 22"),
    }
    return summarise(seen, Run(id="r1", playbook="contain_security"), Launcher())


def test_the_text_has_every_host_finding_and_command() -> None:
    lines = as_text(summary()).split("\n")
    assert lines[0] == "3 hosts: 1 unreachable, 1 critical, 1 nothing found"
    assert "zekka1: critical: 97 of 97 connections in use (improved; 1 done)" in lines
    assert "matrixon1: unreachable: no answer from 192.0.2.9 port 22" in lines
    assert "critical zekka1: postgresql: 97 of 97 connections in use" in lines
    assert lines[-1] == "ansible-playbook playbooks/undo.yml -l zekka1 -e id=r1"


def test_the_report_is_markdown_that_words_cannot_break() -> None:
    text = as_markdown(summary("a | b\n# [x](http://evil) <script> `c`\x1b[2J"), Run(id="r1"), NOW)
    assert "\x1b" not in text and "<script>" not in text.replace("\\<", "")
    assert r"a \| b\\n\# \[x\](http://evil)" in text
    assert "    ansible-playbook playbooks/undo.yml -l zekka1 -e id=r1\n" in text


def test_a_report_of_check_mode_says_that_nothing_was_changed() -> None:
    assert "check mode: nothing was changed" in as_markdown(summary(), Run(check_mode=True), NOW)
