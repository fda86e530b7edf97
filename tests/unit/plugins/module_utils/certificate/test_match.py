# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.match import serving
from ansible_collections.firebreak.incident.plugins.module_utils.clients.nginx_tls import (
    Configuration,
    Listen,
    NginxCertificate,
)

ALL = (Listen(None, 443),)


def block(
    place: str, *names: str, listens: tuple[Listen, ...] = ALL, container: str | None = None
) -> NginxCertificate:
    ports = ((8443, 443),) if container else ()
    return NginxCertificate(place, listens, names, "c", "k", container, ports=ports)


BLOCKS = Configuration(
    None,
    (
        block("first", "first.example"),
        block("exact", "api.example", "www.api.example"),
        block("wild", "*.api.example"),
        block("dotted", ".deep.api.example"),
        block("behind", "shop.*"),
        block("pattern", r"~^(?<who>\w+)\.user\.example$", "~(broken"),
        block("default", "_", listens=(Listen(None, 443, True),)),
        block("elsewhere", "api.example", listens=(Listen("192.0.2.9", 443),)),
        block("other port", "api.example", listens=(Listen(None, 8448),)),
    ),
)
INSIDE = Configuration("web", (block("inside", "api.example", container="web"),))


@pytest.mark.parametrize(
    ("name", "port", "address", "expected"),
    [
        ("api.example", 443, "192.0.2.1", "exact"),
        ("API.example.", 443, "192.0.2.1", "exact"),
        ("x.api.example", 443, "192.0.2.1", "wild"),
        ("y.deep.api.example", 443, "192.0.2.1", "dotted"),
        ("deep.api.example", 443, "192.0.2.1", "dotted"),
        ("shop.example", 443, "192.0.2.1", "behind"),
        ("bob.user.example", 443, "192.0.2.1", "pattern"),
        ("nobody.example", 443, "192.0.2.1", "default"),
        ("api.example", 443, "192.0.2.9", "elsewhere"),
        ("nobody.example", 443, "192.0.2.9", "elsewhere"),
        ("api.example", 8448, "192.0.2.1", "other port"),
        ("api.example", 8443, "192.0.2.1", "inside"),
    ],
)
def test_it_is_the_block_that_nginx_would_take(name: str, port: int, address: str, expected: str) -> None:
    chosen = serving([BLOCKS, INSIDE], name, port, [address], own=True)
    assert [one.place for one in chosen] == [expected]


def test_a_name_that_is_served_elsewhere_is_not_taken_for_the_default() -> None:
    assert serving([BLOCKS], "nobody.example", 443, ["198.51.100.1"], own=False) == ()
    assert serving([BLOCKS], "api.example", 443, ["198.51.100.1"], own=False)[0].place == "exact"


def test_nobody_who_listens_is_nothing() -> None:
    assert serving([BLOCKS], "api.example", 9443, ["192.0.2.1"], own=True) == ()
    assert serving([], "api.example", 443, ["192.0.2.1"], own=True) == ()


def test_two_certificates_of_one_block_are_both_served() -> None:
    twice = Configuration(None, (block("a", "api.example"), block("a", "api.example")))
    assert len(serving([twice], "api.example", 443, [], own=True)) == 2
