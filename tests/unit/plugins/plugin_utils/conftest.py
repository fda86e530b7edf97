# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from .runbooks import Response, response


@pytest.fixture
def zekka(tmp_path: Path) -> Response:
    return response("zekka", tmp_path)


@pytest.fixture
def matrixon(tmp_path: Path) -> Response:
    return response("matrixon", tmp_path)
