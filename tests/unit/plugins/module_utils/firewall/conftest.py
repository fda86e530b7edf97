# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of a real host said, with a hand-made block in every layer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import (
    fail2ban,
    hosts_deny,
    iptables,
    nftables,
    nginx,
    ufw,
)
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.layers import Layers
from ansible_collections.firebreak.incident.plugins.module_utils.firewall.observe import Snapshot

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "firewall"
HOSTS_DENY = "# by hand\nsshd: 203.0.113.70, 203.0.113.71\nALL: 203.0.113.72\nsshd: 203.0.118.\nALL: ALL\n"
NGINX = {
    "/etc/nginx/nginx.conf": "http {\n  include conf.d/*.conf;\n}\n",
    "/etc/nginx/conf.d/a.conf": "deny 203.0.113.80; # by hand\ndeny 203.0.117.0/24;\n"
    "server {\n  location ~ /\\.ht { deny all; }\n  location /in { allow 203.0.113.81; deny all; }\n}\n",
}


def said(name: str) -> str:
    return (FIXTURES / name).read_text()


@pytest.fixture(scope="session")
def layers() -> Layers:
    rules = {
        "iptables": "iptables_save.txt",
        "ip6tables": "ip6tables_save.txt",
        "iptables-legacy": "iptables_legacy_save.txt",
    }
    return Layers(
        nftables=nftables.with_texts(nftables.parse(said("nft_ruleset.json")), said("nft_ruleset.txt")),
        iptables=tuple(
            iptables.parse(said(rules[variant.name]), variant)
            for variant in iptables.VARIANTS
            if variant.name in rules
        ),
        ufw=ufw.Ufw(
            True,
            ufw.parse_added(said("ufw_show_added.txt")),
            ufw.parse_numbered(said("ufw_status_numbered.txt")),
        ),
        bans={jail: fail2ban.parse_bans(said(f"fail2ban_banip_{jail}.txt")) for jail in ("sshd", "recidive")},
        hosts_deny=tuple(hosts_deny.parse(HOSTS_DENY)),
        nginx=nginx.parse(NGINX, "/etc/nginx/nginx.conf"),
    )


@pytest.fixture(scope="session")
def snapshot(layers: Layers) -> Snapshot:
    return Snapshot(now=datetime(2026, 11, 21, 23, 40, tzinfo=UTC), layers=layers)
