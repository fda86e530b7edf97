# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.buffers import clients

LINES = """\
id=3 addr=127.0.0.1:49962 laddr=127.0.0.1:6379 fd=8 name=web age=100 idle=2 flags=N db=0 sub=0 psub=0 ssub=0 \
multi=-1 qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=16384 rbp=16384 obl=0 oll=5 omem=5000000 \
tot-mem=5042810 events=r cmd=get user=default redir=-1 resp=2
id=4 addr=10.0.0.2:41 fd=9 name= age=5 idle=0 flags=S db=0 sub=0 psub=0 qbuf=0 qbuf-free=0 obl=0 oll=9 \
omem=70 tot-mem=90 cmd=psync user=default
id=5 addr=10.0.0.3:41 fd=9 name=hub age=5 idle=0 flags=P db=0 sub=2 psub=0 omem=1 tot-mem=30 cmd=subscribe
id=6 addr=10.0.0.3:42 fd=9 age=5 idle=0 flags=N db=0 sub=0 psub=0 qbuf=5 qbuf-free=7 obl=3 omem=1 cmd=set
nonsense
"""


def test_connections_are_told_apart_by_what_they_are_for() -> None:
    found = clients(LINES)
    assert {kind: (each.count, each.output, each.total) for kind, each in found.items()} == {
        "normal": (2, 5_000_004, 5_042_810 + 16),
        "replica": (1, 70, 90),
        "pubsub": (1, 1, 30),
    }


def test_the_biggest_is_named() -> None:
    first = clients(LINES)["normal"].biggest[0]
    assert (first.id, first.name, first.address, first.command) == (3, "web", "127.0.0.1:49962", "get")


def test_a_key_in_the_name_of_a_client_with_odd_bytes_can_be_shown() -> None:
    assert clients("id=1 addr=x name=\udcff omem=1")["normal"].biggest[0].name == "\\xff"
