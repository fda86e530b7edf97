# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import (
    DEFAULT_SOCKET,
    containers,
    host_path,
    of_service,
    places,
    socket_path,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

INSPECTED: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "triage" / "docker_inspect.json").read_text()
)
Answers = dict[str, tuple[int, bytes]]


def within_two_seconds() -> float:
    return 2.0


class _Engine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[[Answers], Path]]:
    """An engine that answers from a table, over a socket of its own."""
    servers: list[_Engine] = []

    def start(answers: Answers) -> Path:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, body = answers.get(self.path, (404, b'{"message": "No such container"}'))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *args: Any) -> None:
                pass

        path = tmp_path / "docker.sock"
        server = _Engine(str(path), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return path

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answering(*inspected: dict[str, Any], gone: str | None = None) -> Answers:
    listed = [{"Id": item["Id"], "Labels": item["Config"]["Labels"]} for item in inspected]
    if gone:
        listed.append({"Id": gone, "Labels": None})
    return {
        "/containers/json?all=true": (200, json.dumps(listed).encode()),
        **{f"/containers/{item['Id']}/json": (200, json.dumps(item).encode()) for item in inspected},
    }


def test_containers_are_read_with_state_health_and_compose_labels(engine: Any) -> None:
    found = {
        item.name: item for item in containers(engine(answering(*INSPECTED.values())), within_two_seconds)
    }
    postgres, loop, sick = found["matrixon-postgres"], found["side-loop"], found["side-sick"]
    assert (postgres.project, postgres.service, postgres.state) == ("matrixon", "postgres", "running")
    assert (postgres.health, postgres.restart_policy, postgres.restarts) == ("healthy", "unless-stopped", 0)
    assert (loop.state, loop.exit_code, loop.restarts) == ("restarting", 1, 7)
    assert (sick.state, sick.health, sick.failing_streak) == ("running", "unhealthy", 8)
    assert (found["side-job"].state, found["side-job"].exit_code) == ("exited", 0)
    assert (found["side-paused"].state, found["side-paused"].project) == ("paused", None)


def test_a_container_that_was_killed_for_memory_says_so(engine: Any) -> None:
    killed = json.loads(json.dumps(INSPECTED["job"]))
    killed["State"].update(OOMKilled=True, ExitCode=137)
    found = containers(engine(answering(killed)), within_two_seconds)
    assert (found[0].oom_killed, found[0].exit_code) == (True, 137)


def test_a_container_that_ends_meanwhile_is_left_out(engine: Any) -> None:
    path = engine(answering(INSPECTED["matrixon-postgres"], gone="f" * 64))
    assert [item.name for item in containers(path, within_two_seconds)] == ["matrixon-postgres"]


def test_containers_of_compose_run_are_left_out(engine: Any) -> None:
    one_off = json.loads(json.dumps(INSPECTED["job"]))
    one_off["Config"]["Labels"]["com.docker.compose.oneoff"] = "True"
    assert containers(engine(answering(one_off)), within_two_seconds) == ()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((500, b'{"message": "server error"}'), "it answered 500"),
        ((200, b"<html>"), "not JSON"),
        ((200, b'{"message": "hello"}'), "no list"),
        ((404, b""), "no list"),
    ],
)
def test_an_odd_answer_is_never_an_empty_host(engine: Any, answer: tuple[int, bytes], said: str) -> None:
    with pytest.raises(Unreachable, match=said):
        containers(engine({"/containers/json?all=true": answer}), within_two_seconds)


def test_an_engine_that_is_dead_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        containers(tmp_path / "docker.sock", within_two_seconds)


def test_an_engine_that_hangs_is_unreachable_in_time(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with (
        socketserver.UnixStreamServer(str(path), socketserver.BaseRequestHandler),
        pytest.raises(Unreachable, match="did not answer in time"),
    ):
        containers(path, lambda: 0.1)


def test_the_socket_of_the_environment_wins_when_it_is_one(tmp_path: Path, engine: Any) -> None:
    path = engine({})
    assert socket_path({"DOCKER_HOST": f"unix://{path}"}) == path
    assert socket_path({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}) is None
    (tmp_path / "file").write_text("")
    assert socket_path({"DOCKER_HOST": f"unix://{tmp_path}/file"}) is None


def test_an_engine_elsewhere_does_not_stand_for_this_host() -> None:
    path = socket_path({"DOCKER_HOST": "tcp://198.51.100.7:2376"})
    assert path in (None, Path(DEFAULT_SOCKET))


def test_a_service_is_found_by_its_labels_in_one_project_or_in_any(engine: Any) -> None:
    found = containers(engine(answering(*INSPECTED.values())), within_two_seconds)
    assert [item.name for item in of_service(found, "matrixon", "postgres")] == ["matrixon-postgres"]
    assert [item.name for item in of_service(found, None, "postgres")] == ["matrixon-postgres"]
    assert of_service(found, "side", "postgres") == []


LISTED: list[dict[str, Any]] = [
    {
        "Names": ["/matrixon-redis"],
        "Image": "redis:7",
        "Labels": {"com.docker.compose.project": "matrixon", "com.docker.compose.service": "redis"},
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 6379, "PublicPort": 16379, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 6379, "PublicPort": 16379, "Type": "tcp"},
            {"PrivatePort": 6380, "Type": "tcp"},
        ],
        "NetworkSettings": {
            "Networks": {"matrixon_default": {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "fd00::2"}}
        },
    },
    {"Names": ["/on-the-host"], "NetworkSettings": {"Networks": {"host": {"IPAddress": ""}}}},
    {"Names": ["/alone"], "Labels": None, "Ports": None, "NetworkSettings": {"Networks": {"none": None}}},
]


def test_where_a_container_is_reached_from_the_host(engine: Any) -> None:
    answers = {"/containers/json": (200, json.dumps(LISTED).encode())}
    redis, on_the_host, alone = places(engine(answers), within_two_seconds)
    assert (redis.name, redis.project, redis.service) == ("matrixon-redis", "matrixon", "redis")
    assert redis.endpoints(6379) == (
        ("172.18.0.2", 6379),
        ("fd00::2", 6379),
        ("127.0.0.1", 16379),
        ("::1", 16379),
    )
    assert on_the_host.endpoints(6379) == (("127.0.0.1", 6379), ("::1", 6379))
    assert alone.endpoints(6379) == ()


def test_an_odd_list_of_places_is_no_empty_host(engine: Any) -> None:
    with pytest.raises(Unreachable, match="no list"):
        places(engine({"/containers/json": (200, b"{}")}), within_two_seconds)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([{"Destination": "/var/lib/postgresql", "Source": "/srv/db"}], "/srv/db/17/main"),
        ([{"Destination": "/var/lib/postgresql/17/main", "Source": "/srv/db"}], "/srv/db"),
        ([{"Destination": "/etc", "Source": "/srv/etc"}], "/layers/x"),
        ([], "/layers/x"),
    ],
)
def test_a_place_in_a_container_is_one_on_the_host(
    engine: Any, mounts: list[dict[str, str]], expected: str
) -> None:
    found = {"Mounts": mounts, "GraphDriver": {"Data": {"UpperDir": "/layers/x"}}}
    path = engine({"/containers/db/json": (200, json.dumps(found).encode())})
    assert host_path(path, "db", "/var/lib/postgresql/17/main", within_two_seconds) == expected


def test_a_container_that_is_gone_has_no_places(engine: Any) -> None:
    path = engine({"/containers/db/json": (404, b'{"message": "no such container"}')})
    assert host_path(path, "db", "/data", within_two_seconds) is None
