# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.addresses import (
    ALWAYS,
    Protected,
    canonical,
    parse_network,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput

SITE = Protected.of({"203.0.113.0/24": "this site protects it", "2001:db8:1::/48": "ours"}, ALWAYS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_one_address_has_one_spelling(typed: str, meant: str) -> None:
    assert canonical(typed) == meant


@pytest.mark.parametrize(
    "typed",
    ["", "db1", "203.0.113", "203.0.113.7; reboot", "203.0.113.007", "fe80::1%eth0", "::1%x$(id)"],
)
def test_what_is_no_address_is_refused_by_name(typed: str) -> None:
    with pytest.raises(BadInput, match="neither an address nor a network"):
        parse_network(typed)


@pytest.mark.parametrize("typed", ["198.51.100.9/1", "198.51.100.9/24", "2001:db8::1/64"])
def test_an_address_with_a_prefix_that_does_not_fit_is_asked_about(typed: str) -> None:
    with pytest.raises(BadInput, match="Did you mean"):
        parse_network(typed)


def test_a_mapped_network_is_held_against_what_is_protected() -> None:
    assert SITE.why("::ffff:203.0.113.0/120") == "this site protects it"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("203.0.113.7", "this site protects it"),
        ("203.0.0.0/16", "this site protects it"),
        ("::ffff:203.0.113.7", "this site protects it"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("104.16.0.9", "Cloudflare"),
        ("2a04:4e42::1", "Fastly"),
        ("198.0.0.0/8", "wider than /16"),
        ("2a00::/16", "wider than /32"),
    ],
)
def test_a_protected_address_says_why(address: str, reason: str) -> None:
    assert reason in (SITE.why(address) or "")


def test_an_attacker_is_not_protected() -> None:
    assert SITE.why("198.51.100.7") is None
    assert SITE.why("2001:db8:2::1") is None


def test_the_first_source_gives_the_reason() -> None:
    assert Protected.of({"192.0.2.1": "you"}, {"192.0.2.0/24": "them"}).why("192.0.2.1") == "you"


def test_networks_that_hold_each_other_are_listed_once() -> None:
    nested = Protected.of({"192.0.2.0/24": "a", "192.0.2.7": "b", "2001:db8::/32": "c"})
    assert (list(nested.only(4)), list(nested.only(6))) == (["192.0.2.0/24"], ["2001:db8::/32"])
