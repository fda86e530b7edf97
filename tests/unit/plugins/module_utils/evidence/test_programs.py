# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import command
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import Program
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import ABSENT, TOOL, Means
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.programs import journal, program

MakeMeans = Callable[..., Means]

# What journalctl does with the options that are used, over the entries of a file.
JOURNALCTL = """#!/bin/sh
for word; do
  case "$word" in
    --after-cursor=*) cursor=${word#*=};;
    --since=@*) since=${word#*@};;
  esac
done
[ -n "$cursor" ] && [ -n "$since" ] && { echo "only one of them" >&2; exit 1; }
awk -v cursor="$cursor" -v since="$since" '
  cursor && !seen { if (index($0, "\\"" cursor "\\"")) seen = 1; next }
  since { split($0, part, "\\""); if (part[8] / 1000000 < since) next }
  { print }' ENTRIES
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setattr(command, "SEARCH", f"{path}{os.pathsep}{os.environ['PATH']}")
    return path


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_output_code_complaint_and_digest_of_the_program(tools: Path, means: MakeMeans) -> None:
    put(tools / "tool", "#!/bin/sh\necho rules; echo trouble >&2; exit 3\n")
    part = program("x", Program(("tool", "-a"), "tools"), means()).parts[0]
    assert part.command == [str(tools / "tool"), "-a"]
    assert part.program_sha256 == hashlib.sha256((tools / "tool").read_bytes()).hexdigest()
    read = part.read(None, 1000)
    assert (read.data, read.code, read.complaint, read.cut) == (b"rules\n", 3, "trouble", None)


def test_what_prints_too_much_is_cut(tools: Path, means: MakeMeans) -> None:
    put(tools / "tool", "#!/bin/sh\nyes\n")
    read = program("x", Program(("tool",), "tools"), means()).parts[0].read(None, 1000)
    assert len(read.data) == 1000
    assert read.cut is not None


def test_a_program_that_is_missing_is_named_with_its_package(means: MakeMeans) -> None:
    missing = program("rules", Program(("no-such-tool",), "nftables"), means()).missing[0]
    assert missing.cause == TOOL
    assert "nftables" in missing.reason
    optional = program("rules", Program(("no-such-tool",), "iptables", optional=True), means()).missing[0]
    assert optional.cause == ABSENT


def test_a_program_is_not_asked_for_what_the_host_does_not_have(means: MakeMeans) -> None:
    opened = program("rules", Program(("true",), "coreutils", only_if="/no/such/path"), means())
    assert (len(opened.parts), opened.missing[0].cause) == (0, ABSENT)


def entries(count: int) -> str:
    # The newest first, a second apart, the newest at second 1000.
    return "".join(
        json.dumps(
            {
                "__CURSOR": f"c{number}",
                "__REALTIME_TIMESTAMP": str((1000 - number) * 1_000_000),
                "MESSAGE": "x" * 200,
            }
        )
        + "\n"
        for number in range(count)
    )


@pytest.fixture
def journalctl(tools: Path, tmp_path: Path) -> Path:
    (tmp_path / "entries").write_text(entries(50))
    put(tools / "journalctl", JOURNALCTL.replace("ENTRIES", str(tmp_path / "entries")))
    return tmp_path / "entries"


def cursors(data: bytes) -> list[str]:
    return [json.loads(line)["__CURSOR"] for line in data.splitlines()]


def test_the_journal_goes_on_behind_a_cursor_and_stops_where_the_window_begins(
    journalctl: Path, means: MakeMeans
) -> None:
    part = journal(means(since=970.0)).parts[0]
    data, more = b"", None
    for _turn in range(20):
        read = part.read(more, 1000)
        data += read.data
        more = read.more
        assert read.code == 0
        if more is None:
            break
    assert cursors(data) == [f"c{number}" for number in range(31)]


def test_the_whole_journal_is_read_in_the_profile_full(journalctl: Path, means: MakeMeans) -> None:
    read = journal(means(full=True, since=970.0)).parts[0].read(None, 1 << 20)
    assert len(cursors(read.data)) == 50


def test_the_share_of_the_budget_costs_the_oldest_entries(journalctl: Path, means: MakeMeans) -> None:
    part = journal(means(full=True, most=3000)).parts[0]
    read = part.read(None, 1 << 20)
    assert cursors(read.data)[0] == "c0"
    assert len(read.data) <= 3000
    assert read.more is None
    assert read.cut is not None


def test_an_entry_that_fits_nowhere_ends_the_journal(journalctl: Path, means: MakeMeans) -> None:
    read = journal(means(full=True)).parts[0].read(None, 50)
    assert (read.data, read.more) == (b"", None)
    assert read.cut is not None
