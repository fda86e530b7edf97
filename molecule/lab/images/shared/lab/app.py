#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web application of the lab: every answer to a user needs PostgreSQL and Redis."""

from __future__ import annotations

import collections
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import cookies
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2
import redis

POOL_SIZE = int(os.environ.get("POOL_SIZE", "5"))
POOL_WAIT = 2.0
SESSION_SECONDS = 900
STREAM_SECONDS = 600
LOG_DIR = os.environ.get("LOG_DIR", "")
SERVER_NAME = os.environ.get("SERVER_NAME", "app")

log = logging.getLogger("app")
security = logging.getLogger("app.security")
counts: collections.Counter[int] = collections.Counter()
counts_lock = threading.Lock()
maintenance = threading.Event()


class Trouble(Exception):
    """A dependency did not answer as it must."""


class Pool:
    """At most `size` connections; a caller waits a moment for one and then gives up."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._slots = threading.BoundedSemaphore(size)
        self._idle: collections.deque[Any] = collections.deque()
        self.in_use = 0

    def _connect(self) -> Any:
        # Where and who come from the PG* variables, so that no secret is on a command line.
        connection = psycopg2.connect(connect_timeout=2, options="-c statement_timeout=5000")
        connection.autocommit = True
        return connection

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=POOL_WAIT):
            raise Trouble(f"connection pool exhausted: {self.size} of {self.size} in use")
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            self._slots.release()

    def query(self, sql: str, args: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._slot():
            while True:
                try:
                    connection, fresh = self._idle.popleft(), False
                except IndexError:
                    connection, fresh = self._open(), True
                try:
                    with connection.cursor() as cursor:
                        cursor.execute(sql, args)
                        rows = cursor.fetchall() if cursor.description else []
                except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
                    connection.close()
                    # A pooled connection may have died with an earlier server: take the next one.
                    if fresh or getattr(error, "pgcode", None) == "57014":
                        raise Trouble(f"database: {str(error).strip()}") from error
                    continue
                except psycopg2.Error as error:
                    connection.close()
                    raise Trouble(f"database: {str(error).strip()}") from error
                self._idle.append(connection)
                return list(rows)

    def _open(self) -> Any:
        try:
            return self._connect()
        except psycopg2.Error as error:
            raise Trouble(f"database: {str(error).strip()}") from error


pool = Pool(POOL_SIZE)
store = redis.Redis(
    host=os.environ.get("REDIS_HOST", "127.0.0.1"),
    port=int(os.environ.get("REDIS_PORT", "6379")),
    password=os.environ.get("REDIS_PASSWORD") or None,
    socket_timeout=2,
    socket_connect_timeout=2,
    health_check_interval=5,
)


def items() -> list[dict[str, Any]]:
    rows = pool.query("SELECT id, name FROM items ORDER BY id LIMIT 20")
    return [{"id": row[0], "name": row[1]} for row in rows]


def session(sid: str | None) -> tuple[str, int]:
    """Count this visit in the session and return its id."""
    sid = sid or secrets.token_hex(16)
    key = f"session:{sid}"
    try:
        before = store.get(key)
        visits = (json.loads(before)["visits"] if before else 0) + 1
        store.set(key, json.dumps({"visits": visits}), ex=SESSION_SECONDS)
    except redis.RedisError as error:
        raise Trouble(f"redis: {error}") from error
    return sid, visits


def health() -> tuple[int, dict[str, Any]]:
    checks: dict[str, Callable[[], object]] = {
        "database": lambda: pool.query("SELECT 1"),
        "redis": lambda: session("health"),
    }
    states: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
            states[name] = "ok"
        except Trouble as error:
            states[name] = str(error)
    good = all(state == "ok" for state in states.values())
    status = "ok" if good else "unhealthy"
    body = {"status": status, "dependencies": states, "maintenance": maintenance.is_set()}
    return (200 if good else 503), body


def metrics() -> str:
    lines = ["# HELP http_requests_total Requests answered.", "# TYPE http_requests_total counter"]
    with counts_lock:
        lines += [f'http_requests_total{{code="{code}"}} {n}' for code, n in sorted(counts.items())]
    for name, text, value in (
        ("app_db_pool_size", "Connections the pool may hold.", pool.size),
        ("app_db_pool_in_use", "Connections in use.", pool.in_use),
        ("app_maintenance", "1 while maintenance mode is on.", int(maintenance.is_set())),
    ):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]
    return "\n".join(lines) + "\n"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "lab-app"
    timeout = 75

    def log_message(self, format: str, *args: Any) -> None:
        log.info("%s %s", self.client(), format % args)

    def client(self) -> str:
        peer = str(self.client_address[0])
        return self.headers.get("X-Real-IP", peer) if getattr(self, "headers", None) else peer

    def answer(self, code: int, body: object, kind: str = "application/json", cookie: str = "") -> None:
        data = (body if isinstance(body, str) else json.dumps(body) + "\n").encode()
        with counts_lock:
            counts[code] += 1
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if cookie:
            self.send_header("Set-Cookie", f"sid={cookie}; HttpOnly; Path=/")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def trouble(self, error: Trouble) -> None:
        log.error("%s %s: %s", self.command, self.path, error)
        self.answer(503, {"error": str(error)})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self.answer(200, metrics(), "text/plain; version=0.0.4")
        elif path == "/health":
            self.answer(*health())
        elif path in USER_PAGES and maintenance.is_set():
            self.answer(503, {"error": "maintenance"})
        elif path == "/api/stream":
            self.stream()
        elif path in USER_PAGES:
            try:
                sid, visits = session(self.sid())
                self.answer(200, USER_PAGES[path](visits), cookie=sid)
            except Trouble as error:
                self.trouble(error)
        else:
            self.answer(404, {"error": "not found"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.admin(maintenance.set)

    def do_DELETE(self) -> None:
        self.admin(maintenance.clear)

    def admin(self, change: Callable[[], None]) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = os.environ.get("ADMIN_TOKEN", "")
        given = self.headers.get("Authorization", "").partition("Bearer ")[2]
        if self.path != "/admin/maintenance":
            self.answer(404, {"error": "not found"})
        elif not token or not hmac.compare_digest(given.encode(), token.encode()):
            security.warning("authentication failure on %s from %s", self.path, self.client())
            self.answer(401, {"error": "unauthorized"})
        else:
            change()
            security.warning("maintenance=%s set by %s", maintenance.is_set(), self.client())
            self.answer(200, {"maintenance": maintenance.is_set()})

    def sid(self) -> str | None:
        jar = cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return jar["sid"].value if "sid" in jar else None

    def stream(self) -> None:
        """A server that only pushes, as an event stream does."""
        with counts_lock:
            counts[200] += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        end = time.monotonic() + STREAM_SECONDS
        try:
            while time.monotonic() < end:
                self.wfile.write(f"data: {time.time():.3f}\n\n".encode())
                time.sleep(0.25)
        except OSError:
            log.info("%s left the stream", self.client())


USER_PAGES: dict[str, Callable[[int], object]] = {
    "/": lambda visits: {"server": SERVER_NAME, "visits": visits, "items": len(items())},
    "/api/items": lambda visits: {"items": items(), "visits": visits},
    "/api/stream": lambda visits: {},
    "/_matrix/client/versions": lambda visits: {"versions": ["v1.11", "v1.12"], "items": len(items())},
}


def set_up_logs() -> None:
    shape = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    shape.converter = time.gmtime
    level = getattr(logging, os.environ.get("LOG_LEVEL", "info").upper(), logging.INFO)
    targets: list[tuple[logging.Logger, str, int]] = [
        (log, "application.log", level),
        (log, "error.log", logging.ERROR),
        (security, "security.log", logging.INFO),
    ]
    for logger, name, floor in targets:
        handler = logging.FileHandler(Path(LOG_DIR, name)) if LOG_DIR else logging.StreamHandler()
        handler.setLevel(floor)
        handler.setFormatter(shape)
        logger.addHandler(handler)
    if LOG_DIR:
        console = logging.StreamHandler()
        console.setLevel(logging.WARNING)
        log.addHandler(console)
    log.setLevel(level)
    security.setLevel(logging.INFO)


def main() -> None:
    set_up_logs()
    address = (os.environ.get("LISTEN", "127.0.0.1"), int(os.environ.get("PORT", "3000")))
    ThreadingHTTPServer.request_queue_size = 128
    log.info("listening on %s:%d with a pool of %d", *address, POOL_SIZE)
    ThreadingHTTPServer(address, Handler).serve_forever()


if __name__ == "__main__":
    main()
