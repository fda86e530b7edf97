# SPDX-License-Identifier: GPL-3.0-or-later
"""observe, decide, act, verify: the one life cycle of every module.

Neither function knows Ansible. They return what the module returns, or raise a `FirebreakError` that
carries it; `main()` hands either to Ansible.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Mapping, Sequence, TypeVar

from .errors import FirebreakError, IdentityChanged
from .finding import Finding, ranked
from .guard import Guard, Limits, restrain
from .ledger import Entry, Ledger
from .plan import DONE, FAILED, PLANNED, REFUSED, REVERSIBLE, RISKS, Act, Plan

RESOLVED, IMPROVED, UNCHANGED, WORSE = "resolved", "improved", "unchanged", "worse"
NOT_NEEDED = "not_needed"

COOLDOWN_SECONDS = 3600
COOLDOWN_TIMES = 3

Snapshot = TypeVar("Snapshot")
Performer = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Decision:
    """What a snapshot means.

    `symptom` measures what is wrong in one number, in whatever unit the domain states; 0 is gone. It is
    taken before and after, and the verdict is the comparison. `state` is the part of the snapshot a
    reader wants to see before and after, JSON-plain.
    """

    symptom: float
    state: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True)
class Context:
    """Who is doing this: the run, the incident it belongs to, the playbook and the person.

    `protected` maps addresses and networks that must never be acted against to the reason.
    """

    run: str
    incident: str | None = None
    playbook: str | None = None
    actor: str | None = None
    protected: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Context:
        given = params.get("context") or {}
        return cls(
            run=given.get("run") or f"{utc_now():%Y%m%d-%H%M%S}-local",
            incident=given.get("incident"),
            playbook=given.get("playbook"),
            actor=given.get("actor"),
            protected=given.get("protected") or {},
        )


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def iso(moment: datetime) -> str:
    """UTC, ISO 8601 with milliseconds and Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def context_spec() -> dict[str, Any]:
    """The option that the action plugin fills in; documented in the fragment `context`."""
    return {
        "context": {
            "type": "dict",
            "options": {
                "run": {"type": "str"},
                "incident": {"type": "str"},
                "playbook": {"type": "str"},
                "actor": {"type": "str"},
                "protected": {"type": "dict"},
            },
        },
    }


def change_spec() -> dict[str, Any]:
    """The options of every module that changes something; documented in the fragment `change`."""
    return {
        "max_risk": {"type": "str", "choices": list(RISKS), "default": REVERSIBLE},
        "max_actions": {"type": "int", "default": 100},
        "approved_plan": {"type": "str"},
        **context_spec(),
    }


def run_info(
    observe: Callable[[], Snapshot], decide: Callable[[Snapshot], tuple[Mapping[str, Any], Sequence[Finding]]]
) -> dict[str, Any]:
    """Look, judge, change nothing. `decide` gives the data to return and what is wrong with it."""
    data, findings = decide(observe())
    return {"changed": False, **data, "findings": [finding.as_dict() for finding in ranked(findings)]}


def run_change(
    params: Mapping[str, Any],
    check_mode: bool,
    observe: Callable[[], Snapshot],
    decide: Callable[[Snapshot], Decision],
    perform: Mapping[str, Performer],
    guards: Sequence[Guard] = (),
    ledger: Ledger | None = None,
    clock: Callable[[], datetime] = utc_now,
    cooldown: bool = True,
) -> dict[str, Any]:
    """Bring a target to the wished state within the limits of `params`, and measure that it is there.

    `perform` maps the name of an action to the function that carries it out from an act's identity. It
    must check the identity again and raise `IdentityChanged` when it no longer fits.
    """
    ledger = ledger or Ledger()
    before = decide(observe())
    limits = Limits(params["max_risk"], params["max_actions"], params.get("approved_plan"))
    all_guards = [*guards, _cooldown(ledger, clock)] if cooldown and before.plan.acts else guards
    plan = restrain(before.plan, limits, all_guards)
    acting = bool(plan.acts) and not check_mode
    acts = _carry_out(plan.acts, perform, ledger, Context.from_params(params), clock) if acting else plan.acts
    actions = acts + plan.refusals
    result: dict[str, Any] = {
        "changed": any(act.status in (DONE, PLANNED) for act in acts),
        "actions": [act.as_dict() for act in actions],
        "before": dict(before.state),
        "plan_digest": plan.digest,
        "diff": {"before": "", "after": Plan(acts, plan.refusals).as_lines()},
    }
    after = _look_again(observe, decide, result) if acting else before
    verdict = PLANNED if check_mode and acts else _verdict(before.symptom, after.symptom)
    result.update(
        after=dict(after.state),
        verdict=verdict,
        findings=[finding.as_dict() for finding in ranked(after.findings)],
    )
    _fail_unless_better(verdict, actions, result)
    return result


def _look_again(
    observe: Callable[[], Snapshot], decide: Callable[[Snapshot], Decision], result: Mapping[str, Any]
) -> Decision:
    try:
        return decide(observe())
    except FirebreakError as error:
        raise FirebreakError(
            error.subject, f"{error.problem}; the acts were done and are not proved", error.cure, result
        ) from error


def _carry_out(
    acts: Sequence[Act],
    perform: Mapping[str, Performer],
    ledger: Ledger,
    context: Context,
    clock: Callable[[], datetime],
) -> tuple[Act, ...]:
    """Perform the acts in order. The first that fails ends it; the others are refused, visibly.

    Each act is written down before it is done, so that one which a crash or a lost connection cut off
    can still be found and taken back.
    """
    outcome: list[Act] = []
    stopped_by: Act | None = None
    for act in acts:
        if stopped_by is not None:
            outcome.append(act.refused(f"not attempted, because {stopped_by.action} failed before it"))
            continue
        _record(ledger, act, context, clock)
        try:
            perform[act.action](act.identity)
            finished = act.became(DONE)
        except IdentityChanged as error:
            finished = act.refused(str(error))
        except FirebreakError as error:
            finished = stopped_by = act.became(FAILED, str(error))
        _record(ledger, finished, context, clock)
        outcome.append(finished)
    return tuple(outcome)


def _record(ledger: Ledger, act: Act, context: Context, clock: Callable[[], datetime]) -> None:
    entry = Entry.of(act, iso(clock()), context.run, context.incident, context.playbook, context.actor)
    ledger.append(entry)


def _cooldown(ledger: Ledger, clock: Callable[[], datetime]) -> Guard:
    """The same fix on the same object again and again fixes nothing."""
    since = iso(clock() - timedelta(seconds=COOLDOWN_SECONDS))
    done = Counter(
        (entry.action, entry.target)
        for entry in ledger.entries()
        if entry.status == DONE and entry.time >= since
    )

    def guard(act: Act) -> str | None:
        if done[(act.action, act.target)] < COOLDOWN_TIMES:
            return None
        return (
            f"done {COOLDOWN_TIMES} times within the hour and the symptom came back: "
            f"stop repeating it and escalate"
        )

    return guard


def _verdict(before: float, after: float) -> str:
    if before == 0 and after == 0:
        return NOT_NEEDED
    if after == 0:
        return RESOLVED
    if after < before:
        return IMPROVED
    return UNCHANGED if after == before else WORSE


def _fail_unless_better(verdict: str, actions: Sequence[Act], result: Mapping[str, Any]) -> None:
    failed = next((act for act in actions if act.status == FAILED), None)
    if failed is not None:
        raise FirebreakError(
            failed.target,
            f"{failed.action} failed: {failed.reason}",
            "The acts before it stand; see actions.",
            result,
        )
    if verdict not in (UNCHANGED, WORSE):
        return
    refused = next((act for act in actions if act.status == REFUSED), None)
    if refused is not None:
        raise FirebreakError(
            refused.target,
            f"{refused.action} was refused: {refused.reason}",
            "See actions for every refusal.",
            result,
        )
    done = sum(act.status == DONE for act in actions)
    raise FirebreakError(
        "verdict",
        f"the symptom is {verdict} after {done} acts",
        "Run triage again to see what else holds it, and escalate.",
        result,
    )
