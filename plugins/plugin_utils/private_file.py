# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that tell how to break in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_privately(path: Path, data: str | bytes, mode: int = 0o600) -> Path:
    """Whole or not at all; readable by its owner only, unless `mode` says otherwise. Raises `OSError`."""
    path = path.expanduser().absolute()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return path
