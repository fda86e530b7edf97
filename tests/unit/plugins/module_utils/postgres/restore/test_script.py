# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import re

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.module_utils.postgres.restore.script import (
    Guarded,
    Rows,
)

DUMP = rb"""--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
CREATE TABLE public.items (id integer);
ALTER TABLE public.items OWNER TO web;
CREATE USER MAPPING FOR web SERVER other;
--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: web
--
CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $$
COPY public.nothing (id) FROM stdin;
$$;
--
-- Data for Name: items; Type: TABLE DATA; Schema: public; Owner: web
--

COPY public.items (id, name) FROM stdin;
1	\\connect elsewhere
\\.	2
DROP DATABASE shop;
\.

-- Data for Name: Ta.ble (x) FROM stdin;; Type: TABLE DATA; Schema: odd, sch"ema; Owner: web
COPY "odd, sch""ema"."Ta.ble (x) FROM stdin;" (id) FROM stdin;
1
2
\.
-- Data for Name: empty; Type: TABLE DATA; Schema: public; Owner: web
COPY public.empty (id) FROM stdin;
\.
ALTER TABLE ONLY public.items ADD CONSTRAINT items_pkey PRIMARY KEY (id);
"""
COUNTS = {
    ("public", "items"): 3,
    ('odd, sch"ema', "Ta.ble (x) FROM stdin;"): 2,
    ("public", "empty"): 0,
}


class Slowly:
    """Gives so many bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._stream, self._step = io.BytesIO(data), step

    def read(self, size: int) -> bytes:
        return self._stream.read(min(size, self._step))


def passed(source: Guarded, size: int = 100) -> bytes:
    """What psql gets, after what restricts it."""
    restriction, _newline, rest = b"".join(iter(lambda: source.read(size), b"")).partition(b"\n")
    assert re.fullmatch(rb"\\restrict [0-9a-f]{32}", restriction)
    return rest


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_rows_are_counted_however_the_dump_is_cut_up(step: int) -> None:
    rows, seen = Rows(), Rows()
    assert passed(Guarded(Slowly(DUMP, step), rows)) == DUMP
    for start in range(0, len(DUMP), step):
        seen.write(DUMP[start : start + step])
    assert rows.of == seen.of == COUNTS
    assert rows.complete and rows.size == len(DUMP)


@pytest.mark.parametrize(
    "line",
    [
        b"\\connect shop\n",
        b"\\c shop\n",
        b"\\! rm -rf x\n",
        b"DROP DATABASE shop;\n",
        b"create  database shop;\n",
        b"ALTER ROLE web PASSWORD 'x';\n",
        b"ALTER SYSTEM SET fsync = off;\n",
        b"DROP USER web;\n",
        b"COPY items FROM PROGRAM 'id';\n",
        b"\\connect shop",
    ],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_what_reaches_beyond_the_database_is_never_passed_on(line: bytes, step: int) -> None:
    given: list[bytes] = []
    source = Guarded(Slowly(b"SELECT 1;\n" + line + b"SELECT 2;\n", step), Rows())
    with pytest.raises(BadInput, match="beyond"):
        for piece in iter(lambda: source.read(5), b""):
            given.append(piece)
    assert b"".join(given).partition(b"\n")[2] in (b"SELECT 1;\n", b"")


def test_no_dump_ends_the_restriction_of_psql() -> None:
    rows = Rows()
    dump = b"\\restrict aBc\nSELECT 1;\n\\unrestrict aBc\n  \\! id\n"
    assert passed(Guarded(io.BytesIO(dump), rows)) == b"SELECT 1;\n  \\! id\n"
    assert rows.size == len(dump)


def test_rows_that_come_as_inserts_are_not_counted() -> None:
    rows = Rows()
    rows.write(b"INSERT INTO public.items VALUES (1);\n")
    assert not rows.complete and rows.of == {}


def test_garbage_is_passed_on() -> None:
    garbage = bytes(range(256)) * 3
    assert passed(Guarded(io.BytesIO(garbage), Rows())) == garbage
