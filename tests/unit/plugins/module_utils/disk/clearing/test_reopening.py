# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.procfs import Procfs
from ansible_collections.firebreak.incident.plugins.module_utils.disk.clearing.reopening import (
    Reopener,
    signal_of,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    IdentityChanged,
)


def test_no_signal_is_sent_to_another_process_or_one_without_a_handler(tmp_path: Path) -> None:
    sent: list[int] = []
    reopener = Reopener(Procfs(), kill=lambda pid, number: sent.append(pid))
    own = Procfs().process(os.getpid())
    assert own is not None
    for started, name in ((own.started + 1, own.name), (own.started, "nginx"), (own.started, own.name)):
        with pytest.raises(IdentityChanged):
            reopener.ask(os.getpid(), started, name, [])
    assert not sent


def test_a_name_that_begins_like_a_known_one_is_not_known() -> None:
    assert signal_of("php-fpm8.2") == signal_of("php-fpm") == "SIGUSR1"
    assert signal_of("php-fpm\x1b[2J") is signal_of("php-fpm-evil") is signal_of("node") is None
