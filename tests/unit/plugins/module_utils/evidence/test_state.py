# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.evidence import state
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import Means

MakeMeans = Callable[..., Means]
ReadAll = Callable[..., list[bytes]]


@pytest.fixture
def deleted(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose program has no name any more."""
    program = tmp_path / "implant"
    shutil.copy("/bin/cat", program)
    child = subprocess.Popen([str(program)], stdin=subprocess.PIPE, env={"SECRET": "plum"})
    program.unlink()
    yield child
    child.communicate()


def read(name: str, means: Means, read_all: ReadAll, room: int = 1 << 20) -> list[dict[str, Any]]:
    data = b"".join(read_all(state.open_state(name, means).parts[0], room))
    return [json.loads(line) for line in data.splitlines()]


def test_a_deleted_program_is_named_and_copied_out_of_memory(
    deleted: subprocess.Popen[bytes], tmp_path: Path, means: MakeMeans, read_all: ReadAll
) -> None:
    line = next(line for line in read("processes", means(), read_all) if line["pid"] == deleted.pid)
    assert line["exe_deleted"] is True
    assert line["command"] == [str(tmp_path / "implant")]
    assert line["parent"] == str(os.getpid())
    parts = state.open_state("deleted_binaries", means()).parts
    part = next(part for part in parts if part.key.endswith(" implant"))
    assert b"".join(read_all(part, 10_000)) == Path("/bin/cat").read_bytes()


def test_every_process_is_there_once_in_whatever_pieces(means: MakeMeans, read_all: ReadAll) -> None:
    whole = [line["pid"] for line in read("processes", means(), read_all)]
    pieces = [line["pid"] for line in read("processes", means(), read_all, room=5000)]
    assert os.getpid() in whole
    assert len(set(pieces)) == len(pieces)


def test_a_connection_names_the_process_that_owns_it(means: MakeMeans, read_all: ReadAll) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as end,
    ):
        peer = f"127.0.0.1:{end.getsockname()[1]}"
        lines = read("connections", means(), read_all)
        files = next(line for line in read("open_files", means(), read_all) if line["pid"] == os.getpid())
    found = next(line for line in lines if line["local"] == peer)
    assert (found["protocol"], found["state"], found["pids"]) == ("tcp", "ESTABLISHED", [os.getpid()])
    assert f"socket:[{found['inode']}]" in files["open"].values()


def test_more_than_the_room_is_cut_and_said_so() -> None:
    read = state.connections(10)
    assert len(read.data) == 10
    assert read.cut is not None
    assert "did not fit" in read.cut


def test_the_environment_is_read_where_it_is_asked_for(
    deleted: subprocess.Popen[bytes], means: MakeMeans, read_all: ReadAll
) -> None:
    lines = read("environment", means(), read_all)
    assert {"pid": deleted.pid, "environment": ["SECRET=plum"]} in lines


def test_maps_are_headed_by_their_process(means: MakeMeans, read_all: ReadAll) -> None:
    text = b"".join(read_all(state.open_state("memory_maps", means()).parts[0])).decode()
    assert f"== pid {os.getpid()} " in text
    assert "[stack]" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0100007F:1538", "127.0.0.1:5432"),
        ("00000000000000000000000001000000:0016", "[::1]:22"),
        ("0000000000000000FFFF00000B4D1DAC:01BB", "[::ffff:172.29.77.11]:443"),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the samples are of a little-endian host")
def test_endpoints_are_read_in_the_hosts_byte_order(text: str, expected: str) -> None:
    assert state.endpoint(text) == expected


@pytest.mark.parametrize("row", ["", "garbage", "0: zz:1 00000000:0 0A x x x x x", "0: 0100007F:1538"])
def test_a_row_that_is_none_is_left_out(row: str) -> None:
    assert state.connection(row, "tcp", {}) is None


def test_a_process_that_ended_is_no_lack() -> None:
    assert state.process(2**22 + 1) is None
    assert state.memory_maps(2**22 + 1) == b""


def test_the_clock_says_when_the_host_booted(means: MakeMeans, read_all: ReadAll) -> None:
    said = json.loads(b"".join(read_all(state.open_state("clock", means()).parts[0])))
    assert said["booted"] < said["now"]
