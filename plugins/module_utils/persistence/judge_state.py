# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rights, accounts, processes, kernel modules and containers are remarkable."""

from __future__ import annotations

from typing import Iterator

from ..clients.docker import moment
from ..finding import CRITICAL, NOTICE, WARNING, Finding
from ..remedies import CONTAIN_COMPROMISE
from .baseline import exposure_digest, printable
from .model import Exposure, Item, Program
from .observe import libraries
from .standing import Judge

TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/")
ODD = (*TEMPORARY, "/home/", "/var/www/", "/srv/", "/run/", "/dev/")
# SUID on one of these is a shell for everybody, whichever package owns it.
SHELLS = (
    "bash dash sh zsh ksh busybox env python python3 perl ruby php node lua awk gawk mawk find vim vi nano "
    "less more cp mv tar dd tee sed gdb strace docker nmap socat nc"
)
STRONG = (
    "chown dac_override dac_read_search fowner setgid setuid setpcap sys_module sys_rawio sys_ptrace "
    "sys_admin setfcap bpf"
)
# runc starts containers from a copy of itself in memory and is gone at once.
RUNC, RUNC_SECONDS = "runc_cloned", 60.0
NO_LOGIN = ("nologin", "false", "sync")


def judge_privileged(judge: Judge) -> Iterator[Finding]:
    walk = judge.snapshot.privileged
    for item in walk.items if walk else ():
        why = _rights(judge, item)
        if why is None:
            continue
        words, grave = why
        mode = f"{item.mode:04o} {judge.user(item.uid)}"
        capabilities = ", ".join(item.detail.get("capabilities", ()))
        lends = f"capabilities {capabilities}" if capabilities else f"SUID or SGID ({mode})"
        yield Finding(
            id="persistence.suid.added",
            level=CRITICAL if grave else WARNING,
            subject=f"{item.kind} {printable(item.path)}",
            summary=f"whoever runs {printable(item.path)} gets its rights, {lends}: {words}",
            evidence=judge.evidence(item),
            remedy=CONTAIN_COMPROMISE if grave else None,
        )


def _rights(judge: Judge, item: Item) -> tuple[str, bool] | None:
    """Why a file that lends rights is remarkable, and whether gravely; None when it is not."""
    rights = judge.against("rights", item.path, oct(item.mode))
    name = item.path.rpartition("/")[2].rstrip("0123456789.")
    copied = judge.snapshot.shells.get(item.sha256) if item.sha256 else None
    strong = any(one in STRONG.split() for one in item.detail.get("capabilities", ()))
    root = strong or (item.uid == 0 and bool(item.mode & 0o4000))
    standing = judge.weigh(item, "privileged")
    if standing is None:
        owned = (judge.snapshot.owners or {}).get(item.path)
        later = owned is not None and item.ctime - (owned.installed or item.ctime) > 3600.0
        if root and name in SHELLS.split() and rights != "same":
            return "a shell or a tool that gives one is never meant to have them", True
        if rights in ("added", "changed") and owned is not None:
            return f"its rights are not those of the baseline; it changed {judge.ago(item.ctime)}", False
        if rights is None and later and judge.fresh(item.ctime):
            return f"it got them after its package was installed, {judge.ago(item.ctime)}", root
        return None
    if copied and root:
        return f"it is a copy of {copied}; {standing.story}", True
    if root and (name in SHELLS.split() or item.path.startswith(TEMPORARY) or "/." in item.path):
        return standing.story, True
    if standing.state == "old" and not (root and item.path.startswith(ODD)):
        return None
    return standing.story, root and standing.state != "old"


def judge_accounts(judge: Judge) -> Iterator[Finding]:
    seen = judge.snapshot.accounts
    for account in seen.accounts if seen else ():
        name = printable(account.name)
        facts = {"uid": account.uid, "home": printable(account.home), "shell": printable(account.shell)}
        if account.uid == 0 and account.name != "root":
            yield Finding(
                id="persistence.account.superuser",
                level=CRITICAL,
                subject=f"account {name}",
                summary=f"{name} is root by another name (uid 0)",
                evidence=facts,
                remedy=CONTAIN_COMPROMISE,
            )
        if account.password == "empty" and not account.shell.endswith(NO_LOGIN):
            yield Finding(
                id="persistence.account.passwordless",
                level=WARNING,
                subject=f"account {name}",
                summary=f"{name} needs no password to log in",
                evidence=facts,
            )
        when = _new_account(judge, account.name, str(account.uid))
        if when:
            yield Finding(
                id="persistence.account.added",
                level=WARNING,
                subject=f"account {name}",
                summary=f"account {name} (uid {account.uid}, shell {facts['shell']}) is {when}",
                evidence=facts,
            )
    if seen and seen.docker_members:
        members = [printable(name) for name in seen.docker_members]
        yield Finding(
            id="persistence.docker.members",
            level=NOTICE,
            subject="group docker",
            summary=f"members of the group docker are root in all but name: {', '.join(members)}",
            evidence={"members": members},
        )
    yield from _sshd(judge)


def _new_account(judge: Judge, name: str, uid: str) -> str:
    seen = judge.snapshot.accounts
    known = judge.against("accounts", name, uid)
    if known is not None:
        return {"added": "not in the baseline", "changed": "another one than in the baseline"}.get(known, "")
    if seen is None or seen.earlier is None or name in seen.earlier or not judge.fresh(seen.changed):
        return ""
    return f"new since the last change of /etc/passwd, {judge.ago(seen.changed)}"


def _sshd(judge: Judge) -> Iterator[Finding]:
    for setting in judge.snapshot.accounts.settings if judge.snapshot.accounts else ():
        value = printable(setting.value)
        said = {"path": printable(setting.path), "keyword": setting.keyword, "value": value}
        program = setting.value.split()[0] if setting.value else ""
        if setting.keyword in ("authorizedkeyscommand", "authorizedprincipalscommand"):
            if program not in ("", "none") and not judge.vouched(program):
                yield Finding(
                    id="persistence.sshd.command",
                    level=WARNING,
                    subject=f"sshd {printable(setting.path)}",
                    summary=f"sshd lets {value} say who may log in, and no package vouches for that program",
                    evidence=said,
                )
        elif setting.keyword == "permitemptypasswords" and value.lower() == "yes":
            yield Finding(
                id="persistence.sshd.open",
                level=WARNING,
                subject=f"sshd {printable(setting.path)}",
                summary="sshd lets accounts in that have no password (PermitEmptyPasswords yes)",
                evidence=said,
            )
        elif (setting.keyword, value.lower()) in (
            ("permitrootlogin", "yes"),
            ("permituserenvironment", "yes"),
        ):
            yield Finding(
                id="persistence.sshd.lax",
                level=NOTICE,
                subject=f"sshd {printable(setting.path)}",
                summary=f"sshd is told {setting.keyword} yes",
                evidence=said,
            )


def judge_programs(judge: Judge) -> Iterator[Finding]:
    for program in judge.snapshot.programs or ():
        exe, title = printable(program.exe), printable(program.title)[:80]
        facts = {
            "pid": program.pid,
            "exe": exe,
            "title": title,
            "user": printable(judge.user(program.uid)),
            "age_seconds": round(program.age),
            "in_container": program.contained,
            "ports": list(program.listening),
        }
        words, grave = _running(judge, program)
        if words:
            yield Finding(
                id="persistence.process.odd",
                level=CRITICAL if grave else WARNING,
                subject=f"pid {program.pid} {exe}",
                summary=f"process {program.pid} ({title}) of {facts['user']} {words}",
                evidence=facts,
                remedy=CONTAIN_COMPROMISE if grave else None,
            )
        strange = [name for name in libraries(program.preload) if not judge.vouched(name)]
        if strange and (not program.contained or program.preload.startswith(TEMPORARY)):
            named = [printable(name) for name in strange]
            hidden = any(name.startswith(TEMPORARY) or "/." in name for name in strange)
            yield Finding(
                id="persistence.process.preloaded",
                level=CRITICAL if hidden else WARNING,
                subject=f"pid {program.pid} {exe}",
                summary=f"process {program.pid} ({title}) runs with {', '.join(named)} loaded before "
                f"all else, which no package vouches for",
                evidence={**facts, "libraries": named},
                remedy=CONTAIN_COMPROMISE if hidden else None,
            )
        if program.listening and judge.fresh(program.ctime):
            yield Finding(
                id="persistence.process.listening",
                level=NOTICE,
                subject=f"pid {program.pid} {exe}",
                summary=f"{exe}, which is no package's and changed {judge.ago(program.ctime)}, listens on "
                f"{', '.join(map(str, program.listening))}",
                evidence=facts,
            )


def _running(judge: Judge, program: Program) -> tuple[str, bool]:
    """What is odd about a process, and whether gravely."""
    if program.exe.startswith("/memfd:"):
        starting = RUNC in program.exe and program.age < RUNC_SECONDS
        return ("", False) if starting else ("runs from memory only: there is no file of it", True)
    if program.title.startswith("[") and program.title.endswith("]"):
        return f"calls itself a thread of the kernel and is {printable(program.exe)}", True
    if program.exe.startswith(TEMPORARY):
        return f"runs {printable(program.exe)}, from a folder for temporary files", program.gone
    if program.gone and not judge.vouched(program.exe):
        return f"runs {printable(program.exe)}, which was deleted", not program.contained
    return "", False


def judge_modules(judge: Judge) -> Iterator[Finding]:
    for module in judge.snapshot.modules or ():
        name = printable(module.name)
        facts = {"taint": module.taint, "hidden": module.hidden, "installed": module.in_tree}
        if module.hidden:
            yield Finding(
                id="persistence.module.hidden",
                level=CRITICAL,
                subject=f"kernel module {name}",
                summary=f"kernel module {name} is loaded and hides from the list of modules",
                evidence=facts,
                remedy=CONTAIN_COMPROMISE,
            )
        elif not module.in_tree:
            strange = module.in_tree is False
            yield Finding(
                id="persistence.module.foreign",
                level=WARNING if strange else NOTICE,
                subject=f"kernel module {name}",
                summary=f"kernel module {name} did not come with the kernel {module.taint}"
                + (" and is not installed for it" if strange else ""),
                evidence=facts,
            )


def judge_containers(judge: Judge) -> Iterator[Finding]:
    for found in judge.snapshot.containers or ():
        state = judge.against("containers", found.name, exposure_digest(found))
        if state == "same":
            continue
        writable = any(word.endswith(("privileged", "writable", ".sock")) for word in found.how)
        strange = state is not None or (writable and judge.fresh(_created(found)))
        yield Finding(
            id="persistence.container.exposed",
            level=WARNING if strange else NOTICE,
            subject=f"container {printable(found.name)}",
            summary=(
                f"container {printable(found.name)}, made {found.created[:19]}Z, gives its users the host "
                f"({'; '.join(found.how)}){', which is not so in the baseline' if state else ''}"
            ),
            evidence={"image": printable(found.image), "how": list(found.how), "running": found.running},
        )
    mode = judge.snapshot.docker_socket_mode
    if mode is not None and mode & 0o002:
        yield Finding(
            id="persistence.docker.open",
            level=WARNING,
            subject="docker socket",
            summary=f"everybody on this host may speak to Docker, and so become root (mode {mode:04o})",
            evidence={"mode": f"{mode:04o}"},
        )


def _created(found: Exposure) -> float:
    created = moment(found.created)
    return created.timestamp() if created else 0.0
