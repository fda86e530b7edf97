# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose disk has no room left, for data or for one more file: seen, contained, taken back all the same.

A second sshd runs on both hosts, on a root of its own: the host's, with a small and full filesystem on which
everything new would be written. Whoever comes through it is on a host whose disk is full; the rest of the
lab is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab

from .conftest import at_once, module

HOSTS = ("zekka1", "matrixon1")
# By what there is none left of.
PORTS = {"blocks": 2222, "inodes": 2223}
# Where one host is proof enough.
ONE_HOST = {"blocks": "zekka1", "inodes": "matrixon1"}
LITTLE_MEMORY_PORT = 2224
ATTACKER = 71
START = """
base=/run/full-disk-$2
mkdir $base
mount -t tmpfs -o size=512k,nr_inodes=100 disk $base
mkdir $base/upper $base/work $base/root
mount -t overlay -o lowerdir=/,upperdir=$base/upper,workdir=$base/work overlay $base/root
cd $base/root
for path in /proc /sys /dev /run /var/log /var/lib/docker /etc/hosts /etc/resolv.conf /etc/hostname; do
  if [ -e $path ]; then mount --rbind $path .$path; fi
done
mount -t tmpfs -o size=$3 shm dev/shm
# Or systemctl and sudo take the root of its own for one that is none of theirs.
echo SYSTEMD_IGNORE_CHROOT=1 >> etc/environment
echo 'Defaults env_keep += SYSTEMD_IGNORE_CHROOT' > etc/sudoers.d/full-disk
echo 'sshd: 203.0.113.9' >> etc/hosts.deny
if [ $1 = blocks ]; then
  cat /dev/zero > full 2> /dev/null
else
  number=0
  while true 2> /dev/null > full.$number; do number=$((number + 1)); done
fi
exec chroot . /usr/sbin/sshd -D -p $2 -o PidFile=none
"""
BEGIN = """
iptables -I INPUT -p tcp --dport $2 -j ACCEPT
setsid unshare --mount --propagation private bash -c "$4" full-disk $1 $2 $3 > /dev/null 2>&1 < /dev/null &
until (echo > /dev/tcp/127.0.0.1/$2) 2> /dev/null; do sleep 0.05; done
readlink /proc/$!/ns/mnt
"""
# What holds the filesystem: the sshd, and the sessions that are kept open.
END = """
for space in /proc/[0-9]*/ns/mnt; do
  process=${space#/proc/}
  if [ "$(readlink $space)" = "$2" ]; then kill ${process%%/*}; fi
done 2> /dev/null
iptables -D INPUT -p tcp --dport $1 -j ACCEPT
until rmdir /run/full-disk-$1 2> /dev/null; do sleep 0.05; done
"""
# What was written on the full disk, and what was left in memory.
LEFT = """
sshd=$(pgrep -xf "$(printf 'sshd: /usr/sbin/sshd -D -p %s -o PidFile=none .listener.*' $1)")
cd /
nsenter --mount -t $sshd find /run/full-disk-$1/upper /run/full-disk-$1/root/dev/shm ! -name 'full*' | sort
nsenter --mount -t $sshd sha256sum /run/full-disk-$1/root/etc/hosts.deny
find /run -maxdepth 1 -name '*ansible*'
"""


@dataclass(frozen=True)
class Disk:
    """The full disk of both hosts, and where it is met."""

    kind: str
    port: int
    lab: Lab
    play: Callable[..., Any]

    @property
    def wanted(self) -> str:
        """The finding."""
        return {"blocks": "host.filesystem.full", "inodes": "host.filesystem.inodes"}[self.kind]

    def left(self) -> list[str]:
        """Of what was done, on the disk and in memory."""
        return at_once(
            lambda host: self.lab.run(host, ["bash", "-c", LEFT, "left", str(self.port)]).stdout, HOSTS
        )


@contextmanager
def full_disk(lab: Lab, kind: str, number: int, play: Callable[..., Any], shm: str = "64m") -> Iterator[Disk]:
    port = str(number)
    spaces: list[tuple[str, str]] = []
    try:
        for host in HOSTS:
            begun = lab.run(host, ["bash", "-c", BEGIN, "begin", kind, port, shm, START], timeout=20)
            spaces.append((host, begun.check(f"filling the disk of {host}").stdout.strip()))

        def on_full(playbook: str, *words: str, **inputs: Any) -> Any:
            return play(playbook, *words, ansible_port=number, **inputs)

        yield Disk(kind, number, lab, on_full)
    finally:
        for host, space in spaces:
            lab.run(host, ["bash", "-c", END, "end", port, space], timeout=20).check(f"emptying {host}")


@pytest.fixture(scope="module")
def module_play(tmp_path_factory: pytest.TempPathFactory, make_play: Callable[..., Any]) -> Any:
    return make_play(tmp_path_factory.mktemp("runner"))


@pytest.fixture(scope="module", params=tuple(PORTS))
def disk(request: pytest.FixtureRequest, lab: Lab, module_play: Any) -> Iterator[Disk]:
    lab.reset()
    with full_disk(lab, request.param, PORTS[request.param], module_play) as made:
        yield made
    lab.reset()


def troubles(result: Any) -> set[str]:
    """Without what is only good to know: of that, a busy moment hides a part."""
    return {finding["id"] for finding in result["findings"] if finding["level"] != "notice"}


def test_triage_says_that_the_disk_is_full_and_sees_the_rest(
    disk: Disk, module_play: Any, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    before = disk.left()
    usual = module_play("triage")
    run = disk.play("triage", report=str(report))
    assert run.code == 0, run.output
    for host in HOSTS:
        found = troubles(run.result(host, "triage_info"))
        assert found == {disk.wanted} | troubles(usual.result(host, "triage_info"))
        assert disk.wanted in report.read_text(encoding="utf-8")
    assert disk.left() == before, "nothing was written on the disk, and nothing stays in memory"


def test_without_pipelining_the_module_is_sent_into_memory(disk: Disk) -> None:
    words = ["-e", f"ansible_port={disk.port}", "-e", "ansible_pipelining=false"]
    result = module(ONE_HOST[disk.kind], "triage_info", *words, sections=["host"])
    assert not result["failed"], result
    assert disk.wanted in troubles(result)
    assert "ansible-tmp-" not in "".join(disk.left())


def test_an_attacker_is_blocked_written_down_in_memory_and_let_in_again(
    disk: Disk, attacker: Attacker, lab: Lab
) -> None:
    at_once(lambda host: attacker.attack(host, ATTACKER), HOSTS)
    contained = disk.play("contain_security")
    assert contained.code == 0, contained.output
    for host in HOSTS:
        assert contained.result(host, "ip_block")["verdict"] == "resolved"
        written = lab.run(host, ["cat", "/run/firebreak/ledger.jsonl"]).stdout.splitlines()
        assert [e["status"] for e in map(json.loads, written) if e["action"] == "firewall.block"] == [
            "planned",
            "done",
        ]
    assert "full" not in contained.output
    assert at_once(lambda host: attacker.probe(host, 443, ATTACKER), HOSTS) == [False, False]
    run = next(
        result["run"]["id"] for (_host, action), result in contained.results.items() if action == "begin"
    )
    undone = disk.play("undo", id=run)
    assert undone.code == 0, undone.output
    for host in HOSTS:
        assert undone.result(host, "undo")["verdict"] == "resolved"
        assert attacker.probe(host, 443, ATTACKER)


def test_a_file_that_cannot_be_written_is_named_and_left_whole(disk: Disk) -> None:
    before = disk.left()
    options = {"addresses": ["203.0.113.9"], "state": "absent"}
    result = module(ONE_HOST[disk.kind], "ip_block", "-e", f"ansible_port={disk.port}", **options)
    assert result["failed"]
    assert "/etc/hosts.deny: No space left on device. The file is as it was" in result["msg"]
    ledger = {"/var", "/var/lib", "/var/lib/firebreak", "/var/lib/firebreak/ledger.jsonl", "/var/tmp"}
    for was, now in zip(before, disk.left(), strict=True):
        new = set(now.splitlines()) - set(was.splitlines())
        assert {path.partition("/upper")[2] for path in new} <= ledger, now


def test_memory_that_has_no_more_room_than_a_few_bytes_is_passed_over(
    pristine: Lab, module_play: Any
) -> None:
    with full_disk(pristine, "inodes", LITTLE_MEMORY_PORT, module_play, shm="16k") as disk:
        before = disk.left()
        run = disk.play("triage", sections=["host"])
        assert run.code == 0, run.output
        assert all(disk.wanted in troubles(run.result(host, "triage_info")) for host in HOSTS)
        assert disk.left() == before
