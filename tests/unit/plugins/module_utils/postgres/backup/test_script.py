# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.script import ask


def test_a_script_runs_as_whom_it_expects_and_from_where_they_may_be() -> None:
    said = ask(["sh", "-c", "pwd; echo $USER; id -un"], None, 10).split(" | ")
    assert said[0] == "/" and said[1] == said[2]


def test_its_last_words_are_kept() -> None:
    assert ask(["sh", "-c", "seq 100; echo oh >&2"], None, 10) == "97 | 98 | 99 | 100 | oh"
    assert ask(["true"], None, 10) == "it said nothing"


def test_a_script_that_fails_is_quoted() -> None:
    with pytest.raises(Unreachable, match="command sh: it ended with 3: no such database"):
        ask(["sh", "-c", "echo no such database >&2; exit 3"], None, 10)


def test_a_script_that_hangs_is_ended() -> None:
    with pytest.raises(Unreachable, match="did not finish"):
        ask(["sleep", "60"], None, 0.1)


def test_a_user_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match="user nobody-here"):
        ask(["true"], "nobody-here", 10)
