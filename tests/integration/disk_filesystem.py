# SPDX-License-Identifier: GPL-3.0-or-later
"""A small filesystem, and an application on it that must be able to write there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firebreak_lab import Lab

from .conftest import module

ROOT, PORT = "/var/log/fb-disk", 8097
SERVICES = {"app": {"runtime": "systemd", "unit": "fb-disk-app.service", "logs": [f"{ROOT}/app/*.log"]}}
# What its users get: 500, and why, when it cannot write a line to its log.
WORKING, FULL = "written 200", "No space left on device 500"
APP = f"""
import http.server
class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with open("{ROOT}/app/requests.log", "a") as log:
                log.write("GET " + self.path + " " + "x" * 5000 + chr(10))
            code, said = 200, "written"
        except OSError as error:
            code, said = 500, error.strerror
        self.send_response(code)
        self.end_headers()
        self.wfile.write(said.encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer(("127.0.0.1", {PORT}), App).serve_forever()
"""
PREPARE = f"""
mkdir -p {ROOT}; mount -t tmpfs -o size=48m,nr_inodes=1200,mode=755 none {ROOT}
mkdir {ROOT}/app; chown www-data: {ROOT}/app
systemd-run -q --collect --unit fb-disk-app -p User=www-data python3 /run/fb-disk-app.py
for attempt in $(seq 50); do curl -so /dev/null http://127.0.0.1:{PORT}/ && break; sleep 0.1; done
"""
CLEAR = f"""
systemctl stop fb-disk-app fb-disk-holder; [ -e /run/fb-nginx.pid ] && kill $(cat /run/fb-nginx.pid)
for mount in {ROOT}/app/inner {ROOT}; do umount -l $mount; done; rm -rf {ROOT} /run/fb-* /run/firebreak
rm -rf /var/lib/firebreak
"""


class Site:
    """The application on its small filesystem, what its users get, and a record of incidents of its own."""

    def __init__(self, lab: Lab, host: str, record: Path) -> None:
        self.lab, self.host = lab, host
        self._record = ["-e", f"firebreak_record=sqlite:///{record}"]

    def sh(self, script: str) -> str:
        return self.lab.run(self.host, ["bash", "-ec", script]).check(script).stdout

    def answers(self) -> str:
        words = ["curl", "-sm5", "-w", " %{http_code}", f"http://127.0.0.1:{PORT}/"]
        return self.lab.run(self.host, words).stdout

    def fill(self) -> None:
        """To the last block, as somebody else whose file is no log."""
        self.lab.run(self.host, ["bash", "-c", f"cat /dev/zero >> {ROOT}/app/data.bin; sync"])

    def room(self) -> int:
        return int(self.sh(f"df --output=avail -B1 {ROOT} | tail -1"))

    def clear(self, *words: str, **options: Any) -> dict[str, Any]:
        asked = {"path": ROOT, "services": SERVICES, **options}
        return module(self.host, "disk_space", *self._record, *words, **asked)

    def incident(self, **event: Any) -> dict[str, Any]:
        return module("localhost", "incident", *self._record, **event)

    @contextmanager
    def holding(self, directory: str) -> Iterator[None]:
        """A directory of the host, with what is in it, lies on the small filesystem for a while."""
        there = f"{ROOT}/{directory.rpartition('/')[2]}"
        self.sh(f"cp -a {directory} {there}; mount --bind {there} {directory}")
        try:
            yield
        finally:
            self.lab.run(self.host, ["umount", "-l", directory])


@contextmanager
def small_filesystem(lab: Lab, directory: Path, host: str = "zekka1") -> Iterator[Site]:
    site = Site(lab, host, directory / "incidents.db")
    lab.run(host, ["bash", "-c", CLEAR])
    lab.run(host, ["tee", "/run/fb-disk-app.py"], input=APP)
    try:
        site.sh(PREPARE)
        assert site.answers() == WORKING
        yield site
    finally:
        lab.run(host, ["bash", "-c", CLEAR])
