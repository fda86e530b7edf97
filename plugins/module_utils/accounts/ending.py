# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions and processes have to end so that somebody is out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ..addresses import Protected, canonical, parse_network
from ..clients.user_processes import UserProcess
from ..errors import BadInput, FirebreakError
from ..finding import NOTICE, WARNING, Finding
from ..lifecycle import Decision
from ..plan import DISRUPTIVE, Act, Plan
from .decide import closed
from .observe import Live, Sessions
from .people import FIRST_PERSON, SERVICE, count, kind, of_person, service

LISTED = 50


@dataclass(frozen=True)
class Request:
    """Whose sessions end: of these users, from these addresses, with these ids, or everybody's but my own.

    `protected` gives for some of the addresses the reason why what comes from there is not ended for that
    alone. `keep` holds names, addresses and ids that are left alone. With `processes` the left-over
    processes of the users go too; those of a session always go with it.
    """

    users: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    everybody: bool = False
    keep: tuple[str, ...] = ()
    processes: bool = True
    protected: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, params: Mapping[str, Any], protected: Protected) -> Request:
        """An empty list names nobody, which is fine; no list at all is a mistake."""
        lists = [params[name] for name in ("users", "addresses", "sessions")]
        if lists == [None, None, None] and not params["all_but_mine"]:
            raise BadInput(
                "end_sessions", "nobody is named", "Give users, addresses, sessions or all_but_mine."
            )
        users, addresses, ids = (list(dict.fromkeys(each or ())) for each in lists)
        addresses = [canonical(text) for text in addresses]
        reasons = {address: protected.why(address) for address in addresses}
        return cls(
            users=tuple(users),
            addresses=tuple(addresses),
            ids=tuple(ids),
            everybody=params["all_but_mine"],
            keep=tuple(params["keep"]),
            processes=params["processes"],
            protected={address: why for address, why in reasons.items() if why is not None},
        )

    def names(self, live: Live) -> bool:
        return self._named_itself(live) or bool(self._places(live))

    def spares(self, live: Live) -> str | None:
        """Why a session is not ended although it comes from a named address, or None."""
        reasons = [self.protected.get(address) for address in self._places(live)]
        return None if self._named_itself(live) or None in reasons else next(iter(reasons), None)

    def _named_itself(self, live: Live) -> bool:
        login = live.login
        return self.everybody or login.user in self.users or bool(login.id and login.id in self.ids)

    def _places(self, live: Live) -> list[str]:
        return [address for address in self.addresses if _comes_from(live.login.remote, address)]

    def keeps(self, live: Live) -> bool:
        login = live.login
        return any(
            word in (login.user, login.id) or _comes_from(login.remote, word) for word in self.keep if word
        )


def end(seen: Sessions, request: Request) -> Decision:
    """Nobody of them in any more. The symptom counts their sessions and what they have running."""
    named = [live for live in seen.live if request.names(live) and not request.keeps(live)]
    if request.everybody:
        named = [live for live in named if _own(seen, live) is None]
    judged = [(live, _own(seen, live) or request.spares(live)) for live in named]
    ending = [live for live, because in judged if because is None]
    acts = [_ending(live) for live in ending]
    refusals = [_ending(live).refused(because) for live, because in judged if because is not None]
    left: dict[str, list[UserProcess]] = {}
    for name, uid in _people(seen, request, named).items():
        running = [p for p in of_person(seen.users.processes, uid, seen.users.me) if not _inside(p, ending)]
        if not running:
            continue
        act = _clearing(name, uid, running)
        because = _not_cleared(seen, request, name, uid)
        if because is None:
            left[name] = running
            acts.append(act)
        elif name in request.users:
            refusals.append(act.refused(because))
    asked = {**_people(seen, request, named), **{live.login.user: live.login.uid or 0 for live in ending}}
    findings = [finding for name, uid in asked.items() for finding in _remaining(seen, name, uid, ending)]
    return Decision(
        symptom=len(named) + sum(map(len, left.values())),
        state={
            "sessions": [described(seen, live) for live in named],
            "processes": {name: len(running) for name, running in left.items()},
        },
        findings=tuple(findings),
        plan=Plan(tuple(acts), tuple(refusals), sequential=False),
    )


def inform(seen: Sessions) -> tuple[Mapping[str, Any], list[Finding]]:
    """Every session, and what runs for people who have none."""
    there = {live.login.user for live in seen.live}
    people = [one for one in seen.users.accounts if FIRST_PERSON <= one.uid < 65534 and one.name not in there]
    left = {one.name: of_person(seen.users.processes, one.uid, seen.users.me) for one in people}
    data = {
        "sessions": [described(seen, live) for live in seen.live],
        "left_behind": [
            {"user": name, "pid": process.pid, "name": process.name}
            for name, running in left.items()
            for process in running[:LISTED]
        ],
    }
    return data, [_left_behind(name, running) for name, running in left.items() if running]


def described(seen: Sessions, live: Live) -> dict[str, Any]:
    login = live.login
    return {
        "id": login.id or None,
        "user": login.user,
        "from": login.remote or None,
        "terminal": login.terminal or None,
        "service": login.service or None,
        "since": login.since,
        "leader": login.leader,
        "own": _own(seen, live) is not None,
    }


def _people(seen: Sessions, request: Request, named: Sequence[Live]) -> dict[str, int]:
    """Whose left-over processes go, with their numbers."""
    if not request.processes:
        return {}
    names = [*request.users, *(live.login.user for live in named if request.everybody)]
    local = {account.name: account.uid for account in seen.users.accounts}
    known = {**seen.users.elsewhere, **local}
    return {name: known[name] for name in dict.fromkeys(names) if name in known and name not in request.keep}


def _own(seen: Sessions, live: Live) -> str | None:
    """Why a session is the responder's, or None.

    Who comes as root shares the account with others: there only what comes from the same address counts.
    """
    me, login = seen.users.me, live.login
    if login.leader in me.pids or (login.scope and me.group.endswith(f"/{login.scope}")):
        return "it is your own session"
    if login.uid in me.uids:
        return f"it is a session of {login.user}, the account you are logged in with"
    if login.uid == 0 and not me.uids and me.address and _comes_from(login.remote, me.address):
        return "it comes from your own address with your account"
    return None


def _not_cleared(seen: Sessions, request: Request, name: str, uid: int) -> str | None:
    if uid in seen.users.me.uids:
        return seen.users.me.uids[uid]
    if uid < FIRST_PERSON:
        return f"{name} is a system account (uid {uid}): only its sessions are ended, never its processes"
    if any(live.login.user == name and request.keeps(live) for live in seen.live):
        return f"one of the sessions of {name} is to be kept"
    return None


def _inside(process: UserProcess, ending: Sequence[Live]) -> bool:
    return any(live.login.scope and f"/{live.login.scope}" in process.group for live in ending)


def _ending(live: Live) -> Act:
    login = live.login
    where = f"from {login.remote}" if login.remote else f"on {login.terminal or 'this host'}"
    return Act(
        action="sessions.end",
        target=f"session {login.id or login.terminal} of {login.user} {where} (leader pid {login.leader})",
        identity={
            "session": login.id or None,
            "user": login.user,
            "leader": login.leader,
            "started": live.started,
            "since": login.since,
        },
        risk=DISRUPTIVE,
        reason=f"logged in since {login.since}; asked to be ended",
    )


def _clearing(name: str, uid: int, running: Sequence[UserProcess]) -> Act:
    names = ", ".join(sorted({process.name for process in running})[:4])
    return Act(
        action="sessions.end_processes",
        target=f"processes of {name}",
        identity={
            "user": name,
            "uid": uid,
            "processes": [
                {"pid": process.pid, "started": process.started}
                for process in sorted(running, key=lambda process: process.pid)
            ],
        },
        risk=DISRUPTIVE,
        reason=f"{count(running)} outside of every session that is ended ({names})",
    )


def _remaining(seen: Sessions, name: str, uid: int, ending: Sequence[Live]) -> list[Finding]:
    """What is still wrong about somebody who is to be out."""
    found = []
    account = seen.users.named(name)
    if account is not None and uid and not closed(account, seen.users.today):
        found.append(
            Finding(
                id="sessions.user.can_return",
                level=NOTICE,
                subject=f"user {name}",
                summary=f"{name} can log in again at once: the account is open. Lock it first (lock_users)",
                evidence={"user": name},
            )
        )
    serving = [process for process in seen.users.processes if uid and kind(process, uid) == SERVICE]
    if serving:
        units = sorted({service(process) or "" for process in serving})
        found.append(
            Finding(
                id="sessions.user.service",
                level=NOTICE,
                subject=f"user {name}",
                summary=f"{count(serving)} of {', '.join(units)} run as {name} and are "
                f"left alone: whoever had the account may have changed what they do",
                evidence={"units": units, "pids": [process.pid for process in serving[:LISTED]]},
            )
        )
    risen = [p for p in seen.users.processes if uid and p.login == uid and _risen(seen, p, uid, ending)]
    if risen:
        found.append(
            Finding(
                id="sessions.user.elevated",
                level=WARNING,
                subject=f"user {name}",
                summary=f"{count(risen)} started from a login of {name} under another account and left alone "
                f"(pid {', '.join(str(process.pid) for process in risen[:5])}): look before you end them",
                evidence={"processes": [{"pid": p.pid, "name": p.name} for p in risen[:LISTED]]},
            )
        )
    return found


def _risen(seen: Sessions, process: UserProcess, uid: int, ending: Sequence[Live]) -> bool:
    own = process.pid in seen.users.me.pids or process.group == seen.users.me.group
    return uid not in process.uids and not own and not _inside(process, ending)


def _left_behind(name: str, running: Sequence[UserProcess]) -> Finding:
    return Finding(
        id="sessions.user.left_behind",
        level=NOTICE,
        subject=f"user {name}",
        summary=f"{name} is not logged in, and {count(running)} of theirs "
        f"{'goes' if len(running) == 1 else 'go'} on ({', '.join(sorted({p.name for p in running})[:4])})",
        evidence={"processes": [{"pid": p.pid, "name": p.name} for p in running[:LISTED]]},
    )


def _comes_from(remote: str, place: str) -> bool:
    """Whether a peer as logind names it lies in an address or network. A host name lies in none."""
    try:
        peer, network = parse_network(remote.partition("%")[0]), parse_network(place)
    except FirebreakError:
        return bool(remote) and remote == place
    return peer.version == network.version and peer.overlaps(network)
