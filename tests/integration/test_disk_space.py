# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that could not write on a full filesystem can, and nothing is gone that matters."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module

HOST, OTHER, PORT = "zekka1", "matrixon1", 8097
ROOT = "/var/log/fb-disk"
# Users get 500 when it cannot write a line to its log.
APP = f"""
import http.server
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with open("{ROOT}/app/requests.log", "a") as log:
                log.write("GET " + self.path + " " + "x" * 5000 + chr(10))
            code = 200
        except OSError:
            code = 500
        self.send_response(code)
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", {PORT}), App).serve_forever()
"""
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
PREPARE = f"""
mkdir -p {ROOT}; mount -t tmpfs -o size=48m,nr_inodes=1200,mode=755 none {ROOT}
mkdir {ROOT}/app; chown zekka: {ROOT}/app
systemd-run -q --collect --unit fb-disk-app -p User=zekka python3 /run/fb-disk-app.py
for attempt in $(seq 50); do curl -so /dev/null http://127.0.0.1:{PORT}/ && break; sleep 0.1; done
"""
CLEAR = f"""
systemctl stop fb-disk-app fb-disk-holder; [ -e /run/fb-nginx.pid ] && kill $(cat /run/fb-nginx.pid)
for mount in {ROOT}/app/inner {ROOT}; do umount -l $mount; done; rm -rf {ROOT} /run/fb-* /run/firebreak
rm -rf /var/lib/firebreak
"""


class Site:
    """The application on its small filesystem, and what its users get."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def sh(self, script: str, host: str = HOST) -> str:
        return self.lab.run(host, ["bash", "-ec", script]).check(script).stdout

    def answers(self) -> str:
        words = ["curl", "-sm5", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{PORT}/"]
        return self.lab.run(HOST, words).stdout

    def fill(self) -> None:
        """To the last block, as somebody else whose file is no log."""
        self.lab.run(HOST, ["bash", "-c", f"cat /dev/zero >> {ROOT}/app/data.bin; sync"])

    def room(self, path: str = ROOT, host: str = HOST) -> int:
        return int(self.sh(f"df --output=avail -B1 {path} | tail -1", host))


@pytest.fixture
def site(lab: Lab) -> Iterator[Site]:
    site = Site(lab)
    lab.run(HOST, ["bash", "-c", CLEAR])
    lab.run(HOST, ["tee", "/run/fb-disk-app.py"], input=APP)
    site.sh(PREPARE)
    assert site.answers() == "200"
    yield site
    lab.run(HOST, ["bash", "-c", CLEAR])


SERVICES = {"app": {"runtime": "systemd", "unit": "fb-disk-app.service", "logs": [f"{ROOT}/app/*.log"]}}


def clear(**options: Any) -> dict[str, Any]:
    return module(HOST, "disk_space", path=ROOT, services=SERVICES, **options)


def test_rotated_logs_are_compressed_where_not_one_block_is_free(
    site: Site, play: Callable[..., Any]
) -> None:
    site.sh(f"for n in 1 2; do seq 1 1500000 | head -c 9000000 > {ROOT}/app/app.log.$n; done")
    site.sh(f"chown zekka:adm {ROOT}/app/app.log.1; chmod 640 {ROOT}/app/app.log.1")
    before = site.sh(f"sha256sum < {ROOT}/app/app.log.1; stat -c '%U %G %a %Y' {ROOT}/app/app.log.1")
    site.fill()
    assert (site.answers(), site.room()) == ("500", 0)

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
    assert site.answers() == "500"
    done = fix()
    assert done.code == 0, done.output
    result = done.result(HOST, "disk_space")
    assert (result["verdict"], result["findings"]) == ("resolved", [])
    assert result["after"]["writable"] == {f"{ROOT}/app": True, ROOT: True}
    assert site.answers() == "200"
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
    assert site.answers() == "500"
    done = clear()
    assert done["verdict"] == "resolved", done
    assert [act["action"] for act in done["actions"]] == ["disk.logs.reopen"]
    assert site.answers() == "200"
    site.sh(f"curl -s http://127.0.0.1:8098/; grep -c GET {ROOT}/front.log")
    site.fill()
    failed = clear()
    assert failed["failed"]
    (held,) = [each for each in failed["findings"] if each["id"] == "disk.deleted.held"]
    assert held["evidence"]["bytes"] >= 4000000
    assert "fb-disk-holder.service" in held["summary"]


def test_a_log_being_written_is_turned_over_without_losing_a_line(site: Site) -> None:
    site.lab.run(HOST, ["tee", "/run/fb-nginx.conf"], input=NGINX)
    site.sh("nginx -c /run/fb-nginx.conf 2>/dev/null; curl -s http://127.0.0.1:8098/")
    site.sh(f"yes 'GET /before 200' | head -n 900000 >> {ROOT}/front.log")
    site.sh(f"head -c 20000000 /dev/zero > {ROOT}/app/data.bin; curl -s http://127.0.0.1:8098/")
    done = clear(free="60%", levers=["compress"])
    assert [act["action"] for act in done["actions"]] == ["disk.log.turn_over"], done
    assert done["verdict"] in ("resolved", "improved")
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
    assert site.answers() == "500"
    asked: dict[str, Any] = {
        "levers": ["compress", "old_logs"],
        "log_roots": [ROOT],
        "max_risk": "destructive",
    }
    refused = clear(levers=["old_logs"], log_roots=[ROOT])
    assert refused["failed"], refused
    assert "max_risk is disruptive" in refused["msg"]
    nameless = clear(levers=["old_logs"], max_risk="destructive")
    assert "log_roots" in nameless["msg"]
    assert site.answers() == "500"

    done = clear(free="1%", security_incident="open", **asked)
    assert done["verdict"] == "resolved", done
    assert site.answers() == "200"
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
    kept = clear(free="99%", security_incident="open", **asked)
    assert any(act["status"] == "refused" and "evidence" in act["reason"] for act in kept["actions"]), kept
    assert site.sh(f"ls {ROOT}/app/auth.log.2")
    clear(free="99%", security_incident="closed", **asked)
    assert "auth.log.2" not in site.sh(f"ls {ROOT}/app")
    assert "odd" not in site.sh(f"ls {ROOT}/app")
    assert "young.log.1" in site.sh(f"ls {ROOT}/app")


def test_backups_but_for_the_newest_that_verify_go(site: Site) -> None:
    make = """
cd {root}; mkdir backups; chmod 700 backups; cd backups
runuser -u postgres -- pg_dump -Fc postgres > /run/fb-dump
for day in 10 11 12 13 14; do
  name=shop-202611${{day}}T030000Z.dump; cp /run/fb-dump $name; touch -d "2026-11-$day 03:05 UTC" $name
done
name=shop-20261115T030000Z.dump; head -c 900 /run/fb-dump > $name; touch -d '2026-11-15 03:05 UTC' $name
head -c 3000000 /dev/zero > unknown.bin; echo "--" > backup-20260101.dump
"""
    site.sh(make.format(root=ROOT))
    site.fill()
    backup = {"directory": f"{ROOT}/backups", "keep": 2}
    asked = {"levers": ["backups"], "backup": backup, "max_risk": "destructive", "free": "20%"}
    planned = module(HOST, "disk_space", "--check", path=ROOT, **asked)
    assert len(planned["actions"]) == 3, planned
    done = clear(**asked)
    assert [act["status"] for act in done["actions"]] == ["done"] * 3, done
    assert done["verdict"] == "improved"
    assert site.sh(f"ls {ROOT}/backups").split() == [
        "backup-20260101.dump",
        "shop-20261113T030000Z.dump",
        "shop-20261114T030000Z.dump",
        "shop-20261115T030000Z.dump",
        "unknown.bin",
    ]


def test_package_caches_are_emptied(site: Site) -> None:
    apt = "/var/cache/apt"
    try:
        site.sh(f"mount -t tmpfs -o size=16m none {apt}; mkdir -p {apt}/archives/partial")
        site.sh(f"head -c 12000000 /dev/zero > {apt}/archives/a_1_all.deb")
        site.lab.run(HOST, ["bash", "-c", f"cat /dev/zero > {apt}/other"])
        assert site.room(apt) == 0
        done = module(HOST, "disk_space", path=apt)
        assert (done["verdict"], done["actions"][0]["action"]) == ("resolved", "disk.cache.clean"), done
        assert site.room(apt) >= 12000000
        assert "a_1_all.deb" in site.sh("cat /var/lib/firebreak/manifests/*.jsonl")
    finally:
        site.lab.run(HOST, ["umount", "-l", apt])


def test_the_journal_is_cut_but_for_what_is_kept(site: Site) -> None:
    journal = "/var/log/journal"
    try:
        site.sh(f"mount -t tmpfs -o size=200m none {journal}; systemctl restart systemd-journald; sleep 0.5")
        site.sh("journalctl --flush; journalctl --rotate; mkdir -p /var/log/journal/$(cat /etc/machine-id)")
        site.sh("systemctl restart systemd-journald; journalctl --flush")
        site.sh("head -c 12000000 /dev/urandom | base64 -w 1500 | systemd-cat -t fb-disk; journalctl --sync")
        site.sh(f"cat /dev/zero > {journal}/other || true")
        kept = module(
            HOST,
            "disk_space",
            path=journal,
            levers=["journal"],
            journal_keep="2m",
            security_incident="open",
            max_risk="destructive",
        )
        assert kept["failed"], kept
        assert "evidence" in kept["msg"]
        done = module(
            HOST, "disk_space", path=journal, levers=["journal"], journal_keep="2m", max_risk="destructive"
        )
        assert done["verdict"] in ("resolved", "improved"), done
        assert done["after"]["freed"] > 0
    finally:
        site.lab.run(HOST, ["umount", "-l", journal])
        site.lab.run(HOST, ["bash", "-c", "systemctl restart systemd-journald; journalctl --flush"])


def test_a_container_s_log_is_cut_and_docker_logs_still_answers(lab: Lab) -> None:
    site = Site(lab)
    image = site.sh("docker inspect -f '{{.Config.Image}}' matrixon-cadvisor-1", OTHER).strip()
    script = "trap exit TERM; yes line | head -c 14000000; while :; do echo more; sleep 0.1; done"
    create = f"docker create --name fb-disk --network none --entrypoint sh {image} -c '{script}'"
    lab.run(OTHER, ["bash", "-c", "docker rm -f fb-disk"])
    number = site.sh(create, OTHER).strip()
    place = f"/var/lib/docker/containers/{number}"
    try:
        site.sh(
            f"cp -a {place} /run/fb-disk; mount -t tmpfs -o size=24m none {place}; "
            f"cp -a /run/fb-disk/. {place}/; rm -r /run/fb-disk; docker start fb-disk; sleep 4",
            OTHER,
        )
        lab.run(OTHER, ["bash", "-c", f"cat /dev/zero > {place}/other"])
        asked = {"path": place, "levers": ["container_logs"], "max_risk": "destructive"}
        done = module(OTHER, "disk_space", **asked)
        assert done["verdict"] == "resolved", done
        assert [act["action"] for act in done["actions"]] == [
            "disk.container_log.truncate",
            "disk.container.restart",
        ]
        time.sleep(0.5)
        tail = lab.run(OTHER, ["timeout", "5", "docker", "logs", "--tail", "1", "fb-disk"])
        assert tail.check("docker logs").stdout
    finally:
        away = f"docker rm -f fb-disk; umount -l {place}; docker rm -f fb-disk; rm -rf {place}"
        lab.run(OTHER, ["bash", "-c", away])
        lab.run(OTHER, ["bash", "-c", "rm -rf /var/lib/firebreak /run/firebreak"])


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
