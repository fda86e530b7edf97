# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the record knows of a security incident that is not over."""

from __future__ import annotations

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError

from .incident import fold
from .recorder import Recorder


def open_security(recorder: Recorder) -> str | None:
    """Why there is one, or must be taken to be one; None when the record has none."""
    try:
        with recorder.store() as store:
            incidents = [fold(store.events(each)) for each in store.incidents()]
    except FirebreakError as error:
        # What cannot be told is taken to be so: what is kept can be deleted later.
        return f"whether a security incident is open cannot be told: {error.subject}: {error.problem}"
    found = [incident.id for incident in incidents if incident.security]
    return f"{', '.join(found)} is about security and open" if found else None
