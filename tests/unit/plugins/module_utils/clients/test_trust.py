# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import trust


def test_the_certificates_of_the_system_are_loaded_once_however_many_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[ssl.SSLContext] = []

    def load() -> ssl.SSLContext:
        loaded.append(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return loaded[-1]

    trust._load.cache_clear()
    monkeypatch.setattr(ssl, "create_default_context", load)
    with ThreadPoolExecutor(max_workers=8) as pool:
        given = list(pool.map(lambda _asker: trust.system_trust(), range(8)))
    trust._load.cache_clear()
    assert given == [loaded[0]] * 8


def test_who_is_trusted_is_verified() -> None:
    context = trust.system_trust()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
