# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a timeline: which events it shows, and in which words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.firebreak.incident.plugins.module_utils.finding import CRITICAL
from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from ..people.story import SENT
from ..record.desk import NOTE, UPDATE
from ..record.event import CLOSED, OPENED, REOPENED, Event
from ..record.incident import ACKNOWLEDGED, CONTAINED, RESOLVED, ROLE, SEVERITY
from ..record.timeline import FINDINGS, RUN_FAILED, RUN_STARTED, VERDICT
from .acts import UNDONE, Done

PHASE, DECISION, NOTED, MESSAGE, RUN = "phase", "decision", "note", "message", "run"
FINDING, MEASURED, ACT, REFUSAL, FAILURE = "finding", "verdict", "act", "refusal", "failure"
# The rest is detail that stays in the record.
SHOWN: Mapping[str, str] = {
    OPENED: PHASE,
    ACKNOWLEDGED: PHASE,
    CONTAINED: PHASE,
    RESOLVED: PHASE,
    CLOSED: PHASE,
    REOPENED: PHASE,
    SEVERITY: DECISION,
    ROLE: DECISION,
    UPDATE: NOTED,
    NOTE: NOTED,
    SENT: MESSAGE,
    "message.failed": FAILURE,
    RUN_STARTED: RUN,
    FINDINGS: FINDING,
    "act.done": ACT,
    "act.refused": REFUSAL,
    "act.failed": FAILURE,
    VERDICT: MEASURED,
    RUN_FAILED: FAILURE,
}
MOST = 3


@dataclass(frozen=True)
class Line:
    """`sort` is one of SHOWN's; `undone` and `late` say more of an act and of a message."""

    time: str
    sort: str
    host: str
    actor: str
    text: str
    undone: bool = False
    late: bool = False


def lines(events: Sequence[Event], acts: Sequence[Done]) -> tuple[Line, ...]:
    """By their times: what waited for the record has a place of its own, and what was delivered late too."""
    undone = {act.number for act in acts if act.state == UNDONE}
    found = [_line(event, event.number in undone) for event in events if event.kind in SHOWN]
    return tuple(sorted((line for line in found if line.text), key=lambda line: line.time))


def _line(event: Event, undone: bool) -> Line:
    deadline = event.data.get("deadline")
    late = event.kind == SENT and bool(deadline) and event.time > str(deadline)
    sort = SHOWN[event.kind]
    return Line(event.time, sort, event.host or "", event.actor, _text(event), undone, late)


def _text(event: Event) -> str:
    data = event.data
    if event.kind == OPENED:
        told = ": ".join(one_line(data[name]) for name in ("title", "text") if data.get(name))
        return f"opened as {data.get('severity') or 'not judged yet'}: {told}"
    if event.kind == SEVERITY:
        return f"severity {data['severity']}: {'; '.join(map(str, data.get('reasons') or ()))}"
    if event.kind == ROLE:
        return f"{data['person']} is {str(data['role']).replace('_', ' ')}"
    if event.kind.startswith("act."):
        done = {"act.refused": "refused: ", "act.failed": "failed: "}.get(event.kind, "")
        return f"{done}{data['action']} {data['target']} ({data['reason']})"
    if event.kind == FINDINGS:
        return _found(event)
    if event.kind == VERDICT:
        verdict = data.get("verdict")
        return "" if verdict == "not_needed" else f"measured again: {verdict}"
    if event.kind == RUN_STARTED:
        return f"{data.get('playbook')} begins{', as a plan only' if data.get('check_mode') else ''}"
    if event.kind == RUN_FAILED:
        return f"{data.get('task')} failed: {data.get('message')}"
    if event.kind.startswith("message."):
        return " ".join(_message(event))
    said = one_line(data.get("text") or "")
    name = event.kind.rpartition(".")[2]
    return f"{name}: {said}" if said else name


def one_line(text: object) -> str:
    """What people write in several."""
    return " ".join(str(text).split())


def _found(event: Event) -> str:
    found = event.data.get("findings") or ()
    worst = [str(each.get("summary")) for each in found if each.get("level") == CRITICAL][:MOST]
    others = len(found) - len(worst)
    if worst:
        return "; ".join([*worst, *([f"and {others} more"] if others else [])])
    return speak_count(others, "warning") if others else "nothing critical and no warning"


def _message(event: Event) -> Iterator[str]:
    data = event.data
    yield str(data.get("event"))
    yield f"to {data.get('person') or str(data.get('audience')).replace('_', ' ')}"
    if data.get("address"):
        yield f"({data['address']})"
    if data.get("role"):
        yield f"as {str(data['role']).replace('_', ' ')}"
    if data.get("because"):
        yield f"because {data['because']}"
    if event.kind != SENT:
        yield (
            f"not sent: {data.get('why')}"
            if data.get("outcome") != "unknown"
            else f"in doubt: {data.get('why')}"
        )
