# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate import look
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.endpoints import Endpoint
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.look import inspect
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import (
    Filed,
    Seen,
    Served,
)
from ansible_collections.firebreak.incident.plugins.module_utils.certificate.observe import (
    Snapshot as Observed,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients import (
    certbot_lineages,
    clock,
    docker,
    nginx_tls,
    systemd,
    tcp,
    tls,
    x509,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.certbot_lineages import Lineage
from ansible_collections.firebreak.incident.plugins.module_utils.clients.docker import Place
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_tls import (
    Configuration,
    Listen,
    NginxCertificate,
)
from ansible_collections.firebreak.incident.plugins.module_utils.clients.x509 import Certificate
from ansible_collections.firebreak.incident.plugins.module_utils.deadlines import Deadline
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

API = Endpoint("api.example", "127.0.0.1", 443)
TLS = (Listen(None, 443), Listen(None, 5432))
WEB = Place("web", "nginx:1", "shop", "web", (), {443: (("127.0.0.1", 8443),)})
OTHER = Place("other", "traefik:3", "shop", "proxy", (), {80: (("127.0.0.1", 443),)})
FAR = Place("far", "app:1", "shop", "app", (), {80: (("127.0.0.1", 8080),)})


def certificate(path: str) -> Certificate:
    """Every file holds one of its own, which ends the later the longer its path is."""
    return Certificate(
        f"sha256:{path}", 0.0, float(len(path)), "CN=ca", "01", ("api.example", "*.wild.example")
    )


def lineage(name: str) -> Lineage:
    live = f"/live/{name}"
    return Lineage(name, f"/renewal/{name}.conf", live, f"/archive/{name}", fullchain=f"{live}/full", key="k")


def told(path: str, *names: str) -> NginxCertificate:
    return NginxCertificate(f"site:{path}", TLS, names, path, f"{path}.key", None, path, f"{path}.key")


class World:
    """What the clients would find."""

    def __init__(self) -> None:
        self.lineages: Any = (lineage("a"), lineage("longer"))
        self.host: Any = Configuration(None, (told("/live/a/full", "api.example"),))
        self.inside: dict[str, Any] = {"web": None, "other": None}
        self.served = "nothing of these"

    def observe(self, endpoints: Any, _deadline: Any) -> Observed:
        served = (Served("127.0.0.1", self.served, replace(certificate(""), fingerprint=self.served)),)
        return Observed(5.0, tuple(Seen(endpoint, served) for endpoint in endpoints))

    def answer(self, value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(look, "observe", world.observe)
    monkeypatch.setattr(look, "read_file", lambda path: Filed(str(path), certificate(str(path))))
    monkeypatch.setattr(tls, "key_fits", lambda _certificate, _key: True)
    monkeypatch.setattr(os.path, "realpath", lambda path: path)
    monkeypatch.setattr(certbot_lineages, "read", lambda: world.answer(world.lineages))
    monkeypatch.setattr(certbot_lineages, "archived", lambda _lineage: ())
    monkeypatch.setattr(nginx_tls, "on_host", lambda _deadline: world.answer(world.host))
    monkeypatch.setattr(docker, "socket_path", lambda: Path("/run/docker.sock"))
    monkeypatch.setattr(docker, "places", lambda _path, _remaining: (WEB, OTHER, FAR))
    monkeypatch.setattr(
        nginx_tls, "in_container", lambda _path, place, _deadline: world.answer(world.inside[place.name])
    )
    monkeypatch.setattr(systemd, "booted", lambda: False)
    monkeypatch.setattr(clock, "read", lambda _timeout: None)
    return world


def test_the_lineage_is_that_of_the_file(world: World) -> None:
    (seen,) = inspect([API], Deadline(5.0)).endpoints
    assert [pointed.filed.path for pointed in seen.pointed] == ["/live/a/full"]
    assert seen.held is not None
    assert seen.held.lineage.name == "a"
    world.host = Configuration(None, (told("/etc/nginx/copy.pem", "api.example"),))
    (elsewhere,) = inspect([API], Deadline(5.0)).endpoints
    # None holds the file: the newest that covers the name.
    assert elsewhere.held is not None
    assert elsewhere.held.lineage.name == "longer"
    named = replace(API, file=Path("/etc/letsencrypt/live/a/fullchain.pem"))
    (chosen,) = inspect([named], Deadline(5.0)).endpoints
    assert chosen.held is not None
    assert chosen.held.lineage.name == "a"


def test_of_two_lineages_of_one_block_it_is_the_served_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [replace(told(f"/live/{name}/full", "api.example"), place="site") for name in ("a", "longer")]
    world.host, world.served = Configuration(None, tuple(both)), "sha256:/archive/longer/cert1.pem"
    monkeypatch.setattr(certbot_lineages, "archived", lambda lineage: (Path(lineage.archive, "cert1.pem"),))
    monkeypatch.setattr(tls, "file_chain", lambda path: (str(path),))
    monkeypatch.setattr(x509, "fingerprint", lambda der: f"sha256:{der}")
    (seen,) = inspect([API], Deadline(5.0)).endpoints
    assert seen.held is not None
    assert seen.held.lineage.name == "longer"


def test_of_too_many_none_is_left_out_in_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "CONTAINERS", 1)
    monkeypatch.setattr(look, "LINEAGES", 1)
    seen = inspect([API], Deadline(5.0))
    assert seen.unseen["container other"] == "only 1 are asked"
    assert "there are 2, more than 1" in seen.unseen["lineages"]


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.1"])
def test_another_host_is_told_from_this_one(
    world: World, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(tcp, "is_own", lambda _address: address == "127.0.0.1")
    (seen,) = inspect([API], Deadline(5.0)).endpoints
    assert seen.behind is (address != "127.0.0.1")
    named = replace(API, file=Path("/etc/letsencrypt/live/a/fullchain.pem"))
    assert not inspect([named], Deadline(5.0)).endpoints[0].behind


@pytest.mark.usefixtures("world")
def test_what_begins_with_another_protocol_is_not_nginx_s() -> None:
    (seen,) = inspect([replace(API, port=5432, starttls="postgres")], Deadline(5.0)).endpoints
    assert seen.pointed == ()


def test_a_path_with_the_name_in_it_is_filled_in(world: World) -> None:
    path = "/tls/$ssl_server_name.pem"
    variable = replace(told(path, "*.example"), file=None, key_file=None)
    world.host = Configuration(None, (variable,))
    (seen,) = inspect([API], Deadline(5.0)).endpoints
    assert [(one.filed.path, one.key.fits) for one in seen.pointed] == [("/tls/api.example.pem", True)]


def test_a_container_on_the_port_of_an_endpoint_is_asked_too(world: World) -> None:
    inside = replace(told("/srv/full.pem", "api.example"), container="other", ports=((443, 443),))
    world.host, world.inside["other"] = None, Configuration("other", (inside,))
    seen = inspect([API], Deadline(5.0))
    assert [one.source.container for one in seen.endpoints[0].pointed] == ["other"]
    assert [each.container for each in seen.nginx] == ["other"]


def test_what_could_not_be_seen_is_told_and_hides_nothing(world: World) -> None:
    world.lineages = Unreachable("directory /etc/letsencrypt/live", "Permission denied", "Run as root.")
    world.host = Unreachable("nginx configuration", "permission denied", "Run as root.")
    world.inside["web"] = Unreachable("container web", "its program did not finish in time", "See.")
    seen = inspect([API], Deadline(5.0), now=7.0)
    assert (seen.now, seen.lineages, len(seen.endpoints)) == (7.0, None, 1)
    assert sorted(seen.unseen) == ["container web", "lineages", "nginx"]


def test_a_file_in_a_container_s_layers_is_not_called_well() -> None:
    source = replace(told("/etc/nginx/own.pem"), container="web", file=None, key_file=None)
    assert "container web" in str(look.point(source).filed.unseen)


def test_a_damaged_lineage_says_why() -> None:
    broken = Lineage("x", "/renewal/x.conf", problem="it does not say where fullchain is")
    assert look.hold(broken).filed.unseen == "it does not say where fullchain is"
