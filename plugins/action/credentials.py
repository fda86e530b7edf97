# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the new secrets, stores them first, and hands them to the module of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ansible.parsing.vault import VaultSecretsContext

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.moments import iso
from ansible_collections.firebreak.incident.plugins.module_utils.plan import DONE, PLANNED
from ansible_collections.firebreak.incident.plugins.plugin_utils import with_context
from ansible_collections.firebreak.incident.plugins.plugin_utils.credential_store import (
    Entry,
    Store,
    new_secret,
    open_store,
)


class ActionModule(with_context.ActionModule):
    """First the plan, without a secret; then, for what is planned, the rotation."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        given = dict(self._task.args)
        try:
            store = self._store(given.get("store"))
            store.check()
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        wanted = [dict(one) for one in given.get("credentials") or () if isinstance(one, Mapping)]
        for one in wanted:
            one.pop("new", None)
        with self._asked(given, check_mode=True):
            plan = super().run(tmp, task_vars)
        names = [act["identity"]["name"] for act in plan.get("actions") or () if act["status"] == PLANNED]
        if self._task.check_mode or plan.get("failed") or plan.get("unreachable") or not names:
            return plan
        try:
            rotation = self._stored(store, [one for one in wanted if one["name"] in names], task_vars or {})
        except FirebreakError as error:
            return {"failed": True, **error.as_result()}
        equipped = [rotation.equipped(one) for one in wanted]
        given = {**given, "credentials": equipped, "approved_plan": plan["plan_digest"]}
        with self._asked(given, check_mode=False):
            result = super().run(tmp, task_vars)
        return rotation.concluded(result)

    def _store(self, given: Any) -> Store:
        if not isinstance(given, Mapping):
            raise BadInput("store", "it is not given", "Give either command or vault_file.")
        context = VaultSecretsContext.current(optional=True)
        return open_store(given, self._loader.path_dwim, context.secrets if context else None)

    @contextmanager
    def _asked(self, arguments: Mapping[str, Any], check_mode: bool) -> Iterator[None]:
        """The task with other options for the time of one module run: what it was is reported afterwards."""
        before, mode = self._task.args, self._task.check_mode
        self._task.args, self._task.check_mode = dict(arguments), check_mode
        try:
            yield
        finally:
            self._task.args, self._task.check_mode = before, mode

    def _stored(
        self, store: Store, wanted: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]
    ) -> _Rotation:
        run = (variables.get("firebreak_run") or {}).get("run") or {}
        incident = run.get("incident")
        moment = iso(datetime.now(UTC))
        rotation = _Rotation(store)
        for one in wanted:
            entry = Entry(
                name=str(one["name"]),
                kind=str(one["kind"]),
                user=str(one["user"]),
                host=str(variables.get("inventory_hostname", "")),
                run=str(run.get("id") or ""),
                incident=str(incident) if incident else None,
                time=moment,
            )
            rotation.prepare(entry)
        return rotation


class _Rotation:
    """The secrets of one host, from the moment they are made to the one they are settled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._new: dict[str, tuple[Entry, str]] = {}

    def prepare(self, entry: Entry) -> None:
        """Raises when it cannot be stored; those that were stored before it are taken out again."""
        secret = new_secret()
        try:
            self._store.pending(entry, secret)
        except FirebreakError:
            for stored, unused in self._new.values():
                self._store.abandoned(stored, unused)
            raise
        self._new[entry.name] = (entry, secret)

    def equipped(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The options of one credential with the secret to come and, where it is known, the one in force."""
        name = wanted["name"]
        if name not in self._new:
            return dict(wanted)
        old = wanted.get("old") or self._store.current(name)
        return {**wanted, "new": self._new[name][1], **({"old": old} if old else {})}

    def concluded(self, result: dict[str, Any]) -> dict[str, Any]:
        """Settle in the store what the host says is in force; what it does not say stays pending."""
        done = {act["identity"]["name"]: act["status"] for act in result.get("actions") or ()}
        states = {one["name"]: one for one in (result.get("after") or {}).get("credentials") or ()}
        problems = []
        for name, (entry, secret) in self._new.items():
            state = states.get(name, {})
            try:
                if done.get(name) == DONE or state.get("in_force") == "new":
                    self._store.settled(entry, secret, old_is_dead=state.get("old_refused") is True)
                elif state.get("in_force") == "old":
                    self._store.abandoned(entry, secret)
            except FirebreakError as error:
                problems.append(f"{error} The new secret of {name} is in force and is stored as pending.")
        if problems:
            said = " ".join([*problems, str(result.get("msg") or "")]).strip()
            return {**result, "failed": True, "msg": said}
        return result
