# SPDX-License-Identifier: GPL-3.0-or-later
"""How the table of an isolated host is called, for those who only want to know whether it is there."""

from __future__ import annotations

FAMILY, TABLE = "inet", "firebreak_isolation"
