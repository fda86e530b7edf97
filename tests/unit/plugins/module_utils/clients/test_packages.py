# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import packages
from ansible_collections.firebreak.incident.plugins.module_utils.clients.packages import (
    Differs,
    Packages,
    Record,
    parse_apk,
    parse_conffiles,
    parse_md5sums,
    parse_rpm,
)

STATUS = """Package: cron
Status: install ok installed
Conffiles:
 /etc/crontab {crontab}
 /etc/cron.d/old 89cd2b2b5d8b8d9b2d1c8a1b3c4d5e6f obsolete
Description: x
 /etc/none 89cd2b2b5d8b8d9b2d1c8a1b3c4d5e6f
"""


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A merged /usr with two packages: one names its files the old way."""
    for name, text in {
        "usr/bin/ls": "ls", "usr/bin/cat": "cat", "usr/lib/x.so.1": "lib", "usr/share/x/data": "data",
        "usr/share/doc/x/README": "", "etc/crontab": "jobs",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "usr/bin/ls").chmod(0o755)
    (tmp_path / "bin").symlink_to("usr/bin")
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "coreutils.list").write_text("/.\n/bin\n/bin/ls\n/bin/cat\n")
    (info / "coreutils.md5sums").write_text(f"{md5('ls')}  bin/ls\n{md5('cat')}  bin/cat\n")
    (info / "libx:amd64.list").write_text("/usr/lib/x.so.1\n/usr/share/x/data\n/usr/share/doc/x/README\n")
    (info / "libx:amd64.md5sums").write_text(
        f"{md5('lib')}  usr/lib/x.so.1\n{md5('data')}  usr/share/x/data\n"
        f"{md5('doc')}  usr/share/doc/x/README\n"
    )
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS.format(crontab=md5("jobs")))
    return tmp_path


def differs(root: Path) -> list[tuple[str, str, bool, bool]]:
    found = Packages(str(root)).verify(lambda: 9.0).differs
    return [(item.path, item.how, item.conffile, item.runs) for item in found]


def test_a_host_as_installed_differs_in_nothing_and_documentation_does_not_count(root: Path) -> None:
    found = Packages(str(root)).verify(lambda: 9.0)
    assert (found.manager, found.checked, found.differs, found.late, found.edited) == ("dpkg", 5, (), 0, ())


def test_one_byte_is_enough_and_the_path_is_the_real_one(root: Path) -> None:
    (root / "usr/bin/ls").write_text("lS")
    assert differs(root) == [("/usr/bin/ls", "changed", False, True)]


def test_what_is_missing_or_became_a_link_is_told(root: Path) -> None:
    (root / "usr/lib/x.so.1").unlink()
    (root / "usr/bin/cat").unlink()
    (root / "usr/bin/cat").symlink_to("ls")
    assert sorted(differs(root)) == [
        ("/usr/bin/cat", "replaced", False, True),
        ("/usr/lib/x.so.1", "missing", False, True),
    ]


def test_configuration_is_marked_as_such(root: Path) -> None:
    (root / "etc/crontab").write_text("more jobs")
    assert differs(root) == [("/etc/crontab", "changed", True, False)]


def test_a_file_that_another_package_took_over_is_not_the_old_one_s(root: Path) -> None:
    (root / "usr/share/x/data").write_text("newer")
    (root / "var/lib/dpkg/info/libx:amd64.list").write_text("/usr/lib/x.so.1\n")
    assert differs(root) == []


def test_a_diverted_file_is_looked_for_where_it_went(root: Path) -> None:
    (root / "usr/lib/x.so.1").rename(root / "usr/lib/x.so.1.distrib")
    (root / "usr/lib/x.so.1").write_text("another")
    (root / "var/lib/dpkg/diversions").write_text("/usr/lib/x.so.1\n/usr/lib/x.so.1.distrib\nother\n")
    assert differs(root) == []
    owners = Packages(str(root)).owners(["/usr/lib/x.so.1.distrib"], lambda: 9.0)
    assert owners["/usr/lib/x.so.1.distrib"].package == "libx:amd64"


def test_programs_come_first_when_time_is_short(root: Path) -> None:
    found = Packages(str(root)).verify(lambda: 0.0)
    assert (found.checked, found.late) == (0, 5)


def test_checksums_written_long_after_their_package_are_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "SAME_RUN_SECONDS", -1.0)
    assert "libx:amd64" in Packages(str(root)).verify(lambda: 9.0).edited


def test_owners_are_found_under_either_name(root: Path) -> None:
    found = Packages(str(root)).owners(["/usr/bin/ls", "/bin/cat", "/opt/x", "relative"], lambda: 9.0)
    assert {path: owned.package for path, owned in found.items()} == {
        "/usr/bin/ls": "coreutils", "/bin/cat": "coreutils",
    }  # fmt: skip


def test_checksum_files_with_garbage() -> None:
    text = "zz\n\n" + "a" * 32 + "  usr/bin/a b\n" + "a" * 31 + "  x\n"
    assert list(parse_md5sums(text, "p")) == [Record("/usr/bin/a b", "p", "md5", "a" * 32)]


def test_obsolete_configuration_is_left_out() -> None:
    assert [record.path for record in parse_conffiles(STATUS.format(crontab="a" * 32))] == ["/etc/crontab"]


def test_the_database_of_apk() -> None:
    text = (
        "C:Q1abc=\nP:busybox\nV:1.36\nF:bin\nR:busybox\na:0:0:755\nZ:Q1qUqP5cyxm6YcTAhz05Hph5gvu9M=\n"
        "F:etc\nR:securetty\nZ:Q1mB95Hq2NUTZ599RDiSsj9w5FrOU=\nR:bad\nZ:Q1!!\nR:odd\nZ:Q9AAAA\n"
    )
    found = list(parse_apk(text))
    assert [(one.path, one.package, one.algorithm, one.conffile) for one in found] == [
        ("/bin/busybox", "busybox", "sha1", False),
        ("/etc/securetty", "busybox", "sha1", True),
    ]
    assert found[0].digest == "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"


def test_what_rpm_says_of_its_files() -> None:
    text = (
        "S.5....T.  c /etc/ssh/sshd_config\n..5....T.    /usr/bin/ls\n.......T.    /usr/bin/cat\n"
        "missing     /usr/bin/wget\nmissing   c /etc/x (Permission denied)\nS.5....T.  d /usr/share/doc/x\n"
        ".M.......  g /run/x\nUnsatisfied dependencies for x\n"
    )
    assert list(parse_rpm(text)) == [
        Differs("/etc/ssh/sshd_config", "", "changed", conffile=True),
        Differs("/usr/bin/ls", "", "changed"),
        Differs("/usr/bin/wget", "", "missing"),
        Differs("/etc/x", "", "missing", conffile=True),
    ]
