# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accounts are open, and how they are closed so that nothing is left ajar. Pure.

Locking the password alone leaves keys, su and cron open. An account that has expired is let in by none of
them, whatever it brings; sshd looks at the date even without PAM.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Mapping, Sequence

from ..clients.accounts import EMPTY, LOCKED, NONE, SET, Account
from ..finding import NOTICE, WARNING, Finding
from ..lifecycle import Decision
from ..plan import REVERSIBLE, Act, Plan, Undo
from ..quantities import speak_count
from .observe import Users
from .people import FIRST_PERSON, PERSON, SERVICE, count, kind, of_person

# The second of January 1970. Day 0 means never to some programs and always to others.
LONG_AGO = 1
CLOSED_PASSWORD = {SET: LOCKED, EMPTY: NONE}
OPEN_PASSWORD = {LOCKED: SET}
LISTED = 20


def expired(account: Account, today: int) -> bool:
    return account.expires is not None and 0 < account.expires < today


def closed(account: Account, today: int) -> bool:
    """Neither a password nor anything else lets anybody in."""
    return account.password in (LOCKED, NONE) and expired(account, today)


def lock(seen: Users, names: Sequence[str]) -> Decision:
    """Every account closed. The symptom counts those that are open."""
    acts: list[Act] = []
    refusals: list[Act] = []
    for name in names:
        account = seen.named(name)
        if account is not None and closed(account, seen.today):
            continue
        because = _untouchable(seen, name, account)
        act = _locking(seen, name, account)
        if because is None:
            acts.append(act)
        else:
            refusals.append(act.refused(because))
    findings = [finding for name in names for finding in _still_open(seen, name)]
    if seen.blind:
        findings.append(_blind(seen.blind))
    plan = Plan(tuple(acts), tuple(refusals), sequential=False)
    return Decision(len(acts) + len(refusals), _state(seen, names), tuple(findings), plan)


def unlock(seen: Users, names: Sequence[str], earlier: Mapping[str, Mapping[str, Any]]) -> Decision:
    """Every account open again. The symptom counts those that are locked or have expired.

    `earlier` holds for each name the identity that takes back Firebreak's own lock. Where there is none,
    or where the account has changed since, the password is unlocked and the account never expires.
    """
    acts: list[Act] = []
    for name in names:
        account = seen.named(name)
        if account is None or not (account.password == LOCKED or expired(account, seen.today)):
            continue
        known = earlier.get(name)
        identity = dict(known) if known and known["from"] == _condition(account) else _opening(account)
        whence = "as it was before Firebreak locked it" if identity == known else "never expires again"
        acts.append(
            Act(
                action="accounts.unlock",
                target=name,
                identity=identity,
                risk=REVERSIBLE,
                reason=f"{_spoken(account, seen.today)}; asked to be opened, {whence}",
                undo=Undo("accounts.lock", _reverse(identity)),
            )
        )
    return Decision(len(acts), _state(seen, names), plan=Plan(tuple(acts), sequential=False))


def inform(seen: Users, names: Sequence[str]) -> tuple[Mapping[str, Any], list[Finding]]:
    """The accounts `names`, or those of people: root, the numbers of people, and who can log in."""
    wanted = [one for one in seen.accounts if (one.name in names if names else _personal(one))]
    data = {"users": [_described(seen, account) for account in wanted]}
    return data, [finding for account in wanted for finding in _odd(seen, account)]


def day(number: int | None) -> str | None:
    """A day counted from 1970-01-01 as people write it."""
    if number is None:
        return None
    try:
        return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=number)).strftime("%Y-%m-%d")
    except OverflowError:
        return str(number)


def _locking(seen: Users, name: str, account: Account | None) -> Act:
    if account is None:
        identity: dict[str, Any] = {"user": name, "uid": seen.elsewhere.get(name)}
        return Act("accounts.lock", name, identity, REVERSIBLE, "asked", Undo("accounts.unlock", identity))
    before = _condition(account)
    after = {
        "password": CLOSED_PASSWORD.get(account.password, account.password),
        "expires": account.expires if expired(account, seen.today) else LONG_AGO,
    }
    identity = {"user": name, "uid": account.uid, "from": before, "to": after}
    return Act(
        action="accounts.lock",
        target=name,
        identity=identity,
        risk=REVERSIBLE,
        reason=f"asked to be closed; {_spoken(account, seen.today)}",
        undo=Undo("accounts.unlock", _reverse(identity)),
    )


def _untouchable(seen: Users, name: str, account: Account | None) -> str | None:
    """Why an account must stay open, or None."""
    if account is None:
        return "it is not an account of this host but of a directory (LDAP, SSSD): lock it there"
    if account.uid == 0:
        return "it is root: nobody could repair this host any more"
    if account.uid in seen.me.uids:
        return seen.me.uids[account.uid]
    if not account.shadowed:
        return "it has no line in /etc/shadow, so it cannot expire: run pwck and pwconv first"
    running = [p for p in seen.processes if kind(p, account.uid) in (PERSON, SERVICE)]
    if running and account.uid < FIRST_PERSON:
        what = ", ".join(sorted({process.name for process in running})[:3])
        return (
            f"it is a system account (uid {account.uid}) with {count(running)} "
            f"running ({what}): its service may need PAM to start again"
        )
    return None


def _opening(account: Account) -> dict[str, Any]:
    after = {"password": OPEN_PASSWORD.get(account.password, account.password), "expires": None}
    return {"user": account.name, "uid": account.uid, "from": _condition(account), "to": after}


def _condition(account: Account) -> dict[str, Any]:
    return {"password": account.password, "expires": account.expires}


def _reverse(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {**identity, "from": identity["to"], "to": identity["from"]}


def _spoken(account: Account, today: int) -> str:
    password = {
        SET: "its password works",
        LOCKED: "its password is locked",
        EMPTY: "it needs no password",
        NONE: "it has no password",
    }[account.password]
    if account.expires is None:
        return f"{password}, it never expires"
    return (
        f"{password}, it {'has expired' if expired(account, today) else 'expires'} on {day(account.expires)}"
    )


def _state(seen: Users, names: Sequence[str]) -> Mapping[str, Any]:
    return {
        "users": {
            account.name: {
                "password": account.password,
                "expires": day(account.expires),
                "closed": closed(account, seen.today),
            }
            for account in map(seen.named, names)
            if account is not None
        }
    }


def _still_open(seen: Users, name: str) -> list[Finding]:
    """What goes on, or can begin again, although the account is to be closed."""
    account = seen.named(name)
    if account is None:
        return []
    found = []
    running = of_person(seen.processes, account.uid, seen.me)
    if running:
        found.append(
            Finding(
                id="accounts.user.still_running",
                level=WARNING,
                subject=f"user {name}",
                summary=f"{count(running)} of {name} are running: a lock keeps out who "
                f"comes, not who is in. End them with end_sessions",
                evidence={"processes": [{"pid": p.pid, "name": p.name} for p in running[:LISTED]]},
            )
        )
    same = [one for one in seen.accounts if one.uid == account.uid and one.name != name]
    twins = [one.name for one in same if not closed(one, seen.today)]
    if twins:
        found.append(
            Finding(
                id="accounts.user.twin",
                level=WARNING,
                subject=f"user {name}",
                summary=f"{', '.join(twins)} has the same number ({account.uid}) and is open: it is the same "
                f"user under another name",
                evidence={"uid": account.uid, "names": twins},
            )
        )
    jobs = _jobs(seen, account)
    if jobs:
        found.append(
            Finding(
                id="accounts.user.jobs",
                level=NOTICE,
                subject=f"user {name}",
                summary=f"{name} has {' and '.join(jobs)}: while the account is closed PAM does not let them "
                f"run; once it is opened they do",
                evidence={"jobs": jobs},
            )
        )
    return found


def _jobs(seen: Users, account: Account) -> list[str]:
    waiting = seen.at_jobs.count(account.uid)
    return [
        *(["a crontab"] if account.name in seen.crontabs else []),
        *([speak_count(waiting, "at job")] if waiting else []),
        *(["a service manager that starts at boot (linger)"] if account.name in seen.lingering else []),
    ]


def _blind(doors: Sequence[str]) -> Finding:
    return Finding(
        id="accounts.pam.expiry_ignored",
        level=WARNING,
        subject=f"PAM service {', '.join(doors)}",
        summary=f"in /etc/pam.d nothing in the account phase of {', '.join(doors)} looks at the expiry date, "
        f"so a key or a job gets in there although the account is closed: add `account required "
        f"pam_unix.so`",
        evidence={"services": list(doors)},
    )


def _personal(account: Account) -> bool:
    if account.uid == 0 or account.password in (SET, EMPTY):
        return True
    return FIRST_PERSON <= account.uid < 65534


def _described(seen: Users, account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "uid": account.uid,
        "shell": account.shell,
        "password": account.password,
        "expires": day(account.expires),
        "closed": closed(account, seen.today),
        "processes": _running(seen, account),
        "jobs": _jobs(seen, account),
        "own": account.uid in seen.me.uids,
    }


def _running(seen: Users, account: Account) -> int | None:
    """The kernel's own, and a service whose group is not known, would count as the system's persons."""
    if account.uid < FIRST_PERSON:
        return None
    return sum(kind(process, account.uid) == PERSON for process in seen.processes)


def _odd(seen: Users, account: Account) -> list[Finding]:
    name = account.name
    if closed(account, seen.today):
        return [
            Finding(
                id="accounts.user.closed",
                level=NOTICE,
                subject=f"user {name}",
                summary=f"{name} is closed: {_spoken(account, seen.today)}",
                evidence={"expires": day(account.expires)},
            )
        ]
    if account.password == LOCKED and not expired(account, seen.today):
        return [
            Finding(
                id="accounts.user.half_locked",
                level=NOTICE,
                subject=f"user {name}",
                summary=f"the password of {name} is locked and the account has not expired: keys, su "
                f"and cron still let it in. lock_users closes all of them",
                evidence={"expires": day(account.expires)},
            )
        ]
    if account.password == EMPTY:
        return [
            Finding(
                id="accounts.user.no_password",
                level=WARNING,
                subject=f"user {name}",
                summary=f"{name} (uid {account.uid}) needs no password: whoever is on this host becomes "
                f"{name}, and sshd lets in anybody where PermitEmptyPasswords is set. Set one, or lock it",
                evidence={"uid": account.uid, "shell": account.shell},
            )
        ]
    return []
