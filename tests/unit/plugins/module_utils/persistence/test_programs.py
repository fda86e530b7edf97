# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import KernelModule
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.programs import (
    listening_ports,
    observe_modules,
    preloaded,
)


def test_what_is_preloaded_stands_in_the_environment() -> None:
    assert preloaded(b"A=1\0LD_PRELOAD=/tmp/x.so\xff\0B=2") == "/tmp/x.so\udcff"
    assert preloaded(b"XLD_PRELOAD=/x\0") == preloaded(b"") == ""


def test_a_port_is_found_by_who_listens_on_it() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert port in listening_ports([os.getpid()])[os.getpid()]
    assert listening_ports([2**22 + 1]) == {}


def test_tainted_and_hidden_modules(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/modules").write_text(
        "ext4 1 0 - Live 0x0\nrk 1 0 - Live 0x0 (OE)\nzfs 1 0 - Live 0x0 (PO)\n"
    )
    for name in ("ext4", "rk", "zfs", "ghost"):
        (tmp_path / "sys/module" / name).mkdir(parents=True)
        (tmp_path / "sys/module" / name / "initstate").write_text("live")
    (tmp_path / "sys/module/builtin").mkdir()
    assert [(one.name, one.in_tree) for one in observe_modules(f"{tmp_path}/")] == [
        ("ghost", None), ("rk", None), ("zfs", None),
    ]  # fmt: skip
    tree = tmp_path / "lib/modules" / platform.release() / "updates/dkms"
    tree.mkdir(parents=True)
    (tree / "zfs.ko.xz").write_text("")
    assert observe_modules(f"{tmp_path}/") == (
        KernelModule("ghost", "", hidden=True, in_tree=False),
        KernelModule("rk", "(OE)", in_tree=False),
        KernelModule("zfs", "(PO)", in_tree=True),
    )


def test_a_kernel_without_modules_has_none(tmp_path: Path) -> None:
    assert observe_modules(f"{tmp_path}/") == ()
