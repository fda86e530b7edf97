# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import docker, nginx_tls
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Place
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_tls import Listen, parse
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

MAIN = "/etc/nginx/nginx.conf"
HTTP = """user www-data;
http {
    ssl_certificate tls/common.pem; # for all that have none
    ssl_certificate_key tls/common.key;
    include /etc/nginx/sites-enabled/*;
    server { listen 80; server_name plain.example; return 301 https://$host; }
}
"""
SITE = """server {
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name api.example "*.api.example";
    ssl_certificate /etc/tls/ecdsa.pem;
    ssl_certificate_key /etc/tls/ecdsa.key;
    ssl_certificate /etc/tls/rsa.pem;
    ssl_certificate_key /etc/tls/rsa.key;
    location / { proxy_pass http://server; }
}
server { listen 192.0.2.1:8443 ssl; listen 443 quic; server_name other.example; }
"""
FILES = {MAIN: HTTP, "/etc/nginx/sites-enabled/site": SITE}
PRINTED = "".join(f"# configuration file {path}:\n{text}\n" for path, text in FILES.items())
BROKEN = 'nginx: [emerg] unknown directive "serverr" in /etc/nginx/sites-enabled/site:1'


def said(text: str, code: int = 0, error: str = "") -> Completed:
    return Completed(("nginx",), code, text, error)


def test_every_certificate_of_a_block_is_paired_with_its_key() -> None:
    first, second, third, _plain = parse(FILES, MAIN)
    assert [(one.certificate, one.key) for one in (first, second)] == [
        ("/etc/tls/ecdsa.pem", "/etc/tls/ecdsa.key"),
        ("/etc/tls/rsa.pem", "/etc/tls/rsa.key"),
    ]
    assert first.names == ("api.example", "*.api.example")
    assert first.listens == (Listen(None, 443, True), Listen(None, 443, True))
    assert first.place == second.place == "/etc/nginx/sites-enabled/site:1"
    assert (third.certificate, third.key) == ("/etc/nginx/tls/common.pem", "/etc/nginx/tls/common.key")
    assert third.listens[0] == Listen("192.0.2.1", 8443)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("443 ssl", Listen(None, 443)),
        ("*:443 ssl", Listen(None, 443)),
        ("[2001:db8::1]:8443 ssl default", Listen("2001:db8::1", 8443, True)),
        ("192.0.2.1", Listen("192.0.2.1", 80)),
        ("localhost:443", Listen("localhost", 443)),
    ],
)
def test_a_listen_is_understood(words: str, expected: Listen) -> None:
    text = f"server {{ listen {words}; ssl_certificate a; ssl_certificate_key b; }}"
    assert parse({MAIN: text}, MAIN)[0].listens == (expected,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}}}} {",
        "server { listen unix:/run/x; ssl_certificate a; ssl_certificate_key b; }",
        "include nginx.conf;",
        "server { listen 443 ssl; ssl_certificate a; }",
        "\0'\"{",
        "server { listen 443; listen; server_name; ",
    ],
)
def test_garbage_and_circles_are_no_certificates(text: str) -> None:
    assert parse({MAIN: text}, MAIN) == ()


def test_an_include_takes_only_what_nginx_would() -> None:
    sites = "/etc/nginx/sites-enabled"
    common = "ssl_certificate a; ssl_certificate_key a;"
    files = {
        MAIN: "http { include sites-enabled/*; server { listen 443 ssl; server_name last.example; } }",
        f"{sites}/api": f"server {{ listen 443 ssl; server_name api.example; include {sites}/parts/tls; }}",
        f"{sites}/parts/tls": common,
        f"{sites}/.api.swp": f"server {{ listen 443 ssl; server_name old.example; {common} }}",
    }
    assert [one.names for one in parse(files, MAIN)] == [("api.example",)]


def test_the_paths_of_the_host_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    text = PRINTED.replace("/etc/tls/rsa.pem", "/etc/tls/$ssl_server_name.pem")
    text = text.replace("/etc/tls/ecdsa.key", "engine:tpm:key")
    monkeypatch.setattr(nginx_tls, "find", lambda _name: "/usr/sbin/nginx")
    monkeypatch.setattr(nginx_tls, "run", lambda *_asked, **_how: said(text))
    found = nginx_tls.on_host(Deadline(1.0))
    assert found is not None
    assert found.broken is None
    assert found.certificates[0].place == "/etc/nginx/sites-enabled/site:1"
    assert [(one.file, one.key_file) for one in found.certificates[:2]] == [
        ("/etc/tls/ecdsa.pem", None),
        (None, "/etc/tls/rsa.key"),
    ]


def test_what_nginx_refuses_is_read_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(f"include {tmp_path}/sites/*; include {main}; include {tmp_path}/sites**; include /;")
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/site").write_text(SITE)
    (tmp_path / "sites/.site.swp").write_text(SITE)
    monkeypatch.setattr(nginx_tls, "MAIN", str(main))
    monkeypatch.setattr(nginx_tls, "find", lambda _name: "/usr/sbin/nginx")
    monkeypatch.setattr(nginx_tls, "run", lambda *_asked, **_how: said("", 1, BROKEN))
    found = nginx_tls.on_host(Deadline(1.0))
    assert found is not None
    assert found.broken == BROKEN
    assert [one.file for one in found.certificates] == ["/etc/tls/ecdsa.pem", "/etc/tls/rsa.pem"]
    main.unlink()
    with pytest.raises(Unreachable, match=r"nginx\.conf"):
        nginx_tls.on_host(Deadline(1.0))


def test_without_nginx_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx_tls, "find", lambda _name: None)
    assert nginx_tls.on_host(Deadline(1.0)) is None


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> list[Completed]:
    """What its programs answer, one after the other. /etc/tls is mounted."""
    answers: list[Completed] = []

    def host_path(_socket: Path, _name: str, inside: str, _remaining: Any) -> str:
        return (
            inside.replace("/etc/tls", "/srv/tls") if inside.startswith("/etc/tls") else "/var/lib/layer/diff"
        )

    monkeypatch.setattr(nginx_tls, "run_inside", lambda *_asked, **_how: answers.pop(0))
    monkeypatch.setattr(docker, "host_path", host_path)
    return answers


WEB = Place("web", "nginx:1", "shop", "web", ("172.18.0.2",), {443: (("127.0.0.1", 8443), ("::1", 8443))})


def test_a_container_s_paths_and_ports_are_mapped(container: list[Completed]) -> None:
    container.append(said(PRINTED))
    found = nginx_tls.in_container(Path("/run/docker.sock"), WEB, Deadline(1.0))
    assert found is not None
    first, _second, third, _plain = found.certificates
    assert (first.container, first.file, first.key_file) == (
        "web",
        "/srv/tls/ecdsa.pem",
        "/srv/tls/ecdsa.key",
    )
    assert third.file is None
    assert (first.inside(8443), first.inside(443)) == (443, None)


def test_a_container_without_nginx_is_none(container: list[Completed]) -> None:
    container.append(said("", 126, "executable file not found"))
    assert nginx_tls.in_container(Path("/run/docker.sock"), WEB, Deadline(1.0)) is None


def test_a_container_s_broken_configuration_is_read_all_the_same(container: list[Completed]) -> None:
    container += [
        said("", 1, BROKEN),
        said(PRINTED.replace(MAIN, "/etc/nginx/zzz"), 0),
        said("", 1, BROKEN),
        said(PRINTED),
    ]
    socket = Path("/run/docker.sock")
    assert nginx_tls.in_container(socket, WEB, Deadline(1.0)) == nginx_tls.Configuration("web", (), BROKEN)
    found = nginx_tls.in_container(socket, WEB, Deadline(1.0))
    assert found is not None
    assert (found.broken, len(found.certificates)) == (BROKEN, 4)
