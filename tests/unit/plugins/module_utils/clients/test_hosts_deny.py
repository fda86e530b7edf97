# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients in hosts.deny."""

from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.hosts_deny import parse, without


def test_every_client_of_every_line_is_found() -> None:
    text = "# sshd: 192.0.2.1\nsshd: 203.0.113.7, 203.0.113.8 [2001:db8::7]\n\nALL: ALL\n"
    assert [(entry.number, entry.client) for entry in parse(text)] == [
        (2, "203.0.113.7"),
        (2, "203.0.113.8"),
        (2, "[2001:db8::7]"),
        (4, "ALL"),
    ]


def test_a_line_with_exceptions_or_going_on_is_read_and_not_edited() -> None:
    text = "ALL: 203.0.113. EXCEPT 203.0.113.9\nsshd: 192.0.2.1, \\\n 192.0.2.2\n"
    found = {entry.client: entry.editable for entry in parse(text)}
    assert found == {"203.0.113.": False, "192.0.2.1": False, "192.0.2.2": False}


@pytest.mark.parametrize(
    ("line", "client", "left"),
    [
        ("sshd: 203.0.113.7, 203.0.113.8", "203.0.113.7", "sshd: 203.0.113.8"),
        ("sshd: 203.0.113.7", "203.0.113.7", None),
        ("sshd: a 203.0.113.7 : spawn /bin/x", "203.0.113.7", "sshd: a: spawn /bin/x"),
        ("sshd: [2001:db8::7], b", "[2001:db8::7]", "sshd: b"),
    ],
)
def test_one_client_is_taken_out_of_its_line(line: str, client: str, left: str | None) -> None:
    assert without(line, client) == left
