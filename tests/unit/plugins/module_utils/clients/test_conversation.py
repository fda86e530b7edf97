# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.conversation import Conversation
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

# Says what each line tells it to, until it is told to end.
PARROT = """
import os, sys, time
for line in sys.stdin:
    word, _space, rest = line.rstrip("\\n").partition(" ")
    if word == "say":
        print(rest, flush=True)
    elif word == "much":
        print("x" * int(rest), flush=True)
    elif word == "wrong":
        print(rest, file=sys.stderr, flush=True)
    elif word == "sleep":
        time.sleep(float(rest))
    elif word == "end":
        sys.exit(int(rest))
"""


@pytest.fixture
def parrot() -> Iterator[Conversation]:
    conversation = Conversation([sys.executable, "-c", PARROT])
    yield conversation
    conversation.close()


def test_one_process_answers_again_and_again(parrot: Conversation) -> None:
    for word in ("one", "two"):
        done = parrot.ask(f"say {word}\nsay fin\n", "fin", 5)
        assert (done.code, done.stdout) == (0, f"{word}\n")


def test_an_answer_may_be_empty(parrot: Conversation) -> None:
    assert parrot.ask("say fin\n", "fin", 5).stdout == ""


def test_the_last_line_is_a_line(parrot: Conversation) -> None:
    assert parrot.ask("say xfin\nsay fin\n", "fin", 5).stdout == "xfin\n"


def test_what_is_long_goes_both_ways(parrot: Conversation) -> None:
    text = "y" * 300_000
    assert parrot.ask(f"say {text}\nsay fin\n", "fin", 5).stdout == f"{text}\n"


def test_how_it_ended_is_told_instead_of_an_answer(parrot: Conversation) -> None:
    done = parrot.ask("say half\nwrong no such thing\nend 3\nsay fin\n", "fin", 5)
    assert (done.code, done.stdout, done.stderr) == (3, "half\n", "no such thing\n")


def test_one_that_has_gone_is_no_answer(parrot: Conversation) -> None:
    with pytest.raises(Unreachable, match="ended before it had answered"):
        parrot.ask("end 0\nsay fin\n", "fin", 5)


def test_time_is_bounded(parrot: Conversation) -> None:
    with pytest.raises(Unreachable, match=r"did not answer within 0\.2 s"):
        parrot.ask("sleep 30\nsay fin\n", "fin", 0.2)


def test_so_is_its_answer(parrot: Conversation) -> None:
    assert parrot.ask("much 90000\nsay fin\n", "fin", 5, budget=1000).truncated


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        Conversation([str(tmp_path / "psql")])
