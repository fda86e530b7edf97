# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller keeps of a secret, by what the host says of it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.action.credentials import _Rotation
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.plugin_utils.credential_store import Entry, Store


class FakeStore(Store):
    """Notes each step; `breaks` names the steps that fail."""

    def __init__(self, *breaks: str) -> None:
        self.breaks, self.steps = breaks, list[str]()

    def _step(self, step: str) -> None:
        if step in self.breaks:
            raise FirebreakError("store", f"{step} broke", "")
        self.steps.append(step)

    def check(self) -> None:
        pass

    def current(self, name: str) -> str | None:
        return "from-the-store" if name == "a" else None

    def pending(self, entry: Entry, secret: str) -> None:
        self._step(f"pending {entry.name}")

    def settled(self, entry: Entry, secret: str, old_is_dead: bool) -> None:
        self._step(f"settled {entry.name} {old_is_dead}")

    def abandoned(self, entry: Entry, secret: str) -> None:
        self._step(f"abandoned {entry.name}")


def entry(name: str) -> Entry:
    return Entry(name, "redis", "app", "db1", "run-1", None, "2026-11-22T03:00:00.000Z")


def result(status: str, in_force: str | None, refused: bool | None = None) -> dict[str, Any]:
    act = {"identity": {"name": "a"}, "status": status}
    state = {"name": "a", "in_force": in_force, "old_refused": refused}
    return {"actions": [act], **({"after": {"credentials": [state]}} if in_force else {})}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (result("done", "new", True), ["settled a True"]),
        (result("done", "new", None), ["settled a False"]),
        # The sessions could not be ended: the new one is in force all the same.
        (result("failed", "new", True), ["settled a True"]),
        (result("failed", "old"), ["abandoned a"]),
        (result("refused", "old"), ["abandoned a"]),
        # Nobody knows: it stays pending, with the old one beside it.
        (result("failed", "both", False), []),
        (result("failed", "unknown"), []),
        (result("failed", None), []),
        ({"unreachable": True, "msg": "lost"}, []),
    ],
)
def test_a_secret_is_settled_only_when_the_host_says_so(said: dict[str, Any], kept: list[str]) -> None:
    store = FakeStore()
    rotation = _Rotation(store)
    rotation.prepare(entry("a"))
    assert rotation.concluded(said) == said
    assert store.steps == ["pending a", *kept]


def test_a_store_that_fails_at_the_end_fails_the_task_and_says_where_the_secret_is() -> None:
    rotation = _Rotation(FakeStore("settled a True"))
    rotation.prepare(entry("a"))
    concluded = rotation.concluded(result("done", "new", True))
    assert concluded["failed"]
    assert "The new secret of a is in force and is stored as pending" in concluded["msg"]


def test_nothing_is_left_pending_when_a_later_secret_cannot_be_stored() -> None:
    store = FakeStore("pending b")
    rotation = _Rotation(store)
    rotation.prepare(entry("a"))
    with pytest.raises(FirebreakError):
        rotation.prepare(entry("b"))
    assert store.steps == ["pending a", "abandoned a"]


def test_a_credential_gets_the_new_secret_and_the_old_one_that_is_known() -> None:
    rotation = _Rotation(FakeStore())
    rotation.prepare(entry("a"))
    rotation.prepare(entry("b"))
    a = rotation.equipped({"name": "a"})
    assert (len(a["new"]), a["old"]) == (43, "from-the-store")
    assert rotation.equipped({"name": "a", "old": "given"})["old"] == "given"
    assert "old" not in rotation.equipped({"name": "b"})
    assert rotation.equipped({"name": "not-planned"}) == {"name": "not-planned"}
