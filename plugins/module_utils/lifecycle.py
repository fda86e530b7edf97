# SPDX-License-Identifier: GPL-3.0-or-later
"""observe, decide, act, verify: the one life cycle of every module that changes something.

It does not know Ansible. It returns what the module returns, or raises a `FirebreakError` that carries it;
`main()` hands either to Ansible.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Callable, Generic, Mapping, Sequence, TypeVar

from .errors import Declined, FirebreakError, IdentityChanged
from .finding import Finding, ranked
from .guard import Guard, Limits, restrain
from .information import Context, context_spec
from .ledger import Entry, Ledger
from .moments import iso, utc_now
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
class Job(Generic[Snapshot]):
    """What a domain brings to a change.

    `perform` maps the name of an action to the function that carries it out from an act's identity. It
    must check the identity again and raise `IdentityChanged` when it no longer fits, `Declined` when
    whoever should do it will not. `guards` say what must not be touched.
    """

    observe: Callable[[], Snapshot]
    decide: Callable[[Snapshot], Decision]
    perform: Mapping[str, Performer]
    guards: Sequence[Guard] = ()


def change_spec() -> dict[str, Any]:
    """The options of every module that changes something; documented in the fragment `change`."""
    return {
        "max_risk": {"type": "str", "choices": list(RISKS), "default": REVERSIBLE},
        "max_actions": {"type": "int", "default": 100},
        "approved_plan": {"type": "str"},
        **context_spec(),
    }


def run_change(
    params: Mapping[str, Any],
    check_mode: bool,
    job: Job[Snapshot],
    ledger: Ledger | None = None,
    clock: Callable[[], datetime] = utc_now,
    cooldown: bool = True,
) -> dict[str, Any]:
    """Bring a target to the wished state within the limits of `params`, and measure that it is there."""
    ledger = ledger or Ledger()
    before = job.decide(job.observe())
    limits = Limits(params["max_risk"], params["max_actions"], params.get("approved_plan"))
    guards = [*job.guards, _cooldown(ledger, clock)] if cooldown and before.plan.acts else job.guards
    plan = restrain(before.plan, limits, guards)
    acting = bool(plan.acts) and not check_mode
    work = _Work(job.perform, ledger, Context.from_params(params), clock)
    acts = work.carry_out(plan) if acting else plan.acts
    actions = acts + plan.refusals
    result: dict[str, Any] = {
        "changed": any(act.status in (DONE, PLANNED) for act in acts),
        "actions": [act.as_dict() for act in actions],
        "before": dict(before.state),
        "plan_digest": plan.digest,
        "diff": {"before": "", "after": Plan(acts, plan.refusals).as_lines()},
    }
    if work.unrecorded is not None:
        raise FirebreakError(
            work.unrecorded.subject,
            f"{work.unrecorded.problem}; what was done before it could no longer be recorded is in actions",
            work.unrecorded.cure,
            result,
        )
    after = _look_again(job, result) if acting else before
    verdict = PLANNED if check_mode and acts else _verdict(before.symptom, after.symptom)
    result.update(
        after=dict(after.state),
        verdict=verdict,
        findings=[finding.as_dict() for finding in ranked(after.findings)],
    )
    _fail_unless_better(verdict, actions, result)
    return result


def _look_again(job: Job[Snapshot], result: Mapping[str, Any]) -> Decision:
    try:
        return job.decide(job.observe())
    except FirebreakError as error:
        raise FirebreakError(
            error.subject, f"{error.problem}; the acts were done and are not proved", error.cure, result
        ) from error


class _Work:
    """Performs the acts of a plan in order.

    Each is written down before it is done, so that one which a crash or a lost connection cut off can
    still be found and taken back. Those that rest on one that failed are refused, visibly.
    """

    def __init__(
        self,
        perform: Mapping[str, Performer],
        ledger: Ledger,
        context: Context,
        clock: Callable[[], datetime],
    ) -> None:
        self._perform, self._ledger, self._context, self._clock = perform, ledger, context, clock
        self.unrecorded: FirebreakError | None = None

    def carry_out(self, plan: Plan) -> tuple[Act, ...]:
        """The acts with what became of them. Raises only when not one of them could be recorded."""
        outcome: list[Act] = []
        failed: list[Act] = []
        for act in plan.acts:
            stopped_by = next((e for e in failed if plan.sequential or e.target == act.target), None)
            if self.unrecorded is not None:
                outcome.append(act.refused("not attempted, because the ledger can no longer be written"))
            elif stopped_by is not None:
                outcome.append(act.refused(f"not attempted, because {stopped_by.action} failed before it"))
            elif not self._recorded(act):
                if not outcome and self.unrecorded is not None:
                    raise self.unrecorded
                outcome.append(act.refused("not attempted, because the ledger can no longer be written"))
            else:
                finished = self._performed(act)
                if finished.status == FAILED:
                    failed.append(finished)
                self._recorded(finished)
                outcome.append(finished)
        return tuple(outcome)

    def _performed(self, act: Act) -> Act:
        try:
            self._perform[act.action](act.identity)
        except (Declined, IdentityChanged) as error:
            return act.refused(str(error))
        except FirebreakError as error:
            return act.became(FAILED, str(error))
        return act.became(DONE)

    def _recorded(self, act: Act) -> bool:
        context = self._context
        entry = Entry.of(
            act, iso(self._clock()), context.run, context.incident, context.playbook, context.actor
        )
        try:
            self._ledger.append(entry)
        except FirebreakError as error:
            self.unrecorded = error
            return False
        return True


def _cooldown(ledger: Ledger, clock: Callable[[], datetime]) -> Guard:
    """The same fix on the same object again and again fixes nothing.

    One that failed does not count: whoever has put right what it failed for may repeat it at once.
    """
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
