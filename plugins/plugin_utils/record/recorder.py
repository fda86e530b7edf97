# SPDX-License-Identifier: GPL-3.0-or-later
"""How everybody records: at once when the record can be written, else as soon as it can."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.firebreak.incident.plugins.module_utils.errors import (
    BadInput,
    FirebreakError,
    Unreachable,
)

from .event import REOPENED, Draft
from .incident import Incident, fold
from .outbox import Outbox, OutboxAway

if TYPE_CHECKING:
    from .store import Store

RECORD_VARIABLE = "firebreak_record"
NAME = "incidents.db"


@dataclass(frozen=True)
class Recorder:
    """Opens the store each time: a run records seldom, and a server that comes back is found again."""

    url: str
    outbox: Outbox

    @classmethod
    def of(cls, variables: Mapping[str, Any]) -> Recorder:
        """After `firebreak_record`, the URL of a database; without it a file of this user's."""
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "firebreak"
        url = str(variables.get(RECORD_VARIABLE) or f"sqlite:///{home / NAME}")
        return cls(url, Outbox(home / "outbox"))

    def store(self) -> Store:
        """Raises `Unreachable` and `BadInput`. Use it in a `with`."""
        # It takes a tenth of a second to load, and most runs record nothing.
        from .store import Store

        return Store(self.url)

    def deliver(self, incident: str, store: Store) -> FirebreakError | None:
        """What waits, as far as it is taken: the rest keeps nothing from being recorded or read.

        Returns why some of it still waits, when it has to. Raises `Unreachable` for the record alone.
        """
        try:
            return self.outbox.deliver(incident, store.take)
        except (BadInput, OutboxAway) as error:
            return error

    def open(self, incident: str, draft: Draft) -> FirebreakError | None:
        """Begin it. Returns why that waits, when it has to. Raises `BadInput` where the id is taken."""
        try:
            with self.store() as store:
                store.open(incident, draft)
                self.deliver(incident, store)
        except Unreachable as error:
            self.outbox.add(incident, [draft])
            return error
        return None

    def record(self, incident: str, drafts: Sequence[Draft]) -> FirebreakError | None:
        """What waits is delivered first, so that the order stays. Returns why it waits, when it has to.

        Also what is recorded under a mistyped id, or after the end, waits rather than being lost. Raises
        `Unreachable` when it is nowhere.
        """
        try:
            with self.store() as store:
                if any(draft.kind == REOPENED for draft in drafts):
                    # What waits because it came after the end can be delivered from then on.
                    store.append(incident, drafts)
                self.deliver(incident, store)
                store.append(incident, drafts)
        except FirebreakError as error:
            self.outbox.add(incident, drafts)
            return error
        return None

    def postpone(self, incident: str, drafts: Sequence[Draft]) -> None:
        """For who knows that the record cannot be written now. Raises `Unreachable` when it is nowhere."""
        self.outbox.add(incident, drafts)

    def incident(self, incident: str) -> Incident:
        """With what waited for it, as far as it takes that. Raises `BadInput` and `Unreachable`."""
        with self.store() as store:
            self.deliver(incident, store)
            return fold(store.events(incident))

    def open_incidents(self) -> list[str]:
        """Also those that were opened while the record was away. Raises `Unreachable` and `BadInput`."""
        with self.store() as store:
            with suppress(OutboxAway):
                for incident in self.outbox.waiting():
                    self.deliver(incident, store)
            return store.incidents()
