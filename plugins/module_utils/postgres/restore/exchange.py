# SPDX-License-Identifier: GPL-3.0-or-later
"""Two databases change names in one statement: all of it happens, or nothing.

What belongs to a database and is in no dump of it goes along: its settings, privileges, comment and
connection limit.
"""

from __future__ import annotations

from typing import Sequence

from ...clients.postgres_session import Row
from ...clients.postgres_session import Session as Connection
from .model import MARK, Database, Mark

# Raised when a database is no longer the one that was meant; of no class that PostgreSQL has.
CHANGED = "FB001"
# These are lists of names, each in quotes of its own.
LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
# A rename waits 5 s for the sessions that are about to end.
SECONDS, LOCK_SECONDS = 30.0, 5.0

_SETTINGS = """SELECT coalesce(rolname, '') AS role, unnest(setconfig) AS setting
FROM pg_db_role_setting LEFT JOIN pg_roles ON pg_roles.oid = setrole WHERE setdatabase = %(oid)s"""
# Everything that was granted on the copy goes, then what was granted on the other comes; nothing to do where
# both have what every database begins with.
_GRANTED = """FROM pg_database d, aclexplode(coalesce(datacl, acldefault('d', datdba)))
      WHERE d.oid = {}"""
_WHO = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS who"
_PRIVILEGES = f"""
  IF EXISTS (SELECT 1 FROM pg_database WHERE oid IN ({{old}}, {{new}}) AND datacl IS NOT NULL) THEN
    FOR r IN SELECT DISTINCT {_WHO} {_GRANTED.format("{new}")} LOOP
      EXECUTE format('REVOKE ALL ON DATABASE %I FROM %s CASCADE', {{name}}, r.who);
    END LOOP;
    FOR r IN SELECT {_WHO}, privilege_type AS what, is_grantable {_GRANTED.format("{old}")} LOOP
      EXECUTE format('GRANT %s ON DATABASE %I TO %s', r.what, {{name}}, r.who)
        || CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END;
    END LOOP;
  END IF;"""


def settings_of(connection: Connection, oid: int) -> list[Row]:
    """`role` ('' for everybody) and `setting` as name=value."""
    return connection.rows(_SETTINGS, {"oid": oid})


def put_in_place(connection: Connection, old: Database, new: Database, kept_as: str, mark: Mark) -> None:
    """`new` takes the name of `old`, which is called `kept_as` from then on. Both let sessions in again.

    Raises `Failed`, with the code CHANGED when one of them has become another one.
    """
    carried = [
        *_cleared(new.name, settings_of(connection, new.oid)),
        *_set(new.name, settings_of(connection, old.oid)),
        f"ALTER DATABASE {_name(new.name)} SET {MARK} TO {_text(str(mark))}",
    ]
    body = [
        _same(old),
        _same(new),
        *(f"  EXECUTE {_text(statement)};" for statement in carried),
        _PRIVILEGES.format(old=old.oid, new=new.oid, name=_text(new.name)),
        _like(old, new),
        *_renamed([(old.name, kept_as), (new.name, old.name)]),
    ]
    _do(connection, body)


def put_back(connection: Connection, current: Database, copy_name: str, old: Database) -> None:
    """`old` takes back its name from `current`, which is called `copy_name` again."""
    _do(
        connection,
        [_same(current), _same(old), *_renamed([(current.name, copy_name), (old.name, current.name)])],
    )


def _do(connection: Connection, body: Sequence[str]) -> None:
    text = "\n".join(["DECLARE r record;", "  said text;", "  top int;", "BEGIN", *body, "END"])
    connection.execute("DO %(body)s", {"body": text}, timeout=SECONDS, lock_timeout=LOCK_SECONDS)


def _same(database: Database) -> str:
    return (
        f"  IF NOT EXISTS (SELECT 1 FROM pg_database WHERE oid = {database.oid} AND datname = "
        f"{_text(database.name)}) THEN\n"
        f"    RAISE EXCEPTION 'a database has changed its name' USING ERRCODE = '{CHANGED}';\n  END IF;"
    )


def _like(old: Database, new: Database) -> str:
    return f"""
  SELECT shobj_description({old.oid}, 'pg_database'), datconnlimit INTO said, top
    FROM pg_database WHERE oid = {old.oid};
  EXECUTE format('COMMENT ON DATABASE %I IS %L', {_text(new.name)}, said);
  EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT %s', {_text(new.name)}, top);"""


def _renamed(pairs: Sequence[tuple[str, str]]) -> list[str]:
    renames = [f"ALTER DATABASE {_name(old)} RENAME TO {_name(new)}" for old, new in pairs]
    opened = [f"ALTER DATABASE {_name(new)} ALLOW_CONNECTIONS true" for _old, new in pairs]
    return [f"  EXECUTE {_text(statement)};" for statement in renames + opened]


def _cleared(database: str, rows: Sequence[Row]) -> list[str]:
    roles = sorted({row["role"] for row in rows})
    return [f"{_of(database, role)} RESET ALL" for role in roles]


def _set(database: str, rows: Sequence[Row]) -> list[str]:
    statements = []
    for row in rows:
        name, _equals, value = row["setting"].partition("=")
        if name != MARK or row["role"]:
            variable = ".".join(_name(part) for part in name.split("."))
            statements.append(f"{_of(database, row['role'])} SET {variable} TO {_value(name, value)}")
    return statements


def _of(database: str, role: str) -> str:
    return (
        f"ALTER ROLE {_name(role)} IN DATABASE {_name(database)}"
        if role
        else f"ALTER DATABASE {_name(database)}"
    )


def _value(name: str, value: str) -> str:
    if name.lower() not in LISTS:
        return _text(value)
    return ", ".join(_text(item) for item in _items(value)) or "''"


def _items(value: str) -> list[str]:
    """The names of a list, out of their quotes."""
    items: list[str] = []
    item, quoted, position = "", False, 0
    while position < len(value):
        character = value[position]
        if character == '"' and quoted and value[position + 1 : position + 2] == '"':
            item, position = item + '"', position + 1
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            items, item = [*items, item], ""
        elif quoted or not character.isspace():
            item += character
        position += 1
    return [*items, item] if item or items else []


def _name(name: str) -> str:
    """Not `identifier`: this text is not looked through for parameters."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
