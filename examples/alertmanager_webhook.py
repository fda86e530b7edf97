#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens an incident for each alert of Alertmanager, looks at its host, and does what REACTIONS allows, once.

    alertmanager_webhook.py inventories/mine web1 db1

Nobody but Alertmanager must reach it: it listens on loopback. There:

    receivers: [{name: firebreak, webhook_configs: [{url: "http://127.0.0.1:9099/"}]}]
"""

import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import firebreak

# What may be done about an alert, beyond looking. Whoever can raise an alert can have this done.
REACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "SshBruteForce": ("contain_security", {"max_risk": "disruptive"}),
}
# What the label `severity` of an alert says, in words of an incident. Of any other it is judged in doubt.
SEVERITIES = {"critical": "critical", "warning": "medium", "info": "low"}


class Webhook(HTTPServer):
    """`hosts` are the only ones that are ever touched; one run at a time."""

    def __init__(self, address: tuple[str, int], inventory: str, hosts: set[str]) -> None:
        super().__init__(address, Receiver)
        self.inventory, self.hosts, self.known = inventory, hosts, set[str]()
        self.runs, self.cancel = ThreadPoolExecutor(1), firebreak.Cancel()

    def receive(self, alert: dict[str, Any]) -> None:
        labels, mark = alert["labels"], alert["fingerprint"]
        host = labels.get("instance", "").partition(":")[0]
        began = datetime.fromisoformat(alert["startsAt"]).astimezone(UTC)
        opening = {
            "incident": f"alert-{mark}-{began:%Y%m%d-%H%M%S}",
            "title": f"{labels['alertname']} on {host}",
            "severity": SEVERITIES.get(labels.get("severity"), ""),
            "detected": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        }
        if alert["status"] == "resolved":
            self.known.discard(mark)
        elif host in self.hosts and mark not in self.known:
            self.known.add(mark)
            self.runs.submit(self.react, labels["alertname"], host, opening)

    def react(self, name: str, host: str, opening: dict[str, Any]) -> None:
        incident = {"incident": opening["incident"]}
        self.run("open_incident", None, opening)
        self.run("triage", host, incident)
        if name in REACTIONS:
            playbook, inputs = REACTIONS[name]
            self.run(playbook, host, incident | inputs)

    def run(self, playbook: str, limit: str | None, inputs: dict[str, Any]) -> None:
        what = f"{playbook} of {inputs['incident']}"
        try:
            outcome = firebreak.run(
                playbook,
                limit=limit,
                inputs=inputs,
                inventory=self.inventory,
                timeout=600,
                cancel=self.cancel,
            )
            print(f"{what}: {outcome.status}: {outcome.message}", flush=True)
        except Exception as error:
            print(f"{what} was not run: {error}", flush=True)

    def server_close(self) -> None:
        super().server_close()
        self.cancel()
        self.runs.shutdown(cancel_futures=True)


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
    signal.signal(signal.SIGTERM, lambda *_given: sys.exit())
    with Webhook(("127.0.0.1", 9099), sys.argv[1], set(sys.argv[2:])) as webhook:
        print("waiting for alerts", flush=True)
        webhook.serve_forever()
