# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the record. Without SQLAlchemy there are none, and who opens the record says so."""

from __future__ import annotations

try:
    from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, UniqueConstraint
except ImportError:
    HAS_SQLALCHEMY = False
else:
    HAS_SQLALCHEMY = True
    METADATA = MetaData()
    INCIDENTS = Table(
        "firebreak_incidents",
        METADATA,
        Column("incident", Text, primary_key=True),
        Column("events", BigInteger, nullable=False),
        Column("digest", Text, nullable=False),
        Column("closed", Text),
    )
    EVENTS = Table(
        "firebreak_events",
        METADATA,
        Column("incident", Text, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("key", Text, nullable=False),
        Column("time", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("host", Text),
        Column("data", Text, nullable=False),
        Column("previous", Text, nullable=False),
        Column("digest", Text, nullable=False),
        UniqueConstraint("incident", "key"),
    )
