# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody left on a host is in the evidence, the host is as it was, and a changed byte is noticed."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Attacker, Lab

from .adhoc import ad_hoc

HOSTS = ("zekka1", "matrixon1")
SECRET = "quince-and-medlar-1794"
IMPLANT = "/var/tmp/.fonts-cache"
PLANT = f"""
cp /bin/sleep {IMPLANT}
SESSION_TOKEN={SECRET} setsid {IMPLANT} 600 </dev/null >/dev/null 2>&1 &
echo $!
sleep 0.2
rm {IMPLANT}
echo '# {SECRET}' > /etc/cron.d/fonts-cache
touch /dev/shm/marker
"""
# Services and logs write all the time; nothing else may. /tmp is memory here.
WRITTEN = (
    "find / -xdev -newer /dev/shm/marker -type f -not -path '/proc/*' -not -path '/var/log/*' "
    "-not -path '/var/lib/fail2ban/*' -not -path '/var/lib/postgresql/*' -not -path '/var/lib/redis/*' "
    "-not -path '/var/lib/docker/*' -not -path '/opt/*/logs/*'; "
    "find /var/tmp /root /home -newer /dev/shm/marker"
)


@pytest.fixture
def planted(pristine: Lab, attacker: Attacker) -> Iterator[Mapping[str, int]]:
    """On each host a process whose program is gone, and a connection; the process ids."""
    pids = {}
    for host in HOSTS:
        told = pristine.run(host, ["bash", "-c", PLANT]).check("planting")
        pids[host] = int(told.stdout.split()[0])
    with attacker.hold_connection("zekka1"), attacker.hold_connection("matrixon1"):
        yield pids
    for host, pid in pids.items():
        pristine.run(host, ["bash", "-c", f"kill {pid}; rm -f /etc/cron.d/fonts-cache /dev/shm/marker"])


def lines(collection: Path, step: str) -> list[dict[str, Any]]:
    (path,) = collection.glob(f"*-{step}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def collect(play: Callable[..., Any], tmp_path: Path, *words: str, **inputs: Any) -> Any:
    return play("collect_evidence", *words, evidence_directory=str(tmp_path / "evidence"), **inputs)


def ids(result: Mapping[str, Any]) -> list[str]:
    return [finding["id"] for finding in result["findings"]]


def test_what_was_planted_is_in_the_evidence_and_the_hosts_are_as_they_were(
    planted: Mapping[str, int], pristine: Lab, play: Callable[..., Any], tmp_path: Path
) -> None:
    done = collect(play, tmp_path)
    assert (done.code, done.changed()) == (0, 0), done.output
    for host, pid in planted.items():
        result = done.result(host, "evidence")
        assert (result["complete"], ids(result)) == (True, ["evidence.collection.kept"])
        assert abs(result["clock_offset_seconds"]) < 1
        path = Path(result["path"])
        process = next(line for line in lines(path, "processes") if line["pid"] == pid)
        assert (process["exe"], process["exe_deleted"]) == (f"{IMPLANT} (deleted)", True)
        copies = list(path.glob(f"*-deleted_binary-{pid:010d}_.fonts-cache.bin"))
        assert copies[0].read_bytes() == pristine_sleep(pristine, host)
        peers = {line["peer"] for line in lines(path, "connections") if line["state"] == "ESTABLISHED"}
        assert any("172.29.77.66:" in peer for peer in peers)
        assert any(SECRET in line.get("text", "") for line in lines(path, "cron"))
        assert pristine.run(host, ["sh", "-c", WRITTEN]).stdout.split() == []
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS"], cwd=path, check=True)
    containers = Path(done.result("matrixon1", "evidence")["path"]).glob("*-docker_*")
    names = {path.name.partition("-")[2] for path in containers}
    assert {"docker_logs-matrixon-app.txt", "docker_changes-matrixon-app.json"} <= names
    assert SECRET not in done.output

    tampered = sorted(Path(done.result("zekka1", "evidence")["path"]).glob("*-processes.jsonl"))[0]
    run = tampered.parent.parent
    assert verified(play, run).result("localhost", "evidence_info")["intact"]
    data = tampered.read_bytes()
    tampered.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
    found = verified(play, run).result("localhost", "evidence_info")
    assert [(each["host"], each["intact"]) for each in found["collections"]] == [
        ("matrixon1", True),
        ("zekka1", False),
    ]
    changed = [finding for finding in found["findings"] if finding["level"] == "critical"]
    assert [finding["id"] for finding in changed] == ["evidence.artefact.changed"]
    assert tampered.name in changed[0]["summary"]


def pristine_sleep(lab: Lab, host: str) -> bytes:
    return base64.b64decode(lab.run(host, ["base64", "-w0", "/bin/sleep"]).stdout)


def verified(play: Callable[..., Any], path: Path) -> Any:
    done = play("verify_evidence", limit=None, path=str(path))
    assert done.code == 0, done.output
    return done


def test_secrets_are_in_the_files_and_nowhere_else(
    planted: Mapping[str, int], play: Callable[..., Any], tmp_path: Path
) -> None:
    done = collect(play, tmp_path, "-vvv", limit="zekka1", profile="full")
    result = done.result("zekka1", "evidence")
    environment = lines(Path(result["path"]), "environment")
    mine = next(line for line in environment if line["pid"] == planted["zekka1"])
    assert f"SESSION_TOKEN={SECRET}" in mine["environment"]
    assert SECRET not in done.output + json.dumps(result)
    assert not [line for line in done.output.splitlines() if len(line) > 10_000]


def test_a_budget_that_is_too_small_says_what_is_missing(
    lab: Lab, play: Callable[..., Any], tmp_path: Path
) -> None:
    done = collect(play, tmp_path, limit="zekka1", profile="volatile", max_bytes="100k")
    assert done.code == 0, done.output
    result = done.result("zekka1", "evidence")
    assert not result["complete"]
    assert result["bytes"] <= 100 * 1024
    assert "evidence.collection.incomplete" in ids(result)
    lacking = [missing["name"] for missing in result["not_collected"] if missing["cause"] == "budget"]
    assert "temporary_files" in lacking
    manifest = json.loads((Path(result["path"]) / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert "102400 bytes" in manifest["reason"]


def test_a_controller_without_room_is_refused_before_anything(
    lab: Lab, play: Callable[..., Any], tmp_path: Path
) -> None:
    small = tmp_path / "evidence"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "evidence", str(small)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here; test_collection.py has the same with made-up figures")
    try:
        done = collect(play, tmp_path, limit="zekka1", profile="volatile")
        assert done.code != 0
        assert "MiB are free" in done.messages()[0]
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_check_mode_says_what_it_would_collect_and_writes_nothing(
    lab: Lab, play: Callable[..., Any], tmp_path: Path
) -> None:
    done = collect(play, tmp_path, "--check", limit="zekka1")
    assert (done.code, done.changed()) == (0, 0)
    assert any(line.startswith("processes: ") for line in done.result("zekka1", "evidence")["would_collect"])
    assert not (tmp_path / "evidence").exists()


def test_evidence_is_never_overwritten_and_never_collected_over_the_suspects_disk(
    lab: Lab, tmp_path: Path
) -> None:
    run = json.dumps({"firebreak_run": {"run": {"id": "again"}}})
    command = [
        *("zekka1", "-i", "inventories/lab", "-m", "firebreak.incident.evidence", "-e", run),
        *("-a", f"directory={shlex.quote(str(tmp_path))} profile=volatile"),
    ]

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        return ad_hoc(*command, *words)

    refused = ask("-e", "ansible_pipelining=false")
    assert refused.returncode != 0
    assert "pipelining = true" in refused.stdout
    assert not (tmp_path / "again").exists()
    assert ask().returncode == 0
    before = (tmp_path / "again" / "zekka1" / "SHA256SUMS").read_text()
    again = ask()
    assert again.returncode != 0
    assert "never overwritten" in again.stdout
    assert (tmp_path / "again" / "zekka1" / "SHA256SUMS").read_text() == before
