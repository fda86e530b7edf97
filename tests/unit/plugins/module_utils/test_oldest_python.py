# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on targets is imported by the oldest Python that is promised, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[4]
PACKAGE = "ansible_collections.firebreak.incident.plugins.module_utils"
OLDEST = "python3.8"


def oldest_python() -> str:
    """python3.8 from the PATH, or from pyenv's versions when its shims are there."""
    for program in filter(None, (shutil.which(OLDEST), _from_pyenv())):
        if (
            subprocess.run([program, "--version"], capture_output=True, check=False, timeout=20).returncode
            == 0
        ):
            return program
    pytest.skip(f"no {OLDEST} on this machine; vermin checks the same statically in make lint")


def _from_pyenv() -> str | None:
    pyenv = shutil.which("pyenv")
    if not pyenv:
        return None
    root = subprocess.run(
        [pyenv, "root"], capture_output=True, text=True, check=False, timeout=20
    ).stdout.strip()
    return next(iter(map(str, sorted(Path(root).glob(f"versions/3.8.*/bin/{OLDEST}")))), None)


def test_every_module_util_is_imported_by_the_oldest_python() -> None:
    folder = CHECKOUT / "plugins" / "module_utils"
    names = [
        ".".join([PACKAGE, *path.relative_to(folder).with_suffix("").parts])
        for path in sorted(folder.rglob("*.py"))
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run(
        [oldest_python(), "-W", "error", "-c", code, *names],
        env={"PYTHONPATH": str(CHECKOUT / "collections"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
