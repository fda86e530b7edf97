#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for elasticsearch and cadvisor: the same ports, a health answer, some memory."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROLES = {
    "elasticsearch": (9200, 24, {"/_cluster/health": {"cluster_name": "matrixon", "status": "green"}}),
    "cadvisor": (8080, 4, {"/healthz": "ok", "/metrics": "cadvisor_up 1\n"}),
}


def main() -> None:
    port, megabytes, pages = ROLES[sys.argv[1]]
    ballast = bytearray(b"x" * (megabytes << 20))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            body = (page if isinstance(page, str) else json.dumps(page)).encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            if not self.path.startswith(("/health", "/_cluster")):
                super().log_message(format, *args)

    print(f"{sys.argv[1]} stand-in on port {port}, {len(ballast)} bytes held", flush=True)
    ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
