# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits every plan is held against before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Optional, Sequence

from .addresses import Protected
from .errors import BadInput
from .plan import Act, Plan, riskier

# Says why an act must not be done, or None.
Guard = Callable[[Act], Optional[str]]


@dataclass(frozen=True)
class Limits:
    """What the caller allows: `max_actions` counts acts, `approved_plan` is a digest of an earlier plan."""

    max_risk: str
    max_actions: int
    approved_plan: str | None = None


def protect(protected: Protected) -> Guard:
    """A guard for every act whose identity has an `address`."""

    def guard(act: Act) -> str | None:
        address = act.identity.get("address")
        return protected.why(address) if address else None

    return guard


def restrain(plan: Plan, limits: Limits, guards: Sequence[Guard]) -> Plan:
    """The plan as it may be carried out: whole but for what is protected, or not at all.

    Acts on protected objects are taken out one by one. What is left is refused as a whole when one act
    of it is riskier than allowed or there are more acts than allowed: the first part of a plan is not a
    smaller plan, it is half of one.
    """
    acts: list[Act] = []
    refusals: list[Act] = list(plan.refusals)
    for act in plan.acts:
        because = next(filter(None, (guard(act) for guard in guards)), None)
        if because is None:
            acts.append(act)
        else:
            refusals.append(act.refused(because))

    because = _over_ceiling(acts, limits)
    if because is not None:
        refusals += [act.refused(because) for act in acts]
        return replace(plan, acts=(), refusals=tuple(refusals))
    allowed = replace(plan, acts=tuple(acts), refusals=tuple(refusals))
    if limits.approved_plan and acts and allowed.digest != limits.approved_plan:
        raise BadInput(
            "plan",
            f"it is no longer the approved one (approved {limits.approved_plan}, now {allowed.digest})",
            "Run with --check, read the new plan and approve its plan_digest.",
            {"actions": [act.as_dict() for act in acts], "plan_digest": allowed.digest},
        )
    return allowed


def _over_ceiling(acts: Sequence[Act], limits: Limits) -> str | None:
    too_risky = [act for act in acts if riskier(act.risk, limits.max_risk)]
    if too_risky:
        worst = too_risky[0]
        return (
            f"the plan holds {worst.action}, which is {worst.risk}, and max_risk is {limits.max_risk}; "
            f"nothing of it was done"
        )
    if len(acts) > limits.max_actions:
        return (
            f"the plan holds {len(acts)} acts and max_actions is {limits.max_actions}; nothing of it was done"
        )
    return None
