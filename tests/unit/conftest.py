# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from hypothesis import settings

# How long an example takes says more about what else the machine does.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
