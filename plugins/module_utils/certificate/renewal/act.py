# SPDX-License-Identifier: GPL-3.0-or-later
"""A lineage is renewed, and what ends TLS takes it over. Each is proved: by the files, and by handshakes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ...clients import certbot, certbot_lineages, tls, x509
from ...clients.certbot import Problem
from ...clients.certbot_lineages import Lineage
from ...clients.command import Completed
from ...clients.nginx_service import NginxService
from ...errors import Declined, FirebreakError, IdentityChanged
from ...lifecycle import Performer

# certbot does not wait for another one that runs; most of those are done within this.
LOCK_SECONDS, LOCK_PAUSE = 30.0, 3.0
# Until new workers of nginx have taken over everywhere.
SERVED_SECONDS, PAUSE, HANDSHAKE_SECONDS = 15.0, 0.2, 5.0
# Old workers of nginx go on taking connections beside the new ones for a moment.
STEADY = 5


def newest(lineage: Lineage) -> str:
    """The fingerprint of the certificate in its file. Raises `Unreachable`."""
    return x509.fingerprint(tls.file_chain(Path(lineage.fullchain))[0])


def presented(shown: Mapping[str, Any]) -> str | None:
    """The fingerprint of what an address serves now, None where there is no answer."""
    hands = tls.shake_hands(shown["address"], shown["port"], shown["name"], False, HANDSHAKE_SECONDS)
    return None if hands.der is None else x509.fingerprint(hands.der)


@dataclass
class Workshop:
    """`hooks` is what certbot said of hooks that failed, by lineage."""

    server: NginxService
    hooks: dict[str, Sequence[str]] = field(default_factory=dict)
    run_certbot: Callable[..., Completed] = certbot.renew
    lineages: Callable[[], Sequence[Lineage]] = certbot_lineages.read
    newest: Callable[[Lineage], str] = newest
    presented: Callable[[Mapping[str, Any]], str | None] = presented
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def performers(self) -> Mapping[str, Performer]:
        return {"certificate.renew": self.renew, "certificate.reload": self.reload}

    def renew(self, identity: Mapping[str, Any]) -> None:
        lineage, before = self._lineage(identity), identity["fingerprint"]
        if self.newest(lineage) != before:
            raise IdentityChanged(_subject(lineage), "it has been renewed meanwhile", "Look again.")
        # Only the server of Let's Encrypt has a twin. For every other one certbot rehearses at a server that
        # has nothing to do with it (2.1), or orders at the real one a second time (4.0).
        if lineage.server in (None, certbot.LETS_ENCRYPT):
            self._ordered(lineage, before, rehearse=True)
        answer = self._ordered(lineage, before, force=identity["force"])
        failed = certbot.hooks_failed(answer)
        if failed:
            self.hooks[lineage.name] = failed
        if self.newest(lineage) == before:
            raise Declined(
                _subject(lineage),
                f"certbot renewed nothing: {certbot.skipped(answer)}",
                f"See renew_before_expiry in {lineage.config}.",
            )

    def reload(self, identity: Mapping[str, Any]) -> None:
        lineage = self._lineage(identity)
        filed = self.newest(lineage)
        if identity["renewed"] == (filed == identity["filed"]):
            problem = (
                "there is no newer one to serve" if identity["renewed"] else "it has been renewed meanwhile"
            )
            raise IdentityChanged(_subject(lineage), problem, "Look again.")
        right, wrong = self._compared(identity, filed)
        if right and not wrong:
            return  # A hook of this host was faster.
        broken = self.server.complaint()
        if broken:
            raise FirebreakError(
                self.server.place, broken, "Mend its configuration. It was not reloaded and serves as before."
            )
        self.server.reload()
        end = self.clock() + SERVED_SECONDS
        rounds = 0
        while True:
            right, wrong = self._compared(identity, filed)
            proved = not wrong and (right or not identity["served"])
            rounds = rounds + 1 if proved else 0
            if rounds >= STEADY:
                return
            if not proved and self.clock() >= end:
                break
            self.sleep(PAUSE)
        problem = f"{wrong[0]} does not serve {lineage.fullchain}" if wrong else "no address answers"
        raise FirebreakError(
            self.server.place,
            f"it was reloaded, and {SERVED_SECONDS:g} s later {problem}",
            "See which certificate its configuration names there (nginx -T), and that it listens.",
        )

    def _lineage(self, identity: Mapping[str, Any]) -> Lineage:
        name = identity["lineage"]
        for lineage in self.lineages():
            if lineage.name == name:
                return lineage
        raise IdentityChanged(f"lineage {name}", "it is gone", "Look again.")

    def _ordered(
        self, lineage: Lineage, before: str, force: bool = False, rehearse: bool = False
    ) -> Completed:
        """What certbot said, once it did; or an error in the words of the authority."""
        end = self.clock() + LOCK_SECONDS
        answer = Completed((), 0, "", "")
        # By force, what another certbot has just renewed would be ordered a second time.
        while self.newest(lineage) == before:
            answer = self.run_certbot(lineage.name, force=force, rehearse=rehearse)
            if answer.ok or self.newest(lineage) != before:
                return answer
            problems = certbot.problems(answer)
            if problems[0].kind != certbot.LOCKED or self.clock() >= end:
                raise _not_renewed(lineage, rehearse, problems)
            self.sleep(LOCK_PAUSE)
        return answer

    def _compared(self, identity: Mapping[str, Any], filed: str) -> tuple[int, list[str]]:
        """How many addresses serve the file, and which do not. One that never answered proves nothing."""
        right, wrong = 0, []
        for shown in identity["served"]:
            now = self.presented(shown)
            if now == filed:
                right += 1
            elif now is not None or shown["fingerprint"] is not None:
                wrong.append(f"{shown['name']} at {shown['address']} port {shown['port']}")
        return right, wrong


def _not_renewed(lineage: Lineage, rehearse: bool, problems: Sequence[Problem]) -> FirebreakError:
    where = "at the staging server of Let's Encrypt" if rehearse else f"at {lineage.server or 'its server'}"
    return FirebreakError(
        _subject(lineage),
        f"certbot could not renew it {where}: {'; '.join(map(str, problems))}; nothing was changed",
        certbot.cure(problems[0], lineage.name, lineage.config),
    )


def _subject(lineage: Lineage) -> str:
    return f"lineage {lineage.name}"
