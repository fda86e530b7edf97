# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.evidence import files as files_module
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.catalogue import (
    Bundle,
    Files,
    Listing,
)
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.files import (
    bundle,
    files,
    listing,
    read_lines,
    read_piece,
)
from ansible_collections.firebreak.incident.plugins.module_utils.evidence.model import ABSENT, PROFILE, Means

MakeMeans = Callable[..., Means]
ReadAll = Callable[..., list[bytes]]


def lines_of(pieces: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(pieces).splitlines()]


def tree(base: Path) -> list[str]:
    for name in ("a", "a/b", "a-b", "c"):
        (base / name).mkdir()
    for name in ("a/1", "a/b/2", "a-b/3", "c/4", "z"):
        (base / name).write_text(name)
    return sorted((str(path) for path in base.rglob("*")), key=lambda path: path.split("/"))


class TestReadPiece:
    def test_a_file_comes_in_pieces_and_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(bytes(range(256)) * 10)
        pieces, more = [], None
        while True:
            read = read_piece(str(path), more, 1000, 1 << 20)
            pieces.append(read.data)
            more = read.more
            if more is None:
                break
        assert [len(piece) for piece in pieces] == [1000, 1000, 560]
        assert b"".join(pieces) == path.read_bytes()

    def test_what_is_written_meanwhile_is_not_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"x" * 10)
        first = read_piece(str(path), None, 6, 100)
        with path.open("ab") as stream:
            stream.write(b"y" * 100)
        second = read_piece(str(path), first.more, 60, 100)
        assert (second.data, second.more) == (b"x" * 4, None)

    def test_a_file_that_was_replaced_ends_the_artefact(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"x" * 10)
        first = read_piece(str(path), None, 6, 100)
        path.rename(tmp_path / "log.1")
        path.write_bytes(b"z" * 20)
        second = read_piece(str(path), first.more, 6, 100)
        assert second.data == b""
        assert second.cut is not None
        assert "replaced" in second.cut

    def test_of_a_large_file_the_end_is_taken_and_said_so(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_bytes(b"old" * 100 + b"new")
        read = read_piece(str(path), None, 1000, 3)
        assert read.data == b"new"
        assert read.cut == "the first 300 of 303 bytes were left out, to keep to the budget"


class TestFiles:
    def test_what_was_last_written_before_the_window_is_named_and_not_read(
        self, tmp_path: Path, means: MakeMeans
    ) -> None:
        for name, mtime in (("new.1", 2000), ("old.1", 1000), ("old-20261101.gz", 1000)):
            (tmp_path / name).write_text("x")
            os.utime(tmp_path / name, (mtime, mtime))
        opened = files(Files((f"{tmp_path}/*",)), means(since=1500.0))
        assert [part.source for part in opened.parts] == [f"{tmp_path}/new.1"]
        old = [(f"{tmp_path}/old-20261101.gz", PROFILE), (f"{tmp_path}/old.1", PROFILE)]
        assert [(missing.name, missing.cause) for missing in opened.missing] == old
        assert len(files(Files((f"{tmp_path}/*",)), means(since=1500.0, full=True)).parts) == 3

    def test_a_log_that_was_given_an_old_date_is_read_all_the_same(
        self, tmp_path: Path, means: MakeMeans
    ) -> None:
        (tmp_path / "auth.log").write_text("x")
        os.utime(tmp_path / "auth.log", (1000, 1000))
        opened = files(Files((f"{tmp_path}/*",)), means(since=1500.0))
        assert [part.source for part in opened.parts] == [f"{tmp_path}/auth.log"]

    def test_two_names_of_a_file_are_one_artefact_and_a_dead_link_no_lack(
        self, tmp_path: Path, means: MakeMeans
    ) -> None:
        (tmp_path / "log").write_text("x")
        (tmp_path / "same").symlink_to(tmp_path / "log")
        (tmp_path / "dead").symlink_to(tmp_path / "nothing")
        opened = files(Files((f"{tmp_path}/*",)), means())
        assert [part.key for part in opened.parts] == [f"{tmp_path}/log"]
        assert [missing.cause for missing in opened.missing] == [ABSENT]

    def test_logs_of_the_services_are_read_too_whatever_is_written_there(
        self, tmp_path: Path, means: MakeMeans
    ) -> None:
        (tmp_path / "app.log").write_text("x")
        services = {"app": {"logs": [f"{tmp_path}/*.log", "relative/*"]}, "odd": None, "none": {"logs": None}}
        opened = files(Files((), services=True), means(services=services))
        assert [part.key for part in opened.parts] == [f"{tmp_path}/app.log"]

    def test_a_pipe_among_the_logs_is_passed_by(self, tmp_path: Path, means: MakeMeans) -> None:
        os.mkfifo(tmp_path / "log")
        assert not files(Files((f"{tmp_path}/*",)), means()).parts


class TestBundle:
    def test_text_bytes_links_and_long_files(
        self, tmp_path: Path, means: MakeMeans, read_all: ReadAll
    ) -> None:
        (tmp_path / "1text").write_text("täxt")
        (tmp_path / "2bytes").write_bytes(b"\xff\x00")
        (tmp_path / "3link").symlink_to("1text")
        (tmp_path / "4long").write_bytes(b"x" * (files_module.SMALL_FILE + 1))
        (tmp_path / "5directory").mkdir()
        opened = bundle(Bundle((f"{tmp_path}/*",)), means())
        found = lines_of(read_all(opened.parts[0]))
        assert [Path(line["path"]).name for line in found] == ["1text", "2bytes", "3link", "4long"]
        assert (found[0]["text"], found[1]["base64"]) == ("täxt", "/wA=")
        assert (found[2]["target"], found[2]["text"]) == ("1text", "täxt")
        assert (len(found[3]["text"]), found[3]["truncated"]) == (files_module.SMALL_FILE, True)

    def test_what_is_secret_is_described_and_not_read(
        self, tmp_path: Path, means: MakeMeans, read_all: ReadAll
    ) -> None:
        shadow = tmp_path / "shadow"
        shadow.write_text("root:$y$plum:")
        source = Bundle((str(shadow),), secret=(str(shadow),))
        opened = bundle(source, means())
        written = b"".join(read_all(opened.parts[0]))
        assert b"plum" not in written
        assert lines_of([written])[0]["size"] == 13
        assert [missing.cause for missing in opened.missing] == [PROFILE]
        assert b"plum" in b"".join(read_all(bundle(source, means(full=True)).parts[0]))

    def test_goes_on_where_it_stopped(self, tmp_path: Path, means: MakeMeans, read_all: ReadAll) -> None:
        for number in range(10):
            (tmp_path / str(number)).write_text("x" * 100)
        part = bundle(Bundle((f"{tmp_path}/*",)), means()).parts[0]
        pieces = read_all(part, 500)
        assert len(pieces) > 2
        assert b"".join(pieces) == b"".join(read_all(part))


class TestListing:
    def test_everything_is_listed_once_in_whatever_pieces(
        self, tmp_path: Path, means: MakeMeans, read_all: ReadAll
    ) -> None:
        expected = tree(tmp_path)
        part = listing(Listing((str(tmp_path),)), means()).parts[0]
        for room in (1, 400, 1 << 20):
            assert [line["path"] for line in lines_of(read_all(part, room))] == expected

    def test_several_roots_go_on_in_the_right_one(
        self, tmp_path: Path, means: MakeMeans, read_all: ReadAll
    ) -> None:
        for name in ("z", "a"):
            (tmp_path / name).mkdir()
            tree(tmp_path / name)
        part = listing(Listing((f"{tmp_path}/z", f"{tmp_path}/a", f"{tmp_path}/gone")), means()).parts[0]
        assert lines_of(read_all(part, 1)) == lines_of(read_all(part))
        assert len(lines_of(read_all(part))) == 18

    def test_executables_have_a_hash(self, tmp_path: Path, means: MakeMeans, read_all: ReadAll) -> None:
        (tmp_path / "run").write_text("x")
        (tmp_path / "run").chmod(0o755)
        (tmp_path / "text").write_text("x")
        found = lines_of(read_all(listing(Listing((str(tmp_path),), "executables"), means()).parts[0]))
        assert [line.get("sha256") for line in found] == [hashlib.sha256(b"x").hexdigest(), None]

    def test_recent_leaves_out_what_did_not_change(
        self, tmp_path: Path, means: MakeMeans, read_all: ReadAll
    ) -> None:
        (tmp_path / "file").touch()
        future = means(since=(tmp_path / "file").stat().st_ctime + 100)
        part = listing(Listing((str(tmp_path),), recent=True), future).parts[0]
        assert b"".join(read_all(part, 1)) == b""

    def test_a_link_is_not_followed(self, tmp_path: Path, means: MakeMeans, read_all: ReadAll) -> None:
        (tmp_path / "link").symlink_to("/etc")
        found = lines_of(read_all(listing(Listing((str(tmp_path),)), means()).parts[0]))
        assert [(line["type"], line["target"]) for line in found] == [("link", "/etc")]

    def test_a_name_that_is_no_text_comes_through(
        self, tmp_path: Path, means: MakeMeans, read_all: ReadAll
    ) -> None:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n")).touch()
        found = lines_of(read_all(listing(Listing((str(tmp_path),)), means()).parts[0]))
        assert os.fsencode(found[0]["path"]).endswith(b"/\xff\n")


def test_lines_stop_when_the_time_is_over_and_say_where(means: MakeMeans) -> None:
    over = means(deadline=Deadline(0))
    read = read_lines(((number, f"{number}\n".encode()) for number in range(5)), over, 1000)
    assert (read.data, read.more) == (b"0\n", 0)
