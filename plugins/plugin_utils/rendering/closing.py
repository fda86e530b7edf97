# SPDX-License-Identifier: GPL-3.0-or-later
"""Remembers what was said about every host, and says at the end what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.firebreak.incident.plugins.module_utils.quantities import speak_count

from ..summary import BROKEN, CLEAR, UNREACHABLE, UNSEEN, HostState, Run, Seen, summarise
from .command import Launcher
from .model import FAILED, Closing, Outcome, Row
from .model import UNREACHABLE as OUT_OF_REACH
from .report import acts_phrase, progress, state_word


@dataclass
class Chronicle:
    """`expected` are the hosts of plays in which at least one host was looked at by a module of ours."""

    seen: dict[str, Seen] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    summary: Mapping[str, Any] | None = None

    def expect(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            self.seen.setdefault(host, Seen())

    def record(self, outcome: Outcome, play_hosts: Sequence[str]) -> None:
        before = self.seen.get(outcome.host, Seen())
        seen = replace(before, reports=(*before.reports, *outcome.reports))
        if outcome.status in (FAILED, OUT_OF_REACH) and outcome.failures:
            lost = BROKEN if outcome.status == FAILED else UNREACHABLE
            seen = replace(seen, lost=lost, message=outcome.failures[0][1].sentence)
        self.seen[outcome.host] = seen
        if outcome.reports:
            self.expected.update(play_hosts)

    def closing(
        self,
        run: Run,
        launcher: Launcher,
        stats: Mapping[str, Mapping[str, int]],
        seconds: float,
        interrupted: bool = False,
    ) -> Closing:
        """`stats` is Ansible's own count for every host that did anything."""
        relevant = {
            host: seen
            for host, seen in self.seen.items()
            if interrupted or host in self.expected or host in stats or seen.lost
        }
        ours = summarise(relevant, run, launcher)
        told = self._told()
        rows = []
        for host, state in ours.hosts.items():
            if state.state not in (BROKEN, UNREACHABLE) and host in told:
                rows.append(_row(host, told[host]))
            elif state.state == UNSEEN and host in stats and host not in self.expected:
                rows.append(_stats_row(host, stats.get(host, {})))
            else:
                rows.append(_row(host, state))
        said = self.summary or {"common": ours.common, "next": ()}
        return Closing(
            rows=tuple(rows),
            common=tuple(said["common"]),
            next=tuple(dict.fromkeys([*said["next"], *ours.next])),
            seconds=seconds,
            check_mode=run.check_mode,
            interrupted=interrupted,
        )

    def _told(self) -> dict[str, HostState]:
        """The hosts' states as the summary step of the playbook has them, when there was one."""
        hosts = (self.summary or {}).get("hosts", {})
        return {
            host: HostState(**{**state, "verdicts": tuple(state["verdicts"])})
            for host, state in hosts.items()
        }


def _row(host: str, state: HostState) -> Row:
    done = acts_phrase(state) if state.state in (BROKEN, UNREACHABLE) else progress(state)
    return Row(host, state.state, state_word(state), done, state.message)


def _stats_row(host: str, stats: Mapping[str, int]) -> Row:
    changed = stats.get("changed", 0)
    return Row(host, CLEAR, "ok", speak_count(changed, "step") + " changed" if changed else "", "")
