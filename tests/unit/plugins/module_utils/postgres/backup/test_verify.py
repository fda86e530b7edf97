# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_programs import Ran
from ansible_collections.firebreak.incident.plugins.module_utils.clients.postgres_session import (
    Access,
    Refused,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import IdentityChanged, Unreachable
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.catalogue import (
    Backup,
    found,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.findings import (
    latest,
    passed_over,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.observe import (
    NEWEST,
    Proofs,
    examined,
)
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.backup.verify import (
    DumpText,
    Verification,
    verify,
)

ACCESS = Access()
TEXT = b"""--
-- PostgreSQL database dump
--
\\restrict abc
--
-- Name: items; Type: TABLE; Schema: public; Owner: web
--

CREATE TABLE public.items (id integer);
--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: web
--

CREATE FUNCTION public.f() AS $$
COPY public.nothing (id) FROM stdin;
CREATE TABLE nothing
$$;
--
-- Data for Name: items; Type: TABLE DATA; Schema: public; Owner: web
--

COPY public.items (id, name) FROM stdin;
1\ta
2\t\\N
\\.

-- Data for Name: It"ems; 1; Type: TABLE DATA; Schema: public; Owner: web
COPY public."It""ems; 1" (id) FROM stdin;
\\.

--
-- PostgreSQL database dump complete
--

\\unrestrict abc
"""
ARCHIVE = b"PGDMP\x01\x0e\x00\x04\x08\x01" + b"\0" * 60


def in_file(directory: Path, name: str, content: bytes) -> Backup:
    (directory / name).write_bytes(content)
    return found(str(directory))[0]


def restoring(code: int = 0, stderr: str = "", output: bytes = TEXT) -> Callable[..., Ran]:
    def run(_access: Access, _program: str, arguments: Any, _seconds: float, source: Any, sink: Any) -> Ran:
        assert arguments == ["-f", "-"]
        source.read(10)
        sink.write(output)
        return Ran(code, stderr, 10, len(output), 0)

    return run


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_tables_and_rows_are_counted_whatever_pieces_they_come_in(size: int) -> None:
    text = DumpText()
    for start in range(0, len(TEXT), size):
        text.write(TEXT[start : start + size])
    assert (text.tables, text.rows, text.complete, text.size) == (2, 2, True, len(TEXT))


def test_a_row_without_end_is_not_kept() -> None:
    text = DumpText()
    text.write(b"-- Data for Name: t; Type: TABLE DATA\nCOPY t (a) FROM stdin;\n")
    for _piece in range(40):
        text.write(b"x" * 100_000)
    text.write(b"\nb\n\\.\n")
    assert (text.tables, text.rows) == (1, 2)


MADE = (
    b"-- Name: t; Type: TABLE; Schema: public; Owner: web\n--\n\nCREATE TABLE public.t (\n    id integer\n)"
)
WHOLE = b"-- Name: p; Type: TABLE; Schema: public;\nCREATE TABLE p (id int)\nPARTITION BY RANGE (id);\n"
DATA = b"-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: web\n"
COPIED, INSERTED = DATA + b"COPY t (id) FROM stdin;\n\\.\n", DATA + b"INSERT INTO t VALUES (1);\n"
EXTENSION = b"-- Name: pg_cron; Type: EXTENSION; Schema: -; Owner: -\nCREATE EXTENSION pg_cron;\n"


@pytest.mark.parametrize(
    ("content", "lacks"),
    [
        (b"", ""),
        (MADE + b";\n", "--schema-only"),
        (MADE + b";\n" + COPIED, ""),
        (MADE + b";\n" + INSERTED, ""),
        (WHOLE, ""),
        (WHOLE + MADE + b";\n", "--schema-only"),
        (COPIED, "--data-only"),
        (INSERTED, "--data-only"),
        (EXTENSION + COPIED, ""),
    ],
)
def test_a_dump_of_half_of_what_there_was_is_none(content: bytes, lacks: str, tmp_path: Path) -> None:
    dump = content + b"--\n-- PostgreSQL database dump complete\n--\n"
    done = verify(in_file(tmp_path, "a.sql", dump), ACCESS, 10)
    assert done.ok == (not lacks) and lacks in done.reason


def test_a_reader_that_is_too_old_says_nothing_about_the_dump(tmp_path: Path) -> None:
    backup = in_file(tmp_path, "a.dump", ARCHIVE)
    said = "pg_restore: error: unsupported version (1.16) in file header\n"
    with pytest.raises(Unreachable, match="older than the pg_dump"):
        verify(backup, ACCESS, 10, restoring(1, said))


@pytest.mark.parametrize("name", ["a.sql", "a.sql.gz", "a.globals.sql"])
def test_a_dump_that_reaches_its_end_is_good(name: str, tmp_path: Path) -> None:
    content = gzip.compress(TEXT) if name.endswith("gz") else TEXT
    (tmp_path / "a.json").touch()
    backup = replace(in_file(tmp_path, "x.sql", b"x"), path=str(tmp_path / name))
    (tmp_path / name).write_bytes(content)
    status = (tmp_path / name).stat()
    kind = "sql_gz" if name.endswith("gz") else "sql"
    backup = replace(backup, kind=kind, size=len(content), inode=status.st_ino, mtime_ns=status.st_mtime_ns)
    done = verify(backup, ACCESS, 10)
    assert (done.ok, done.reason, done.tables, done.rows) == (True, "", 2, 2)
    assert done.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.sql", b"", "it is empty"),
        ("a.sql", TEXT[:-60], "lacks the mark at its end"),
        ("a.sql", b"<html>404</html>", "lacks the mark at its end"),
        ("a.sql.gz", gzip.compress(TEXT)[:-9], "cannot be decompressed"),
        ("a.sql.gz", gzip.compress(TEXT)[:-8] + b"\0" * 8, "cannot be decompressed"),
        ("a.sql.gz", gzip.compress(TEXT[:-60]), "lacks the mark at its end"),
        ("a.sql.gz", b"\x1f\x8b garbage", "cannot be decompressed"),
    ],
)
def test_what_was_cut_off_or_is_something_else_is_not(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    done = verify(in_file(tmp_path, name, content), ACCESS, 10)
    assert not done.ok and reason in done.reason, done


def test_an_archive_is_as_good_as_pg_restore_finds_it(tmp_path: Path) -> None:
    backup = in_file(tmp_path, "a.dump", ARCHIVE)
    done = verify(backup, ACCESS, 10, restoring())
    assert (done.ok, done.tables) == (True, 2)
    # All of it counts, also what pg_restore did not need.
    assert done.sha256 == hashlib.sha256(ARCHIVE).hexdigest()
    broken = verify(backup, ACCESS, 10, restoring(1, "pg_restore: error: could not read: end of file\n"))
    assert broken.reason == (
        "pg_restore cannot read it to its end: pg_restore: error: could not read: end of file"
    )
    assert "lacks the mark" in verify(backup, ACCESS, 10, restoring(output=TEXT[:-60])).reason


def test_a_compressed_archive_is_unpacked_on_the_way(tmp_path: Path) -> None:
    def run(_access: Access, _program: str, _arguments: Any, _seconds: float, source: Any, sink: Any) -> Ran:
        assert source.read(1000) == ARCHIVE
        source.read(1000)
        sink.write(TEXT)
        return Ran(0, "", 0, 0, 0)

    backup = in_file(tmp_path, "a.dump.gz", gzip.compress(ARCHIVE))
    assert verify(backup, ACCESS, 10, run).ok
    cut = in_file(tmp_path, "a.dump.gz", gzip.compress(ARCHIVE)[:-4])
    assert "cannot be decompressed" in verify(cut, ACCESS, 10, run).reason


def test_content_that_is_not_the_recorded_one_is_broken(tmp_path: Path) -> None:
    backup = replace(in_file(tmp_path, "a.sql", TEXT), manifest={"sha256": "abc"})
    assert "no longer what was recorded" in verify(backup, ACCESS, 10).reason


def test_a_file_that_is_another_one_by_now_is_not_judged(tmp_path: Path) -> None:
    backup = replace(in_file(tmp_path, "a.sql", TEXT), inode=1)
    with pytest.raises(IdentityChanged):
        verify(backup, ACCESS, 10)


def test_what_takes_too_long_is_not_broken(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="could not be read in time"):
        verify(in_file(tmp_path, "a.sql", TEXT), ACCESS, 0)


def test_the_latest_is_the_newest_that_can_be_read(backup: Callable[..., Backup]) -> None:
    newest, unread, good, older = (backup(age) for age in range(4))

    def check(one: Backup, _access: Access, _seconds: float) -> Verification:
        if one is unread:
            raise Refused(ACCESS, "pg_restore is not on this host", "Install it.")
        assert one is not older
        return Verification(one is good, "" if one is good else "it is empty", 0)

    seen = examined([newest, unread, good, older], Proofs(ACCESS, 10, check), NEWEST)
    found = latest(seen)
    assert found is not None and found.backup is good
    assert [(one.backup.path, one.reason, one.verified) for one in passed_over(seen)] == [
        (newest.path, "it is empty", False),
        (unread.path, str(Refused(ACCESS, "pg_restore is not on this host", "Install it.")), None),
    ]


def test_nothing_is_read_when_the_time_is_over(tmp_path: Path) -> None:
    (seen,) = examined([in_file(tmp_path, "a.sql", TEXT)], Proofs(ACCESS, 0), NEWEST)
    assert latest([seen]) is None
    assert "could not be read in time" in seen.reason


def test_a_head_of_no_known_kind_is_the_dump_s_fault(tmp_path: Path) -> None:
    said = "pg_restore: error: unsupported version (32.99) in file header\n"
    done = verify(in_file(tmp_path, "a.dump", ARCHIVE), ACCESS, 10, restoring(1, said))
    assert not done.ok and "cannot read it to its end" in done.reason
