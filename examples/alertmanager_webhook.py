#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the host of each alert of Alertmanager, and does what REACTIONS allows, once for each alert.

    alertmanager_webhook.py inventories/mine web1 db1

Nobody but Alertmanager must reach it: it listens on loopback. There:

    receivers: [{name: firebreak, webhook_configs: [{url: "http://127.0.0.1:9099/"}]}]
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import firebreak

# What may be done about an alert, beyond looking. Whoever can raise an alert can have this done.
REACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "SshBruteForce": ("contain_security", {"max_risk": "disruptive"}),
}


class Webhook(HTTPServer):
    """`hosts` are the only ones that are ever touched; one run at a time."""

    def __init__(self, address: tuple[str, int], inventory: str, hosts: set[str]) -> None:
        super().__init__(address, Receiver)
        self.inventory, self.hosts, self.known = inventory, hosts, set[str]()
        self.runs = ThreadPoolExecutor(1)

    def receive(self, alert: dict[str, Any]) -> None:
        mark, host = alert["fingerprint"], alert["labels"].get("instance", "").partition(":")[0]
        if alert["status"] == "resolved":
            self.known.discard(mark)
        elif host in self.hosts and mark not in self.known:
            self.known.add(mark)
            self.runs.submit(self.react, alert["labels"]["alertname"], host)

    def react(self, name: str, host: str) -> None:
        for playbook, inputs in [("triage", {}), *([REACTIONS[name]] if name in REACTIONS else [])]:
            try:
                outcome = firebreak.run(
                    playbook, limit=host, inputs=inputs, inventory=self.inventory, timeout=600
                )
                print(f"{name}: {playbook} on {host}: {outcome.status}: {outcome.message}", flush=True)
            except Exception as error:
                print(f"{name}: {playbook} on {host} was not run: {error}", flush=True)


class Receiver(BaseHTTPRequestHandler):
    server: Webhook
    timeout = 10

    def do_POST(self) -> None:
        try:
            body = self.rfile.read(min(int(self.headers["Content-Length"]), 1 << 20))
            for alert in json.loads(body)["alerts"]:
                self.server.receive(alert)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return self.send_error(400, explain=f"this is no notification of Alertmanager: {error!r}")
        self.send_response(202)
        return self.end_headers()


if __name__ == "__main__":
    Webhook(("127.0.0.1", 9099), sys.argv[1], set(sys.argv[2:])).serve_forever()
