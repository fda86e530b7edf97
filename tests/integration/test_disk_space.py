# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that could not write on a full filesystem can, and nothing is gone that matters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module
from .disk_filesystem import FULL, ROOT, SERVICES, WORKING, Site, small_filesystem

HOST = "zekka1"
NGINX = f"""
pid /run/fb-nginx.pid;
events {{}}
http {{
  client_body_temp_path /run/fb-nginx; proxy_temp_path /run/fb-nginx; fastcgi_temp_path /run/fb-nginx;
  uwsgi_temp_path /run/fb-nginx; scgi_temp_path /run/fb-nginx;
  access_log {ROOT}/front.log;
  server {{ listen 127.0.0.1:8098; return 200 "here\\n"; }}
}}
error_log {ROOT}/front-error.log;
"""


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    with small_filesystem(lab, tmp_path) as site:
        yield site


def test_rotated_logs_are_compressed_where_not_one_block_is_free(
    site: Site, play: Callable[..., Any]
) -> None:
    site.sh(f"for n in 1 2; do seq 1 1500000 | head -c 9000000 > {ROOT}/app/app.log.$n; done")
    site.sh(f"chown zekka:adm {ROOT}/app/app.log.1; chmod 640 {ROOT}/app/app.log.1")
    before = site.sh(f"sha256sum < {ROOT}/app/app.log.1; stat -c '%U %G %a %Y' {ROOT}/app/app.log.1")
    site.fill()
    assert (site.answers(), site.room()) == (FULL, 0)

    def fix(*words: str, **inputs: Any) -> Any:
        return play(
            "fix_disk_space",
            *words,
            limit=HOST,
            path=ROOT,
            firebreak_services=SERVICES,
            firebreak_endpoints=[],
            free="20%",
            **inputs,
        )

    planned = fix("--check")
    assert planned.code == 0, planned.output
    assert planned.result(HOST, "disk_space")["verdict"] == "planned"
    assert site.answers() == FULL
    done = fix()
    assert done.code == 0, done.output
    result = done.result(HOST, "disk_space")
    assert (result["verdict"], result["findings"]) == ("resolved", [])
    assert result["after"]["writable"] == {f"{ROOT}/app": True, ROOT: True}
    assert site.answers() == WORKING
    packed = f"{ROOT}/app/app.log.1.gz"
    assert site.sh(f"zcat {packed} | sha256sum; stat -c '%U %G %a %Y' {packed}") == before
    again = fix()
    assert (again.code, again.changed()) == (0, 0), again.output
    assert again.result(HOST, "disk_space")["verdict"] == "not_needed"


def test_programs_let_go_of_deleted_logs_or_are_named(site: Site) -> None:
    site.lab.run(HOST, ["tee", "/run/fb-nginx.conf"], input=NGINX)
    site.sh("nginx -c /run/fb-nginx.conf 2>/dev/null; curl -s http://127.0.0.1:8098/")
    site.sh(f"yes 'GET / 200' | head -c 14000000 >> {ROOT}/front.log; rm {ROOT}/front.log")
    hold = f"import time; log = open('{ROOT}/held.log', 'w'); log.write('x' * 4000000); log.flush()"
    unit = "systemd-run -q --collect --unit fb-disk-holder"
    site.sh(f'{unit} python3 -c "{hold}; time.sleep(99)"; sleep 0.5; rm {ROOT}/held.log')
    site.fill()
    assert site.answers() == FULL
    done = site.clear()
    assert done["verdict"] == "resolved", done
    assert [act["action"] for act in done["actions"]] == ["disk.logs.reopen"]
    assert site.answers() == WORKING
    site.sh(f"curl -s http://127.0.0.1:8098/; grep -c GET {ROOT}/front.log")
    site.fill()
    failed = site.clear()
    assert failed["failed"]
    (held,) = [each for each in failed["findings"] if each["id"] == "disk.deleted.held"]
    assert held["evidence"]["bytes"] >= 4000000
    assert "fb-disk-holder.service" in held["summary"] and "restart it" in held["summary"]
    assert site.answers() == FULL
    site.sh("systemctl stop fb-disk-holder")
    assert site.answers() == WORKING


def test_a_deleted_log_of_a_writer_that_appends_is_cut(site: Site) -> None:
    hold = f"import time; log = open('{ROOT}/held.log', 'a'); log.write('x' * 9000000); log.flush()"
    site.sh(f'systemd-run -q --collect --unit fb-disk-holder python3 -c "{hold}; time.sleep(99)"')
    site.sh(f"until [ -s {ROOT}/held.log ]; do sleep 0.1; done; sleep 0.1; rm {ROOT}/held.log")
    site.fill()
    assert (site.answers(), site.room()) == (FULL, 0)
    done = site.clear(levers=["old_logs"], log_roots=[ROOT], max_risk="destructive")
    assert done["verdict"] == "resolved", done
    assert [act["action"] for act in done["actions"]] == ["disk.deleted.truncate"]
    assert site.answers() == WORKING


def test_a_log_being_written_is_turned_over_without_losing_a_line(site: Site) -> None:
    site.lab.run(HOST, ["tee", "/run/fb-nginx.conf"], input=NGINX)
    site.sh("nginx -c /run/fb-nginx.conf 2>/dev/null; curl -s http://127.0.0.1:8098/")
    site.sh(f"yes 'GET /before 200' | head -n 900000 >> {ROOT}/front.log")
    site.sh("curl -s http://127.0.0.1:8098/")
    site.fill()
    assert (site.answers(), site.room()) == (FULL, 0)
    done = site.clear(levers=["compress"])
    assert [act["action"] for act in done["actions"]] == ["disk.log.turn_over"], done
    assert done["verdict"] == "resolved"
    assert site.answers() == WORKING
    site.sh("curl -s http://127.0.0.1:8098/")
    lines = site.sh(f"cat <(zcat {ROOT}/front.log-*.gz) {ROOT}/front.log | wc -l")
    assert int(lines) == 900003
    assert site.sh(f"wc -l < {ROOT}/front.log").strip() == "1"


SMALL = f"""
cd {ROOT}/app; mkdir inner pg; mount -t tmpfs -o size=1m none inner
for n in $(seq 900); do echo $n > old-$n.log; done
touch -d '8 days ago' old-*.log
printf x > $'odd\\nname.log'; printf x > inner/mounted.log.1; printf x > pg/data.log.1; touch pg/PG_VERSION
echo precious > /run/fb-precious.log; ln -s /run/fb-precious.log link.log; echo x > notes.txt
printf x > twice.log.1; ln twice.log.1 twice.bin; printf x > auth.log.2
touch -d '9 days ago' $'odd\\nname.log' inner/mounted.log.1 pg/data.log.1 notes.txt twice.log.1 auth.log.2
printf x > young.log.1; touch -d '6 days 23 hours ago' young.log.1
rm -f requests.log
(n=0; while touch {ROOT}/fill-$n.dat; do n=$((n+1)); done) 2>/dev/null || true
"""


def test_full_inodes_and_evidence(site: Site) -> None:
    site.sh(SMALL)
    assert site.answers() == FULL
    asked: dict[str, Any] = {
        "levers": ["compress", "old_logs"],
        "log_roots": [ROOT],
        "max_risk": "destructive",
    }
    refused = site.clear(levers=["old_logs"], log_roots=[ROOT])
    assert refused["failed"], refused
    assert "max_risk is disruptive" in refused["msg"]
    nameless = site.clear(levers=["old_logs"], max_risk="destructive")
    assert "log_roots" in nameless["msg"]
    assert site.answers() == FULL

    opened = site.incident(event="open", title="somebody was in", security=True)["incident"]
    done = site.clear(free="1%", **asked)
    assert done["verdict"] == "resolved", done
    assert site.answers() == WORKING
    left = site.sh(f"cd {ROOT}/app; ls -d inner/* pg/* *.log *.1 *.2 notes.txt twice.bin | cat")
    for name in (
        "inner/mounted.log.1",
        "pg/data.log.1",
        "link.log",
        "notes.txt",
        "twice.log.1",
        "young.log.1",
    ):
        assert name in left.splitlines(), name
    assert site.sh("cat /run/fb-precious.log") == "precious\n"
    written = site.sh("cat /var/lib/firebreak/manifests/*.jsonl").splitlines()
    lines = [json.loads(line) for line in written]
    gone = 900 - len([name for name in left.splitlines() if name.startswith("old-")])
    assert len([line for line in lines if "/old-" in line["path"]]) == gone > 0

    # Enough inodes now; more bytes are wanted than can be freed, so that everything old goes.
    site.sh(f"head -c 4000000 /dev/zero > {ROOT}/other.bin")
    kept = site.clear(free="99%", **asked)
    (refusal,) = [act for act in kept["actions"] if act["status"] == "refused"]
    assert "evidence" in refusal["reason"] and opened in refusal["reason"], kept
    assert site.sh(f"ls {ROOT}/app/auth.log.2")
    site.incident(event="close", id=opened, unresolved=True)
    site.clear(free="99%", **asked)
    assert "auth.log.2" not in site.sh(f"ls {ROOT}/app")
    assert "odd" not in site.sh(f"ls {ROOT}/app")
    assert "young.log.1" in site.sh(f"ls {ROOT}/app")


def test_what_is_no_directory_of_logs_is_refused(lab: Lab) -> None:
    for options, said in (
        ({"log_roots": ["/var"]}, "holds much that is no log"),
        ({"log_roots": ["/etc/nginx"]}, "nothing below /etc"),
        ({"path": "/nowhere"}, "not there"),
        ({"path": ROOT, "free": "all"}, "not"),
    ):
        result = module(HOST, "disk_space", **options)
        assert result["failed"], result
        assert said in result["msg"]
